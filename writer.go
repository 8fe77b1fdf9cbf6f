// The writing half: transport, outbound and outbox.

package websocket

import (
	"context"
	"errors"
)

// referMin is the size from which a payload is written from where it is.
const referMin = 16 << 10

// A writer puts frames into the outbox, in an order that RFC 6455 allows.
type writer struct {
	deferral
	set *settings // of the connection
}

func (w *writer) init(t transport, role Role, set *settings, owner flushOwner) {
	w.deferral.init(t, role, owner)
	w.set = set
}

// write adds one frame of a data message and sends it, or leaves that to the caller: with
// lead, lead is to be called. Whoever has opened a message in fragments says inside; others
// wait for that message to end. With an error, accepted tells whether the frame will be sent
// all the same, because its first byte has been or what follows may refer to it.
func (w *writer) write(ctx context.Context, op Opcode, p []byte, pc *parcel) (lead, accepted bool, err error) {
	w.mu.Lock()
	if pc != nil || w.over || w.open || w.out.closed || len(p) >= referMin || w.queues && w.nearlyFull(maxHeader+len(p)) || ctx.Err() != nil {
		return w.writeAny(ctx, op, p, pc) // hardly ever: the rest is for a whole message that fits
	}
	box := w.box
	if box == nil {
		box = w.load()
	}
	tk := box.add(&w.out, op, true, p)
	switch {
	case w.holds() && box.pending() < coalesceMax && (w.armed || w.arm()): // defers, without its calls
		w.mu.Unlock()
	case w.queues:
		w.unlockFlush()
	case w.leads(ctx, tk):
		return true, false, nil
	default:
		accepted, err = w.join(ctx, tk)
		return false, accepted, err
	}
	return false, true, nil
}

// writeAny is write for whatever it may be. The caller holds mu, which is released
// unless it is to lead.
func (w *writer) writeAny(ctx context.Context, op Opcode, p []byte, pc *parcel) (lead, accepted bool, err error) {
	inside := pc != nil && pc.inside
	if w.queues && !inside { // as Send does
		w.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return false, false, err
		}
		err := w.enqueue(op, p, pc)
		return false, err == nil, err
	}
	if err := w.admit(ctx, op, p, pc); err != nil {
		w.mu.Unlock()
		return false, false, err
	}
	final, bonds := true, bonds(0)
	if pc != nil {
		if err := w.seal(pc); err != nil {
			w.mu.Unlock()
			return false, false, err
		}
		if pc.z != nil {
			bonds |= bondSealed
		}
		op, p, final = pc.op, pc.p, !pc.more
	}
	switch {
	case inside:
		bonds |= w.goesOn(!final)
	case w.open && w.begun(): // since it began to be compressed
		w.keep(op, p)
		w.mu.Unlock()
		return false, true, nil
	}
	if w.queues {
		w.queue(op, final, p)
		return false, true, nil
	}
	var tk ticket
	if len(p) < referMin || w.waits && ctx.Done() != nil { // then a copy is sent by somebody else
		tk = w.load().add(&w.out, op, final, p)
	} else {
		tk = w.load().addReferred(&w.out, op, final, p)
	}
	tk.bonds = bonds
	if !tk.referred && w.defers() {
		w.mu.Unlock()
		return false, true, nil
	}
	if w.leads(ctx, tk) {
		return true, false, nil
	}
	accepted, err = w.join(ctx, tk)
	return false, accepted, err
}

// admit waits until a frame may be added, unless nobody may wait, and reports why it is
// not. The caller holds mu, which is released meanwhile.
func (w *writer) admit(ctx context.Context, op Opcode, p []byte, pc *parcel) error {
	inside, seals := pc != nil && pc.inside, pc != nil && pc.z != nil
	// The peer has the front of a message that ends here: it needs the rest.
	ends := inside && !pc.more && op == OpContinuation
	for again := true; again; again = w.queues && !ends && w.makesRoom(len(p), inside) {
		if err := w.turn(ctx, inside, seals); err != nil {
			return err
		}
	}
	if w.queues && !ends && w.overflows(len(p), inside) {
		return ErrSendLimit
	}
	return nil
}

// seal compresses what refers to a window, now that it is its turn to be sent. Others
// who want that wait for it; but where nobody may wait, what would have to stays as it
// is. The error is why it may not be added any more. The caller holds mu, which is
// released meanwhile.
func (w *writer) seal(pc *parcel) error {
	if pc.z != nil && w.sealing() {
		pc.open()
	}
	if pc.z == nil {
		return nil
	}
	r := w.seldom()
	if r.window == nil && pc.window == nil {
		r.window = pc.z.history()
	}
	w.sealWith(r, pc)
	return w.ended()
}

// sealing reports whether somebody compresses without the lock what is to be sent before
// all else that is compressed. The caller holds mu.
func (w *writer) sealing() bool { return w.rare != nil && w.rare.sealing > 0 }

// sealWith is the compressing, for which it gives mu away if it takes long.
func (w *writer) sealWith(r *rarely, pc *parcel) {
	window, long, done := r.window, pc.long(), false
	if long {
		r.sealing = int64(len(pc.p))
		w.mu.Unlock()
	}
	defer func() {
		if long {
			w.mu.Lock()
			r.sealing = 0
			w.free()
		}
		if !done { // a panic: who knows what has become of the window
			w.tear()
		}
	}()
	pc.seal(window)
	done = true
}

// tear has writing fail. The caller holds mu, which is released.
func (w *writer) tear() {
	w.flushed(errTorn)
	w.free()
	if !w.flushing {
		w.clear()
	}
	w.unlockTell()
}

var errTorn = errors.New("websocket: a message could not be compressed")

// nearlyFull reports whether n more bytes fill more than half of the queue. The
// caller holds mu.
func (w *writer) nearlyFull(n int) bool {
	return w.set.sendLimit > 0 && w.queued(false)+int64(n) > w.set.sendLimit/2
}

// queue adds a frame and sends what can be sent of it without waiting. The caller
// holds mu, which is released.
func (w *writer) queue(op Opcode, final bool, p []byte) {
	if len(p) >= referMin && !w.flushing && !w.waits {
		w.queueLarge(op, final, p)
		return
	}
	w.load().add(&w.out, op, final, p)
	w.filled(int64(w.pending()))
	if w.defers() {
		w.mu.Unlock()
		return
	}
	w.unlockFlush()
}

// queueLarge sends what it can of a payload from where it is, and queues a copy of
// the rest only.
func (w *writer) queueLarge(op Opcode, final bool, p []byte) {
	w.load().addReferred(&w.out, op, final, p)
	w.trySend()
	w.box.detach()
	w.filled(int64(w.pending()))
	w.unlockPass()
}

// filled notes whether size is so much that it is to be said when the queue has
// drained. The caller holds mu.
func (w *writer) filled(size int64) {
	if limit := w.set.sendLimit; limit > 0 && size > limit/2 {
		w.full = true
	}
}

// queued returns how many bytes stand in the queue before what is to be added, with
// those that are being compressed for it. A fragment of the open message does not compete
// with what waits for that to end. The caller holds mu.
func (w *writer) queued(inside bool) int64 {
	var size int64
	if w.rare != nil {
		size = w.rare.sealing
	}
	switch {
	case w.box == nil:
		return size
	case inside:
		return size + int64(w.pending())
	}
	return size + w.box.size()
}

// makesRoom sends what is held back for company alone, if n more bytes fit into the
// queue without it and not with it. True says that it may have: then it has released
// mu meanwhile. The caller holds mu.
func (w *writer) makesRoom(n int, inside bool) bool {
	limit, size := w.set.sendLimit, int64(n)
	if w.flushing || w.over || w.pending() == 0 || limit <= 0 || size > limit || size+w.queued(inside) <= limit {
		return false
	}
	w.unlockFlush()
	w.mu.Lock()
	return true
}

// overflows reports whether n more bytes are too many for the queue, and notes
// that it was full. The caller holds mu.
func (w *writer) overflows(n int, inside bool) bool {
	limit, size := w.set.sendLimit, w.queued(inside)
	if limit <= 0 || size+int64(n) <= limit {
		return false
	}
	w.full = w.full || size > 0 // what never fits is no reason to wait for Drain
	return true
}

// ended returns why no data frame may be added any more, nil if one may. The caller
// holds mu.
func (w *writer) ended() error {
	if err := w.err(); err != nil || !w.out.closed {
		return err
	}
	return errClosing
}

// turn waits until a data frame may be added, which is sealed first if seals says so.
// The caller holds mu, which is released meanwhile.
func (w *writer) turn(ctx context.Context, inside, seals bool) error {
	for {
		if err := w.ended(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if (!w.open || inside) && !(seals && w.sealing() && !w.queues) {
			return nil
		}
		r := w.seldom()
		if r.freed == nil {
			r.freed = make(chan struct{})
		}
		freed := r.freed
		w.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
		}
		w.mu.Lock()
	}
}

// begin opens a message in fragments, end ends it. What is being compressed is sent
// before, or held back where nobody may wait.
func (w *writer) begin(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.turn(ctx, false, true); err != nil {
		return err
	}
	w.open = true
	return nil
}

func (w *writer) end() {
	w.mu.Lock()
	w.open = false
	w.goesOn(false)
	if w.box != nil {
		w.box.release()
	}
	w.free()
	w.unlockFlush()
}

// begun reports whether something of the open message has been added, and not all. The
// caller holds mu.
func (w *writer) begun() bool { return w.rare != nil && w.rare.begun }

// goesOn says whether the open message goes on behind the fragment that is added, and
// returns that fragment's bonds. The caller holds mu.
func (w *writer) goesOn(more bool) bonds {
	b := bondInside
	if w.begun() {
		b |= bondBegun
	}
	if more || w.begun() {
		w.seldom().begun = more
	}
	return b
}

// free lets those go on who wait in turn. The caller holds mu.
func (w *writer) free() {
	if r := w.rare; r != nil && r.freed != nil {
		close(r.freed)
		r.freed = nil
	}
}

// rest is called by the reader when it has no more to hand out. What is written from now
// on takes along what is left to the round.
func (w *writer) rest() {
	if w.turned() && !w.set.noCoalescing {
		w.round.rests()
	} else {
		w.release()
	}
}

// enqueue queues a whole message and sees that it leaves, without waiting.
func (w *writer) enqueue(op Opcode, p []byte, pc *parcel) error {
	w.mu.Lock()
	for w.makesRoom(len(p), false) {
		continue
	}
	err := w.ended()
	if err == nil && w.overflows(len(p), false) {
		err = ErrSendLimit
	}
	if err == nil && pc != nil {
		if w.open { // frames of the open message will be sent before it
			pc.open()
		}
		err = w.seal(pc)
		op, p = pc.op, pc.p
	}
	switch {
	case err != nil:
	case w.open && (w.begun() || pc == nil || pc.z == nil):
		w.keep(op, p)
	default:
		w.queue(op, true, p)
		return nil
	}
	w.mu.Unlock()
	return err
}

// keep holds a whole message back until the open one has ended. The caller holds mu.
func (w *writer) keep(op Opcode, p []byte) {
	box := w.load()
	box.hold(w.out.appendFrame(box.held, op, true, p, newMaskingKey))
	w.filled(box.size())
}

// pong answers a ping (RFC 6455, section 5.5.3): in company with what follows,
// until the reader rests.
func (w *writer) pong(payload []byte) {
	w.mu.Lock()
	if !w.over && !w.out.closed && w.load().pongFits(payload) {
		w.box.add(&w.out, OpPong, true, payload)
		if !w.arm() {
			w.unlockFlush()
			return
		}
	}
	w.mu.Unlock()
}

// ping queues a ping and sees that it leaves.
func (w *writer) ping(payload []byte) error {
	w.mu.Lock()
	err := w.ended()
	switch {
	case err != nil:
	case !w.load().pingFits(payload) && w.set.sendLimit > 0 && w.box.size() > w.set.sendLimit: // room of its own
		err = ErrSendLimit
	default:
		w.box.add(&w.out, OpPing, true, payload)
		w.unlockFlush()
		return nil
	}
	w.mu.Unlock()
	return err
}

// heartbeat is ping for a heartbeat, whose way out is watched.
func (w *writer) heartbeat() {
	_ = w.ping(nil) // the end is found elsewhere
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seldom().beats(w.written()+int64(w.pending()), w.written())
}

// slow reports whether the peer takes what is sent slowly, or not at all: see rarely.
func (w *writer) slow() (slow, stuck bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seldom().slow(w.written())
}

// sends reports whether somebody is sending.
func (w *writer) sends() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flushing && w.pending() > 0
}

// close queues the close frame behind everything accepted so far, but for what waits
// for a message to end that never will: no other may come between its fragments (RFC
// 6455, section 5.4).
func (w *writer) close(code StatusCode, reason string) {
	w.mu.Lock()
	if w.over || w.out.closed {
		w.mu.Unlock()
		return
	}
	box := w.load()
	if w.begun() {
		box.held = nil
	}
	box.release()
	box.room(maxHeader + maxControlPayload)
	box.set(w.out.appendClose(box.buf, code, reason, newMaskingKey))
	w.free()
	w.unlockFlush()
}

// failure returns why writing has failed, nil if it has not.
func (w *writer) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.err(); err != errShut {
		return err
	}
	return nil
}

// shut ends writing: everybody gets errShut, now and later. What was not sent is
// dropped.
func (w *writer) shut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.rare != nil {
		w.rare.err = nil // errShut takes its place
		w.rare.window = nil
	}
	w.free()
	if w.armed {
		w.disarm()
	}
	if !w.flushing || w.box.parked { // nobody sends
		w.flushing = false
		w.clear()
		return
	}
	w.box.wakeAll() // who flushes is woken by the transport's end, and clears
}
