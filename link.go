// Both halves joined: what the inbound half asks for, the outbound half does.

package websocket

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// brokenTime is how long a read may wait for more once writing has failed, lingerTime how
// long the peer may go on once it has been told that the connection ends.
const (
	brokenTime = time.Second
	lingerTime = time.Second
)

// A link joins the two halves of a connection: all there is to it but waiting.
// Everybody who reads does it through advance, and everything that ends the
// connection comes through end.
type link struct {
	rd    reader
	wr    writer                 // with the settings
	more  atomic.Pointer[extras] // nil until something of it is needed
	alarm                        // with the life

	// For the holder of the reader's role.
	serial    uint32 // of the last message begun as a stream
	streaming bool   // it has not been received whole
	held      bool   // something may have been held back for company

	// With life's mutex.
	attached bool // an Engine has taken the connection over
	drains   bool // the reader wants to know when the send queue has drained
}

// extras are what few connections ever need.
type extras struct {
	pinger
	readDone atomic.Pointer[context.Context] // CloseRead's
	after    []func(cause error)             // to be called at the end; with life's mutex
	pieces   int                             // bytes of the message that is received in pieces, for the trace
}

func (l *link) init(t transport, side Role, set *settings, deflate deflation, buffered []byte) {
	l.state.Store(uint32(StateOpen))
	l.rd.init(t, side, set.maxMessageSize, deflate, buffered)
	l.wr.init(t, side, set, l)
	l.alarm.init()
}

// advance makes ev the next event in what has been received, eventMore if there
// is none. What the protocol asks for has been done by then, but for ending the
// connection: the events that do are returned. After its own close frame this
// side gets no more data. The caller holds the role.
func (l *link) advance(stream bool, ev *event) {
	for {
		l.rd.next(stream, ev)
		if ev.kind == eventMore || l.apply(ev) {
			return
		}
		ev.data = nil // no memory for a message
		l.rd.dropRest()
	}
}

// extras returns more, which it makes if there is none.
func (l *link) extras() *extras {
	if l.more.Load() == nil {
		l.more.CompareAndSwap(nil, new(extras))
	}
	return l.more.Load()
}

// onEnd has f called with the cause when the connection has ended.
func (l *link) onEnd(f func(cause error)) {
	x := l.extras()
	l.mu.Lock()
	over := l.ending
	if !over {
		x.after = append(x.after, f)
	}
	l.mu.Unlock()
	if over {
		f(l.reason())
	}
}

// transport returns what the connection stands on.
func (l *link) transport() transport {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rd.t
}

// adopt moves the connection to another transport, whose driver asks tick from
// time to time; between as in alarm. The caller holds the role. It fails if somebody is
// sending or the connection has ended.
func (l *link) adopt(t transport, between bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending || !l.wr.adopt(t) {
		return false
	}
	l.rd.bell.adopt(t) // whose t is the reader's
	l.alarm.sweep()
	l.alarm.between = between
	return true
}

// whole makes ev the whole message that is at hand between others, as there nearly
// always is one, and reports whether there is: see takeWhole. Without one it has done
// nothing, but for a message that fails the connection.
func (l *link) whole(ev *event) bool {
	if l.streaming || !l.isOpen() || !l.rd.whole(ev) {
		return false
	}
	if ev.kind == eventMessage {
		l.received(ev)
	}
	return true
}

// poll is advance, receiving what there is to receive without waiting, for who
// stands in the transport. It makes ev eventWait if there is nothing. heard says that
// a message came just now, of which enter is to tell the alarm.
func (l *link) poll(ev *event) (heard bool) {
	r := &l.rd
	for {
		switch {
		case l.whole(ev):
			if ev.kind != eventMessage {
				l.hear(heard)
				heard = false
			}
			return heard
		case r.dry():
		default:
			l.hear(heard)
			if l.advance(false, ev); ev.kind != eventMore {
				return false
			}
		}
		var err error
		if heard, err = r.recv(); !heard {
			nothing(err, ev)
			return false
		}
		if l.alarm.listens() {
			l.hear(true)
			heard = false
		}
	}
}

// hear tells the alarm of a receipt, if it has not been told.
func (l *link) hear(heard bool) {
	if heard && l.alarm.received() {
		l.alarm.soon(l.wr.set)
	}
}

// receive receives once, without waiting. ev becomes eventMore, or eventWait if
// there was nothing.
func (l *link) receive(ev *event) {
	some, err := l.rd.recv()
	if !some {
		nothing(err, ev)
		return
	}
	l.hear(true)
	ev.kind = eventMore
}

// nothing makes ev what a receipt that got nothing but err says.
func nothing(err error, ev *event) {
	if err == nil {
		ev.kind = eventWait
	} else {
		ev.kind, ev.lost = eventLost, err
	}
}

// apply does what an event asks for, and reports whether it is to be handed out.
func (l *link) apply(ev *event) bool {
	switch ev.kind {
	case eventPing:
		l.wr.pong(ev.data)
		l.held = true
	case eventPong:
		if x := l.more.Load(); x != nil {
			x.ponged(ev.data)
		}
	case eventStart, eventChunk:
		l.streaming = !ev.final
		if !l.isOpen() {
			return false
		}
		if s := l.wr.set; s.trace != nil && s.trace.MessageReceived != nil {
			x := l.extras()
			if x.pieces += len(ev.data); ev.final {
				s.received(ev.typ, x.pieces)
				x.pieces = 0
			}
		}
	case eventMessage:
		if !l.isOpen() {
			return false
		}
		l.received(ev)
	}
	return true
}

// received does what is to be done before a message is handed out.
func (l *link) received(ev *event) {
	if !l.wr.set.noCoalescing && !l.wr.holds() && l.wr.begins(!l.held, l.rd.more()) {
		l.held = true
	}
	l.wr.set.received(ev.typ, len(ev.data))
}

// park is called before waiting for input. What was held back for company is
// sent.
func (l *link) park() {
	l.rest()
	l.alarm.park()
}

// rest is called before others have their turn: what was held back is sent, at the
// end of their round at the latest.
func (l *link) rest() {
	if l.held {
		l.held = false
		l.wr.rest()
	}
}

// take takes the reader's role for one read or one loop.
func (l *link) take(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	l.beat()
	return l.notFree(l.rd.role.take())
}

// beat sees that there are heartbeats, from the first read on.
func (l *link) beat() {
	if l.alarm.reading.Load()&readFirst != 0 {
		l.alarm.first(l.wr.set, l)
	}
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
	l.rd.grow(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drains = drains
	return nil
}

// attach notes that an Engine has taken the connection over, isAttached tells.
func (l *link) attach() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attached = true
}

func (l *link) isAttached() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.attached
}

// give gives the reader's role back, and a buffer that is still lent because of a
// panic in the caller's code.
func (l *link) give() {
	l.rd.takeBack(true)
	for {
		closed := l.isClosed()
		if closed {
			l.serial++ // a MessageReader must not touch what is given up
			l.rd.free()
		}
		if l.rd.role.give() {
			l.life.over()
		}
		if closed || !l.isClosed() {
			return
		}
		// It ended meanwhile, and end may have left the buffers to us.
		if taken, _, _ := l.rd.role.closer(l.alarm.inUser()); !taken {
			return
		}
	}
}

// write sends one frame, which is a whole message unless pc says otherwise, and
// says why if it cannot. pc is what becomes of p where that is not sent as it is,
// nil otherwise. With an error, accepted tells whether the frame's rest will be sent
// all the same.
func (l *link) write(ctx context.Context, op Opcode, p []byte, pc *parcel) (accepted bool, err error) {
	if ctx == nil {
		return false, errNilContext
	}
	open := !l.isClosed()
	lead, accepted, err := l.wr.write(ctx, op, p, pc)
	if lead {
		accepted, err = l.wr.lead()
	}
	if accepted && (pc == nil || !pc.inside) {
		l.wr.set.sent(MessageType(op), len(p))
	}
	if err != nil {
		err = l.writeError(err, open)
	}
	return accepted, err
}

// told is the writer's.
func (l *link) told(news tidings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if news&tidingsDrained != 0 && l.drains {
		l.rd.bell.wake(wakeDrain)
	}
	if news&tidingsFailed != 0 {
		// What the peer has sent may still be there to be read, its close frame too.
		l.alarm.endWithin(brokenTime, l)
	}
}

// tick is called by the alarm.
func (l *link) tick() {
	// Who writes and reads on one goroutine is not reading while the peer takes nothing.
	writing := !l.alarm.waits() && l.wr.sends()
	switch l.alarm.due(l.wr.set, l, writing) {
	case alarmOver:
		cause := l.wr.failure()
		switch {
		case cause == nil:
			cause = l.noAnswer()
		case l.alarm.putOff(brokenTime, l):
			return
		}
		l.end(cause, false)
	case alarmSilent:
		if slow, stuck := l.wr.slow(); slow || !stuck && !l.alarm.waits() {
			if !slow { // the last heartbeat has left: whether this one does is what to ask next
				l.sendHeartbeat()
			}
			l.alarm.again(l.wr.set, l, writing)
			return
		}
		l.end(errNoHeartbeat, false)
	case alarmPing:
		l.sendHeartbeat()
	}
}

func (l *link) sendHeartbeat() {
	l.wr.heartbeat()
	if t := l.wr.set.trace; t != nil && t.HeartbeatSent != nil {
		t.HeartbeatSent()
	}
}

// unexpected returns the cause of an end of the stream without a close frame
// (RFC 6455, section 7.1.5), for err that reading met. The system tells of a
// reset once: where it has told a sender, reading meets io.EOF.
func (l *link) unexpected(err error) error {
	if err != io.EOF {
		return err
	}
	if broken := l.wr.failure(); isReset(broken) {
		return broken
	}
	return errNoClose
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
	l.alarm.stop()
	l.mu.Unlock()
	if x := l.more.Load(); x != nil {
		x.pinger.end()
		for _, f := range x.after { // nobody adds to it any more
			f(l.reason())
		}
	}
	l.wr.shut()
	if l.rd.role.doom() {
		l.rd.t.hangUp()
	} else {
		l.closeTransport(inOrder)
	}
	l.rd.bell.wake(wakeClose)
	if taken, _, _ := l.rd.role.closer(l.alarm.inUser()); taken { // otherwise the holder does it
		l.give()
	}
}

// closeTransport gives up what the transport holds.
func (l *link) closeTransport(inOrder bool) {
	defer func() { // though a hook may panic
		if l.rd.role.finish() {
			l.life.over()
		}
	}()
	switch t := l.rd.t; {
	case !inOrder:
		_ = t.abort()
	case t.sendWaits(): // TLS says goodbye, to who may not listen any more
		late := time.AfterFunc(lingerTime, func() { _ = t.abort() })
		_ = t.close()
		late.Stop()
	default:
		_ = t.close()
	}
	if t := l.wr.set.trace; t != nil && t.Closed != nil {
		t.Closed(l.reason())
	}
}

// closing makes the state closing and sees that the connection ends in time
// whatever happens. The caller holds mu.
func (l *link) closing(began bool) {
	if l.life.close(began) && l.wr.set.closeTimeout > 0 {
		l.alarm.endWithin(l.wr.set.closeTimeout, l)
	}
}

// leave begins the end that p says: the state, the cause and the close frame.
func (l *link) leave(p *parting) {
	l.mu.Lock()
	l.closing(false)
	p.cause.Remote = p.cause.Remote && !l.began
	if own := l.foretell().own; p.cause.Reason == "" && p.cause.Code == own.Code {
		p.cause.Reason = own.Reason // the peer answers with the code alone
	}
	l.blame(p.cause)
	l.mu.Unlock()
	l.wr.close(p.code, p.reason)
}

// beginClose sends a close frame, if the connection is open, with a code and
// reason of checkClose.
func (l *link) beginClose(code StatusCode, reason string) (first bool) {
	l.mu.Lock()
	first = l.isOpen()
	l.closing(true)
	if first {
		l.foretell().own = CloseError{Code: code, Reason: reason}
	}
	l.mu.Unlock()
	if first {
		l.wr.close(code, reason)
	}
	return first
}

// closeNow ends the connection without a handshake.
func (l *link) closeNow() error {
	l.mu.Lock()
	if l.ending {
		defer l.mu.Unlock()
		return errClosed(l.cause())
	}
	l.began = l.began || l.cause() == nil
	l.mu.Unlock()
	l.wr.sendHeld() // or it would depend on others whether it has been sent
	l.end(nil, false)
	return nil
}
