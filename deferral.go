// What is held back for company, and when it is sent.

package websocket

import (
	"context"
	"runtime"
	"time"
)

// A deferral is a flusher that need not send at once: what is added may wait for
// company, though not for long.
type deferral struct {
	flusher // with the lock
	company
}

func (d *deferral) init(t transport, role Role, owner flushOwner) {
	d.flusher.init(t, role, owner)
	if !t.sendWaits() { // then whoever is late can send
		d.round = sharedRound()
	}
}

// defers reports whether what was just added can wait for company, and sees
// that it does not wait for long. The caller holds mu.
func (d *deferral) defers() bool {
	return d.holds() && d.box.pending() < coalesceMax && d.arm()
}

// arm sees that somebody flushes before long, and reports whether that is so. The caller
// holds mu.
func (d *deferral) arm() bool {
	switch {
	case d.armed:
		return true
	case d.flushing: // then whoever does sends it, but might be overtaken by the end
		return d.round == nil || d.round.crowd == nil
	case d.round != nil:
		d.armed = d.round.add(d)
		return d.armed
	}
	d.armed = true
	if r := d.seldom(); r.timer == nil {
		r.timer = time.AfterFunc(coalesceTime, d.release)
	} else {
		r.timer.Reset(coalesceTime)
	}
	return true
}

// disarm is for when nothing is held back any more. The caller holds mu.
func (d *deferral) disarm() {
	d.armed = false
	if d.round != nil {
		d.round.drop(d)
	} else {
		d.rare.timer.Stop()
	}
}

// enlist has the round of an event loop see to what is held back from now on.
func (d *deferral) enlist(r *round) {
	d.leaves()
	d.mu.Lock()
	if d.armed {
		d.disarm()
	}
	d.round = r
	d.unlockFlush()
}

// sendHeld sends what is held back for company, and what somebody has left to a driver.
func (d *deferral) sendHeld() {
	d.mu.Lock()
	if d.catchUp(); d.round != nil && d.armed {
		d.disarm()
		d.unlockFlush()
	} else {
		d.mu.Unlock()
	}
	d.resume()
}

// catchUp waits until what has been accepted so far is sent, if somebody sends who waits for
// no room, so that it does not take long. The caller holds mu, which is released meanwhile.
func (d *deferral) catchUp() {
	d.offered()
	to := d.written() + int64(d.pending())
	for d.queues && !d.waits && d.flushing && !d.box.parked && d.box.own.to == 0 && d.written() < to {
		d.mu.Unlock()
		runtime.Gosched()
		d.mu.Lock()
	}
}

// release ends a deferral: what was held back is sent, without waiting. A writer
// who still finds that it holds has the lock before release has it.
func (d *deferral) release() {
	d.company.letGo()
	d.mu.Lock()
	if d.armed {
		d.disarm()
	}
	d.unlockFlush()
}

// letGo is release for the round, which has taken the writer from its list.
func (d *deferral) letGo() {
	if d.lends() {
		d.took(d.t.try(&d.box.sending))
	}
}

// lockLetGo locks mu, unless somebody has it, who may be compressing what would keep
// others waiting: then a goroutine waits instead, and it returns false.
func (d *deferral) lockLetGo() (locked bool) {
	d.company.letGo()
	if !d.mu.TryLock() {
		go d.release()
		return false
	}
	d.armed = false
	return true
}

// lends is letGo up to its send. True says that it is to be made, and took to be called
// after it: until then the writer flushes.
func (d *deferral) lends() bool {
	if !d.lockLetGo() {
		return false
	}
	if d.flushing || d.over || d.waits || d.pending() == 0 {
		d.unlockFlush()
		return false
	}
	d.flushing = true
	d.box.own, d.box.ctx = ticket{}, context.Background()
	d.box.p, d.box.q = d.box.lendAll()
	d.mu.Unlock()
	return true
}

// offer is letGo whose send is j's if it returns true. given is to be called then.
func (d *deferral) offer(j joint) (joined bool) {
	if !d.lends() {
		return false
	}
	s := &d.box.sending
	if len(s.q) == 0 && d.t.queue(j, s) {
		return true
	}
	d.took(d.t.try(s))
	return false
}

func (d *deferral) given(j joint) { d.took(d.t.queued(j, &d.box.sending)) }

// took notes what came of a send. It waits for no lock either.
func (d *deferral) took(n int, err error) {
	if !d.mu.TryLock() {
		go func() { d.mu.Lock(); d.tookLocked(n, err) }()
		return
	}
	d.tookLocked(n, err)
}

func (d *deferral) tookLocked(n int, err error) {
	if !d.tried(n, err) {
		d.runOn()
	}
	d.unlockPass()
}
