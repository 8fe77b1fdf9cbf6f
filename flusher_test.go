package websocket

import (
	"errors"
	"testing"

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
		assert.False(t, w.rests(), name)
		assert.True(t, w.flushing && w.box == box, name)
	}
	w := sent()
	assert.True(t, w.rests())
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
