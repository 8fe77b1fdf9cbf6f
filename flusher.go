// The role of the flusher: who sends what is in the outbox, and who waits.

package websocket

import (
	"context"
	"errors"
	"math"
	"sync"

	"github.com/seed86893212/websocket/internal/bufpool"
)

// everything is the end of whatever the outbox will hold.
const everything = math.MaxInt64

// helpRounds is how often a writer sends for others once its own is sent.
const helpRounds = 4

// waitingSend is how much is given at a time to a transport whose sends wait, so
// that it shows whether anything leaves.
const waitingSend = 64 << 10

// A flusher sees that what is put into the outbox leaves. Whoever adds bytes
// and finds nobody flushing takes that role and sends, without the lock, what
// all have added; the others join: they wait until their bytes have been sent,
// or the role is passed on to them.
type flusher struct {
	t    transport
	bell bell
	step func() bool // the method send, stored once
	// refill is called with the lock before bytes are lent, and may add some.
	refill func()
	// told is called, without the lock, when a full queue has drained and when
	// writing has failed.
	told func(drained bool, err error)

	mu       sync.Mutex
	unlent   sync.Cond // box.lent has become 0
	box      outbox
	queue    []*writeWaiter // those who joined, in order
	spare    []*writeWaiter // for those to come
	err      error          // why nothing is written any more
	own      ticket         // of who flushes
	ctx      context.Context
	flushing bool // somebody has the role
	full     bool // the queue was full: say when it has drained
	drained  bool // to be told
	failed   bool // to be told
}

func (f *flusher) init(t transport, told func(bool, error), refill func()) {
	f.t, f.told, f.refill = t, told, refill
	f.unlent.L = &f.mu
	f.step = f.send
	f.bell.ring = t.wakeWrite
}

// A ticket says where in everything ever added a write's bytes are.
type ticket struct {
	from, to int64
	referred bool // the payload is not copied
}

// A writeWaiter waits for its ticket's bytes to be sent by somebody else.
type writeWaiter struct {
	ticket
	lead  bool          // the role has been passed to it
	ready chan struct{} // gets one value as it leaves the queue
}

// maxSpare bounds how many waiters a connection keeps for later. They have
// channels, which must not wander from one synctest bubble to another, so they
// cannot be shared by all connections.
const maxSpare = 8

// waiter returns a waiter for tk. The caller holds mu.
func (f *flusher) waiter(tk ticket) *writeWaiter {
	n := len(f.spare)
	if n == 0 {
		return &writeWaiter{ticket: tk, ready: make(chan struct{}, 1)}
	}
	wt := f.spare[n-1]
	f.spare = f.spare[:n-1]
	wt.ticket, wt.lead = tk, false
	return wt
}

// done gives a waiter back. The caller holds mu.
func (f *flusher) done(wt *writeWaiter) {
	if len(f.spare) < maxSpare {
		f.spare = append(f.spare, wt)
	}
}

// takeRole takes the role of the flusher if there is something to flush and
// nobody who does. The caller holds mu, and calls kick after it.
func (f *flusher) takeRole() bool {
	if f.flushing || f.err != nil || f.box.pending() == 0 {
		return false
	}
	f.flushing = true
	return true
}

// kick sends what can be sent without waiting and leaves the rest to a
// goroutine. The caller has the role.
func (f *flusher) kick() {
	if f.t.sendWaits() {
		go f.drain()
		return
	}
	f.flushRest(0)
}

// drain sends everything, waiting as long as it takes. It has the role.
func (f *flusher) drain() { f.flushRest(everything) }

func (f *flusher) flushRest(to int64) {
	f.mu.Lock()
	f.own, f.ctx = ticket{to: to}, context.Background()
	f.mu.Unlock()
	err := f.t.flush(f.step)
	f.mu.Lock()
	f.flushed(err)
	f.pass()
	f.unlockTell()
}

// flush waits until everything accepted so far has been sent.
func (f *flusher) flush(ctx context.Context) error {
	f.mu.Lock()
	if f.err != nil || f.box.pending() == 0 {
		defer f.mu.Unlock()
		return f.err
	}
	tk := ticket{from: f.box.added, to: f.box.added}
	var err error
	switch waits := f.t.sendWaits() && ctx.Done() != nil; {
	case f.flushing:
		_, err = f.join(ctx, tk)
	case waits:
		f.flushing = true
		go f.drain()
		_, err = f.join(ctx, tk)
	default:
		f.flushing = true
		_, err = f.lead(ctx, tk)
	}
	return err
}

// lead flushes until tk's bytes have been sent. The caller holds mu, which is
// released, and has the role, which is passed on.
func (f *flusher) lead(ctx context.Context, tk ticket) (accepted bool, err error) {
	f.own, f.ctx = tk, ctx
	f.mu.Unlock()
	flushErr := f.t.flush(f.step)
	f.bell.unwatch()
	f.mu.Lock()
	f.flushed(flushErr)
	accepted, err = f.settle(ctx, f.own)
	f.pass()
	f.unlockTell()
	return accepted, err
}

// join waits until tk's bytes have been sent by somebody else, or the role is
// passed on. The caller holds mu, which is released.
func (f *flusher) join(ctx context.Context, tk ticket) (accepted bool, err error) {
	wt := f.waiter(tk)
	f.queue = append(f.queue, wt)
	f.mu.Unlock()
	select {
	case <-wt.ready:
		f.mu.Lock()
	case <-ctx.Done():
		f.mu.Lock()
		f.unlend(&wt.ticket) // still in the queue, where others keep the ticket right
		if !f.leave(wt) {
			<-wt.ready
		}
	}
	tk, lead := wt.ticket, wt.lead
	f.done(wt)
	if lead && ctx.Err() == nil {
		return f.lead(ctx, tk)
	}
	accepted, err = f.settle(ctx, tk)
	if lead {
		f.pass()
	}
	f.unlockTell()
	return accepted, err
}

// leave takes wt out of the queue, if it is still there.
func (f *flusher) leave(wt *writeWaiter) bool {
	for i, q := range f.queue {
		if q == wt {
			f.queue = append(f.queue[:i], f.queue[i+1:]...)
			return true
		}
	}
	return false
}

// settle ends a write that waits no longer: its bytes have been sent, or
// writing has failed, or ctx has ended. In the last case nothing of them is
// sent if nothing was, and otherwise the rest still is. The caller holds mu.
func (f *flusher) settle(ctx context.Context, tk ticket) (accepted bool, err error) {
	f.unlend(&tk)
	switch {
	case f.box.written() >= tk.to:
		return true, nil
	case f.err != nil:
		return false, f.err
	case f.box.remove(tk.from, tk.to):
		f.moveDown(tk)
		return false, ctx.Err()
	}
	if tk.referred {
		f.box.detach()
	}
	return true, ctx.Err()
}

// unlend waits for the end of a send under way that may be reading tk's payload.
// On a transport whose sends wait, it reads a copy if the context can end. The
// caller holds mu, which is released meanwhile.
func (f *flusher) unlend(tk *ticket) {
	for f.box.lent > 0 && (tk.referred || !f.t.sendWaits()) && f.box.written() < tk.to {
		f.unlent.Wait()
	}
}

// moveDown corrects the tickets behind one that was removed.
func (f *flusher) moveDown(gone ticket) {
	n := gone.to - gone.from
	for _, wt := range f.queue {
		if wt.from >= gone.to {
			wt.from -= n
			wt.to -= n
		}
	}
	if f.own.from >= gone.to {
		f.own.from -= n
		f.own.to -= n
	}
}

// send is the step of a flush: it sends until its own bytes have left, and a
// little for the others.
func (f *flusher) send() (done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for round := 0; ; round++ {
		f.refill()
		f.wakeSent()
		if f.err != nil || f.box.pending() == 0 {
			return true
		}
		mine := f.box.written() < f.own.to
		if !mine && (round >= helpRounds || len(f.queue) > 0 || f.t.sendWaits()) {
			return true // a send that waits would hold its caller up for others
		}
		limit := math.MaxInt
		if f.t.sendWaits() {
			limit = waitingSend
		}
		p, q := f.box.lend(limit)
		f.mu.Unlock()
		n, err := f.t.send(p, q)
		f.mu.Lock()
		f.box.done(n)
		f.unlent.Broadcast()
		switch {
		case err == nil:
		case err != errAgain:
			f.flushed(err)
			return true
		case !mine:
			return true // somebody else may wait
		default:
			f.bell.watch(f.ctx)
			return false
		}
	}
}

// wakeSent wakes those at the front of the queue whose bytes have been sent.
func (f *flusher) wakeSent() {
	written := f.box.written()
	n := 0
	for n < len(f.queue) && f.queue[n].to <= written {
		f.queue[n].ready <- struct{}{}
		n++
	}
	f.queue = append(f.queue[:0], f.queue[n:]...)
}

// flushed notes that a flush has failed. The caller holds mu.
func (f *flusher) flushed(err error) {
	if err == nil || errors.Is(err, errWoken) || f.err != nil {
		return
	}
	f.err, f.failed = err, true
}

// pass gives the role up: to the first who waits, to a goroutine if there are
// bytes that nobody waits for, or to nobody. The caller holds mu.
func (f *flusher) pass() {
	if f.err == nil {
		f.refill()
	}
	switch {
	case f.err != nil:
		f.flushing = false
		f.clear()
	case f.box.pending() == 0:
		f.flushing = false
		f.wakeSent()
		bufpool.Put(f.box.buf)
		f.box.buf = nil
		if f.full && len(f.box.held) == 0 {
			f.full, f.drained = false, true
		}
	case len(f.queue) > 0 && !f.t.sendWaits():
		wt := f.queue[0]
		f.queue = append(f.queue[:0], f.queue[1:]...)
		wt.lead = true
		wt.ready <- struct{}{}
	default:
		go f.drain()
	}
}

// clear lets go of everything once nothing can be written any more. The caller
// holds mu, and nobody is sending.
func (f *flusher) clear() {
	f.wakeAll()
	bufpool.Put(f.box.buf)
	f.box.drop()
}

// wakeAll wakes all who wait. The caller holds mu and has set err.
func (f *flusher) wakeAll() {
	for _, wt := range f.queue {
		wt.ready <- struct{}{}
	}
	f.queue = nil
}

// unlockTell releases mu and tells what there is to tell.
func (f *flusher) unlockTell() {
	drained, failed, err := f.drained, f.failed, f.err
	f.drained, f.failed = false, false
	f.mu.Unlock()
	if drained {
		f.told(true, nil)
	}
	if failed {
		f.told(false, err)
	}
}

// size returns the number of bytes accepted and not yet sent.
func (f *flusher) size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return 0 // it will never be sent
	}
	return f.box.size()
}
