package main

import (
	"net/netip"
	"time"

	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/seed86893212/websocket/bench/internal/wire"
)

// runBroadcast sends a message on the first connection, waits until all have got
// it, and sends the next. Every delivery counts.
func runBroadcast(addr netip.AddrPort, task *plan.Task, result *plan.Result) error {
	conns, err := open(addr, task.Conns, "/broadcast", &task.Workload)
	if err != nil {
		return err
	}
	time.Sleep(500 * time.Millisecond) // until the last has joined
	g := &generator{task: task, conns: conns}
	ring := wire.NewRing(task.Kind, task.Size, 1, task.Deflate)
	for _, c := range conns {
		c.prepare(ring, 0, 1)
	}
	waiting := 0
	next := func(now int64) error {
		waiting = len(conns)
		for _, c := range conns[1:] { // they get what they have not sent
			c.queue(now)
			c.pending = 0
		}
		conns[0].queue(now)
		return g.flush(conns[0])
	}
	g.echoed = func(_ *conn, now int64, done int) error {
		if waiting -= done; waiting > 0 {
			return nil
		}
		return next(now)
	}
	if err := g.init(); err != nil {
		return err
	}
	if err := next(clock()); err != nil {
		return err
	}
	if err := g.loop(); err != nil {
		return err
	}
	return g.report(result)
}
