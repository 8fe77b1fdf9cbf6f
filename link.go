// Both halves joined: what the inbound half asks for, the outbound half does.

package websocket

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/seed86893212/websocket/internal/bufpool"
)

const (
	// brokenTime is how long reading may go on once writing has failed.
	brokenTime = time.Second
	// lingerTime is how long the peer may go on sending after it has been told
	// that this side has failed the connection.
	lingerTime = time.Second
)

// A link joins the two halves of a connection and sees it through to its end.
// Everybody who reads does it through next, and everything that ends the
// connection comes through end.
type link struct {
	rd   reader
	wr   writer
	set  settings
	ping pinger
	life

	// For the holder of the reader's role.
	serial    uint32 // of the last message begun as a stream
	streaming bool   // it has not been received whole
	readErr   error  // of eventLost

	alarm alarm

	// With life's mutex.
	broken error // why writing has failed
	drains bool  // the reader wants to know when the send queue has drained
}

func (l *link) init(t transport, side Role, set settings, buffered []byte) {
	l.set = set
	l.ended = make(chan struct{})
	l.state.Store(uint32(StateOpen))
	l.rd.init(t, side, set.maxMessageSize, buffered)
	l.wr.init(t, side, set.sendLimit, l.told)
	l.alarm.init(set.heartbeat, set.heartbeatTimeout, l.tick)
}

// next returns the next event, waiting for input if need be. What the protocol
// asks for has been done by then: a ping has been answered, a failure and a
// close frame have ended the connection and are returned as the error. After
// its own close frame this side gets no more data. The caller holds the role.
func (l *link) next(ctx context.Context, stream bool) (event, error) {
	ev, err := l.step(ctx, stream, false)
	if err == nil {
		err = l.ends(ctx, ev)
	}
	return ev, err
}

// ends ends the connection if ev says so, and returns the error then.
func (l *link) ends(ctx context.Context, ev event) error {
	switch ev.kind {
	case eventClose, eventFail:
		return l.part(ctx, l.rd.in.part(ev))
	case eventLost:
		return l.lost(l.readErr)
	}
	return nil
}

// step is next but for ending the connection: the events that do are returned.
// Standing in the transport it does not wait, but returns eventWait.
func (l *link) step(ctx context.Context, stream, standing bool) (event, error) {
	if err := ctx.Err(); err != nil {
		return event{}, err
	}
	if l.isClosed() {
		return event{}, l.afterEnd()
	}
	for {
		ev := l.rd.next(stream)
		if ev.kind == eventMore {
			var err error
			if standing {
				ev = l.recv()
			} else if ev, err = l.wait(ctx); err != nil {
				return event{}, err
			}
		}
		switch ev.kind {
		case eventMore:
			continue
		case eventPing:
			l.wr.pong(ev.data)
		case eventPong:
			l.ping.ponged(ev.data)
		case eventStart, eventChunk:
			l.streaming = !ev.final
			if !l.isOpen() {
				continue
			}
		case eventMessage:
			if !l.isOpen() {
				continue
			}
			l.received(ev)
		}
		return ev, nil
	}
}

// received does what is to be done before a message is handed out.
func (l *link) received(ev event) {
	if !l.set.noCoalescing && l.rd.more() {
		l.wr.hold()
	}
	if t := l.set.trace; t != nil && t.MessageReceived != nil {
		t.MessageReceived(ev.typ, len(ev.data))
	}
}

// wait waits for input. What was held back for company is sent first.
func (l *link) wait(ctx context.Context) (event, error) {
	l.wr.release()
	l.alarm.park()
	ev, err := l.rd.fill(ctx)
	switch {
	case err == nil:
		l.alarm.received()
		return ev, nil
	case err != errWoken:
		l.readErr = err
		return event{kind: eventLost}, nil
	}
	return l.woken(ctx)
}

// woken says what a wait was interrupted for.
func (l *link) woken(ctx context.Context) (event, error) {
	l.alarm.leave()
	why := l.rd.bell.answer()
	if l.isClosed() {
		return event{}, l.atEnd()
	}
	if err := ctx.Err(); err != nil {
		return event{}, err
	}
	if why&wakeDrain != 0 {
		return event{kind: eventDrain}, nil
	}
	return event{}, nil
}

// recv receives without waiting, standing in the transport.
func (l *link) recv() event {
	ev, err := l.rd.recv()
	switch err {
	case nil:
		l.alarm.received()
		return ev
	case errAgain:
		return event{kind: eventWait}
	}
	l.readErr = err
	return event{kind: eventLost}
}

// message returns the next whole message.
func (l *link) message(ctx context.Context) (event, error) {
	for {
		ev, err := l.next(ctx, false)
		if err != nil || ev.kind == eventMessage {
			return ev, err
		}
	}
}

// lost ends the connection after its transport could not be read any more.
func (l *link) lost(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // no close frame (RFC 6455, section 7.1.5)
	}
	l.end(err, false)
	return l.atEnd()
}

// discard receives the rest of a message that was begun as a stream and makes
// its reader stale.
func (l *link) discard(ctx context.Context) error {
	l.serial++
	for l.streaming {
		if _, err := l.next(ctx, true); err != nil {
			return err
		}
	}
	return nil
}

// take takes the reader's role for one read or one loop.
func (l *link) take(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	return l.notFree(l.rd.role.take())
}

// notFree is err, from the role, unless the connection is being closed.
func (l *link) notFree(err error) error {
	if err == ErrConcurrentRead && !l.isOpen() {
		return l.afterEnd()
	}
	return err
}

// drive takes the reader's role for a driver, which may want to know when the
// send queue has drained.
func (l *link) drive(drains bool) error {
	if err := l.rd.role.drive(false); err != nil {
		return l.notFree(err)
	}
	l.rd.in.grow = bufpool.Grow
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drains = drains
	return nil
}

// give gives the reader's role back.
func (l *link) give() {
	for {
		closed := l.isClosed()
		if closed {
			l.serial++ // a MessageReader must not touch what is given up
			l.rd.free()
		}
		l.rd.role.give()
		if closed || !l.isClosed() {
			return
		}
		// It ended meanwhile, and end may have left the buffers to us.
		if taken, _, _ := l.rd.role.closer(); !taken {
			return
		}
	}
}

// write sends one frame, and says why if it cannot.
func (l *link) write(ctx context.Context, op Opcode, final bool, p []byte, inside bool) (accepted bool, err error) {
	if ctx == nil {
		return false, errNilContext
	}
	open := !l.isClosed()
	if accepted, err = l.wr.write(ctx, op, final, p, inside); err != nil {
		err = l.writeError(err, open)
	}
	return accepted, err
}

// told is the writer's.
func (l *link) told(drained bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case drained && l.drains:
		l.rd.bell.wake(wakeDrain)
	case !drained && l.broken == nil:
		// The peer's close frame may still be there to be read.
		l.broken = err
		l.alarm.endWithin(brokenTime)
	}
}

// tick is called by the alarm.
func (l *link) tick() {
	switch l.alarm.due() {
	case alarmOver:
		l.mu.Lock()
		cause := l.broken
		l.mu.Unlock()
		if cause == nil {
			cause = errCloseTimeout
		}
		l.end(cause, false)
	case alarmSilent:
		if l.wr.slow() {
			l.alarm.again()
			return
		}
		l.end(errNoHeartbeat, false)
	case alarmPing:
		l.wr.heartbeat()
		if l.set.trace != nil && l.set.trace.HeartbeatSent != nil {
			l.set.trace.HeartbeatSent()
		}
	}
}

// end is the one door out. The first call decides the cause and does it all;
// others return at once. The transport is closed when it returns, unless
// somebody stands in it, who then closes it on leaving. In order means that both
// sides have sent their close frames.
func (l *link) end(cause error, inOrder bool) {
	l.mu.Lock()
	if l.ending {
		l.mu.Unlock()
		return
	}
	l.ending = true
	l.blame(cause)
	l.state.Store(uint32(StateClosed))
	l.mu.Unlock()
	l.alarm.stop()
	l.ping.end()
	l.wr.shut(errShut)
	if l.rd.role.doom() {
		l.rd.t.hangUp()
	} else {
		l.closeTransport(inOrder)
	}
	l.rd.bell.wake(wakeClose)
	if taken, _, _ := l.rd.role.closer(); taken { // otherwise the holder does it
		l.give()
	}
}

// closeTransport gives up what the transport holds.
func (l *link) closeTransport(inOrder bool) {
	if inOrder {
		_ = l.rd.t.close()
	} else {
		_ = l.rd.t.abort()
	}
	if t := l.set.trace; t != nil && t.Closed != nil {
		t.Closed(l.reason())
	}
	close(l.ended)
}

// part ends the connection after the peer's close frame or a failure: the peer
// is told, if that is still possible. When both close frames have been sent, no
// more is waited for than the caller's ctx allows.
func (l *link) part(ctx context.Context, p parting) error {
	l.mu.Lock()
	l.closing(false)
	p.cause.Remote = p.cause.Remote && !l.began
	l.blame(p.cause)
	l.mu.Unlock()
	l.wr.close(p.code, p.reason)
	bounded, cancel := l.closeContext()
	defer cancel()
	var sent bool
	if p.half {
		sent = l.tell(bounded, cancel)
	} else if sent = l.wr.flush(bounded) == nil; sent && p.linger {
		l.linger(ctx) // and the alarm bounds it
	}
	l.end(p.cause, sent)
	return l.atEnd()
}

// tell sends what is queued and the close frame to a peer that may be sending,
// and drops what it sends: it might not receive before that has been taken. Then
// it has a moment to close.
func (l *link) tell(ctx context.Context, cancel context.CancelFunc) (sent bool) {
	flushed := make(chan *time.Timer, 1)
	go func() {
		if l.wr.flush(ctx) != nil {
			cancel()
			flushed <- nil
			return
		}
		l.rd.t.closeWrite()
		flushed <- time.AfterFunc(lingerTime, cancel)
	}()
	l.linger(ctx)
	timer := <-flushed // a peer that sends nothing more may still be told
	if timer != nil {
		timer.Stop()
	}
	return timer != nil
}

// linger receives and drops what still comes, until the peer closes or ctx ends.
func (l *link) linger(ctx context.Context) {
	l.rd.buf.free()
	l.rd.bell.watch(ctx)
	for ctx.Err() == nil {
		_, err := l.rd.t.read(&l.rd.buf, nil)
		l.rd.buf.free()
		if err == errWoken {
			l.rd.bell.answer()
		} else if err != nil {
			return
		}
		if l.isClosed() {
			return
		}
	}
}

// closing makes the state closing and sees that the connection ends in time
// whatever happens. The caller holds mu.
func (l *link) closing(began bool) {
	if l.life.close(began) && l.set.closeTimeout > 0 {
		l.alarm.endWithin(l.set.closeTimeout)
	}
}

// closeContext returns a context that ends when closing should have.
func (l *link) closeContext() (context.Context, context.CancelFunc) {
	if l.set.closeTimeout <= 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), l.set.closeTimeout)
}

// close begins the closing handshake and waits for its end, unless it is called
// from where the end is dealt with.
func (l *link) close(code StatusCode, reason string) error {
	code, reason, bad := checkClose(code, reason)
	first := l.beginClose(code, reason)
	later := l.finish()
	if !first {
		return l.afterEnd()
	}
	if later {
		return bad
	}
	var ce *CloseError
	if cause := l.reason(); !errors.As(cause, &ce) {
		return errors.Join(bad, cause)
	}
	return bad
}

// beginClose sends a close frame, if the connection is open, with a code and
// reason of checkClose.
func (l *link) beginClose(code StatusCode, reason string) (first bool) {
	l.mu.Lock()
	first = l.isOpen()
	l.closing(true)
	l.mu.Unlock()
	if first {
		l.wr.close(code, reason)
	}
	return first
}

// finish sees the closing handshake through. It reports whether somebody else
// is to do so, later.
func (l *link) finish() (later bool) {
	for {
		select {
		case <-l.ended:
			return false
		default:
		}
		taken, busy, freed := l.rd.role.closer()
		switch {
		case busy:
			return true
		case taken:
			l.receiveEnd()
			l.give()
		}
		select {
		case <-l.ended:
			return false
		case <-freed:
		}
	}
}

// receiveEnd receives until the connection ends. The caller holds the role.
func (l *link) receiveEnd() {
	l.serial++
	for {
		if _, err := l.next(context.Background(), true); err != nil {
			return
		}
	}
}

// closeNow ends the connection without a handshake.
func (l *link) closeNow() error {
	l.mu.Lock()
	if l.ending {
		defer l.mu.Unlock()
		return errClosed(l.cause)
	}
	l.began = l.began || l.cause == nil
	l.mu.Unlock()
	l.end(nil, false)
	return nil
}
