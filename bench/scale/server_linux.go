package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed86893212/websocket"
	"golang.org/x/sys/unix"
)

// serverCounts is what a server answers.
type serverCounts struct {
	Len        int // Engine.Len
	Opened     uint64
	Closed     uint64
	Messages   uint64
	Ended      tally
	Strange    []string // errors that no manner of dying explains, some of them
	Errors     uint64   // how many of those, and of echoes that could not be written
	Goroutines int
	Heap       uint64 // bytes
	Stacks     uint64 // bytes
}

// An echoServer is one server process.
type echoServer struct {
	engine   *websocket.Engine
	events   websocket.Events
	opened   atomic.Uint64
	closed   atomic.Uint64
	messages atomic.Uint64

	mu      sync.Mutex
	ended   tally
	strange []string
	errors  uint64
}

// serve is the server process.
func serve(s *settings, orders *json.Decoder, answers *json.Encoder) error {
	e := &echoServer{}
	e.events = websocket.Events{
		Open: func(*websocket.Conn) { e.opened.Add(1) },
		Message: func(c *websocket.Conn, t websocket.MessageType, p []byte) {
			e.messages.Add(1)
			if err := c.Write(context.Background(), t, p); err != nil {
				e.odd(err)
			}
		},
		Close: func(_ *websocket.Conn, err error) { e.end(err) },
	}
	var err error
	if e.engine, err = websocket.NewEngine(&websocket.EngineOptions{Blocking: s.Blocking}); err != nil {
		return err
	}
	ln, err := listen(s.Addr)
	if err != nil {
		return err
	}
	srv := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: websocket.Handler(func(c *websocket.Conn, _ *http.Request) {
			if err := e.engine.Attach(c, &e.events); err != nil {
				e.odd(err)
			}
		}, &websocket.UpgradeOptions{Heartbeat: s.Heartbeat, HeartbeatTimeout: s.Heartbeat}),
	}
	go srv.Serve(ln) //nolint:errcheck // it ends with the process
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			return nil //nolint:nilerr // no more orders
		}
		switch o.Do {
		case "settle":
			runtime.GC() // what finalizers and pools held goes with the second one
			runtime.GC()
			debug.FreeOSMemory()
		case "close":
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			if err := e.engine.Shutdown(ctx); err != nil {
				e.odd(err)
			}
			cancel()
		}
		if err := answers.Encode(e.counts()); err != nil {
			return err
		}
	}
}

// listen listens where other processes do too.
func listen(addr string) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}); e != nil {
			return e
		}
		return err
	}}
	return lc.Listen(context.Background(), "tcp4", addr)
}

// end counts a connection out by the cause of its end.
func (e *echoServer) end(err error) {
	e.closed.Add(1)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch code := websocket.CloseStatus(err); {
	case code == websocket.StatusNormalClosure:
		e.ended[byClose]++
	case code == websocket.StatusGoingAway:
		e.ended[byServer]++
	case errors.Is(err, websocket.ErrHeartbeat):
		e.ended[bySilence]++
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.ended[byHalf]++
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		e.ended[byReset]++
	default:
		e.note(err)
	}
}

// odd counts an error that should not have been.
func (e *echoServer) odd(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.note(err)
}

// note is odd for who holds the lock.
func (e *echoServer) note(err error) {
	e.errors++
	if len(e.strange) < 5 {
		e.strange = append(e.strange, err.Error())
	}
}

func (e *echoServer) counts() *serverCounts {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	e.mu.Lock()
	defer e.mu.Unlock()
	return &serverCounts{
		Len:        e.engine.Len(),
		Opened:     e.opened.Load(),
		Closed:     e.closed.Load(),
		Messages:   e.messages.Load(),
		Ended:      e.ended,
		Strange:    e.strange,
		Errors:     e.errors,
		Goroutines: runtime.NumGoroutine(),
		Heap:       samples[0].Value.Uint64(),
		Stacks:     samples[1].Value.Uint64(),
	}
}
