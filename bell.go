// How a goroutine that waits in a transport is woken: by its context, or for
// another reason.

package websocket

import (
	"context"
	"sync"
	"time"
)

// wake is a set of reasons to wake a goroutine that waits in a transport.
type wake uint8

const (
	wakeContext wake = 1 << iota // its context ended
	wakeClose                    // the connection is closing
	wakeDrain                    // the send queue has drained
)

// A bell wakes the goroutine that waits in one direction of a transport. The
// transport's side of it is a deadline in the past, which stays until it is
// taken back: so a ring is never lost, and one meant for an earlier wait must
// never be heard by a later one. The mutex sees to both.
type bell struct {
	t transport

	mu     sync.Mutex
	rung   bool
	why    wake
	writes bool // it wakes who writes, not who reads
	probed bool // a probe is under way; only for the goroutine that waits

	watched *registration // of the context that is watched; only that goroutine changes it
}

// A registration is for one context. The callback of one that is not the bell's
// any more does nothing.
type registration struct {
	done <-chan struct{} // the context's
	stop func() bool
}

// watch registers ctx, to be called just before waiting. Contexts that share a
// Done channel end together, so a registration is kept while the channel stays
// the same, and a loop with one context registers once.
func (b *bell) watch(ctx context.Context) {
	done := ctx.Done()
	if b.watched == nil && done == nil || b.watched != nil && b.watched.done == done {
		return
	}
	b.unwatch()
	if done == nil {
		return
	}
	r := &registration{done: done}
	b.mu.Lock()
	b.watched = r
	b.mu.Unlock()
	r.stop = context.AfterFunc(ctx, func() { b.contextEnded(r) })
}

// unwatch ends the registration, and takes back what it has rung.
func (b *bell) unwatch() {
	if b.watched == nil {
		return
	}
	b.watched.stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watched = nil
	b.why &^= wakeContext
	b.quiet()
}

// contextEnded is called when the context of registration r has ended.
func (b *bell) contextEnded(r *registration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r == b.watched {
		b.sound(wakeContext)
	}
}

// wake rings for a reason other than a context.
func (b *bell) wake(why wake) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sound(why)
}

// probeTime is how long a reader waits on the word of its last receipt.
const probeTime = time.Second

// probe makes the bell ring without a reason before long, so that a reader that
// waits does not miss an end of the stream. There is one at a time: the caller has
// seen that none is under way.
func (b *bell) probe() {
	b.probed = true
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.rung {
		b.t.wakeReadAt(time.Now().Add(probeTime))
	}
}

// answer returns why the bell rang, and makes it quiet again.
func (b *bell) answer() wake {
	b.mu.Lock()
	defer b.mu.Unlock()
	why := b.why
	b.why = 0
	b.rung = true // a probe's deadline goes too, and one that somebody else has set
	b.quiet()
	return why
}

// hush takes back a deadline that is not the bell's.
func (b *bell) hush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.rung {
		b.ring(false)
	}
}

// adopt changes the transport, from where the one who waits will not wait in it.
func (b *bell) adopt(t transport) {
	b.unwatch()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.t, b.probed = t, false
	if b.rung {
		b.ring(true)
	}
}

// sound and quiet are called with mu held.
func (b *bell) sound(why wake) {
	b.why |= why
	if !b.rung {
		b.rung = true
		b.ring(true)
	}
}

func (b *bell) quiet() {
	if b.rung && b.why == 0 {
		b.rung, b.probed = false, false
		b.ring(false)
	}
}

func (b *bell) ring(on bool) {
	if b.writes {
		b.t.wakeWrite(on)
	} else {
		b.t.wakeRead(on)
	}
}
