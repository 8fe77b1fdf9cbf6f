// The crowd: those who connect, in processes of their own.

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/seed86893212/websocket"
)

// crowdArg is the first argument of a process of the crowd. Then come the
// server's address and how many connections to open.
const crowdArg = "crowd"

// A crowd starts and ends processes. Its methods are safe for concurrent use.
type crowd struct {
	addr string
	room int // how many connections there may be

	mu     sync.Mutex
	wanted int
	ends   []func()
}

// add has n more connections opened, or as many as there is room for.
func (d *crowd) add(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n = min(n, d.room-d.wanted)
	if n <= 0 {
		return
	}
	end, err := startCrowd(d.addr, n)
	if err != nil {
		log.Print(err)
		return
	}
	d.wanted += n
	d.ends = append(d.ends, end)
}

// clear ends all connections of the crowd.
func (d *crowd) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, end := range d.ends {
		end()
	}
	d.wanted, d.ends = 0, nil
}

func (d *crowd) size() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wanted
}

// startCrowd starts this program once more, as a crowd. It ends when it is told
// to, or when its standard input does since this process has ended.
func startCrowd(addr string, n int) (end func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, crowdArg, addr, strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = in.Close()
		_ = cmd.Wait() // how it ended tells nothing
	}, nil
}

// crowdMain is the process of a crowd.
func crowdMain(args []string) error {
	if len(args) != 2 {
		return errors.New("crowd needs an address and a number")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	visit(ctx, args[0], n)
	return nil
}

// visit opens n connections, some at a time, and lets each say something now and
// then, until ctx ends.
func visit(ctx context.Context, addr string, n int) {
	var all sync.WaitGroup
	entering := make(chan struct{}, 32)
	for i := range n {
		select {
		case <-ctx.Done():
		case entering <- struct{}{}:
			all.Go(func() {
				v := visitor{entered: sync.OnceFunc(func() { <-entering })}
				err := v.run(ctx, addr)
				v.entered()
				if err != nil && ctx.Err() == nil {
					log.Printf("visitor %d: %v", i, err)
				}
			})
		}
	}
	all.Wait()
}

// A visitor is a small client: frames by hand, one message at a time.
type visitor struct {
	nc      net.Conn
	entered func()    // the next one may try
	buf     [128]byte // for a frame: what comes is what was sent
}

func (v *visitor) run(ctx context.Context, addr string) (err error) {
	if v.nc, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr); err != nil {
		return err
	}
	defer v.nc.Close()
	defer context.AfterFunc(ctx, func() { v.nc.Close() })()
	if err := v.upgrade(addr); err != nil {
		return err
	}
	v.entered()
	for {
		select {
		case <-time.After(time.Duration((2 + 6*rand.Float64()) * float64(time.Second))):
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := v.say("hello"); err != nil {
			return err
		}
		if err := v.hear(); err != nil {
			return err
		}
	}
}

// upgrade performs the opening handshake. That the key is always the same is
// good enough to talk to oneself.
func (v *visitor) upgrade(addr string) error {
	_, err := fmt.Fprintf(v.nc, "GET /echo HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", addr)
	if err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(v.nc, 512), nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(answer.Status)
	}
	return nil
}

// say sends a text message of at most 100 bytes.
func (v *visitor) say(text string) error {
	h := websocket.FrameHeader{Final: true, Opcode: websocket.OpText, Masked: true, PayloadLength: int64(len(text))}
	key := rand.Uint32()
	h.MaskingKey = [4]byte{byte(key), byte(key >> 8), byte(key >> 16), byte(key >> 24)}
	frame := h.Append(v.buf[:0])
	at := len(frame)
	frame = append(frame, text...)
	websocket.Mask(frame[at:], h.MaskingKey, 0)
	_, err := v.nc.Write(frame)
	return err
}

// hear waits for the echo. Whoever talks all the time is sent no pings.
func (v *visitor) hear() error {
	for have := 0; ; {
		n, err := v.nc.Read(v.buf[have:])
		if err != nil {
			return err
		}
		have += n
		h, size, err := websocket.ParseFrameHeader(v.buf[:have])
		if err != nil {
			return err
		}
		if size > 0 && have >= size+int(h.PayloadLength) {
			if h.Opcode != websocket.OpText {
				return fmt.Errorf("the server ends it, with opcode %d", h.Opcode)
			}
			return nil
		}
	}
}
