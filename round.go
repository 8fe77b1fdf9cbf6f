// What connections hold back for company, and for each other.

package websocket

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// coalesceTime is how long something may be held back for company, coalesceMax how
// much.
const (
	coalesceTime = time.Millisecond
	coalesceMax  = 16 << 10
)

// epoch is what times are counted from, so that a time needs no more than eight
// bytes.
var epoch = time.Now()

// A round knows those of some connections who hold something back, and sees that
// none does for long. One timer looks after all of them from time to time, which
// costs less than a timer for each, set and stopped for each few messages.
//
// That of an event loop ends after the turns of a few connections: first all
// receive, then all send, in one system call if possible.
type round struct {
	brief atomic.Bool // turns are brief, so that it pays to wait for the end
	crowd *crowd      // nil for that of an event loop, which ends it itself

	mu      sync.Mutex
	many    atomic.Int32 // len(held), to be asked without the lock
	held    []releaser
	spare   []releaser // the next held
	ticking bool       // the timer runs
	timer   *time.Timer

	sending sync.Mutex // for joint
	joint   gathering
}

// sharedRounds are those of connections that are on no event loop.
var sharedRounds struct {
	crowds []crowd
	next   atomic.Uint32
	calm   round // of those who are never in a crowd
}

// bubblesEnd is a time that clocks of bubbles hardly reach: 2020.
const bubblesEnd = 1577836800

func init() {
	sharedRounds.crowds = make([]crowd, runtime.GOMAXPROCS(0))
	for i := range sharedRounds.crowds {
		sharedRounds.crowds[i].init()
	}
}

// sharedRound returns one of them, nil in a bubble of testing/synctest, whose clock
// begins in 2000: timers must not wander from one bubble to another.
func sharedRound() *round {
	if time.Now().Unix() < bubblesEnd {
		return nil
	}
	return &sharedRounds.crowds[sharedRounds.next.Add(1)%uint32(len(sharedRounds.crowds))].round
}

// waits reports whether it is worth waiting for the end of r, which may be nil. It is
// for a reader that begins to hand something out.
func (r *round) waits() bool {
	if r == nil {
		return false
	}
	brief := r.brief.Load()
	if !brief && r.crowd != nil {
		r.crowd.comes()
	}
	return brief
}

// rests is called by a connection that has no more to hand out for now.
func (r *round) rests() {
	if r.crowd != nil {
		r.crowd.rests()
	}
}

// add adds who holds something back from now on. With a crowd it returns false where it
// would have to wait: whoever is in one would soon wait for all others, and so would
// they.
func (r *round) add(w releaser) bool {
	if r.crowd == nil {
		r.mu.Lock()
	} else if !r.mu.TryLock() {
		return false
	}
	r.held = append(r.held, w)
	r.many.Store(int32(len(r.held)))
	if !r.ticking {
		r.start()
	}
	r.mu.Unlock()
	return true
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
			r.many.Store(int32(last))
			return
		}
	}
}

// end has all send, and returns how many there were.
func (r *round) end() (n int) {
	r.mu.Lock()
	held := r.held
	if len(held) == 0 {
		r.mu.Unlock()
		return 0
	}
	r.held, r.spare = r.spare, nil
	r.many.Store(0)
	r.mu.Unlock()
	r.letGo(held)
	n = len(held)
	clear(held)
	r.mu.Lock()
	r.spare = held[:0]
	r.mu.Unlock()
	return n
}

// letGo has all of held send, at once if that is possible, and nobody else does.
func (r *round) letGo(held []releaser) {
	if len(held) >= togetherMin && r.sending.TryLock() {
		defer r.sending.Unlock()
		if r.joint.batch != nil {
			for some := range slices.Chunk(held, togetherMost) {
				r.joint.send(some)
			}
			return
		}
	}
	for _, w := range held {
		w.letGo()
	}
}

// tick has all send, also those who hold back since just now: there are few, and to
// tell them apart the timer would have to run more often.
func (r *round) tick() {
	r.mu.Lock()
	held := slices.Clone(r.held)
	clear(r.held)
	r.held = r.held[:0]
	r.many.Store(0)
	r.ticking = false
	r.mu.Unlock()
	if r.crowd != nil {
		r.letGo(held)
		return
	}
	for _, w := range held { // only the loop may have them do so together
		w.letGo()
	}
}

// A crowd is the round of connections that have a goroutine each. It finds out whether
// many of them are at work at the same time, each for a moment. Then it is worth it
// that they leave what they write to be sent together: as soon as there are enough of
// them, or once all who have something to do have done it.
type crowd struct {
	round
	once sync.Once // there is a batch, if the system makes any

	came  atomic.Uint32 // connections, one after the other, in so far as somebody counts
	since atomic.Int64  // when the last of some came
	wait  atomic.Int32  // for how many more of those that are close to each other

	ending  atomic.Bool  // finish is to run
	leaving atomic.Bool  // leave is
	left    atomic.Int32 // how many have been sent together since

	// Leave's.
	began   time.Duration // when it was to run
	patient int32         // the next wait

	leaves, finishes func()        // the methods, so that no goroutine allocates them
	slow             time.Duration // a turn that takes so long is not brief

	_ [64]byte // another crowd's memory comes next
}

const (
	crowdCount = 16                    // so many are looked at
	crowdPace  = 25 * time.Microsecond // from one to the next, at most, on average
	crowdWait  = 1 << 10               // the longest wait
	slowTurn   = 500 * time.Microsecond
)

func (c *crowd) init() {
	c.round.crowd = c
	c.leaves, c.finishes, c.slow = c.leave, c.finish, slowTurn
}

// comes is called by a connection that has something to hand out, and finds that it
// need not wait for others.
func (c *crowd) comes() {
	if c.came.Add(1)%crowdCount != 0 {
		return
	}
	now := time.Since(epoch)
	since := time.Duration(c.since.Swap(int64(now)))
	if now-since > crowdCount*crowdPace || c.wait.Add(-1) >= 0 {
		return
	}
	c.wait.Store(0)
	c.once.Do(func() {
		b := newBatch(togetherMost)
		c.sending.Lock() // the timer may look
		c.joint.batch = b
		c.sending.Unlock()
	})
	if c.joint.batch != nil {
		c.round.brief.Store(true)
	}
}

// rests leaves all there is to do to others, since the connection's stack is to stay
// small.
func (c *crowd) rests() {
	switch n := c.many.Load(); {
	case n > 0 && !c.leaving.Load() && c.leaving.CompareAndSwap(false, true):
		c.began = time.Since(epoch)
		go c.leaves()
	case n >= togetherMost && !c.ending.Load() && c.ending.CompareAndSwap(false, true):
		go c.finishes()
	}
}

// finish ends the round as there are enough in it.
func (c *crowd) finish() {
	c.ending.Store(false)
	c.left.Add(int32(c.end()))
}

// leave ends the round once all others that can run have done so, and sees whether
// there was any company.
func (c *crowd) leave() {
	runtime.Gosched()
	n := c.many.Load() + c.left.Swap(0)
	if n >= togetherMin && time.Since(epoch)-c.began < time.Duration(n)*crowdPace {
		c.patient = 1
	} else {
		c.round.brief.Store(false)
		c.patient = min(max(2*c.patient, 1), crowdWait)
		c.wait.Store(c.patient)
	}
	c.leaving.Store(false)
	c.end()
}
