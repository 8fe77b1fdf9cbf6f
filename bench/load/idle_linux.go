package main

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/seed86893212/websocket/bench/internal/proc"
	"github.com/seed86893212/websocket/bench/internal/wire"
	"golang.org/x/sys/unix"
)

// runIdle opens connections and looks at the server's resident memory: before,
// when none has carried a message, and when each has carried one or as many as
// Depth says. Before each
// look the server collects its garbage and gives free memory back.
func runIdle(addr netip.AddrPort, task *plan.Task, result *plan.Result) error {
	first, err := open(addr, 1, "/", &task.Workload)
	if err != nil {
		return err
	}
	ring := wire.NewRing(task.Kind, task.Size, 1, task.Deflate)
	messages := max(1, task.Depth)
	if err := exchange(first, ring, messages); err != nil {
		return err
	}
	result.NoGC = !proc.Catches(task.PID, unix.SIGUSR1)
	before, err := settled(task.PID)
	if err != nil {
		return err
	}
	m := meter{pid: task.PID}
	if err := m.begin(); err != nil {
		return err
	}
	conns, err := open(addr, task.Conns, "/", &task.Workload)
	if err != nil {
		return err
	}
	never, err := settled(task.PID)
	if err != nil {
		return err
	}
	if err := exchange(conns, ring, messages); err != nil {
		return err
	}
	once, err := settled(task.PID)
	if err != nil {
		return err
	}
	result.IdleNever = float64(never-before) / float64(len(conns))
	result.IdleOnce = float64(once-before) / float64(len(conns))
	return m.end(result, uint64(len(conns)))
}

// settled returns the resident memory of the server once it stays the same.
func settled(pid int) (int64, error) {
	last := int64(-1)
	for range 20 {
		time.Sleep(200 * time.Millisecond)
		if proc.Catches(pid, unix.SIGUSR1) {
			if err := unix.Kill(pid, unix.SIGUSR1); err != nil {
				return 0, err
			}
		}
		time.Sleep(200 * time.Millisecond)
		now, err := proc.RSS(pid)
		if err != nil {
			return 0, err
		}
		if diff := now - last; last >= 0 && max(diff, -diff) < last/200 {
			return now, nil
		}
		last = now
	}
	return last, nil
}

// exchange sends n messages on each connection, some connections at a time, and
// waits for each echo.
func exchange(conns []*conn, ring *wire.Ring, n int) error {
	for len(conns) > 0 {
		group := conns[:min(64, len(conns))]
		conns = conns[len(group):]
		for _, c := range group {
			c.prepare(ring, c.index, 1)
		}
		for range n {
			if err := turn(group); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn exchanges one message on each connection.
func turn(group []*conn) error {
	for _, c := range group {
		c.queue(clock())
		if err := c.flush(); err != nil {
			return err
		}
	}
	for _, c := range group {
		for since := clock(); c.got < c.sent; {
			done, err := c.receive(inbox[:])
			if err != nil {
				return fmt.Errorf("connection %d: %w", c.index, err)
			}
			c.got += uint64(done)
			if clock()-since > int64(10*time.Second) {
				return fmt.Errorf("connection %d: no echo", c.index)
			}
		}
	}
	return nil
}

// inbox is where turn reads.
var inbox [64 << 10]byte
