// An opening handshake on an event loop.

package websocket

import (
	"math"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
	"unique"

	"github.com/seed86893212/websocket/internal/bufpool"
	"github.com/seed86893212/websocket/internal/poll"
)

// A newcomer is a TCP connection that has been accepted and nothing else.
type newcomer struct {
	fd     int
	local  unique.Handle[netip.AddrPort]
	remote netip.AddrPort
	quick  bool         // closing it does not wait
	tuning *poll.Tuning // its socket's options
}

// A guest is a connection whose request an event loop reads. Only the loop knows
// of it.
type guest struct {
	newcomer
	r    *reception
	loop host

	v     *visit // nil while nothing has come
	p     []byte // what has
	id    uint64 // 0 until it has to wait
	by    time.Time
	timer *time.Timer
}

// A host is what a guest needs to know of its loop.
type host interface {
	seen() *drivenLoop // what its connections see of it
	call(f func()) bool
	reserve() (slot uint32)
	release(slot uint32)
	seat(d *driven) // in its slot
}

// A door is where newcomers come from, maybe in a throng.
type door interface {
	knocked()
	throng() bool
}

// doorSlot is the slot in the number of what is watched for a door. No connection
// has it.
const doorSlot = math.MaxUint32

// A lobby has the guests of a loop that wait for more of their request, by slot, and
// the doors that the loop watches, by number.
type lobby struct {
	waiting map[uint32]*guest
	spare   *guest // the last one that did not wait
	doors   map[uint64]door
	closed  bool
}

// enter reads the request of a newcomer.
func (y *lobby) enter(n newcomer, r *reception, loop host) {
	if y.closed {
		poll.Close(n.fd)
		return
	}
	g := y.spare
	if y.spare = nil; g == nil {
		g = new(guest)
	}
	*g = guest{newcomer: n, r: r, loop: loop}
	if !y.read(g) {
		*g = guest{}
		y.spare = g
	}
}

// event reads on, if id is that of a guest, or sees who is there, if it is that of a
// door.
func (y *lobby) event(id uint64) {
	if uint32(id) == doorSlot {
		if d := y.doors[id]; d != nil {
			d.knocked()
		}
		return
	}
	if g := y.waiting[uint32(id)]; g != nil && g.id == id {
		y.read(g)
	}
}

// open has d know when there is an event with its number, until that is shut.
func (y *lobby) open(id uint64, d door) {
	if y.doors == nil {
		y.doors = map[uint64]door{}
	}
	y.doors[id] = d
}

func (y *lobby) shut(id uint64) { delete(y.doors, id) }

// throng reports whether there is one at any door.
func (y *lobby) throng() bool {
	for _, d := range y.doors {
		if d.throng() {
			return true
		}
	}
	return false
}

// close ends the handshakes under way at r, or all of them, and those to come, if
// r is nil.
func (y *lobby) close(r *reception) {
	y.closed = y.closed || r == nil
	for _, g := range y.waiting {
		if r == nil || g.r == r {
			y.drop(g)
		}
	}
}

// read takes in what has come until the request is whole or there is no more. It
// reports whether the guest waits.
func (y *lobby) read(g *guest) (waits bool) {
	for {
		g.p = bufpool.Grow(g.p, requestBuffer/2)
		room := g.p[len(g.p):cap(g.p)]
		n, err := poll.Recv(uintptr(g.fd), room)
		switch {
		case err == syscall.EAGAIN:
			return y.wait(g)
		case err != nil || n == 0:
			y.drop(g)
			return false
		}
		g.p = g.p[:len(g.p)+n]
		if g.v == nil {
			g.v = g.r.m.gate.visit()
		}
		if end, whole := g.r.m.gate.read(g.v, g.p, g.r.m.ev, nil); whole {
			y.decided(g, end)
			return false
		}
		if n < len(room) {
			return y.wait(g)
		}
	}
}

// wait has the loop's poller tell when more comes. One who has sent nothing needs
// no buffer. It reports whether that is done.
func (y *lobby) wait(g *guest) bool {
	if len(g.p) == 0 {
		bufpool.Put(g.p)
		g.p = nil
	}
	if g.id != 0 {
		if g.r.blocking {
			_ = g.loop.seen().poller.Change(g.fd, g.id, g.wants())
		}
		return true
	}
	if !g.watch() {
		y.drop(g)
		return false
	}
	if y.waiting == nil {
		y.waiting = map[uint32]*guest{}
	}
	y.waiting[uint32(g.id)] = g
	if g.by = g.r.m.latest(); !g.by.IsZero() {
		g.timer = time.AfterFunc(time.Until(g.by), func() {
			g.loop.call(func() {
				if y.waiting[uint32(g.id)] == g {
					y.drop(g)
				}
			})
		})
	}
	return true
}

func (g *guest) wants() uint32 {
	if g.r.blocking {
		return poll.In | poll.Once
	}
	return poll.In
}

// watch gives the connection its slot and has it watched, for good.
func (g *guest) watch() bool {
	g.id = newID(g.loop.reserve())
	if g.loop.seen().poller.Add(g.fd, g.id, g.wants()) != nil {
		g.loop.release(uint32(g.id))
		g.id = 0
		return false
	}
	return true
}

// leave ends the wait. The connection is still watched, under its number.
func (y *lobby) leave(g *guest) {
	if y.waiting[uint32(g.id)] == g {
		delete(y.waiting, uint32(g.id))
	}
	if g.timer != nil {
		g.timer.Stop()
	}
}

// free gives the memory back.
func (g *guest) free() {
	bufpool.Put(g.p)
	if g.v != nil {
		g.v.free()
	}
	g.p, g.v = nil, nil
}

// drop ends the connection: nobody waits for an answer.
func (y *lobby) drop(g *guest) {
	y.leave(g)
	g.free()
	if g.id != 0 {
		g.loop.release(uint32(g.id))
	}
	poll.Close(g.fd)
}

// decided does what became of the request, which ends in p at end.
func (y *lobby) decided(g *guest, end int) {
	if g.v.refused != nil || g.v.passed {
		y.handOver(g)
		return
	}
	waited := g.id != 0
	switch {
	case !waited && !g.watch():
	case !g.r.admit():
	default:
		if n, err := poll.Send(uintptr(g.fd), g.v.reply); err == nil && n == len(g.v.reply) {
			y.leave(g)
			g.settle(end)
			g.free()
			return
		}
		g.r.gone()
	}
	y.drop(g)
}

// settle makes the connection a WebSocket of the loop.
func (g *guest) settle(end int) {
	est, ev := g.v.est, g.r.m.ev
	if end < len(g.p) {
		est.buffered = slices.Clone(g.p[end:])
	}
	d := &driven{ev: ev, loop: g.loop.seen(), fd: int32(g.fd), id: g.id, wants: g.wants(), local: g.local}
	d.remote, d.port = g.remote.Addr(), g.remote.Port()
	if g.quick {
		d.closes = closesPlain
	}
	if g.r.blocking {
		d.aside = new(aside)
	}
	c := new(Conn)
	c.l.swept = true // nobody else knows c
	c.init(d, est)
	_ = c.l.drive(ev.Drain != nil)
	c.l.wr.neverWait()
	c.l.between = !g.r.blocking
	d.loop.admit(&c.l.wr)
	c.l.attach()
	c.l.rd.role.stand()
	d.c = c
	g.loop.seat(d)
}

// handOver leaves a connection that is to be no WebSocket to a goroutine, since
// what is left to do may take its time.
func (y *lobby) handOver(g *guest) {
	y.leave(g)
	if g.id != 0 {
		g.loop.seen().poller.Remove(g.fd)
		g.loop.release(uint32(g.id))
	}
	m, n, v, p, by := g.r.m, g.newcomer, g.v, g.p, g.by
	if by.IsZero() {
		by = m.latest()
	}
	if !m.spawn(func() {
		defer bufpool.Put(p)
		defer v.free()
		if nc := n.conn(v.reply); nc != nil {
			m.decline(v, nc, p, by)
		}
	}) {
		bufpool.Put(p)
		v.free()
		poll.Close(n.fd)
	}
	g.v, g.p = nil, nil
}

// conn returns the connection as package net would have. If that cannot be, it is
// sent reply and closed, and conn returns nil.
func (n *newcomer) conn(reply []byte) net.Conn {
	nc, err := poll.Conn(n.fd, n.tuning, reply)
	if err != nil {
		return nil
	}
	if nc.RemoteAddr() == nil { // the peer has gone already, and net asked too late
		return knownConn{nc, net.TCPAddrFromAddrPort(n.remote)}
	}
	return nc
}

// A knownConn is a connection whose peer is known to its owner alone.
type knownConn struct {
	net.Conn
	remote net.Addr
}

func (c knownConn) RemoteAddr() net.Addr { return c.remote }
