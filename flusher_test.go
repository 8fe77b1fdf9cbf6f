package websocket

import (
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
