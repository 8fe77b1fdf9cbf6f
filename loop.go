// A loop over the events of a connection.

package websocket

import "context"

// A loop hands out one event after the other. Where the transport allows it, it
// stands in the transport meanwhile, so that a message costs no more than its
// receipt: nothing is set up and taken down around each wait.
//
// It is part of its handler: after a wait, all that a connection has in memory has
// mostly left the caches, so that the fewer places it is in the better.
type loop struct {
	l      *blocking
	ctx    context.Context
	to     handler
	ends   bool // ctx may end
	stands bool
	ev     event // what ended the last stand
	err    error
}

// A handler is handed one event after the other, and says whether it wants more.
type handler interface{ handle(ev *event) (more bool) }

// run hands out one event after the other until to says stop, or the connection or ctx
// ends: then it returns the error. The caller holds the reader's role.
func (lp *loop) run(ctx context.Context, l *blocking, to handler) error {
	ctx = toWaitWith(ctx, &l.link)
	if err := l.usable(ctx); err != nil {
		return err // after the end: to stand would look like being interrupted by it
	}
	lp.l, lp.ctx, lp.to, lp.stands = l, ctx, to, l.rd.t.stands()
	lp.ends = ctx.Done() != nil
	for {
		switch err := lp.stand(); {
		case err == errWoken:
			if err := l.woken(ctx); err == errDrained {
				if lp.ev.kind = eventDrain; !to.handle(&lp.ev) {
					return nil
				}
			} else if err != nil {
				return err
			}
		case err != nil:
			return l.lost(err)
		case lp.err != nil:
			return lp.err
		default:
			return l.ends(ctx, &lp.ev)
		}
	}
}

// stand makes steps, in the transport if it can. Meanwhile nobody may close the
// transport: that would wait for the step, which may be in the caller's code.
func (lp *loop) stand() error {
	if !lp.stands {
		lp.step()
		return nil
	}
	lp.l.rd.role.stand()
	defer func() {
		if lp.l.rd.role.leave() {
			lp.l.closeTransport(false)
		}
	}()
	return lp.l.rd.t.stand(lp)
}

// step hands out what there is, and says whether the loop is done.
func (lp *loop) step() (done bool) {
	l := lp.l
	for {
		if l.isClosed() || lp.ends && lp.ctx.Err() != nil {
			lp.err = lp.over()
			return true
		}
		heard := false
		if lp.stands {
			heard = l.poll(&lp.ev)
		} else if lp.err = lp.await(); lp.err != nil {
			return true
		}
		switch lp.ev.kind {
		case eventMessage:
			if l.alarm.enter(heard) {
				l.alarm.soon(l.wr.set)
			}
		case eventClose, eventFail, eventLost:
			return true
		case eventWait:
			lp.ev.data, lp.ev.kept = nil, false // that buffer is not ours any more
			l.park()
			l.rd.watch(lp.ctx, lp.ends)
			return false
		}
		if !lp.to.handle(&lp.ev) {
			lp.ev.kind = eventMore
			return true
		}
	}
}

// over returns why nothing more is handed out. A connection that has ended has done
// so during the loop, which may see that before it is woken.
func (lp *loop) over() error {
	if !lp.l.isClosed() {
		return lp.ctx.Err()
	}
	return lp.l.atEnd()
}

// await gets the next event, waiting for it.
func (lp *loop) await() error {
	lp.ev.data = nil // it has been used, and the wait may be long
	return lp.l.await(lp.ctx, false, &lp.ev)
}

// A ranged is a connection under Messages.
type ranged struct {
	loop
	yield func(Message, error) bool
}

// handle runs the loop's body for a message.
func (r *ranged) handle(ev *event) (more bool) {
	if ev.kind != eventMessage {
		return true
	}
	// A Close either sees that a message is handed out, and does not wait for the
	// body, or is seen.
	more = !r.l.isOpen() || r.yield(Message{Type: ev.typ, Data: ev.data}, nil)
	if ev.kept {
		r.l.rd.reuse(ev)
	}
	return more
}
