package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"syscall"

	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/seed86893212/websocket/bench/internal/record"
	"github.com/seed86893212/websocket/bench/internal/wire"
	"github.com/seed86893212/websocket/internal/poll"
	"golang.org/x/sys/unix"
)

// A conn is one connection of the generator.
type conn struct {
	fd    int
	index int
	tls   *record.Session // nil without TLS

	ring    *wire.Ring
	next    int    // message of ring to queue next
	pos     int    // where in ring.Frames the next byte to send stands
	pending int    // bytes to send from there
	sealed  []byte // of them, those that are encrypted and not sent
	full    bool   // the socket had no room: wait for EPOLLOUT
	echo    wire.Echo

	times []int64 // when messages were sent, or should have been; a power of two
	sent  uint64
	got   uint64
}

// open connects n connections and performs their opening handshakes, some at a
// time.
func open(addr netip.AddrPort, n int, path string, w *plan.Workload) ([]*conn, error) {
	const batch = 64
	request := wire.Request(addr.String(), path, w.Deflate)
	conns := make([]*conn, 0, n)
	for len(conns) < n {
		group := make([]*conn, 0, batch)
		for range min(batch, n-len(conns)) {
			c := &conn{index: len(conns) + len(group)}
			var err error
			if c.fd, err = dial(addr, c.index); err != nil {
				return conns, fmt.Errorf("connection %d: %w", c.index, err)
			}
			if w.TLS {
				if c.tls, err = record.Client(c.fd); err != nil {
					return conns, fmt.Errorf("connection %d: TLS: %w", c.index, err)
				}
			}
			if err := c.writeAll(request); err != nil {
				return conns, fmt.Errorf("connection %d: request: %w", c.index, err)
			}
			group = append(group, c)
		}
		for _, c := range group {
			if err := c.upgraded(w.Deflate); err != nil {
				return conns, fmt.Errorf("connection %d: answer: %w", c.index, err)
			}
		}
		conns = append(conns, group...)
	}
	return conns, nil
}

// writeAll writes p, waiting.
func (c *conn) writeAll(p []byte) error {
	if c.tls != nil {
		p = c.tls.Seal(nil, p)
	}
	for len(p) > 0 {
		n, err := uninterrupted(unix.Write, c.fd, p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// upgraded waits for the answer to the opening handshake.
func (c *conn) upgraded(d wire.Deflate) error {
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := uninterrupted(unix.Read, c.fd, buf)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		plain := buf[:n]
		if c.tls != nil {
			if plain, err = c.tls.Open(plain); err != nil {
				return err
			}
		}
		all = append(all, plain...)
		end, err := wire.Response(all)
		if err != nil {
			return err
		}
		if end > 0 {
			if end < len(all) {
				return errors.New("bytes after the answer that nobody asked for")
			}
			return d.Check(all)
		}
	}
}

// prepare gets c ready to send ring's messages, beginning with message first,
// with up to outstanding of them in flight.
func (c *conn) prepare(ring *wire.Ring, first, outstanding int) {
	size := 1
	for size < outstanding {
		size *= 2
	}
	c.ring = ring
	c.times = make([]int64, size)
	first %= len(ring.Payloads)
	c.next, c.pos = first, ring.Start(first)
	c.echo.Reset(ring, first)
}

// queue adds a message with its time. It reports whether there was room.
func (c *conn) queue(at int64) bool {
	if c.sent-c.got >= uint64(len(c.times)) {
		return false
	}
	c.times[c.sent&uint64(len(c.times)-1)] = at
	c.sent++
	c.pending += c.ring.Frame(c.next)
	if c.next++; c.next == len(c.ring.Payloads) {
		c.next = 0
	}
	return true
}

// flush sends what is queued, as much as the socket takes.
func (c *conn) flush() error {
	for c.sends() {
		p := c.outgoing()
		n, err := poll.Send(uintptr(c.fd), p)
		if err := c.sentSome(n, len(p), err); err != nil {
			return err
		}
	}
	return nil
}

// sends reports whether there is something to send and room for it.
func (c *conn) sends() bool { return !c.full && (c.pending > 0 || len(c.sealed) > 0) }

// outgoing returns what is to be sent next.
func (c *conn) outgoing() []byte {
	p := c.ring.Frames[c.pos:]
	p = p[:min(c.pending, len(p))]
	if c.tls == nil {
		return p
	}
	if len(c.sealed) == 0 {
		p = p[:min(len(p), 64<<10)]
		c.sealed = c.tls.Seal(c.sealed, p)
		c.advance(len(p))
	}
	return c.sealed
}

// sentSome notes that of the size bytes of outgoing n have been sent.
func (c *conn) sentSome(n, size int, err error) error {
	switch {
	case err == syscall.EAGAIN:
		c.full = true
		return nil
	case err != nil:
		return fmt.Errorf("send: %w", err)
	}
	if c.tls != nil {
		c.sealed = append(c.sealed[:0], c.sealed[n:]...)
	} else {
		c.advance(n)
	}
	c.full = n < size
	return nil
}

func (c *conn) advance(n int) {
	c.pending -= n
	c.pos = (c.pos + n) % c.ring.Span()
}

// receive takes in what has come and returns how many messages that completes.
func (c *conn) receive(buf []byte) (done int, err error) {
	n, err := poll.Recv(uintptr(c.fd), buf)
	return c.received(buf[:n], err)
}

// received takes in p, unless receiving it has failed.
func (c *conn) received(p []byte, err error) (done int, _ error) {
	switch {
	case err == syscall.EAGAIN:
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("recv: %w", err)
	case len(p) == 0:
		return 0, errors.New("the server has closed the connection")
	}
	if c.tls != nil {
		if p, err = c.tls.Open(p); err != nil {
			return 0, err
		}
	}
	return c.echo.Feed(p)
}
