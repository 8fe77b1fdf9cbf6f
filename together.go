// Sends of many connections, made together.

package websocket

import (
	"runtime"
	"syscall"
)

// How many receipts or sends are made together: one system call for two is no faster
// than two.
const (
	togetherMin  = 3
	togetherMost = 16
)

// A releaser holds something back, and sends it. It is let go by a round, which does
// not know it any more: with letGo it sends. With offer its send joins those that are
// made together, unless that returns false, and given is to be called after them. None
// of them waits for long.
type releaser interface {
	letGo()
	offer(j joint) (joined bool)
	given(j joint)
}

// A batch makes many sends in one system call: Send adds one, Do makes them, Result
// says what came of each. See poll.Batch.
type batch interface {
	Full() bool
	Send(fd int, p []byte) (i int)
	Do()
	Result(i int) (n int, err error)
	Reset()
}

// A gathering is the joint of some releasers.
type gathering struct {
	batch batch // nil: each sends by itself

	todo   []releaser // still to be asked
	joined []releaser
	made   bool // the sends have been

	held   *sending         // whose descriptor is being held open
	onHold func(fd uintptr) // goes on while it is
}

// send has them all send. They are togetherMost at most.
func (g *gathering) send(some []releaser) {
	if g.onHold == nil {
		g.onHold = func(fd uintptr) {
			g.add(fd, g.held)
			g.goOn()
		}
	}
	g.todo, g.made = some, false
	g.goOn()
	for _, w := range g.joined {
		w.given(g)
	}
	g.batch.Reset()
	clear(g.joined)
	g.todo, g.joined, g.held = nil, g.joined[:0], nil
}

// goOn asks who is still to be asked, and makes the sends. It calls itself for each
// descriptor that has to be held open meanwhile.
func (g *gathering) goOn() {
	for len(g.todo) > 0 {
		w := g.todo[0]
		g.todo = g.todo[1:]
		if w.offer(g) {
			g.joined = append(g.joined, w)
		}
	}
	if !g.made {
		g.made = true
		g.batch.Do()
	}
}

func (g *gathering) add(fd uintptr, s *sending) bool {
	if g.batch.Full() {
		return false
	}
	s.n = g.batch.Send(int(fd), s.p)
	return true
}

func (g *gathering) hold(rc syscall.RawConn, s *sending) bool {
	if g.batch.Full() {
		return false
	}
	if g.held == nil {
		growStack()
	}
	g.held = s
	return rc.Control(g.onHold) == nil // otherwise it has been closed
}

// growStack makes room for descriptors that are held inside each other. A stack that
// grows by and by is copied each time, with ever more frames on it.
//
//go:noinline
func growStack() {
	var room [8 << 10]byte
	runtime.KeepAlive(&room)
}

func (g *gathering) result(s *sending) (int, error) { return g.batch.Result(s.n) }
