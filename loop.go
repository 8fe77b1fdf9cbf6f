// A loop over the events of a connection.

package websocket

import "context"

// A loop hands out one event after the other. Where the transport allows it, it
// stands in the transport meanwhile, so that a message costs no more than its
// receipt: nothing is set up and taken down around each wait.
type loop struct {
	l      *link
	ctx    context.Context
	handle func(ev event) (more bool)
	stands bool
	ev     event // what ended the last stand
	err    error
}

// runLoop calls handle with each event until it says stop, or the connection or
// ctx ends: then it returns the error. The caller holds the reader's role.
func runLoop(ctx context.Context, l *link, handle func(ev event) (more bool)) error {
	lp := &loop{l: l, ctx: ctx, handle: handle, stands: l.rd.t.stands()}
	turn := lp.turn
	for {
		switch err := lp.stand(turn); {
		case err == errWoken:
			if ev, err := l.woken(ctx); err != nil {
				return err
			} else if ev.kind == eventDrain && !handle(ev) {
				return nil
			}
		case err != nil:
			return l.lost(err)
		case lp.err != nil:
			return lp.err
		default:
			return l.ends(ctx, lp.ev)
		}
	}
}

// stand calls turn, in the transport if it can. Meanwhile nobody may close the
// transport: that would wait for turn, which may be in the caller's code.
func (lp *loop) stand(turn func() bool) error {
	if !lp.stands {
		turn()
		return nil
	}
	lp.l.rd.role.stand()
	defer func() {
		if lp.l.rd.role.leave() {
			lp.l.closeTransport(false)
		}
	}()
	return lp.l.rd.t.stand(turn)
}

// turn hands out what there is, and says whether the loop is done.
func (lp *loop) turn() (done bool) {
	l := lp.l
	for {
		lp.ev, lp.err = l.step(lp.ctx, false, lp.stands)
		if lp.err != nil {
			return true
		}
		switch lp.ev.kind {
		case eventClose, eventFail, eventLost:
			return true
		case eventWait:
			l.wr.release()
			l.alarm.park()
			l.rd.watch(lp.ctx)
			return false
		}
		if !lp.handle(lp.ev) {
			lp.ev = event{}
			return true
		}
	}
}
