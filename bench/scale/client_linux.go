package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"time"

	"github.com/seed86893212/websocket/bench/internal/sock"
	"github.com/seed86893212/websocket/bench/internal/wire"
	"golang.org/x/sys/unix"
)

const (
	opening  = 64                    // connections that open at a time
	scanning = 50 * time.Millisecond // between two looks at all connections
	patience = 30 * time.Second      // for what a server has to do
)

// clientCounts is what a client answers.
type clientCounts struct {
	Open    int // that can carry messages
	Dying   int
	Opened  uint64
	Sent    uint64
	Echoed  uint64
	Died    tally
	Slowest int64    // nanoseconds from a message to its echo, since the last answer
	Strange []string // what went wrong, some of it
	Errors  uint64   // how often
}

// A client is one client process: a thread that waits in epoll.
type client struct {
	settings
	to      unix.SockaddrInet4
	request []byte
	rings   []*wire.Ring
	poll    *sock.Poller
	conns   []conn
	buf     []byte
	now     int64

	fill    bool    // connections that are missing are opened
	begun   int     // how many are opening
	credit  float64 // how many more may begin
	scanned int64   // when
	dying   int
	ready   int
	flying  bool // a message is sent when another has come back
	turn    int  // whose turn it is then
	counts  clientCounts
}

// generate is the client process.
func generate(s *settings, orders *json.Decoder, answers *json.Encoder) error {
	runtime.LockOSThread()
	addr, err := netip.ParseAddrPort(s.Addr)
	if err != nil {
		return err
	}
	g := &client{settings: *s, conns: make([]conn, s.Conns), buf: make([]byte, 64<<10)}
	g.to = unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	g.request = wire.Request(s.Addr, "/", wire.Deflate{})
	g.rings = []*wire.Ring{wire.NewRing(wire.KindText, 128, 4, wire.Deflate{}), wire.NewRing(wire.KindMixed, 1<<10, 2, wire.Deflate{}), wire.NewRing(wire.KindBinary, 16<<10, 1, wire.Deflate{})}
	if g.poll, err = sock.NewPoller(); err != nil {
		return err
	}
	told := make(chan order)
	go func() {
		defer close(told)
		for {
			var o order
			if orders.Decode(&o) != nil {
				return
			}
			told <- o
		}
	}()
	for {
		events, err := g.poll.Wait(5 * time.Millisecond)
		if err != nil {
			return err
		}
		g.now = clock()
		for i := range events {
			c := &g.conns[events[i].Fd]
			g.settle(c, c.happened(g, events[i].Events))
		}
		if g.now-g.scanned < int64(scanning) {
			continue
		}
		g.scan()
		select {
		case o, more := <-told:
			if !more {
				return nil
			}
			g.obey(o)
			if err := answers.Encode(g.answer()); err != nil {
				return err
			}
		default:
		}
	}
}

var began = time.Now()

// clock returns the time since the program began, in nanoseconds.
func clock() int64 { return int64(time.Since(began)) }

func (g *client) obey(o order) {
	switch o.Do {
	case "fill":
		g.fill = true
	case "hold":
		g.fill = false
	case "rate":
		g.Rate = o.Rate
		for i := range g.conns {
			g.conns[i].due = g.now + g.interval(1)
		}
	case "fly":
		g.flying = true
		for range min(g.Flight, len(g.conns)) {
			g.fly()
		}
	case "die":
		for i := range g.conns {
			if c := &g.conns[i]; c.state == stateOpen && rand.Float64() < o.Part {
				c.state = stateDraining
				c.manner = manner(rand.IntN(int(deaths)))
				g.ready--
				g.dying++
			}
		}
	}
}

// fly has the next connection send a message: each has its turn before one has
// another.
func (g *client) fly() {
	for range g.conns {
		c := &g.conns[g.turn]
		g.turn = (g.turn + 1) % len(g.conns)
		if c.state == stateOpen && c.waiting == 0 {
			g.settle(c, c.say(g))
			return
		}
	}
}

func (g *client) answer() *clientCounts {
	g.counts.Open, g.counts.Dying = g.ready, g.dying
	answer := g.counts
	g.counts.Slowest = 0
	return &answer
}

// interval returns how long to wait after a number of messages, at random.
func (g *client) interval(messages int) int64 {
	if g.Rate <= 0 {
		return 0
	}
	return int64(float64(messages) / g.Rate * (0.5 + rand.Float64()) * 1e9)
}

// scan looks at all connections: who has something to say, who waits too long,
// who is missing.
func (g *client) scan() {
	g.credit = min(g.credit+float64(g.Pace)*float64(g.now-g.scanned)/1e9, opening)
	g.scanned = g.now
	for i := range g.conns {
		c := &g.conns[i]
		switch c.state {
		case stateNone:
			if g.fill && g.begun < opening && g.credit >= 1 {
				g.credit--
				g.begun++
				g.settle(c, c.begin(g, i))
			}
		case stateOpen:
			if g.Rate > 0 && g.now >= c.due {
				g.settle(c, c.say(g))
			}
		case stateDraining:
			g.settle(c, c.drained(g))
		default:
			if g.now > c.patience {
				g.settle(c, c.late())
			}
		}
	}
}

// settle counts what became of a connection.
func (g *client) settle(c *conn, err error) {
	if err == nil || c.state == stateNone {
		return
	}
	if err == errDead {
		g.counts.Died[c.manner]++
	} else {
		g.counts.Errors++
		if len(g.counts.Strange) < 5 {
			g.counts.Strange = append(g.counts.Strange, fmt.Sprintf("%s, %s: %v", stateNames[c.state], mannerNames[c.manner], err))
		}
	}
	switch c.state {
	case stateConnecting, stateUpgrading:
		g.begun--
	case stateOpen:
		g.ready--
	default:
		g.dying--
	}
	c.free()
}
