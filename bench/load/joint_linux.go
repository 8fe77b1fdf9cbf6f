package main

import (
	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/seed86893212/websocket/internal/poll"
	"golang.org/x/sys/unix"
)

// How many connections receive or send in one system call, and how much they receive.
const (
	jointConns = 64
	jointRoom  = 64 << 10
)

// A joint makes the receipts and the sends of many connections in one system call
// each, so that the generator can do with less time than the server.
type joint struct {
	batch *poll.Batch
	bufs  [jointConns][]byte
	outs  []*conn // who have something to send
	open  bool    // they wait for the end of their round
}

// newJoint returns nil where the system does not do that, or a message has no room.
func newJoint(task *plan.Task) *joint {
	if task.Size > jointRoom/2 {
		return nil
	}
	batch, err := poll.NewBatch(jointConns)
	if err != nil {
		return nil
	}
	j := &joint{batch: batch}
	for i := range j.bufs {
		j.bufs[i] = make([]byte, jointRoom)
	}
	return j
}

// adds notes that c has something to send at the end of a round.
func (j *joint) adds(c *conn) bool {
	if j == nil || !j.open {
		return false
	}
	if c.sends() {
		j.outs = append(j.outs, c)
	}
	return true
}

// handleAll deals with events, as many at once as can be.
func (g *generator) handleAll(events []unix.EpollEvent) error {
	for len(events) > 0 {
		n := min(len(events), jointConns)
		if j := g.joint; j == nil || n < 3 || !g.plainIn(events[:n]) {
			for i := range events[:n] {
				if err := g.handle(&events[i]); err != nil {
					return err
				}
			}
		} else if err := g.handleJoint(events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// plainIn reports whether all there is to do is to receive.
func (g *generator) plainIn(events []unix.EpollEvent) bool {
	for i := range events {
		if events[i].Events != unix.EPOLLIN {
			return false
		}
	}
	return true
}

// handleJoint receives for all, and then sends for all.
func (g *generator) handleJoint(events []unix.EpollEvent) error {
	j := g.joint
	for i := range events {
		j.batch.Recv(g.conns[events[i].Fd].fd, j.bufs[i])
	}
	j.batch.Do()
	j.open = true
	for i := range events {
		c := g.conns[events[i].Fd]
		n, err := j.batch.Result(i)
		done, err := c.received(j.bufs[i][:n], err)
		if err := g.came(c, done, err); err != nil {
			return err
		}
	}
	j.open = false
	j.batch.Reset()
	return g.sendJoint()
}

// sendJoint sends for those who have something to send.
func (g *generator) sendJoint() error {
	j := g.joint
	var sizes [jointConns]int
	for i, c := range j.outs {
		p := c.outgoing()
		sizes[i] = len(p)
		j.batch.Send(c.fd, p)
	}
	j.batch.Do()
	for i, c := range j.outs {
		n, err := j.batch.Result(i)
		if err := c.sentSome(n, sizes[i], err); err != nil {
			return err
		}
	}
	j.batch.Reset()
	outs := j.outs
	j.outs = j.outs[:0]
	for _, c := range outs {
		if err := c.flush(); err != nil { // what is left: the ring's end lay between
			return err
		}
		if err := g.flushed(c); err != nil {
			return err
		}
	}
	return nil
}
