// A peer that plays a script.

package wstest

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long a step waits for the other side.
const Patience = 10 * time.Second

// A Step is one thing that a scripted peer does.
type Step struct {
	does string // "send 4 bytes", or what was to happen in the caller's words
	run  func(p *peer) error
}

// A peer is the scripted side of a connection.
type peer struct {
	nc net.Conn
	r  *bufio.Reader // over nc
}

// Run plays the steps over nc, one after the other. The error begins with what
// was expected. Afterwards nc is as the steps have left it; Run closes it only
// on an error.
func Run(nc net.Conn, steps ...Step) error {
	p := &peer{nc: nc, r: bufio.NewReader(nc)}
	for i, s := range steps {
		nc.SetDeadline(time.Now().Add(Patience))
		if err := s.run(p); err != nil {
			nc.Close()
			return fmt.Errorf("%s: %w (step %d of %d)", s.does, err, i+1, len(steps))
		}
	}
	nc.SetDeadline(time.Time{})
	return nil
}

// Start plays the steps over nc on a goroutine of its own, and fails the test
// if one fails. wait waits for the last step; the test's end does in any case.
// nc is closed when the test ends.
func Start(t testing.TB, nc net.Conn, steps ...Step) (wait func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- Run(nc, steps...) }()
	wait = sync.OnceFunc(func() {
		t.Helper()
		if err := <-done; err != nil {
			t.Errorf("scripted peer: %v", err)
		}
	})
	t.Cleanup(func() {
		wait()
		nc.Close()
	})
	return wait
}

// Send sends bytes at once.
func Send(p []byte) Step {
	return Step{fmt.Sprintf("send %d bytes", len(p)), func(to *peer) error {
		_, err := to.nc.Write(p)
		return err
	}}
}

// SendFrames sends frames, all of them at once.
func SendFrames(frames ...Frame) Step {
	s := Send(Wire(frames...))
	s.does = fmt.Sprintf("send %v", frames)
	return s
}

// SendChunks sends bytes in pieces, with a pause between them.
func SendChunks(pause time.Duration, pieces ...[]byte) Step {
	return Step{fmt.Sprintf("send %d pieces", len(pieces)), func(to *peer) error {
		for i, piece := range pieces {
			if i > 0 {
				time.Sleep(pause)
			}
			if _, err := to.nc.Write(piece); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Expect reads bytes and compares them. want says what they are, such as "want
// a pong with the ping's payload".
func Expect(want string, p []byte) Step {
	return Step{want, func(from *peer) error {
		got := make([]byte, len(p))
		n, err := io.ReadFull(from.r, got)
		switch i := firstDifference(got[:n], p); {
		case i < n:
			return fmt.Errorf("byte %d is wrong: got % x, expected % x", i, got[:n], p)
		case err != nil:
			return fmt.Errorf("after % x, expected % x: %w", got[:n], p, err)
		}
		return nil
	}}
}

// firstDifference returns the first index at which a and b differ, len(a) if
// none does. b is not shorter.
func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

// ExpectFrame reads a frame and compares it. Whether it is masked has to be
// right, the key may be any.
func ExpectFrame(want string, f Frame) Step {
	return Step{want, func(from *peer) error {
		got, err := ReadFrame(from.r)
		if err != nil {
			return fmt.Errorf("expected %v: %w", f, err)
		}
		same := bytes.Equal(got.Payload, f.Payload) && (got.Mask != nil) == (f.Mask != nil)
		g, e := got, f
		g.Mask, g.Payload, e.Mask, e.Payload = nil, nil, nil, nil
		if !same || fmt.Sprint(g) != fmt.Sprint(e) {
			return fmt.Errorf("got %v; expected %v", got, f)
		}
		return nil
	}}
}

// ExpectEnd waits for the other side to end the connection, with or without
// order. A byte that still comes is an error.
func ExpectEnd(want string) Step {
	return Step{want, func(from *peer) error {
		b, err := from.r.ReadByte()
		switch {
		case err == nil:
			rest, _ := from.r.Peek(from.r.Buffered())
			return fmt.Errorf("got % x; expected the end", append([]byte{b}, rest...))
		case errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		return nil
	}}
}

// ExpectSilence is an error if a byte or the end comes within d.
func ExpectSilence(want string, d time.Duration) Step {
	return Step{want, func(from *peer) error {
		from.nc.SetReadDeadline(time.Now().Add(d))
		_, err := from.r.Peek(1)
		switch {
		case err == nil:
			got, _ := from.r.Peek(from.r.Buffered())
			return fmt.Errorf("got % x; expected silence", got)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		}
		return err
	}}
}

// Discard reads and drops everything until the end.
func Discard() Step {
	return Step{"drop what comes until the end", func(from *peer) error {
		_, err := io.Copy(io.Discard, from.r)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		return nil
	}}
}

// Sleep does nothing for a while.
func Sleep(d time.Duration) Step {
	return Step{"sleep", func(*peer) error {
		time.Sleep(d)
		return nil
	}}
}

// Shut ends the connection in order.
func Shut() Step {
	return Step{"close the connection", func(p *peer) error { return p.nc.Close() }}
}

// ShutWrite ends this side's direction only.
func ShutWrite() Step {
	return Step{"close one direction", func(p *peer) error {
		if c, ok := p.nc.(interface{ CloseWrite() error }); ok {
			return c.CloseWrite()
		}
		return errors.ErrUnsupported
	}}
}

// ShutHard resets the connection: a Conn of this package, or TCP.
func ShutHard() Step {
	return Step{"reset the connection", func(p *peer) error {
		switch c := p.nc.(type) {
		case interface{ Reset() }:
			c.Reset()
			return nil
		case *net.TCPConn:
			_ = c.SetLinger(0)
			return c.Close()
		}
		return errors.ErrUnsupported
	}}
}

// AcceptHandshake is a server's side of the opening handshake (RFC 6455,
// section 4.2). header are lines that go into the answer.
func AcceptHandshake(header ...string) Step {
	return Step{"want the client's opening handshake", func(p *peer) error {
		r, err := http.ReadRequest(p.r)
		if err != nil {
			return err
		}
		lines := append([]string{
			"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
			"Sec-WebSocket-Accept: " + accept(r.Header.Get("Sec-Websocket-Key")),
		}, header...)
		_, err = io.WriteString(p.nc, strings.Join(lines, "\r\n")+"\r\n\r\n")
		return err
	}}
}

// AskHandshake is a client's side of the opening handshake (RFC 6455, section
// 4.1). header are lines that go into the request.
func AskHandshake(header ...string) Step {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	return Step{"want the server's opening handshake", func(p *peer) error {
		lines := slices.Concat([]string{
			"GET / HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
			"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key,
		}, header)
		if _, err := io.WriteString(p.nc, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
			return err
		}
		resp, err := http.ReadResponse(p.r, nil)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if got := resp.Header.Get("Sec-Websocket-Accept"); resp.StatusCode != http.StatusSwitchingProtocols || got != accept(key) {
			return fmt.Errorf("got %s with Sec-WebSocket-Accept %q; expected 101 with %q", resp.Status, got, accept(key))
		}
		return nil
	}}
}

// accept answers a key (RFC 6455, section 4.2.2).
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
