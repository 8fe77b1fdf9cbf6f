// NetConn: a WebSocket connection as a net.Conn.

package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// NetConn returns c as a net.Conn: what is written goes out as messages of type
// t, one for each Write, and what is read is the bytes of the messages that
// come, one after the other. It takes the reading side over; if that is not
// free, its reads return ErrTaken or ErrConcurrentRead. When ctx ends, the
// connection is ended as by CloseNow: the peer sees no close frame, which is
// io.ErrUnexpectedEOF or the network's error there. A nil ctx is a mistake: reads
// return an error, and only writes and Close work.
//
// A message of another type closes the connection with StatusUnsupportedData.
// Read returns io.EOF after the peer has closed with StatusNormalClosure,
// StatusGoingAway or no status. Close closes with StatusNormalClosure and sees the closing
// handshake through, and a Read under way returns at once; close the result and
// not c, for which nobody would read the peer's answer. Deadlines work as net.Conn
// says and leave the connection usable: their errors match os.ErrDeadlineExceeded.
// A Write that has begun to leave by then returns len(p) beside that error, because
// the rest will follow. The result is safe for concurrent use as a net.Conn is.
func NetConn(ctx context.Context, c *Conn, t MessageType) net.Conn {
	n := &netConn{c: c, t: t}
	n.read.init()
	n.write.init()
	if ctx == nil {
		n.err, n.stop = errNilContext, func() bool { return false }
		return n
	}
	if n.err = c.l.drive(false); n.err == nil {
		c.l.beat()
		c.l.onEnd(func(error) { go n.over() }) // whoever ends it may be in a Read
	}
	n.stop = context.AfterFunc(ctx, func() { _ = c.CloseNow() })
	return n
}

type netConn struct {
	c    *Conn
	t    MessageType
	stop func() bool

	readMu sync.Mutex
	begun  bool   // a message has begun since NetConn was called
	rest   []byte // lies in the connection's buffers
	err    error  // sticks

	closing     atomic.Bool // Close has been called
	read, write deadline
}

func (n *netConn) Read(p []byte) (int, error) {
	if n.closing.Load() { // which has the lock until the connection has ended
		return 0, n.c.l.afterEnd()
	}
	n.readMu.Lock()
	defer n.readMu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	ctx := n.read.context()
	if ctx.Err() != nil {
		return 0, n.late()
	}
	for len(n.rest) == 0 {
		if n.err != nil {
			return 0, n.err
		}
		if err := n.next(ctx); err != nil {
			return 0, err
		}
	}
	k := copy(p, n.rest)
	n.rest = n.rest[k:]
	return k, nil
}

// next receives the next piece of a message.
func (n *netConn) next(ctx context.Context) error {
	var ev event
	err := n.c.l.next(ctx, &ev)
	switch {
	case err != nil && err == ctx.Err():
		return n.late()
	case err != nil:
		n.c.l.give()
		n.err = err
		if meant(err) && !errors.Is(err, net.ErrClosed) {
			n.err = io.EOF
		}
		return n.err
	case ev.kind == eventStart && ev.typ != n.t.kind():
		_ = n.c.l.close(StatusUnsupportedData, fmt.Sprintf("%s messages are not expected", ev.typ))
	case ev.kind == eventStart:
		n.begun = true
	case ev.kind == eventChunk && n.begun: // not the rest of a MessageReader's message
		n.rest = ev.data
	}
	return nil
}

// late is why a read whose deadline has passed returns: Close is what sets one that has.
func (n *netConn) late() error {
	if n.closing.Load() {
		return n.c.l.afterEnd()
	}
	return os.ErrDeadlineExceeded
}

// over gives the reading side back once the connection has ended, since nobody may read any
// more.
func (n *netConn) over() {
	n.readMu.Lock()
	defer n.readMu.Unlock()
	if n.err == nil {
		n.rest = slices.Clone(n.rest) // it can still be read
		n.c.l.give()
		n.err = n.c.l.afterEnd()
	}
}

func (n *netConn) Write(p []byte) (int, error) {
	ctx := n.write.context()
	if err := n.c.l.wr.set.sendable(ctx, n.t, p); err != nil {
		return 0, err
	}
	accepted, err := n.c.write(ctx, n.t, p, nil)
	if err != nil && err == ctx.Err() {
		err = os.ErrDeadlineExceeded
	}
	if !accepted {
		return 0, err
	}
	return len(p), err
}

// Close sees the closing handshake through itself: a read under way returns at once.
func (n *netConn) Close() error {
	n.stop()
	n.write.stop()
	err := n.c.l.close(StatusNormalClosure, "")
	if !n.closing.Swap(true) {
		err = nil // that the peer was faster is no error, for a net.Conn
	}
	n.read.set(longAgo)
	n.readMu.Lock()
	defer n.readMu.Unlock()
	n.rest = nil
	if n.err == nil {
		n.c.l.receiveEnd()
		n.c.l.give()
		n.err = n.c.l.afterEnd()
	}
	return err
}

func (n *netConn) LocalAddr() net.Addr  { return n.c.LocalAddr() }
func (n *netConn) RemoteAddr() net.Addr { return n.c.RemoteAddr() }

func (n *netConn) SetDeadline(t time.Time) error {
	n.read.set(t)
	n.write.set(t)
	return nil
}

func (n *netConn) SetReadDeadline(t time.Time) error {
	n.read.set(t)
	return nil
}

func (n *netConn) SetWriteDeadline(t time.Time) error {
	n.write.set(t)
	return nil
}

// A deadline is a context that can be moved: calls under way see the new time.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	ctx   context.Context
	end   context.CancelFunc
}

func (d *deadline) init() { d.ctx, d.end = context.WithCancel(context.Background()) }

func (d *deadline) context() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ctx
}

// stop stops the timer, for good.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
}

// set moves the deadline; the zero time means none.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	late := d.timer != nil && !d.timer.Stop()
	d.timer = nil
	if late || d.ctx.Err() != nil {
		d.init()
	}
	if t.IsZero() {
		return
	}
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, d.end)
	} else {
		d.end()
	}
}
