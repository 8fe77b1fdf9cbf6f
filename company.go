// Whether a connection waits for company with what it writes.

package websocket

import (
	"sync/atomic"
	"time"
)

// A company says whether what is written waits for what else will be, by the same
// connection or by others in its round.
type company struct {
	round *round        // sees that nothing is held back for long; nil if a timer of its own does
	since atomic.Uint32 // odd while something may be held back; see begins
	left  uint8         // turns that are to be alone
	again uint8         // how many there were to be

	// With the writer's lock.
	armed bool // its release is to be called in time
	open  bool // a message in fragments has begun and not ended: others wait
}

// slowAlone is how many turns a connection stays out of its crowd once it has taken its
// time between its answer and the next wait, since the answer would be late. It is more
// each time that this happens again.
const slowAlone = 16

// holdAlways is what since is while something may be held back outside a crowd, where it
// does not matter for how long.
const holdAlways = 1

// holds reports whether what is written is held back, hold says that it is.
func (c *company) holds() bool { return c.since.Load()&1 != 0 }
func (c *company) hold()       { c.since.Store(holdAlways) }

// begins is called by the reader, while nothing is held back, before it hands out the
// first message of a turn, or one more; more says that there is another at hand. It
// reports whether what is written is held back from now on. In a crowd, since is when
// that began, in microseconds, and it stays so when others end it.
func (c *company) begins(first, more bool) bool {
	switch {
	case first && c.joins():
		c.hold()
		if c.round.crowd != nil {
			c.since.Store(micros() | 1)
		}
	case more:
		c.hold()
	default:
		return false
	}
	return true
}

// joins reports whether the turn that begins is one of a round.
func (c *company) joins() bool {
	if c.left > 0 {
		c.left--
		return false
	}
	return c.round.waits()
}

// turned ends the turn, and what is held back from now on. It reports whether to wait for
// the end of the round for what was.
func (c *company) turned() bool {
	since := c.since.Swap(0)
	switch {
	case since <= holdAlways:
	case micros()|1-since < uint32(c.round.crowd.slow.Microseconds()):
		c.again = 0
	default:
		c.again = max(slowAlone, c.again|c.again<<1)
		c.left = c.again
	}
	return c.left == 0 && c.round != nil && c.round.brief.Load()
}

// letGo ends what is held back, for others than the reader.
func (c *company) letGo() {
	if since := c.since.Load(); since&1 != 0 { // seldom: the reader rests at the end of its turn
		c.since.CompareAndSwap(since, since&^1)
	}
}

// leaves is for who changes its round.
func (c *company) leaves() { c.since.Store(0) }

func micros() uint32 { return uint32(time.Since(epoch).Microseconds()) }
