// What connections hold back for company, and for each other.

package websocket

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// coalesceTime is how long something may be held back for company.
const coalesceTime = time.Millisecond

// A round knows those of some connections who hold something back, and sees that
// none does for long. One timer looks after all of them from time to time, which
// costs less than a timer for each, set and stopped for each few messages.
//
// That of an event loop ends after the turns of a few connections: first all
// receive, then all send. Each does its part of the work again and again, and so
// finds its code in the caches, from where a send drives nearly everything out.
type round struct {
	brief bool // turns are brief, so that it pays to wait for the end: for the loop alone

	mu      sync.Mutex
	held    []heldBack
	spare   []heldBack // the next held
	ticking bool       // the timer runs
	timer   *time.Timer
}

// A heldBack has something to release.
type heldBack struct {
	releaser
	seen bool // by the timer
}

// A releaser holds something back, and sends it.
type releaser interface{ release() }

// sharedRounds are those of connections that are on no event loop.
var sharedRounds struct {
	rounds []round
	next   atomic.Uint32
}

// bubblesEnd is a time that clocks of bubbles hardly reach: 2020.
const bubblesEnd = 1577836800

func init() { sharedRounds.rounds = make([]round, runtime.GOMAXPROCS(0)) }

// sharedRound returns one of them, nil in a bubble of testing/synctest, whose clock
// begins in 2000: timers must not wander from one bubble to another.
func sharedRound() *round {
	if time.Now().Unix() < bubblesEnd {
		return nil
	}
	return &sharedRounds.rounds[sharedRounds.next.Add(1)%uint32(len(sharedRounds.rounds))]
}

// add adds who holds something back from now on.
func (r *round) add(w releaser) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = append(r.held, heldBack{releaser: w})
	if r.ticking {
		return
	}
	r.ticking = true
	if r.timer == nil {
		r.timer = time.AfterFunc(coalesceTime/2, r.tick)
	} else {
		r.timer.Reset(coalesceTime / 2)
	}
}

// drop removes who holds nothing back any more.
func (r *round) drop(w releaser) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.held) - 1; i >= 0; i-- {
		if r.held[i].releaser == w {
			r.take(i)
			return
		}
	}
}

// take removes one. The caller holds mu.
func (r *round) take(i int) releaser {
	w, last := r.held[i].releaser, len(r.held)-1
	r.held[i], r.held[last] = r.held[last], heldBack{}
	r.held = r.held[:last]
	return w
}

// end has all send. It is for the loop alone.
func (r *round) end() {
	r.mu.Lock()
	held := r.held
	if len(held) == 0 {
		r.mu.Unlock()
		return
	}
	r.held = r.spare
	r.mu.Unlock()
	for _, h := range held {
		h.release()
	}
	clear(held)
	r.spare = held[:0]
}

// tick has those send whom it has seen before.
func (r *round) tick() {
	var late []releaser
	r.mu.Lock()
	for i := len(r.held) - 1; i >= 0; i-- {
		if r.held[i].seen {
			late = append(late, r.take(i))
		} else {
			r.held[i].seen = true
		}
	}
	r.ticking = len(r.held) > 0
	if r.ticking {
		r.timer.Reset(coalesceTime / 2)
	}
	r.mu.Unlock()
	for _, w := range late {
		w.release()
	}
}
