package websocket

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// A counted counts how often it is released.
type counted struct{ released atomic.Int32 }

func (h *counted) letGo()           { h.released.Add(1) }
func (h *counted) offer(joint) bool { return true }
func (h *counted) took(joint)       { h.released.Add(1) }

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
