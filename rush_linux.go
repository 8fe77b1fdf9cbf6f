// Many connections at once: accepted without package net.

package websocket

import (
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
	"unique"

	"github.com/seed86893212/websocket/internal/poll"
)

const (
	rushCheck  = 20 * time.Millisecond // how often it is asked whether the rush goes on
	rushThrong = 128                   // so many connections since are a throng
	rushTurn   = 64                    // connections accepted at a time
	rushTrust  = 64                    // so many that have inherited all options mean that all do
)

// rushLasts is how long a rush lasts after the last connection.
var rushLasts = 50 * time.Millisecond

// A rusher accepts connections that come close behind another from a TCP
// listener, and spreads them over event loops, one of which watches the listener
// while a rush lasts. Package net has no say: its listener is asked for its
// descriptor each time, so that it may be closed at any moment, and each rush begins
// with a connection that net has accepted.
type rusher struct {
	rc    syscall.RawConn
	r     *reception
	loops []*engineLoop
	home  *engineLoop // the one that watches
	lasts time.Duration

	accepted atomic.Int32  // connections since it was last asked
	thick    atomic.Bool   // then there was a throng
	failed   chan struct{} // the rush under way is over

	// What net does with the options of connections. New ones inherit them from
	// the listener's socket where the system lets it have them, except for those that
	// had come before it got them.
	tuning  poll.Tuning
	learned bool
	lingers bool // closing one of them may wait

	// The rest is for home alone.
	id       uint64          // what the listener is watched with; 0: it is not
	came     []poll.Accepted // of those, the first have been brought to their loops
	brought  int
	err      error // what was wrong after them
	onAccept func(fd uintptr)
	alike    int // so many had all options, one after the other
	next     int // the loop of the next connection

	addr  netip.AddrPort // the last connection's own
	local unique.Handle[netip.AddrPort]
	fixed bool // all have the same
}

// newRusher returns nil if connections of l are none for these loops.
func newRusher(l net.Listener, loops []*engineLoop, r *reception) usher {
	tl, ok := l.(*net.TCPListener)
	if !ok || len(loops) == 0 || r.m.gate.asks {
		return nil
	}
	rc, err := tl.SyscallConn()
	if err != nil || rc.Control(func(uintptr) {}) != nil {
		return nil
	}
	u := &rusher{
		rc: rc, r: r, loops: loops, home: loops[0], lasts: rushLasts,
		failed: make(chan struct{}, 1), came: make([]poll.Accepted, 0, rushTurn),
	}
	u.onAccept = func(fd uintptr) { u.came, u.err = poll.Accept(fd, u.came[:0]) }
	u.addr = addrPort(tl.Addr())
	// That of a wildcard is each connection's own, and a zone is not in the listener's.
	ip := u.addr.Addr().Unmap()
	u.local, u.fixed = unique.Make(u.addr), ip.IsValid() && !ip.IsUnspecified() && !ip.IsLinkLocalUnicast()
	return u
}

// rush has connections accepted until none has come for a while. Nobody tells that
// the listener is closed, so that is found out by asking.
func (u *rusher) rush() {
	if !u.learned || !u.home.call(u.watch) {
		return
	}
	defer u.home.call(u.unwatch)
	check := time.NewTicker(rushCheck)
	defer check.Stop()
	for since := time.Now(); time.Since(since) < u.lasts; {
		select {
		case <-u.failed:
			return // net will find out why
		case <-check.C:
		}
		if u.rc.Control(func(uintptr) {}) != nil {
			return
		}
		n := u.accepted.Swap(0)
		u.thick.Store(n >= rushThrong)
		if n > 0 {
			since = time.Now()
		}
	}
}

// watch has the loop's poller tell of connections. It tells of each only once: a
// closed listener that another process still has could not be taken from the poller
// any more, and would make the loop turn for ever.
func (u *rusher) watch() {
	id := newID(doorSlot)
	err := error(nil)
	closed := u.rc.Control(func(fd uintptr) { err = u.home.poller.Add(int(fd), id, poll.In|poll.News) })
	if closed != nil || err != nil { // another rusher may be at the same listener
		u.fail()
		return
	}
	u.id = id
	u.home.guests.open(id, u)
}

// throng reports whether connections come so fast that several are there after a
// short wait, and may wait.
func (u *rusher) throng() bool { return u.thick.Load() && !u.r.m.gate.up.set.noCoalescing }

func (u *rusher) unwatch() {
	u.bringAll(nil) // those whom a callback has left behind that ended its goroutine
	if u.id != 0 {
		u.home.guests.shut(u.id)
		u.thick.Store(false)
		_ = u.rc.Control(func(fd uintptr) { u.home.poller.Remove(int(fd)) })
		u.id = 0
	}
	select {
	case <-u.failed: // nobody waits for it any more
	default:
	}
}

// fail ends the rush.
func (u *rusher) fail() {
	select {
	case u.failed <- struct{}{}:
	default:
	}
}

// knocked accepts the connections that there are and brings them to their loops. A
// callback may end its goroutine meanwhile: the others are brought by the next.
func (u *rusher) knocked() {
	if u.brought == len(u.came) {
		u.brought, u.came = 0, u.came[:0]
		if closed := u.rc.Control(u.onAccept); closed != nil {
			u.err = closed
		}
		u.accepted.Add(int32(len(u.came)))
	}
	u.bringAll(u.home)
	if u.err == nil { // there may be more, when others have had their turn
		u.err = u.rc.Control(func(fd uintptr) { _ = u.home.poller.Change(int(fd), u.id, poll.In|poll.News) })
	}
	if u.err != nil && u.err != syscall.EAGAIN {
		u.fail()
	}
}

// bringAll brings those who have come to their loops. Those of here, if it is one,
// are dealt with at once.
func (u *rusher) bringAll(here *engineLoop) {
	for u.brought < len(u.came) {
		u.brought++
		u.bring(&u.came[u.brought-1], here)
	}
}

func (u *rusher) bring(a *poll.Accepted, here *engineLoop) {
	if u.alike < rushTrust {
		if u.alike++; !u.tuning.Apply(a.FD) {
			u.alike = 0
		}
	}
	if !u.fixed {
		if addr := poll.Local(a.FD); addr != u.addr {
			u.addr, u.local = addr, unique.Make(addr)
		}
	}
	n, r := newcomer{fd: a.FD, local: u.local, remote: a.From, quick: !u.lingers, tuning: &u.tuning}, u.r
	u.next = (u.next + 1) % len(u.loops)
	l := u.loops[u.next]
	if l == here {
		l.guests.enter(n, r, l)
	} else if !l.call(func() { l.guests.enter(n, r, l) }) {
		poll.Close(n.fd)
	}
}

// learn has the listener's socket pass the options on that net gives to
// connections, such as nc.
func (u *rusher) learn(nc net.Conn) {
	tc, ok := nc.(*net.TCPConn)
	if !ok || u.learned {
		return
	}
	rc, err := tc.SyscallConn()
	if err != nil {
		return
	}
	look := func(fd uintptr) {
		u.tuning, err = poll.TuningOf(int(fd))
		u.lingers = poll.Lingers(int(fd))
	}
	if closed := rc.Control(look); closed != nil || err != nil {
		return
	}
	u.learned = u.rc.Control(func(fd uintptr) { u.tuning.Apply(int(fd)) }) == nil
}

// close ends the handshakes that are under way on the loops. They hear of it from
// home, behind the last newcomers that it brings them.
func (u *rusher) close() {
	end := func() {
		for _, l := range u.loops {
			l.call(func() { l.guests.close(u.r) })
		}
	}
	if !u.home.call(end) {
		end()
	}
}
