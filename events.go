// Events: the connection driven by callbacks.

package websocket

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// Events are the callbacks of a connection that is driven by them: the
// browser's onopen, onmessage and onclose, and a few more. Any of them may be
// nil. One Events serves any number of connections and must not be changed once
// it is in use.
//
// The callbacks of one connection are called one after the other. They may
// write to the connection, Send on it and close it. They must not read, nor call
// Ping, which could only wait out its context (SendPing is for that). A panic in
// a callback is contained: it closes the connection with StatusInternalError and
// is reported (see Trace.Panicked).
type Events struct {
	// Open is called first.
	Open func(c *Conn)

	// Message is called for each message. p is valid during the call.
	Message func(c *Conn, t MessageType, p []byte)

	// Ping and Pong are called for each ping and pong of the peer. A ping has
	// been answered by then. payload is valid during the call.
	Ping func(c *Conn, payload []byte)
	Pong func(c *Conn, payload []byte)

	// Drain is called when what Send had queued has been sent, after the queue
	// was full (ErrSendLimit) or more than half full.
	Drain func(c *Conn)

	// Close is called last and exactly once, when the connection has ended,
	// with what Conn.Err returns.
	Close func(c *Conn, err error)
}

// Serve drives c with ev's callbacks on this goroutine until the connection
// ends. It takes the reading side over: other reads return ErrTaken. When ctx
// ends, Serve closes the connection with StatusGoingAway and returns ctx's
// error. Otherwise it returns nil if the connection was closed by this side, or
// by the peer with StatusNormalClosure, StatusGoingAway or no status, and else the
// cause of the end; after a panic in a callback, an error that tells its value. If the
// reading side is not free, Serve returns ErrTaken or ErrConcurrentRead, calls
// nothing and leaves the connection as it is.
func (ev *Events) Serve(ctx context.Context, c *Conn) error {
	switch {
	case ctx == nil:
		return errNilContext
	case ev == nil || c == nil:
		return errors.New("websocket: Serve needs Events and a Conn")
	}
	if err := c.l.drive(ev.Drain != nil); err != nil {
		return err
	}
	return ev.serve(ctx, c)
}

// serve is Serve once the reading side has been taken over.
func (ev *Events) serve(ctx context.Context, c *Conn) error {
	s := &served{callbacks: callbacks{ev: ev, c: c}}
	defer s.end()
	open := !c.l.isClosed()
	c.l.beat()
	s.call(&event{kind: eventStart})
	err := s.await(ctx)
	if ctx.Err() != nil && c.l.isOpen() {
		_ = c.l.close(StatusGoingAway, "")
	}
	c.l.receiveEnd()
	s.end()
	switch {
	case s.panicked != nil:
		return s.panicked
	case ctx.Err() != nil && err == ctx.Err():
		return err
	case c.l.endedWell(err):
		return nil
	case open: // an end that a callback has lived to see is the cause, too
		return c.l.atEnd()
	}
	return err
}

// served is one connection under Serve.
type served struct {
	loop
	callbacks
	ended bool
}

// A callbacks calls those of a connection, and contains their panics.
type callbacks struct {
	ev       *Events
	c        *Conn
	panicked error
}

// await hands out what comes until the connection or ctx ends.
func (s *served) await(ctx context.Context) error {
	if err := s.discard(ctx); err != nil {
		return err
	}
	return s.run(ctx, &s.c.l, s)
}

// handle calls the callback for an event of the loop.
func (s *served) handle(ev *event) (more bool) {
	s.call(ev)
	if ev.kept {
		s.l.rd.reuse(ev)
	}
	return true
}

// discard receives the rest of a message that a MessageReader began, and hands out
// what else comes meanwhile: pings, pongs, and that the queue has drained.
func (s *served) discard(ctx context.Context) error {
	l := &s.c.l
	l.serial++
	var ev event
	for l.streaming {
		if err := l.next(ctx, &ev); err != nil {
			return err
		}
		s.call(&ev)
	}
	return nil
}

// end gives the connection up and calls Close, once. It is also what a
// runtime.Goexit in a callback leaves by.
func (s *served) end() {
	if s.ended {
		return
	}
	s.ended = true
	l := &s.c.l
	if !l.isClosed() {
		_ = l.close(StatusInternalError, "")
		l.receiveEnd()
	}
	l.give()
	s.call(&event{kind: eventClose})
}

// call calls the callback for an event and contains its panic.
func (s *callbacks) call(e *event) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			return // runtime.Goexit
		}
		s.panicked = fmt.Errorf("websocket: panic in a callback: %v", v)
		reportPanic(s.c.l.wr.set.trace, v, debug.Stack())
		_ = s.c.l.close(StatusInternalError, "")
	}()
	ev, c := s.ev, s.c
	switch {
	case e.kind == eventMessage && ev.Message != nil:
		ev.Message(c, e.typ, e.data)
	case e.kind == eventStart && ev.Open != nil:
		ev.Open(c)
	case e.kind == eventPing && ev.Ping != nil:
		ev.Ping(c, e.data)
	case e.kind == eventPong && ev.Pong != nil:
		ev.Pong(c, e.data)
	case e.kind == eventDrain && ev.Drain != nil:
		ev.Drain(c)
	case e.kind == eventClose && ev.Close != nil:
		ev.Close(c, c.Err())
	}
	returned = true
}
