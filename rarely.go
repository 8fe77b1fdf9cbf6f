// What most connections never need for sending.

package websocket

import (
	"sync"
	"time"

	"github.com/seed86893212/websocket/internal/flate"
)

// A rarely is what a flusher and its writer need only once somebody has to wait, a
// heartbeat is due, or writing has failed. Its methods are called with their lock.
type rarely struct {
	err    error        // of the transport, if that is why nothing is written any more
	bell   bell         // wakes who flushes and waits for room
	unlent sync.Cond    // box.lent has become 0
	spare  *writeWaiter // a list of waiters for those to come
	spares uint8        // its length

	freed chan struct{} // closed when open or sealing has ended, if somebody waits
	begun bool          // the peer has the front of the open message, or will, and needs the rest
	timer *time.Timer   // ends a deferral

	window  *flate.Window // what the peer's has seen, with takeover, from the first message on
	sealing int64         // somebody compresses so many bytes without the lock, and it is nobody else's turn

	// Where the last heartbeat ends, and how far writing was when last asked.
	beat, beatSeen int64
}

// waiter returns a waiter for tk.
func (r *rarely) waiter(tk ticket) *writeWaiter {
	wt := r.spare
	if wt == nil {
		return &writeWaiter{ticket: tk, ready: make(chan struct{}, 1)}
	}
	r.spare, wt.next = wt.next, nil
	r.spares--
	wt.ticket, wt.lead = tk, false
	return wt
}

// done takes a waiter back.
func (r *rarely) done(wt *writeWaiter) {
	if r.spares < maxSpare {
		wt.next, r.spare = r.spare, wt
		r.spares++
	}
}

// beats notes that a heartbeat ends at to, as writing has come to written.
func (r *rarely) beats(to, written int64) { r.beat, r.beatSeen = to, written }

// moveDown corrects where the last heartbeat ends when bytes before it are taken back.
func (r *rarely) moveDown(gone ticket) {
	if r.beat >= gone.to {
		r.beat -= gone.to - gone.from
	}
}

// slow reports whether the last heartbeat has not left yet, being behind others, though
// some of those have since the last question: the peer lives and is slow. If none have, it
// is stuck.
func (r *rarely) slow(written int64) (slow, stuck bool) {
	waits, more := written < r.beat, written > r.beatSeen
	r.beatSeen = written
	return waits && more, waits && !more
}
