// Connections in memory.

package wstest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// DefaultBuffer is how many bytes a connection of Pipe or Listen holds for a
// reader that is slow, in each direction.
const DefaultBuffer = 64 << 10

// A Conn is one end of a connection in memory that behaves as TCP does: bytes
// wait in a buffer of limited size, deadlines can be set and taken back, either
// direction can be shut alone, and it can be reset.
type Conn struct {
	in, out *stream
}

// Pipe returns both ends of a connection with buffers of DefaultBuffer bytes.
func Pipe() (a, b *Conn) { return PipeSize(DefaultBuffer) }

// PipeSize is Pipe with buffers of size bytes. In the smallest, of one byte, a
// writer waits for nearly every byte to be read.
func PipeSize(size int) (a, b *Conn) {
	ab, ba := newStream(size), newStream(size)
	return &Conn{in: ba, out: ab}, &Conn{in: ab, out: ba}
}

// Read returns what has come, io.EOF after the peer has shut its direction.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, opError("read", err)
}

// Write returns when all of p is in the buffer.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, opError("write", err)
}

// CloseWrite shuts this end's direction: the peer reads io.EOF after what was
// written, and may still write.
func (c *Conn) CloseWrite() error { return opError("close", c.out.shut()) }

// Close closes this end. The peer can read what was written and then io.EOF;
// what it writes from now on is an error.
func (c *Conn) Close() error {
	err := c.out.closeWriter()
	c.in.closeReader()
	return opError("close", err)
}

// Reset closes this end and drops what is under way in both directions: the
// peer's calls fail with ECONNRESET.
func (c *Conn) Reset() {
	c.out.reset()
	c.in.reset()
	_ = c.Close() // for calls on this end
}

// Buffered returns how many bytes this end has not read yet.
func (c *Conn) Buffered() int { return c.in.size() }

// LocalAddr returns an address without meaning.
func (c *Conn) LocalAddr() net.Addr { return addr{} }

// RemoteAddr returns an address without meaning.
func (c *Conn) RemoteAddr() net.Addr { return addr{} }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets the deadline of Read, under way and to come.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return opError("set", c.in.setDeadline(&c.in.reader, t))
}

// SetWriteDeadline sets the deadline of Write, under way and to come.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return opError("set", c.out.setDeadline(&c.out.writer, t))
}

// opError dresses an error as package net does.
func opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "mem", Addr: addr{}, Err: err}
}

type addr struct{}

func (addr) Network() string { return "mem" }
func (addr) String() string  { return "mem" }

// A side is a reader's or a writer's hold on a stream.
type side struct {
	closed   bool
	deadline time.Time
	timer    *time.Timer
}

func (s *side) expired() bool { return !s.deadline.IsZero() && !time.Now().Before(s.deadline) }

// stop ends what runs for the side.
func (s *side) stop() {
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
}

// A stream is one direction of a connection.
type stream struct {
	mu     sync.Mutex
	change *sync.Cond
	max    int
	buf    []byte
	eof    bool // nothing more is written
	broken bool // reset
	reader side
	writer side
}

func newStream(size int) *stream {
	s := &stream{max: max(size, 1)}
	s.change = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.reader.closed:
			return 0, net.ErrClosed
		case s.broken:
			return 0, ErrReset
		case s.reader.expired():
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(s.buf) > 0:
			n := copy(p, s.buf)
			s.buf = s.buf[n:]
			s.change.Broadcast()
			return n, nil
		case s.eof:
			return 0, io.EOF
		}
		s.change.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.writer.closed:
			return n, net.ErrClosed
		case s.broken:
			return n, ErrReset
		case s.reader.closed, s.eof:
			return n, ErrShut
		case s.writer.expired():
			return n, os.ErrDeadlineExceeded
		}
		k := min(len(p)-n, s.max-len(s.buf))
		s.buf = append(s.buf, p[n:n+k]...)
		if k > 0 {
			s.change.Broadcast()
		}
		if n += k; n == len(p) {
			return n, nil
		}
		s.change.Wait()
	}
}

func (s *stream) shut() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer.closed {
		return net.ErrClosed
	}
	s.eof = true
	s.change.Broadcast()
	return nil
}

func (s *stream) closeWriter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer.closed {
		return net.ErrClosed
	}
	s.writer.stop()
	s.eof = true
	s.change.Broadcast()
	return nil
}

func (s *stream) closeReader() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reader.stop()
	s.buf = nil
	s.change.Broadcast()
}

func (s *stream) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = true
	s.buf = nil
	s.change.Broadcast()
}

func (s *stream) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.buf)
}

// setDeadline sets the deadline of a side of s; the zero time means none.
func (s *stream) setDeadline(of *side, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of.closed {
		return net.ErrClosed
	}
	if of.timer != nil {
		of.timer.Stop()
		of.timer = nil
	}
	of.deadline = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		of.timer = time.AfterFunc(wait, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.change.Broadcast()
		})
	}
	s.change.Broadcast()
	return nil
}
