// What connections hold back for company, and for each other.

package websocket

import (
	"runtime"
	"slices"
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
	brief bool       // turns are brief, so that it pays to wait for the end
	joint joint      // sends for many at once; nil where each sends by itself
	outs  []releaser // whose sends are in it

	mu      sync.Mutex
	held    []releaser
	spare   []releaser // the next held
	ticking bool       // the timer runs
	timer   *time.Timer
}

// A releaser holds something back, and sends it. It is let go by a round, which does
// not know it any more: with letGo it sends. With offer its send joins those that are
// made together, unless that returns false, and took is to be called after them.
type releaser interface {
	letGo()
	offer(j joint) (joined bool)
	took(j joint)
}

// A joint makes the sends of many connections at once: Send adds one, Do makes them,
// Result says what came of each.
type joint interface {
	Full() bool
	Send(fd int, p []byte) (i int)
	Do()
	Result(i int) (n int, err error)
	Reset()
}

// How many receipts or sends are made together: one system call for two is no faster
// than two.
const (
	togetherMin  = 3
	togetherMost = 16
)

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
	r.held = append(r.held, w)
	if !r.ticking {
		r.start()
	}
	r.mu.Unlock()
}

// start sets the timer. The caller holds mu.
func (r *round) start() {
	r.ticking = true
	if r.timer == nil {
		r.timer = time.AfterFunc(coalesceTime, r.tick)
	} else {
		r.timer.Reset(coalesceTime)
	}
}

// drop removes who holds nothing back any more.
func (r *round) drop(w releaser) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.held) - 1
	for i := last; i >= 0; i-- {
		if r.held[i] == w {
			r.held[i], r.held[last] = r.held[last], nil
			r.held = r.held[:last]
			return
		}
	}
}

// end has all send. For the loop alone.
func (r *round) end() {
	r.mu.Lock()
	held := r.held
	if len(held) == 0 {
		r.mu.Unlock()
		return
	}
	r.held = r.spare
	r.mu.Unlock()
	if r.joint != nil && len(held) >= togetherMin {
		r.together(held)
	} else {
		for _, w := range held {
			w.letGo()
		}
	}
	clear(held)
	r.spare = held[:0]
}

// together has them all send at once.
func (r *round) together(held []releaser) {
	for some := range slices.Chunk(held, togetherMost) {
		for _, w := range some {
			if w.offer(r.joint) {
				r.outs = append(r.outs, w)
			}
		}
		r.joint.Do()
		for _, w := range r.outs {
			w.took(r.joint)
		}
		r.joint.Reset()
		clear(r.outs)
		r.outs = r.outs[:0]
	}
}

// tick has all send, also those who hold back since just now: there are few, and to
// tell them apart the timer would have to run more often.
func (r *round) tick() {
	r.mu.Lock()
	held := slices.Clone(r.held)
	clear(r.held)
	r.held = r.held[:0]
	r.ticking = false
	r.mu.Unlock()
	for _, w := range held {
		w.letGo()
	}
}
