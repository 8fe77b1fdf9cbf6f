// Many connections at once: accepted without package net.

package websocket

import (
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"time"
	"unique"

	"github.com/seed86893212/websocket/internal/poll"
)

const (
	rushCheck = 20 * time.Millisecond // how often it is tried, whether or not something seems to come
	rushTurn  = 64                    // connections accepted before others have their turn
	rushTrust = 64                    // so many that have inherited all options mean that all do
)

// rushLasts is how long a rush lasts after the last connection.
var rushLasts = 50 * time.Millisecond

// A rusher accepts connections that come close behind another from a TCP
// listener, and spreads them over event loops. Package net has no say: its
// listener is asked for its descriptor each time, so that it may be closed at any
// moment, and each rush begins with a connection that net has accepted.
type rusher struct {
	rc     syscall.RawConn
	poller *poll.Poller
	r      *reception
	loops  []*engineLoop
	next   int // the loop of the next connection

	// What net does with the options of connections. New ones inherit them from
	// the listener's socket where the system lets it have them, except for those that
	// had come before it got them.
	tuning  poll.Tuning
	learned bool
	lingers bool // closing one of them may wait
	alike   int  // so many had them, one after the other

	addr  netip.AddrPort // the last connection's own
	local unique.Handle[netip.AddrPort]
	fixed bool // all have the same

	lasts    time.Duration
	since    time.Time // the last connection, or a little later
	accepted int       // since it was last asked
	events   []poll.Event
	onAccept func(fd uintptr)
	fd       int
	from     netip.AddrPort
	err      error
}

// newRusher returns nil if connections of l are none for these loops.
func newRusher(l net.Listener, loops []*engineLoop, r *reception) usher {
	tl, ok := l.(*net.TCPListener)
	if !ok || len(loops) == 0 || r.m.gate.asks {
		return nil
	}
	rc, err := tl.SyscallConn()
	if err != nil {
		return nil
	}
	p, err := poll.NewPoller(1)
	if err != nil {
		return nil
	}
	u := &rusher{rc: rc, poller: p, r: r, loops: loops, lasts: rushLasts}
	u.onAccept = func(fd uintptr) { u.fd, u.from, u.err = poll.Accept(fd) }
	if closed := rc.Control(func(fd uintptr) { err = p.Add(int(fd), 0, poll.In) }); closed != nil || err != nil {
		_ = p.Close()
		return nil
	}
	u.addr = addrPort(tl.Addr())
	// That of a wildcard is each connection's own, and a zone is not in the listener's.
	ip := u.addr.Addr().Unmap()
	u.local, u.fixed = unique.Make(u.addr), ip.IsValid() && !ip.IsUnspecified() && !ip.IsLinkLocalUnicast()
	return u
}

// rush accepts connections until none has come for a while. Nobody tells that the
// listener is closed, so that is found out by trying.
func (u *rusher) rush() {
	for u.since = time.Now(); u.learned && time.Since(u.since) < u.lasts; {
		u.poller.WakeAt(time.Now().Add(rushCheck))
		if done, _ := u.poller.Stand(u.step); done {
			return // net will find out why
		}
		if u.accepted > 0 {
			u.since, u.accepted = time.Now(), 0
		}
	}
}

// step accepts what there is to accept. done says that something is wrong.
func (u *rusher) step() (done bool) {
	for {
		switch err := u.accept(); {
		case err == nil:
			if u.accepted++; u.accepted%rushTurn == 0 {
				runtime.Gosched()
			}
		case err == syscall.EAGAIN:
			if u.events = u.poller.Take(u.events[:0]); len(u.events) == 0 {
				return false
			}
		default:
			return true
		}
	}
}

// accept accepts a connection and brings it to its loop.
func (u *rusher) accept() error {
	if closed := u.rc.Control(u.onAccept); closed != nil {
		return closed
	}
	if u.err != nil {
		return u.err
	}
	if u.alike < rushTrust {
		if u.alike++; !u.tuning.Apply(u.fd) {
			u.alike = 0
		}
	}
	if !u.fixed {
		if addr := poll.Local(u.fd); addr != u.addr {
			u.addr, u.local = addr, unique.Make(addr)
		}
	}
	n, r := newcomer{fd: u.fd, local: u.local, remote: u.from, quick: !u.lingers, tuning: &u.tuning}, u.r
	u.next = (u.next + 1) % len(u.loops)
	l := u.loops[u.next]
	if !l.call(func() { l.guests.enter(n, r, l) }) {
		poll.Close(n.fd)
	}
	return nil
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

// close ends the handshakes that are under way on the loops.
func (u *rusher) close() {
	_ = u.poller.Close()
	for _, l := range u.loops {
		l.call(func() { l.guests.close(u.r) })
	}
}
