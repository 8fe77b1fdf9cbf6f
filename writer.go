// The writing half: transport, outbound and outbox.

package websocket

import (
	"context"
	"errors"
	"time"

	"github.com/seed86893212/websocket/internal/bufpool"
)

const (
	// referMin is the size from which a payload is written from where it is.
	referMin = 16 << 10
	// coalesceMax and coalesceTime bound what is held back for company.
	coalesceMax  = 16 << 10
	coalesceTime = time.Millisecond
)

// errClosing is returned once the close frame has been queued.
var errClosing = errors.New("websocket: closing")

// A writer puts frames into the outbox, in an order that RFC 6455 allows, and
// decides what may be held back for company.
type writer struct {
	flusher // with the lock

	out   outbound
	limit int64         // of what enqueue may queue, 0 for none
	freed chan struct{} // closed when open becomes false, if somebody waits
	timer *time.Timer   // ends a deferral
	// Where the last heartbeat ends, and how far writing was when last asked.
	beat, beatSeen int64

	open    bool // a message in fragments has begun and not ended
	holding bool // the reader has more to hand out before it waits
	armed   bool // timer runs
}

func (w *writer) init(t transport, role Role, limit int64, told func(bool, error)) {
	w.flusher.init(t, told, w.answerLate)
	w.limit = limit
	w.out.sender = sender{role: role, newKey: newMaskingKey}
}

// write sends one frame of a data message. Whoever has opened a message in
// fragments says inside; others wait for that message to end. With an error,
// accepted tells whether the frame will be sent all the same, because its
// first byte has been.
func (w *writer) write(ctx context.Context, op Opcode, final bool, p []byte, inside bool) (accepted bool, err error) {
	w.mu.Lock()
	if err := w.turn(ctx, inside); err != nil {
		w.mu.Unlock()
		return false, err
	}
	waits := w.t.sendWaits() && ctx.Done() != nil // then a copy is sent by somebody else
	tk := w.add(op, final, p, !waits)
	switch {
	case w.defers() && !tk.referred:
		w.mu.Unlock()
		return true, nil
	case w.flushing:
		return w.join(ctx, tk)
	}
	w.flushing = true
	if waits {
		go w.drain()
		return w.join(ctx, tk)
	}
	return w.lead(ctx, tk)
}

// turn waits until a data frame may be added. The caller holds mu.
func (w *writer) turn(ctx context.Context, inside bool) error {
	for {
		if w.err != nil {
			return w.err
		}
		if w.out.closed {
			return errClosing
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !w.open || inside {
			return nil
		}
		if w.freed == nil {
			w.freed = make(chan struct{})
		}
		freed := w.freed
		w.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
		}
		w.mu.Lock()
	}
}

// begin opens a message in fragments, end ends it.
func (w *writer) begin(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.turn(ctx, false); err != nil {
		return err
	}
	w.open = true
	return nil
}

func (w *writer) end() {
	w.mu.Lock()
	w.open = false
	w.box.release()
	w.free()
	kick := w.takeRole()
	w.mu.Unlock()
	if kick {
		w.kick()
	}
}

// free lets those go on who wait in turn. The caller holds mu.
func (w *writer) free() {
	if w.freed != nil {
		close(w.freed)
		w.freed = nil
	}
}

// add puts a frame into the box. The caller holds mu.
func (w *writer) add(op Opcode, final bool, p []byte, mayRefer bool) ticket {
	tk := ticket{from: w.box.added}
	if mayRefer && len(p) >= referMin && w.out.role == RoleServer && len(w.box.ref) == 0 {
		w.room(maxHeader)
		w.box.set(w.out.appendHeader(w.box.buf, op, final, len(p)))
		tk.referred = w.box.refer(p)
	} else {
		w.room(maxHeader + len(p))
		w.box.set(w.out.appendFrame(w.box.buf, op, final, p))
	}
	tk.to = w.box.added
	return tk
}

// room makes room for n more bytes in the box.
func (w *writer) room(n int) {
	w.box.compact()
	if cap(w.box.buf)-len(w.box.buf) >= n {
		return
	}
	if w.box.lent > 0 { // a send under way reads the old buffer
		w.box.moveTo(bufpool.Get(w.box.pending() + n))
		return
	}
	w.box.buf = bufpool.Grow(w.box.buf, n)
}

// defers reports whether what was just added can wait for company, and sees
// that it does not wait for long. The caller holds mu.
func (w *writer) defers() bool {
	if !w.holding || w.box.pending() >= coalesceMax {
		return false
	}
	w.arm()
	return true
}

// arm sees that somebody flushes before long. The caller holds mu.
func (w *writer) arm() {
	if w.flushing || w.armed {
		return
	}
	w.armed = true
	if w.timer == nil {
		w.timer = time.AfterFunc(coalesceTime, w.release)
	} else {
		w.timer.Reset(coalesceTime)
	}
}

// hold is called by the reader before it hands out a message, when it has more
// to hand out before it would wait.
func (w *writer) hold() {
	w.mu.Lock()
	w.holding = true
	w.mu.Unlock()
}

// release ends a deferral: what was held back is sent, without waiting.
func (w *writer) release() {
	w.mu.Lock()
	w.holding = false
	if w.armed {
		w.armed = false
		w.timer.Stop()
	}
	kick := w.takeRole()
	w.mu.Unlock()
	if kick {
		w.kick()
	}
}

// enqueue queues a whole message and sees that it leaves, without waiting.
func (w *writer) enqueue(op Opcode, p []byte) error {
	w.mu.Lock()
	err := w.err
	switch {
	case err != nil:
	case w.out.closed:
		err = errClosing
	case w.limit > 0 && w.box.size()+int64(len(p)+maxHeader) > w.limit:
		w.full = true
		err = ErrSendLimit
	case w.open:
		w.box.hold(w.out.appendFrame(w.box.held, op, true, p))
	default:
		w.add(op, true, p, false)
	}
	if w.limit > 0 && w.box.size() > w.limit/2 {
		w.full = true
	}
	kick := err == nil && !w.defers() && w.takeRole()
	w.mu.Unlock()
	if kick {
		w.kick()
	}
	return err
}

// pong answers a ping (RFC 6455, section 5.5.3): in company with what follows,
// as the reader releases it before it waits.
func (w *writer) pong(payload []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && !w.out.closed && w.box.pongFits(payload) {
		w.add(OpPong, true, payload, false)
		w.arm()
	}
}

// answerLate answers the ping that had to wait. The caller holds mu.
func (w *writer) answerLate() {
	if ping, ok := w.box.latePing(); ok && !w.out.closed {
		w.add(OpPong, true, ping, false)
	}
}

// ping queues a ping and sees that it leaves.
func (w *writer) ping(payload []byte) error {
	w.mu.Lock()
	err := w.err
	switch {
	case err != nil:
	case w.out.closed:
		err = errClosing
	case !w.box.pingFits(payload) && w.limit > 0 && w.box.size() > w.limit: // room of its own
		err = ErrSendLimit
	default:
		w.add(OpPing, true, payload, false)
	}
	kick := err == nil && w.takeRole()
	w.mu.Unlock()
	if kick {
		w.kick()
	}
	return err
}

// heartbeat is ping for a heartbeat, whose way out is watched.
func (w *writer) heartbeat() {
	_ = w.ping(nil) // the end is found elsewhere
	w.mu.Lock()
	defer w.mu.Unlock()
	w.beat, w.beatSeen = w.box.added, w.box.written()
}

// slow reports whether the last heartbeat has not left yet, being behind others,
// though some of those have since the last question: the peer lives and is slow.
func (w *writer) slow() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	written := w.box.written()
	slow := written < w.beat && written > w.beatSeen
	w.beatSeen = written
	return slow
}

// close queues the close frame behind everything accepted so far. It reports
// whether this call was the one.
func (w *writer) close(code StatusCode, reason string) bool {
	w.mu.Lock()
	if w.err != nil || w.out.closed {
		w.mu.Unlock()
		return false
	}
	w.box.held = nil // it could only follow the close frame
	w.room(maxHeader + maxControlPayload)
	w.box.set(w.out.appendClose(w.box.buf, code, reason))
	w.free()
	kick := w.takeRole()
	w.mu.Unlock()
	if kick {
		w.kick()
	}
	return true
}

// shut ends writing: everybody gets err, now and later. What was not sent is
// dropped.
func (w *writer) shut(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err // in place of the transport's own
	w.free()
	if w.armed {
		w.armed = false
		w.timer.Stop()
	}
	if !w.flushing {
		w.clear()
		return
	}
	w.wakeAll() // who flushes is woken by the transport's end, and clears
}
