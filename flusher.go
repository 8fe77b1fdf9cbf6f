// The role of the flusher: who sends what is in the outbox, and who waits.

package websocket

import (
	"context"
	"errors"
	"math"
	"os"
	"sync"
)

const (
	helpRounds  = 4        // how often a writer sends for others once its own is sent
	waitingSend = 64 << 10 // how much a transport whose sends wait is given at a time: it shows whether anything leaves
)

// A flusher sees that what is put into the outbox leaves. Whoever adds bytes
// and finds nobody flushing takes that role and sends, without the lock, what
// all have added; the others join: they wait until their bytes have been sent,
// or the role is passed on to them.
type flusher struct {
	t     transport
	owner flushOwner

	mu       sync.Mutex
	box      *outgoing // nil while there is nothing to send
	sent     int64     // how far writing has come, while box is nil
	rare     *rarely   // nil until something of it is needed
	out      outbound
	news     tidings // to be told
	flushing bool    // somebody has the role
	full     bool    // the queue was full: say when it has drained
	queues   bool    // nobody may wait: writes queue, within the limit
	waits    bool    // what t says of sendWaits
	over     bool    // nothing is written any more: see err
}

// seldom returns rare, which it makes if there is none. The caller holds mu.
func (f *flusher) seldom() *rarely {
	if f.rare == nil {
		f.rare = &rarely{bell: bell{t: f.t, writes: true}}
		f.rare.unlent.L = &f.mu
	}
	return f.rare
}

func (f *flusher) init(t transport, role Role, owner flushOwner) {
	f.t, f.owner, f.waits = t, owner, t.sendWaits()
	f.out.masks = role == RoleClient
}

// err returns why nothing is written any more, nil if something may be. The caller
// holds mu.
func (f *flusher) err() error {
	switch {
	case !f.over:
		return nil
	case f.rare == nil || f.rare.err == nil:
		return errShut
	}
	return f.rare.err
}

// load returns box, which it makes if there is none. The caller holds mu.
func (f *flusher) load() *outgoing {
	if f.box == nil {
		f.box = newOutgoing(f.sent)
	}
	return f.box
}

// shelve gives box up if nothing is in it and nobody flushes. The caller holds mu.
func (f *flusher) shelve() {
	box := f.box
	if box == nil || f.flushing || !box.empty() {
		return
	}
	f.box, f.sent = nil, box.added
	box.free()
}

// pending returns how many bytes are to be sent, written how far sending has
// come. The caller holds mu.
func (f *flusher) pending() int {
	if f.box == nil {
		return 0
	}
	return f.box.pending()
}

func (f *flusher) written() int64 {
	if f.box == nil {
		return f.sent
	}
	return f.box.written()
}

// answerLate answers the ping that had to wait. The caller holds mu.
func (f *flusher) answerLate() {
	if f.box != nil && f.box.late {
		if ping, ok := f.box.latePing(); ok && !f.out.closed {
			f.box.add(&f.out, OpPong, true, ping)
		}
	}
}

// unlockFlush releases mu. If there is something to send and nobody who does, what can
// be sent without waiting is sent first, and the rest left to a goroutine.
func (f *flusher) unlockFlush() {
	switch {
	case f.flushing || f.over || f.pending() == 0:
		f.mu.Unlock()
	case f.waits:
		f.flushing = true
		go f.drain()
		f.mu.Unlock()
	default:
		f.trySend()
		f.unlockPass()
	}
}

// unlockPass is pass and unlockTell.
func (f *flusher) unlockPass() {
	if f.retires() {
		f.mu.Unlock()
		return
	}
	f.pass()
	f.unlockTell()
}

// trySend takes the role and sends what can be sent without waiting. The caller
// holds mu, which is released meanwhile, and passes the role on.
func (f *flusher) trySend() {
	f.flushing = true
	f.box.own, f.box.ctx = ticket{}, context.Background()
	f.run()
}

// retires is pass where that is nearly all there is to do, as it mostly is: everything has
// been sent, nobody waits and nobody is to be told. False says that it has done
// nothing. The caller has the role and holds mu.
func (f *flusher) retires() bool {
	box := f.box
	if f.over || f.full || f.news != 0 || !box.spent() {
		return false
	}
	f.flushing, f.box, f.sent = false, nil, box.added
	box.giveBack()
	return true
}

// drain sends everything, waiting as long as it takes. It has the role.
func (f *flusher) drain() {
	f.mu.Lock()
	f.box.own, f.box.ctx = ticket{to: everything}, context.Background()
	f.run()
	f.unlockPass()
}

// resume goes on sending, when there is room again that needRoom has asked for,
// or drops what is left if nothing can be sent any more.
func (f *flusher) resume() {
	f.mu.Lock()
	if f.box == nil || !f.box.parked {
		f.mu.Unlock()
		return
	}
	f.box.parked = false
	f.trySend()
	f.unlockPass()
}

// neverWait says that nobody may wait for room: what is written queues.
func (f *flusher) neverWait() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queues = true
}

// adopt changes the transport, unless somebody is sending.
func (f *flusher) adopt(t transport) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.offered(); f.flushing || f.over {
		return false
	}
	f.t, f.waits = t, t.sendWaits()
	if f.rare != nil {
		f.rare.bell.adopt(t)
	}
	return true
}

// offered waits for the end of a send that others make, which never takes long. The
// caller holds mu, which is released meanwhile.
func (f *flusher) offered() {
	for !f.waits && f.flushing && f.box.lent > 0 && f.box.own.to == 0 {
		f.seldom().unlent.Wait()
	}
}

// flush waits until everything accepted so far has been sent.
func (f *flusher) flush(ctx context.Context) error {
	f.mu.Lock()
	if f.over || f.pending() == 0 {
		defer f.mu.Unlock()
		return f.err()
	}
	_, err := f.wait(ctx, ticket{from: f.box.added, to: f.box.added})
	return err
}

// wait waits until tk's bytes have been sent, by this goroutine if nobody else
// sends. The caller holds mu, which is released.
func (f *flusher) wait(ctx context.Context, tk ticket) (accepted bool, err error) {
	if f.queues && !f.flushing && !f.waits { // only the driver waits for room
		f.trySend()
		f.pass()
		if f.over || f.written() >= tk.to {
			err = f.err()
			f.unlockTell()
			return err == nil, err
		}
	}
	if f.leads(ctx, tk) {
		return f.lead()
	}
	return f.join(ctx, tk)
}

// leads gives the role to a write whose bytes are tk's, to call lead then. False
// means that somebody else sends. The caller holds mu.
func (f *flusher) leads(ctx context.Context, tk ticket) bool {
	if f.flushing {
		return false
	}
	f.flushing = true
	if f.waits && ctx.Done() != nil {
		go f.drain()
		return false
	}
	f.box.own, f.box.ctx = tk, ctx
	return true
}

// lead flushes until its own bytes have been sent. The caller holds mu, which is
// released, and has the role, which is passed on.
func (f *flusher) lead() (accepted bool, err error) {
	f.run()
	if f.retires() {
		f.mu.Unlock()
		return true, nil
	}
	return f.led()
}

// led is what follows run in lead.
func (f *flusher) led() (accepted bool, err error) {
	accepted, err = f.settle(f.box.ctx, f.box.own)
	f.pass()
	f.unlockTell()
	return accepted, err
}

// run sends until the bytes of who flushes have been sent, or what can be sent without
// waiting if there are none. Nearly always that takes one call. The caller has the role and holds
// mu, which is released meanwhile.
func (f *flusher) run() {
	if !f.over && (f.waits || !f.once()) { // after the end, whose bytes they are may use them otherwise
		f.runOn()
	}
}

// once sends once. It reports whether that was enough.
func (f *flusher) once() (done bool) {
	box := f.box
	box.p, box.q = box.lendAll()
	f.mu.Unlock()
	n, err := f.t.try(&box.sending)
	f.mu.Lock()
	return f.tried(n, err)
}

// tried notes what came of a send, and reports whether it was enough.
func (f *flusher) tried(n int, err error) (done bool) {
	f.box.p, f.box.q = nil, nil
	f.returned(n)
	if err == nil {
		return f.over || f.box.pending() == 0
	}
	if err != errAgain {
		f.flushed(err)
	}
	return f.over || f.box.pending() == 0 || err == errAgain && f.box.own.to == 0
}

// runOn is run where one call is not enough.
func (f *flusher) runOn() {
	f.mu.Unlock()
	err := f.t.flush(f)
	f.mu.Lock()
	ctx := f.box.ctx
	for n := 0; n < maxIdleReads && err == errWoken && ctx.Err() == nil; n++ { // by a deadline of somebody else's
		f.seldom().bell.hush()
		f.mu.Unlock()
		err = f.t.flush(f)
		f.mu.Lock()
	}
	if err == errWoken && ctx.Err() == nil {
		err = os.ErrDeadlineExceeded
	}
	if f.rare != nil {
		f.rare.bell.unwatch()
	}
	f.flushed(err)
}

// returned notes that n of the bytes lent have been sent.
func (f *flusher) returned(n int) {
	f.box.done(n)
	if f.rare != nil {
		f.rare.unlent.Broadcast()
	}
}

// join waits until tk's bytes have been sent by somebody else, or the role is
// passed on. The caller holds mu, which is released.
func (f *flusher) join(ctx context.Context, tk ticket) (accepted bool, err error) {
	wt := f.seldom().waiter(tk)
	f.box.queue = append(f.box.queue, wt)
	f.mu.Unlock()
	select {
	case <-wt.ready:
		f.mu.Lock()
	case <-ctx.Done():
		f.mu.Lock()
		f.unlend(&wt.ticket) // still in the queue, where others keep the ticket right
		if f.box == nil || !f.box.leave(wt) {
			<-wt.ready
		}
	}
	tk, lead := wt.ticket, wt.lead
	f.seldom().done(wt)
	if lead && ctx.Err() == nil {
		f.box.own, f.box.ctx = tk, ctx
		return f.lead()
	}
	accepted, err = f.settle(ctx, tk)
	if lead {
		f.pass()
	}
	f.unlockTell()
	return accepted, err
}

// settle ends a write that waits no longer: its bytes have been sent, or writing has
// failed, or ctx has ended. In the last case nothing of them is sent if nothing was, unless
// others rely on them, and otherwise the rest still is. The caller holds mu.
func (f *flusher) settle(ctx context.Context, tk ticket) (accepted bool, err error) {
	f.unlend(&tk)
	switch {
	case f.written() >= tk.to:
		return true, nil
	case f.over:
		return false, f.err()
	case !tk.reliedOn(f.out.closed) && f.box.remove(tk.from, tk.to):
		f.box.moveDown(tk)
		f.seldom().moveDown(tk)
		if tk.bonds&bondInside != 0 {
			f.seldom().begun = tk.bonds&bondBegun != 0
		}
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
	for f.box != nil && f.box.lent > 0 && (tk.referred || !f.waits) && f.box.written() < tk.to {
		f.seldom().unlent.Wait()
	}
}

// step is one turn of a flush that may wait for room: it sends until its own
// bytes have left, and a little for the others.
func (f *flusher) step() (done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for round := 0; ; round++ {
		f.answerLate()
		f.box.wakeSent()
		if f.over || f.box.pending() == 0 {
			return true
		}
		mine := f.box.written() < f.box.own.to
		if !mine && (round >= helpRounds || len(f.box.queue) > 0 || f.waits) {
			return true // a send that waits would hold its caller up for others
		}
		limit := math.MaxInt
		if f.waits {
			limit = waitingSend
		}
		p, q := f.box.lend(limit)
		f.mu.Unlock()
		n, err := f.t.send(p, q)
		f.mu.Lock()
		f.returned(n)
		switch {
		case err == nil:
		case err != errAgain:
			f.flushed(err)
			return true
		case !mine:
			return true // somebody else may wait
		default:
			f.seldom().bell.watch(f.box.ctx)
			return false
		}
	}
}

// flushed notes that a flush has failed. The caller holds mu.
func (f *flusher) flushed(err error) {
	if err == nil || errors.Is(err, errWoken) || f.over {
		return
	}
	f.seldom().err = err
	f.over = true
	f.news |= tidingsFailed
}

// pass gives the role up: to the first who waits, to a goroutine if there are
// bytes that nobody waits for, or to nobody. The caller holds mu.
func (f *flusher) pass() {
	if !f.over {
		f.answerLate()
	}
	switch {
	case f.over:
		f.flushing = false
		f.clear()
	case f.box.pending() == 0:
		f.flushing = false
		f.box.wakeSent()
		if f.full {
			f.full = false
			f.news |= tidingsDrained
		}
		f.shelve()
	case f.t.needRoom():
		f.box.parked = true
		f.box.wakeSent()
	case len(f.box.queue) > 0 && !f.waits:
		wt := f.box.queue[0]
		f.box.queue = append(f.box.queue[:0], f.box.queue[1:]...)
		wt.lead = true
		wt.ready <- struct{}{}
	default:
		go f.drain()
	}
}

// clear lets go of everything once nothing can be written any more. The caller
// holds mu, and nobody is sending.
func (f *flusher) clear() {
	if f.box != nil {
		f.box.wakeAll()
		f.box.drop()
		f.shelve()
	}
}

// unlockTell releases mu and tells what there is to tell.
func (f *flusher) unlockTell() {
	news := f.news
	f.news = 0
	f.mu.Unlock()
	if news != 0 {
		f.owner.told(news)
	}
}

// size returns the number of bytes accepted and not yet sent.
func (f *flusher) size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.box == nil {
		return 0 // it will never be sent
	}
	return f.box.size()
}
