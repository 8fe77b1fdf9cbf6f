package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/seed86893212/websocket/bench/internal/hist"
	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/seed86893212/websocket/bench/internal/sock"
	"github.com/seed86893212/websocket/bench/internal/wire"
	"golang.org/x/sys/unix"
)

// How many messages a connection may have in flight at a fixed rate.
const rateDepth = 1 << 10

// A generator keeps connections busy with messages that come back.
type generator struct {
	task    *plan.Task
	conns   []*conn
	poll    *sock.Poller
	joint   *joint // nil: a system call for each
	buf     []byte
	latency hist.Histogram
	done    uint64
	unsent  uint64
	spare   int64

	measuring bool
	meter     meter
	// echoed is called for each connection that got messages back.
	echoed func(c *conn, now int64, done int) error

	interval float64 // between messages, at a fixed rate
	due      float64 // when the next one has to leave
	turn     int     // and on which connection
	flood    *conn   // the one that does not keep to the rate, and is not counted
}

func runEcho(addr netip.AddrPort, task *plan.Task, result *plan.Result) error {
	conns, err := open(addr, task.Conns, "/", &task.Workload)
	if err != nil {
		return err
	}
	g := &generator{task: task, conns: conns}
	g.echoed = g.again
	depth := task.Depth
	if task.Mode == plan.Rate {
		g.interval = 1e9 / float64(task.Rate)
		g.echoed = func(c *conn, now int64, done int) error {
			if c == g.flood {
				return g.again(c, now, done)
			}
			return nil
		}
		depth = rateDepth
	}
	ring := wire.NewRing(task.Kind, task.Size, max(1, min(depth, 64<<20/(task.Size+1))), task.Deflate)
	for i, c := range conns {
		c.prepare(ring, i, depth)
	}
	if err := g.init(); err != nil {
		return err
	}
	switch {
	case task.Mode == plan.Rate && task.Depth > 0:
		g.flood, g.turn = conns[0], 1
		err = g.again(g.flood, clock(), task.Depth)
	case task.Mode == plan.Echo:
		for _, c := range conns {
			if err = g.again(c, clock(), depth); err != nil {
				break
			}
		}
	}
	if err != nil {
		return err
	}
	if err := g.loop(); err != nil {
		return err
	}
	return g.report(result)
}

// init puts the connections into the poller.
func (g *generator) init() (err error) {
	g.buf = make([]byte, 256<<10)
	g.meter.pid = g.task.PID
	if g.poll, err = sock.NewPoller(); err != nil {
		return err
	}
	g.joint = newJoint(g.task)
	for i, c := range g.conns {
		if err := g.poll.Add(c.fd, i, unix.EPOLLIN); err != nil {
			return err
		}
	}
	return nil
}

// again replaces the messages that came back by new ones.
func (g *generator) again(c *conn, now int64, done int) error {
	for range done {
		c.queue(now)
	}
	return g.flush(c)
}

// flush sends what c has queued and asks to be told when there is room again.
func (g *generator) flush(c *conn) error {
	if c.full {
		return nil
	}
	if g.joint.adds(c) {
		return nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	return g.flushed(c)
}

func (g *generator) flushed(c *conn) error {
	if c.full {
		return g.poll.Change(c.fd, c.index, unix.EPOLLIN|unix.EPOLLOUT)
	}
	return nil
}

// loop runs until warm-up and measurement are over.
func (g *generator) loop() error {
	now := clock()
	warm := now + int64(g.task.Warmup)
	var end, last int64
	progress := now
	g.due = float64(now)
	for {
		events, err := g.poll.Wait(patience(g.task.Block && g.interval == 0))
		if err != nil {
			return err
		}
		before := now
		if now = clock(); len(events) == 0 {
			g.spare += now - before
		} else {
			progress = now
		}
		if now-before > int64(time.Second) {
			progress = now // somebody has kept us from looking
		}
		if err := g.handleAll(events); err != nil {
			return err
		}
		if g.interval > 0 {
			if err := g.sendDue(now); err != nil {
				return err
			}
		}
		switch {
		case !g.measuring && now >= warm:
			g.measuring = true
			g.spare = 0
			end, last = now+int64(g.task.Measure), now+4*int64(g.task.Measure)
			if err := g.meter.begin(); err != nil {
				return err
			}
		case !g.measuring:
		case now >= end && g.enough(now >= last):
			return nil
		case now >= end:
			end += int64(g.task.Measure) / 4
		case now-progress > int64(5*time.Second):
			return errors.New("nothing has come back for five seconds")
		}
	}
}

// enough reports whether the measurement may end: on a machine that has more to
// do it takes longer, up to a bound.
func (g *generator) enough(late bool) bool {
	return g.done > 0 && (late || g.task.Mode == plan.Rate || g.meter.busy(g.task.Measure))
}

// handle does what an event asks for.
func (g *generator) handle(ev *unix.EpollEvent) error {
	c := g.conns[ev.Fd]
	if ev.Events&unix.EPOLLOUT != 0 {
		c.full = false
		if err := c.flush(); err != nil {
			return err
		}
		if !c.full {
			if err := g.poll.Change(c.fd, c.index, unix.EPOLLIN); err != nil {
				return err
			}
		}
	}
	if ev.Events&^unix.EPOLLOUT == 0 {
		return nil
	}
	done, err := c.receive(g.buf)
	return g.came(c, done, err)
}

// came deals with the echoes that a receipt completes.
func (g *generator) came(c *conn, done int, err error) error {
	if err != nil {
		return fmt.Errorf("connection %d: %w", c.index, err)
	}
	if done == 0 {
		return nil
	}
	now := clock()
	for range done {
		if c.got == c.sent {
			return errors.New("an echo of nothing")
		}
		if g.measuring && c != g.flood {
			g.latency.Add(now - c.times[c.got&uint64(len(c.times)-1)])
		}
		c.got++
	}
	if g.measuring && c != g.flood {
		g.done += uint64(done)
	}
	return g.echoed(c, now, done)
}

// sendDue sends the messages whose time has come, one connection after the
// other. Latency counts from when they were due.
func (g *generator) sendDue(now int64) error {
	for ; g.due <= float64(now); g.due += g.interval {
		c := g.conns[g.turn]
		if g.turn = (g.turn + 1) % len(g.conns); g.turn == 0 && g.flood != nil {
			g.turn = 1
		}
		if !c.queue(int64(g.due)) {
			if g.measuring {
				g.unsent++
			}
			continue
		}
		if err := g.flush(c); err != nil {
			return err
		}
	}
	return nil
}

// report fills in what has been measured. Whoever still waits for an echo counts
// with the time until now, so that a starved connection is not overlooked.
func (g *generator) report(result *plan.Result) error {
	if err := g.meter.end(result, g.done); err != nil {
		return err
	}
	now := clock()
	result.P50 = g.latency.Quantile(0.5)
	result.P99 = g.latency.Quantile(0.99)
	result.Max = g.latency.Max()
	for _, c := range g.conns {
		if c.sent > c.got && c != g.flood {
			result.Max = max(result.Max, now-c.times[c.got&uint64(len(c.times)-1)])
		}
	}
	result.Unsent = g.unsent
	if task := g.task; task.Deflate.On() {
		var wire, plain float64
		for _, c := range g.conns {
			wire += float64(c.echo.Wire)
			plain += float64(c.got) * float64(task.Size)
		}
		result.Ratio = wire / plain
	}
	result.Spare = float64(g.spare) / 1e9 / result.Seconds
	return nil
}
