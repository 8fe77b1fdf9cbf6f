// What the connections of an event loop hold back for each other.

package websocket

import (
	"sync"
	"time"
)

// coalesceTime is how long something may be held back for company.
const coalesceTime = time.Millisecond

// A round is the turns of some connections of an event loop, at the end of which
// what they have written is sent: first all receive, then all send. Each does
// its part of the work again and again, and so finds its code in the caches, from
// where a send drives nearly everything out.
type round struct {
	brief bool // callbacks return soon, so that it may wait for the end: for the loop alone

	mu      sync.Mutex
	held    []releaser
	spare   []releaser // the next held
	ended   bool       // a round has since the timer last looked
	ticking bool       // the timer runs
	timer   *time.Timer
}

// A releaser has held something back, and sends it.
type releaser interface{ release() }

// add adds to what is sent at the end, before long. It may be called by anybody.
func (r *round) add(w releaser) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = append(r.held, w)
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

// end sends. It is for the loop alone.
func (r *round) end() {
	r.mu.Lock()
	held := r.held
	r.ended = true
	if len(held) == 0 {
		r.mu.Unlock()
		return
	}
	r.held = r.spare
	r.mu.Unlock()
	for _, w := range held {
		w.release()
	}
	clear(held)
	r.spare = held[:0]
}

// tick ends a round that lasts. Looking from time to time costs less than a timer
// for each round.
func (r *round) tick() {
	r.mu.Lock()
	var held []releaser
	if !r.ended {
		held, r.held = r.held, nil
	}
	r.ended = false
	r.ticking = len(r.held) > 0
	if r.ticking {
		r.timer.Reset(coalesceTime / 2)
	}
	r.mu.Unlock()
	for _, w := range held {
		w.release()
	}
}
