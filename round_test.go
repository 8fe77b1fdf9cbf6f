package websocket

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A counted counts how often it is released.
type counted struct{ released atomic.Int32 }

func (h *counted) letGo()           { h.released.Add(1) }
func (h *counted) offer(joint) bool { return true }
func (h *counted) given(joint)      { h.released.Add(1) }

func TestRoundEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r round
		var a, b counted
		r.end()
		r.add(&a)
		r.add(&b)
		r.end()
		assert.EqualValues(t, 1, a.released.Load())
		assert.EqualValues(t, 1, b.released.Load())
		r.end()
		time.Sleep(time.Second)
		assert.EqualValues(t, 1, a.released.Load(), "released once")
		r.mu.Lock()
		assert.False(t, r.ticking, "no timer runs while nothing is held back")
		r.mu.Unlock()
	})
}

// Nothing is held back for longer than coalesceTime, whenever a round begins.
func TestRoundThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r round
		for i := range 50 {
			var early, late counted
			time.Sleep(time.Duration(i) * 37 * time.Microsecond)
			r.add(&early)
			r.end()
			time.Sleep(time.Duration(i) * 13 * time.Microsecond)
			r.add(&late)
			time.Sleep(coalesceTime)
			synctest.Wait()
			assert.EqualValues(t, 1, early.released.Load())
			assert.EqualValues(t, 1, late.released.Load())
		}
	})
}

func TestRoundDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r round
		all := make([]counted, 5)
		for i := range all {
			r.add(&all[i])
		}
		r.drop(&all[2])
		r.drop(&all[2])
		r.drop(&all[4])
		time.Sleep(time.Second)
		for i, want := range []int32{1, 1, 0, 1, 0} {
			assert.Equal(t, want, all[i].released.Load(), i)
		}
	})
}

// Timers must not wander between bubbles, nor into one: whoever is in one has a timer
// of its own.
func TestSharedRoundOutsideBubbles(t *testing.T) {
	assert.NotNil(t, sharedRound())
	synctest.Test(t, func(t *testing.T) {
		assert.Nil(t, sharedRound())
		time.Sleep(10 * 365 * 24 * time.Hour)
		assert.Nil(t, sharedRound())
	})
}

// A fakeBatch makes sends that all succeed.
type fakeBatch struct{ made int }

func (b *fakeBatch) Full() bool              { return false }
func (b *fakeBatch) Send(int, []byte) int    { return 0 }
func (b *fakeBatch) Do()                     { b.made++ }
func (b *fakeBatch) Result(int) (int, error) { return 0, nil }
func (b *fakeBatch) Reset()                  {}

// newCrowd returns one that makes its sends together.
func newCrowd() (*crowd, *fakeBatch) {
	c, b := new(crowd), new(fakeBatch)
	c.init()
	c.once.Do(func() { c.joint.batch = b })
	return c, b
}

// come lets n connections come, d apart.
func (c *crowd) come(n int, d time.Duration) {
	for range n {
		time.Sleep(d)
		c.round.waits()
	}
}

// Connections wait for each other only where many come close to each other.
func TestCrowdForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newCrowd()
		c.since.Store(int64(time.Since(epoch)))
		c.come(1000, crowdPace+1)
		assert.False(t, c.round.waits(), "each is alone")
		c.come(2*crowdCount, crowdPace-1)
		assert.True(t, c.round.waits())
	})
}

// Without a batch there is nothing to wait for.
func TestNoCrowdWithoutBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(crowd)
		c.init()
		c.once.Do(func() {})
		c.come(1000, 0)
		assert.False(t, c.round.waits())
	})
}

// A crowd in which there is no company parts, and takes the longer to form again the
// more often that happens; one whose members take their time parts too.
func TestCrowdParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newCrowd()
		alone := func() {
			var w counted
			c.add(&w)
			c.rests()
			synctest.Wait()
			assert.EqualValues(t, 1, w.released.Load())
		}
		var waits []int
		for range 15 {
			n := 0
			for ; !c.round.waits(); n++ {
				require.Less(t, n, 2*crowdWait*crowdCount)
			}
			waits = append(waits, n/crowdCount)
			alone()
			assert.False(t, c.brief.Load())
		}
		assert.IsNonDecreasing(t, waits[1:])
		assert.Less(t, waits[1], 4)
		assert.InDelta(t, crowdWait, waits[len(waits)-1], 1)

		c.brief.Store(true)
		slow := make([]counted, 8)
		c.leaving.Store(true)
		c.began = time.Since(epoch)
		for i := range slow {
			c.add(&slow[i])
			c.rests()
			time.Sleep(crowdPace)
		}
		c.leave()
		assert.False(t, c.brief.Load())
		for i := range slow {
			assert.EqualValues(t, 1, slow[i].released.Load())
		}
	})
}

// A round ends as soon as there are enough in it, and otherwise when all have done what
// they have to do.
func TestCrowdEndsRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := newCrowd()
		c.brief.Store(true)
		c.leaving.Store(true) // not yet
		c.began = time.Since(epoch)
		all := make([]counted, togetherMost+togetherMin)
		for i := range all[:togetherMost] {
			c.add(&all[i])
			c.rests()
		}
		synctest.Wait()
		assert.Equal(t, 1, b.made)
		for i := range all[togetherMost:] {
			c.add(&all[togetherMost+i])
			c.rests()
		}
		synctest.Wait()
		assert.Equal(t, 1, b.made)
		c.leave()
		assert.Equal(t, 2, b.made)
		assert.True(t, c.brief.Load())
		for i := range all {
			assert.EqualValues(t, 1, all[i].released.Load())
		}
		time.Sleep(time.Second) // the timer
	})
}

// Who takes its time between its answer and the next wait is left out, the longer the
// more often that happens, and is in again when it has been brief.
func TestCompanyOfSlowTurns(t *testing.T) {
	for name, meanwhile := range map[string]func(c *company){
		"":                 func(*company) {},
		"others let it go": (*company).letGo,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _ := newCrowd()
				r.brief.Store(true)
				c := company{round: &r.round}
				turn := func(d time.Duration) (waits bool) {
					waits = c.begins(true, false)
					assert.Equal(t, waits, c.holds())
					time.Sleep(d)
					meanwhile(&c)
					rests := c.turned()
					assert.False(t, c.holds())
					assert.Equal(t, c.left == 0, rests)
					return waits
				}
				const brief, slow = slowTurn - 2*time.Microsecond, slowTurn + 2*time.Microsecond
				for range 100 {
					assert.True(t, turn(brief))
				}
				for _, alone := range []int{16, 48, 112, 240, 240} {
					assert.True(t, turn(slow))
					for range alone {
						assert.False(t, turn(slow))
					}
				}
				assert.True(t, turn(brief))
				assert.True(t, turn(slow))
				for range slowAlone {
					assert.False(t, turn(brief))
				}
			})
		})
	}
}

// More at hand is waited for by who is alone, too. A loop looks after its round itself.
func TestCompanyOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c company
		assert.False(t, c.begins(true, false))
		assert.True(t, c.begins(true, true))
		time.Sleep(time.Second)
		assert.False(t, c.turned(), "there is no round")
		c.round = new(round)
		c.round.brief.Store(true)
		for range 10 {
			assert.True(t, c.begins(true, false))
			time.Sleep(time.Second)
			assert.True(t, c.turned())
		}
		assert.False(t, c.begins(false, false), "not the first of its turn")
	})
}
