package websocket

import (
	"bytes"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A drivenTransport takes little at a time, and has a driver.
type drivenTransport struct {
	memoryTransport
	takes   int
	meets   func() // called between two sends
	waiting bool
}

func (t *drivenTransport) send(p, q []byte) (int, error) {
	n := min(t.takes, len(p)+len(q))
	if n == 0 {
		return 0, errAgain
	}
	return n, nil
}

func (t *drivenTransport) try(s *sending) (int, error) { return t.send(s.p, s.q) }

func (t *drivenTransport) flush(stepper) error {
	t.meets()
	return nil
}

func (t *drivenTransport) needRoom() bool {
	t.waiting = true
	return true
}

// The driver that finds room while a writer still sends leaves that to the
// writer. Once nothing can be sent any more, what waited for room is dropped.
func TestDriverDoesNotCutIn(t *testing.T) {
	tr := &drivenTransport{takes: 50}
	c := &Conn{agreed: &nothingAgreed}
	c.l.init(tr, RoleServer, (&ConnConfig{Heartbeat: -1}).settings(), deflation{}, nil)
	w := &c.l.wr
	w.neverWait()
	tr.meets = func() {
		tr.takes = 1000
		w.resume()
	}
	require.NoError(t, c.Write(bg, MessageBinary, make([]byte, 100)))
	assert.True(t, tr.waiting)
	assert.NotZero(t, c.BufferedAmount())
	w.resume()
	assert.Zero(t, c.BufferedAmount())

	tr.takes = 0
	require.NoError(t, c.Write(bg, MessageBinary, make([]byte, 100)))
	w.shut()
	w.resume()
	assert.Nil(t, w.box)
}

// What needs more than the role to be given up is not given up the short way.
func TestRests(t *testing.T) {
	sent := func() *writer {
		c := &Conn{agreed: &nothingAgreed}
		c.l.init(&memoryTransport{}, RoleServer, (&ConnConfig{Heartbeat: -1}).settings(), deflation{}, nil)
		w := &c.l.wr
		w.mu.Lock()
		t.Cleanup(w.mu.Unlock)
		w.load().add(&w.out, OpText, true, []byte("sent"))
		w.trySend()
		return w
	}
	for name, also := range map[string]func(w *writer){
		"something to send":   func(w *writer) { w.box.add(&w.out, OpText, true, nil) },
		"a large payload":     func(w *writer) { w.box.refer([]byte("large")) },
		"something held":      func(w *writer) { w.box.hold([]byte("held")) },
		"somebody who waits":  func(w *writer) { w.box.queue = append(w.box.queue, &writeWaiter{}) },
		"a ping to answer":    func(w *writer) { w.box.late = true },
		"a send under way":    func(w *writer) { w.box.lent = 1 },
		"too large a buffer":  func(w *writer) { w.box.buf = make([]byte, 0, keptBuffer+1) },
		"a queue that drains": func(w *writer) { w.full = true },
		"something to tell":   func(w *writer) { w.news = tidingsFailed },
		"a failure":           func(w *writer) { w.flushed(errors.New("broken")) },
		"the end":             func(w *writer) { w.over = true },
	} {
		w := sent()
		also(w)
		box := w.box
		assert.False(t, w.retires(), name)
		assert.True(t, w.flushing && w.box == box, name)
	}
	w := sent()
	assert.True(t, w.retires())
	assert.True(t, !w.flushing && w.box == nil && w.sent == 6)
}

// Who gets an outgoing next finds nothing in it of who had it before.
func TestGiveBack(t *testing.T) {
	g := newOutgoing(1 << 20)
	var out outbound
	g.pongFits([]byte("ping"))
	g.add(&out, OpPong, true, []byte("ping"))
	g.own, g.ctx, g.err = ticket{to: everything}, bg, errAgain
	p, _ := g.lendAll()
	g.done(len(p))
	require.True(t, g.spent())
	g.giveBack()
	assert.Nil(t, g.ctx)
	assert.NoError(t, g.err)
	assert.Zero(t, g.toGo, "or pongs would count against a connection that has sent less")
}

// A closingTransport sends what it is told to, and takes its time to close.
type closingTransport struct {
	memoryTransport
	tries   func(s *sending) (int, error)
	flushes func(s stepper) error
	room    func()
	aborts  func()
}

func (t *closingTransport) try(s *sending) (int, error) { return t.tries(s) }
func (t *closingTransport) flush(s stepper) error       { return t.flushes(s) }
func (t *closingTransport) needRoom() bool              { t.room(); return false }
func (t *closingTransport) abort() error                { t.aborts(); return nil }

// Write: "p is not modified and may be reused when Write returns", also if it returns
// because of CloseNow, as somebody else is about to become the flusher.
func TestNothingOfAWriteIsReadAfterItReturned(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // makes the order of the goroutines certain
	c := &Conn{agreed: &nothingAgreed}
	tr := &closingTransport{}
	c.l.init(tr, RoleServer, (&ConnConfig{Heartbeat: -1}).settings(), deflation{}, nil)
	waiting := func(n int) func() bool {
		return func() bool {
			c.l.wr.mu.Lock()
			defer c.l.wr.mu.Unlock()
			return c.l.wr.box != nil && len(c.l.wr.box.queue) == n
		}
	}
	begun, goOn := make(chan struct{}), make(chan struct{})
	var returned, late atomic.Bool
	p := bytes.Repeat([]byte{1}, referMin)
	n := 0
	tr.tries = func(s *sending) (int, error) {
		if n++; n == 1 {
			close(begun)
			<-goOn
			return len(s.p) + len(s.q), nil
		}
		if returned.Load() && len(s.q) > 0 && &s.q[0] == &p[0] {
			late.Store(true)
		}
		return 0, errors.New("closed")
	}
	tr.flushes = func(s stepper) error { s.step(); return nil }
	tr.aborts = func() { time.Sleep(10 * time.Millisecond) } // to close takes a moment
	closed := make(chan struct{})
	tr.room = func() { // in pass, with the lock: CloseNow is the next to have it
		tr.room = func() {}
		go func() { c.CloseNow(); close(closed) }()
		time.Sleep(10 * time.Millisecond)
	}
	first := async(func() error { return c.Write(bg, MessageText, []byte("leads")) })
	<-begun
	second := async(func() error { return c.Write(bg, MessageText, []byte("is to lead next")) })
	waitUntil(t, waiting(1))
	third := async(func() error {
		err := c.Write(bg, MessageBinary, p)
		returned.Store(true)
		clear(p) // "may be reused"
		return err
	})
	waitUntil(t, waiting(2))
	close(goOn)
	within(t, time.Minute, closed)
	within(t, time.Minute, first)
	within(t, time.Minute, second)
	require.Error(t, within(t, time.Minute, third))
	require.False(t, late.Load(), "the payload of a Write that has returned was being sent")
}
