package main

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/seed86893212/websocket/bench/internal/hist"
	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/seed86893212/websocket/bench/internal/sock"
	"github.com/seed86893212/websocket/bench/internal/wire"
	"golang.org/x/sys/unix"
)

// A visitor opens a connection, performs the opening handshake, leaves, and
// comes again.
type visitor struct {
	fd     int
	since  int64
	answer []byte
}

// A gate sends visitors to a server and counts them.
type gate struct {
	addr     netip.AddrPort
	request  []byte
	poll     *sock.Poller
	visitors []visitor
	started  int
	latency  hist.Histogram
	done     uint64
	spare    int64
	counting bool
	crowd    bool // all come at once, and again when all have left
	inside   int  // of the crowd
}

func runHandshake(addr netip.AddrPort, task *plan.Task, result *plan.Result) error {
	if task.TLS {
		return errors.New("handshakes over TLS are not measured")
	}
	poll, err := sock.NewPoller()
	if err != nil {
		return err
	}
	g := &gate{
		addr: addr, request: wire.Request(addr.String(), "/", task.Deflate), poll: poll,
		visitors: make([]visitor, task.Conns), crowd: task.Mode == plan.Crowd,
	}
	if err := g.enterAll(task.PID); err != nil {
		return err
	}
	m := meter{pid: task.PID}
	if err := g.run(task, &m); err != nil {
		return err
	}
	if err := m.end(result, g.done); err != nil {
		return err
	}
	result.P50, result.P99, result.Max = g.latency.Quantile(0.5), g.latency.Quantile(0.99), g.latency.Max()
	result.Spare = float64(g.spare) / 1e9 / result.Seconds
	if g.done == 0 {
		return errors.New("no handshake was completed")
	}
	return nil
}

func (g *gate) run(task *plan.Task, m *meter) error {
	now := clock()
	warm := now + int64(task.Warmup)
	end := warm + int64(task.Measure)
	for {
		events, err := g.poll.Wait(patience(task.Block))
		if err != nil {
			return err
		}
		before := now
		if now = clock(); len(events) == 0 {
			g.spare += now - before
		}
		for i := range events {
			if err := g.answered(int(events[i].Fd)); err != nil {
				return err
			}
		}
		if g.crowd && g.inside == 0 {
			if err := g.enterAll(task.PID); err != nil {
				return err
			}
		}
		switch {
		case !g.counting && now >= warm:
			g.counting = true
			g.spare = 0
			if err := m.begin(); err != nil {
				return err
			}
		case now >= end:
			return nil
		}
	}
}

// enterAll has all visitors enter. A crowd does so while the server sleeps: it
// finds all of them waiting, as after a restart, and has no time to wait itself.
func (g *gate) enterAll(server int) error {
	if g.crowd {
		if err := unix.Kill(server, unix.SIGSTOP); err != nil {
			return fmt.Errorf("stop the server: %w", err)
		}
		defer unix.Kill(server, unix.SIGCONT) //nolint:errcheck // it was there a moment ago
	}
	for i := range g.visitors {
		if err := g.enter(i); err != nil {
			return err
		}
	}
	g.inside = len(g.visitors)
	now := clock()
	for i := range g.visitors {
		g.visitors[i].since = now
	}
	return nil
}

// enter connects visitor i and sends its request.
func (g *gate) enter(i int) error {
	v := &g.visitors[i]
	v.since = clock()
	fd, err := dial(g.addr, g.started%(4*sock.PerSource)) // a port rests a while before it is used again
	if err != nil {
		return err
	}
	g.started++
	v.fd = fd
	v.answer = v.answer[:0]
	if _, errno := sock.Send(fd, g.request); errno != 0 {
		return fmt.Errorf("send: %w", errno)
	}
	return g.poll.Add(fd, i, unix.EPOLLIN)
}

// answered reads what visitor i got; when that is all, it leaves.
func (g *gate) answered(i int) error {
	v := &g.visitors[i]
	var buf [4096]byte
	n, errno := sock.Recv(v.fd, buf[:])
	switch {
	case errno == syscall.EAGAIN:
		return nil
	case errno != 0:
		return fmt.Errorf("recv: %w", errno)
	case n == 0:
		return errors.New("the server closed a connection instead of an answer")
	}
	v.answer = append(v.answer, buf[:n]...)
	end, err := wire.Response(v.answer)
	if err != nil || end == 0 {
		return err
	}
	if g.counting {
		g.latency.Add(clock() - v.since)
		g.done++
	}
	if err := unix.Close(v.fd); err != nil {
		return err
	}
	if g.crowd {
		g.inside--
		return nil
	}
	return g.enter(i)
}
