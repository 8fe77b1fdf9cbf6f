// What a connection needs while it has something to send.

package websocket

import (
	"context"
	"math"
	"sync"

	"github.com/seed86893212/websocket/internal/bufpool"
)

// everything is the end of whatever the outbox will hold.
const everything = math.MaxInt64

// A ticket says where in everything ever added a write's bytes are.
type ticket struct {
	from, to int64
	referred bool // the payload is not copied
	bonds    bonds
}

// reliedOn reports whether its bytes must not be taken back: a peer's window is to have
// seen them, or they are of a message in fragments that the close frame took for sent.
func (tk ticket) reliedOn(closed bool) bool {
	return tk.bonds&bondSealed != 0 || closed && tk.bonds&bondInside != 0
}

// bonds say what a write has to do with others.
type bonds uint8

const (
	bondSealed bonds = 1 << iota // it is sent whatever happens: what follows refers to it
	bondInside                   // it is a fragment
	bondBegun                    // of a message that had some before
)

// A writeWaiter waits for its ticket's bytes to be sent by somebody else.
type writeWaiter struct {
	ticket
	lead  bool          // the role has been passed to it
	ready chan struct{} // gets one value as it leaves the queue
	next  *writeWaiter  // in the list of spare ones
}

// maxSpare bounds how many waiters a connection keeps for later. They have
// channels, which must not wander from one synctest bubble to another, so they
// cannot be shared by all connections.
const maxSpare = 8

// An outgoing is an outbox and those who wait for what is in it. A connection
// that has nothing to send has none, so that it costs an idle one nothing.
type outgoing struct {
	outbox
	sending
	queue  []*writeWaiter // those who joined, in order
	own    ticket         // of who flushes
	ctx    context.Context
	parked bool // who flushes is the driver, and waits for room
}

var outgoings = sync.Pool{New: func() any { return new(outgoing) }}

// keptBuffer is the largest buffer that goes back to the pool with its outgoing.
const keptBuffer = 64 << 10

// newOutgoing returns one that begins where sending has come to.
func newOutgoing(sent int64) *outgoing {
	g := outgoings.Get().(*outgoing)
	g.added = sent
	return g
}

// free gives g back. Nothing is in it any more.
func (g *outgoing) free() {
	if cap(g.buf) > keptBuffer {
		bufpool.Put(g.buf)
		g.buf = nil
	}
	buf, ping, queue := g.buf[:0], g.ping[:0], g.queue[:0]
	*g = outgoing{}
	g.buf, g.ping, g.queue = buf, ping, queue
	outgoings.Put(g)
}

// giveBack is free for one that is spent. What is left in it is written again before
// it counts.
func (g *outgoing) giveBack() {
	g.ctx, g.err, g.toGo = nil, nil, 0
	outgoings.Put(g)
}

// spent reports whether g can be given back: all has been sent, nothing waits or is to
// be answered, and the buffer is not too large to be kept.
func (g *outgoing) spent() bool {
	return cap(g.buf) <= keptBuffer && len(g.buf) == 0 && len(g.ref) == 0 && len(g.held) == 0 && len(g.queue) == 0 && !g.late && g.lent == 0
}

// empty reports whether nothing is in it, and nobody waits.
func (g *outgoing) empty() bool { return g.size() == 0 && len(g.queue) == 0 }

// room makes room for n more bytes in the buffer.
func (g *outgoing) room(n int) {
	if cap(g.buf)-len(g.buf) >= n {
		return
	}
	if g.compact(); cap(g.buf)-len(g.buf) >= n {
		return
	}
	have := len(g.buf) - g.off
	n = max(n, have/4) // beyond bufpool's classes each frame would move all of them
	if g.lent > 0 {    // a send under way reads the old buffer
		g.moveTo(bufpool.Get(have + n))
		return
	}
	g.buf = bufpool.Grow(g.buf, n)
}

// add adds a frame.
func (g *outgoing) add(out *outbound, op Opcode, final bool, p []byte) ticket {
	if n := maxHeader + len(p); cap(g.buf)-len(g.buf) < n {
		g.room(n)
	}
	tk := ticket{from: g.added}
	if out.masks {
		g.set(out.appendFrame(g.buf, op, final, p, newMaskingKey))
	} else { // saves a call
		g.set(out.appendUnmasked(g.buf, op, final, p))
	}
	tk.to = g.added
	return tk
}

// addReferred is add for a payload that is sent from where it is. There is room
// for one of them, and none with a client, who has to mask it.
func (g *outgoing) addReferred(out *outbound, op Opcode, final bool, p []byte) ticket {
	if out.masks || len(g.ref) > 0 {
		return g.add(out, op, final, p)
	}
	g.room(maxHeader)
	tk := ticket{from: g.added}
	g.set(out.appendHeader(g.buf, op, final, len(p)))
	tk.referred = g.refer(p)
	tk.to = g.added
	return tk
}

// leave takes wt out of the queue, if it is still there.
func (g *outgoing) leave(wt *writeWaiter) bool {
	for i, q := range g.queue {
		if q == wt {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			return true
		}
	}
	return false
}

// moveDown corrects the tickets behind one that was removed.
func (g *outgoing) moveDown(gone ticket) {
	n := gone.to - gone.from
	for _, wt := range g.queue {
		if wt.from >= gone.to {
			wt.from -= n
			wt.to -= n
		}
	}
	if own := &g.own; own.from >= gone.to {
		own.from -= n
		own.to -= n
	}
}

// wakeSent wakes those at the front of the queue whose bytes have been sent.
func (g *outgoing) wakeSent() {
	queue := g.queue
	if len(queue) == 0 {
		return
	}
	written := g.written()
	n := 0
	for n < len(queue) && queue[n].to <= written {
		queue[n].ready <- struct{}{}
		n++
	}
	g.queue = append(queue[:0], queue[n:]...)
}

// wakeAll wakes all who wait. Why is in err.
func (g *outgoing) wakeAll() {
	for _, wt := range g.queue {
		wt.ready <- struct{}{}
	}
	g.queue = g.queue[:0]
}

// A flushOwner is told, without the lock, of what others have to know.
type flushOwner interface{ told(news tidings) }

// tidings is a set of what a flushOwner is told.
type tidings uint8

const (
	tidingsDrained tidings = 1 << iota // a full queue has drained
	tidingsFailed                      // writing has failed
)
