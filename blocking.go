// The blocking driver: goroutines that wait for input, for room and for the end.

package websocket

import (
	"context"
	"errors"
	"io"
	"time"
)

// A blocking is a link whose caller waits in it.
type blocking struct{ link }

// next makes ev the next event, waiting for input if need be; messages come in
// pieces. What the protocol asks for has been done by then: a ping has been
// answered, a failure and a close frame have ended the connection and are returned
// as the error. The caller holds the role.
func (b *blocking) next(ctx context.Context, ev *event) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	return b.await(ctx, true, ev)
}

// await is next for a call that has begun before. Without stream, messages come
// whole.
func (b *blocking) await(ctx context.Context, stream bool, ev *event) error {
	for {
		if b.advance(stream, ev); ev.kind != eventMore {
			return b.ends(ctx, ev)
		}
		switch err := b.wait(ctx); err {
		case nil:
		case errDrained:
			ev.kind = eventDrain
			return nil
		default:
			return err
		}
	}
}

// usable returns an error if nothing is to be read any more.
func (b *blocking) usable(ctx context.Context) error {
	if b.isClosed() {
		return b.afterEnd()
	}
	return ctx.Err()
}

// ends ends the connection if ev says so, and returns the error then.
func (b *blocking) ends(ctx context.Context, ev *event) error {
	switch ev.kind {
	case eventClose, eventFail:
		b.alarm.exit() // it may take its time, and a Close waits for it
		return b.part(ctx, b.rd.part(ev))
	case eventLost:
		return b.lost(ev.lost)
	}
	return nil
}

// errDrained interrupts a wait because the send queue has drained.
var errDrained = errors.New("websocket: drained")

// wait waits for input. What was held back for company is sent first. It
// returns errDrained to who wants to know. Its frame and those of who calls it
// are what an idle connection has on its stack.
func (b *blocking) wait(ctx context.Context) error {
	b.park()
	room := b.ready(ctx)
	n, err := b.rd.t.read(&b.rd.buf, room)
	if err != nil {
		return b.interrupted(ctx, err)
	}
	b.rd.took(n, room)
	b.hear(true)
	return nil
}

// ready gets the reader ready for a wait.
func (b *blocking) ready(ctx context.Context) (room []byte) {
	return b.rd.ready(toWaitWith(ctx, &b.link))
}

// interrupted says what a wait that got err was interrupted for.
func (b *blocking) interrupted(ctx context.Context, err error) error {
	if err == errWoken {
		return b.woken(ctx)
	}
	return b.lost(err)
}

// woken says what a wait was interrupted for. nil is for nothing.
func (b *blocking) woken(ctx context.Context) error {
	b.alarm.leave()
	why := b.rd.bell.answer()
	if b.isClosed() {
		return b.atEnd()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if why&wakeDrain != 0 {
		return errDrained
	}
	return nil
}

// message reads a whole message: into buf, or into memory of its own. What it does
// not need while it waits is in the frames of others.
func (b *blocking) message(ctx context.Context, buf []byte, into bool) (t MessageType, p []byte, err error) {
	if err = b.take(ctx); err != nil {
		return 0, buf[:0], err
	}
	defer b.give()
	if err = b.lend(ctx, buf); err != nil {
		return 0, buf[:0], err
	}
	for {
		if t, p, err = b.received(ctx, buf, into); err != errAgain {
			return t, p, err
		}
		if err = b.wait(ctx); err != nil {
			b.rd.takeBack(true)
			return 0, buf[:0], err
		}
	}
}

// lend gets ready for a message, which is to arrive in buf if it can.
func (b *blocking) lend(ctx context.Context, buf []byte) error {
	if err := b.discard(ctx); err != nil {
		return err
	}
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.rd.lend(buf)
	return nil
}

// received is message for what has been received. errAgain says that there is
// more to wait for.
func (b *blocking) received(ctx context.Context, buf []byte, into bool) (MessageType, []byte, error) {
	var ev event
	for ev.kind != eventMessage {
		ev.data = buf // see lend
		if b.advance(false, &ev); ev.kind == eventMore {
			return 0, nil, errAgain
		}
		if err := b.ends(ctx, &ev); err != nil {
			b.rd.takeBack(true)
			return 0, buf[:0], err
		}
	}
	lent := b.rd.takeBack(false)
	switch {
	case ev.kept && (!into || lent):
		return ev.typ, ev.data, nil
	case !into:
		buf = make([]byte, 0, len(ev.data))
	}
	buf = append(buf[:0], ev.data...)
	b.rd.spare() // nobody knows when the next read comes
	return ev.typ, buf, nil
}

// lost ends the connection after its transport could not be read any more. The peer may have
// ended its own direction alone: what has been accepted is sent, for a while where that waits.
func (b *blocking) lost(err error) error {
	b.wr.sendHeld()
	if b.rd.t.sendWaits() && (err == io.EOF || err == io.ErrUnexpectedEOF) && b.wr.size() > 0 {
		b.alarm.exit()
		ctx, cancel := context.WithTimeout(context.Background(), lingerTime)
		_ = b.wr.flush(ctx)
		cancel()
	}
	b.end(b.unexpected(err), false)
	return b.atEnd()
}

// discard receives the rest of a message that was begun as a stream and makes
// its reader stale.
func (b *blocking) discard(ctx context.Context) error {
	b.serial++
	var ev event
	for b.streaming {
		if err := b.next(ctx, &ev); err != nil {
			return err
		}
	}
	return nil
}

// part ends the connection after the peer's close frame or a failure: the peer
// is told, if that is still possible. When both close frames have been sent, no
// more is waited for than the caller's ctx allows.
func (b *blocking) part(ctx context.Context, p parting) error {
	b.leave(&p)
	bounded, cancel := b.closeContext()
	defer cancel()
	var sent bool
	if p.half {
		sent = b.tell(bounded, cancel)
	} else if sent = b.wr.flush(bounded) == nil; sent && p.linger {
		b.linger(ctx) // and the alarm bounds it
	}
	b.end(p.cause, sent)
	return b.atEnd()
}

// tell sends what is queued and the close frame to a peer that may be sending,
// and drops what it sends: it might not receive before that has been taken. Then
// it has a moment to close.
func (b *blocking) tell(ctx context.Context, cancel context.CancelFunc) (sent bool) {
	flushed := make(chan *time.Timer, 1)
	go func() {
		if b.wr.flush(ctx) != nil {
			cancel()
			flushed <- nil
			return
		}
		b.rd.t.closeWrite()
		flushed <- time.AfterFunc(lingerTime, cancel)
	}()
	b.linger(ctx)
	timer := <-flushed // a peer that sends nothing more may still be told
	if timer != nil {
		timer.Stop()
	}
	return timer != nil
}

// linger receives and drops what still comes, until the peer closes or ctx ends.
func (b *blocking) linger(ctx context.Context) {
	b.rd.buf.free()
	b.rd.bell.watch(ctx)
	for ctx.Err() == nil {
		_, err := b.rd.t.read(&b.rd.buf, nil)
		b.rd.buf.free()
		if err == errWoken {
			b.rd.bell.answer()
		} else if err != nil {
			return
		}
		if b.isClosed() {
			return
		}
	}
}

// closeContext returns a context that ends when closing should have.
func (b *blocking) closeContext() (context.Context, context.CancelFunc) {
	if b.wr.set.closeTimeout <= 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), b.wr.set.closeTimeout)
}

// close begins the closing handshake and waits for its end, unless it is called
// from where the end is dealt with.
func (b *blocking) close(code StatusCode, reason string) error {
	code, reason, bad := checkClose(code, reason)
	first := b.beginClose(code, reason)
	later := b.finish()
	if !first {
		return b.afterEnd()
	}
	if later {
		return bad
	}
	var ce *CloseError
	if cause := b.reason(); !errors.As(cause, &ce) || ce.failed {
		return errors.Join(bad, cause)
	}
	return bad
}

// finish sees the closing handshake through. It reports whether somebody else
// is to do so, later.
func (b *blocking) finish() (later bool) {
	ended := b.done()
	for {
		select {
		case <-ended:
			return false
		default:
		}
		taken, busy, freed := b.rd.role.closer(b.alarm.inUser())
		switch {
		case busy:
			return true
		case taken:
			b.receiveEnd()
			b.give()
		}
		select {
		case <-ended:
			return false
		case <-freed:
		}
	}
}

// receiveEnd receives until the connection ends. The caller holds the role.
func (b *blocking) receiveEnd() {
	b.serial++
	var ev event
	for {
		if err := b.next(context.Background(), &ev); err != nil {
			return
		}
	}
}

// endLoop ends a loop: a closing handshake begun in its body is seen through.
func (b *blocking) endLoop() {
	b.alarm.exit()
	b.rd.grow(false)
	b.wr.release()
	if !b.isOpen() {
		b.receiveEnd()
	}
	b.give()
}
