package websocket

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// connectQueueing returns a connection as an Engine has it, whose transport takes
// what the test wants.
func connectQueueing(t *testing.T, cfg ConnConfig) (*Conn, *drivenTransport) {
	t.Helper()
	cfg.Heartbeat, cfg.Role = -1, RoleServer
	agreed, err := agreedAlready(&cfg)
	require.NoError(t, err)
	tr := &drivenTransport{meets: func() {}}
	c := new(Conn)
	c.init(tr, established{role: cfg.Role, settings: cfg.settings(), agreement: agreed})
	c.l.drains = true
	c.l.wr.neverWait()
	return c, tr
}

// takesAll has the transport take all there is to send. It reports whether the
// driver has been told that the queue has drained.
func (t *drivenTransport) takesAll(c *Conn) (drained bool) {
	t.takes = 1 << 30
	for was := int64(-1); was != c.BufferedAmount(); {
		was = c.BufferedAmount()
		c.l.wr.resume()
	}
	t.takes = 0
	return c.l.rd.bell.answer()&wakeDrain != 0
}

// What waits for a message in fragments to end does not keep that from going on, and
// the queue has drained once all is sent that can be.
func TestHeldDoesNotHoldUpItsWriter(t *testing.T) {
	c, tr := connectQueueing(t, ConnConfig{SendLimit: 40_000})
	piece := make([]byte, 20_000)
	w, err := c.Writer(bg, MessageBinary)
	require.NoError(t, err)
	_, err = w.Write(piece)
	require.NoError(t, err)
	require.True(t, tr.takesAll(c))
	for c.Send(MessageBinary, make([]byte, 10_000)) == nil {
		continue
	}
	require.Equal(t, int64(30_012), c.BufferedAmount())

	_, err = w.Write(piece)
	require.NoError(t, err)
	_, err = w.Write(piece)
	require.ErrorIs(t, err, ErrSendLimit, "its own fragments count")
	require.True(t, tr.takesAll(c))
	_, err = w.Write(piece)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Equal(t, int64(50_018), c.BufferedAmount())
	assert.True(t, tr.takesAll(c))
	assert.Zero(t, c.BufferedAmount())

	w, err = c.Writer(bg, MessageBinary)
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 40_001))
	require.ErrorIs(t, err, ErrSendLimit)
	require.NoError(t, c.Send(MessageText, []byte("little")))
	_, err = w.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, w.Flush())
	assert.False(t, tr.takesAll(c), "nothing was full that drains")
}

// What waits for company stands in the queue too, and is sent when there is no room
// for it.
func TestSendLimitWithCompany(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer, ConnConfig{Heartbeat: -1, SendLimit: 100})
		peer.sends(peer.text("a"), peer.text("b"), peer.text("c"))
		go io.Copy(io.Discard, peer.br)
		most := int64(0)
		for m, err := range c.Messages(bg) {
			require.NoError(t, err)
			if string(m.Data) == "b" {
				break
			}
			for n := 0; n < 50 && c.Send(MessageText, make([]byte, 70)) == nil; n++ {
				most = max(most, c.BufferedAmount())
			}
		}
		assert.LessOrEqual(t, most, int64(100))
	})
	for name, send := range map[string]func(c *Conn, p []byte) error{
		"Send":  func(c *Conn, p []byte) error { return c.Send(MessageBinary, p) },
		"Write": func(c *Conn, p []byte) error { return c.Write(bg, MessageBinary, p) },
		"Writer": func(c *Conn, p []byte) error {
			w, err := c.Writer(bg, MessageBinary)
			if err != nil {
				return err
			}
			_, _ = w.Write(p)
			return w.Close()
		},
	} {
		c, tr := connectQueueing(t, ConnConfig{SendLimit: 1000})
		tr.takes = 1 << 30
		for range 20 {
			c.l.wr.hold()
			require.NoError(t, send(c, make([]byte, 700)), name)
			require.LessOrEqual(t, c.BufferedAmount(), int64(1000), name)
		}
		c, tr = connectQueueing(t, ConnConfig{SendLimit: 1000})
		c.l.wr.hold()
		require.NoError(t, send(c, make([]byte, 700)), name)
		require.ErrorIs(t, send(c, make([]byte, 700)), ErrSendLimit, name)
		assert.True(t, tr.takesAll(c), name)
	}
}

// A hookedTransport calls tries before it sends.
type hookedTransport struct {
	*drivenTransport
	tries func()
}

func (t *hookedTransport) try(s *sending) (int, error) {
	t.tries()
	return t.drivenTransport.try(s)
}

// Attach: "Nothing waits for the engine": not behind a Writer either that somebody opens
// while Write makes room.
func TestWriteThatMakesRoomMeetsAWriter(t *testing.T) {
	c, plain := connectQueueing(t, ConnConfig{SendLimit: 1000})
	plain.takes = 1 << 30
	tr := &hookedTransport{plain, func() {}}
	c.l.wr.t = tr
	c.l.wr.hold()
	require.NoError(t, c.Write(bg, MessageBinary, make([]byte, 700)))
	require.NotZero(t, c.BufferedAmount(), "it waits for company")
	opened := false
	tr.tries = func() {
		tr.tries = func() {}
		_, err := c.Writer(bg, MessageText)
		opened = err == nil
	}
	ctx, cancel := context.WithTimeout(bg, 2*time.Second)
	defer cancel()
	require.NoError(t, c.Write(ctx, MessageBinary, make([]byte, 700)))
	require.True(t, opened)
}

// An endingContext ends once it has been asked.
type endingContext struct {
	context.Context
	cancel context.CancelFunc
}

func (c endingContext) Err() error {
	defer c.cancel()
	return c.Context.Err()
}

// MessageWriter.Close: "Under an Engine whose queue is full, Close returns ErrSendLimit if
// nothing of the message has been sent, and nothing will be". It makes way also if the
// context ends in that moment.
func TestWriterRefusedAsItsContextEnds(t *testing.T) {
	c, tr := connectQueueing(t, ConnConfig{SendLimit: 1000})
	require.NoError(t, c.Send(MessageBinary, make([]byte, 900)))
	w, err := c.Writer(bg, MessageText)
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 500))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(bg)
	w.SetContext(endingContext{ctx, cancel})
	require.ErrorIs(t, w.Close(), ErrSendLimit)
	require.Error(t, ctx.Err())
	require.True(t, tr.takesAll(c))
	require.NoError(t, c.Send(MessageText, []byte("next")))
	tr.takesAll(c)
	require.Zero(t, c.BufferedAmount(), "what comes next is held back for ever")
}

// Events.Drain is called after the queue was more than half full, or refused something
// while there was something in it, and not where there is no limit.
func TestWhatDrains(t *testing.T) {
	send := func(c *Conn, n int) error { return c.Send(MessageBinary, make([]byte, n)) }
	for name, tc := range map[string]struct {
		limit  int64
		fill   func(c *Conn)
		drains bool
	}{
		"half full":      {1000, func(c *Conn) { require.NoError(t, send(c, 400)) }, false},
		"more than half": {1000, func(c *Conn) { require.NoError(t, send(c, 600)) }, true},
		"refused": {1000, func(c *Conn) {
			require.NoError(t, send(c, 400))
			require.ErrorIs(t, send(c, 700), ErrSendLimit)
		}, true},
		"no limit": {-1, func(c *Conn) { require.NoError(t, send(c, 10_000)) }, false},
		"held": {1000, func(c *Conn) {
			w, err := c.Writer(bg, MessageBinary)
			require.NoError(t, err)
			require.NoError(t, send(c, 600))
			require.NoError(t, w.Close())
		}, true},
		"held, and a piece refused that never fits": {1000, func(c *Conn) {
			w, err := c.Writer(bg, MessageBinary)
			require.NoError(t, err)
			require.NoError(t, send(c, 600))
			_, err = w.Write(make([]byte, 5000))
			require.ErrorIs(t, err, ErrSendLimit)
			c.l.wr.end()
		}, true},
	} {
		c, tr := connectQueueing(t, ConnConfig{SendLimit: tc.limit})
		tc.fill(c)
		assert.Equal(t, tc.drains, tr.takesAll(c), name)
		assert.Zero(t, c.BufferedAmount(), name)
	}
}

// A ping that had no room for its pong is not answered behind the close frame.
func TestNoLatePongAfterCloseFrame(t *testing.T) {
	c, tr := connectQueueing(t, ConnConfig{})
	w := &c.l.wr
	for range pongRoom / maxControlPayload {
		w.pong(make([]byte, maxControlPayload))
	}
	w.close(StatusNormalClosure, "")
	w.mu.Lock()
	late, end := w.box.late, w.box.added
	w.mu.Unlock()
	require.True(t, late)
	tr.takesAll(c)
	assert.Zero(t, c.BufferedAmount())
	assert.Equal(t, end, w.sent, "nothing was added")
}

// A large payload queues behind a send under way.
func TestLargeBesideASend(t *testing.T) {
	c, plain := connectQueueing(t, ConnConfig{})
	plain.takes = 1 << 30
	tr := &hookedTransport{plain, func() {}}
	c.l.wr.t = tr
	var err error
	tr.tries = func() {
		tr.tries = func() {}
		err = c.Send(MessageBinary, make([]byte, referMin))
	}
	require.NoError(t, c.Send(MessageText, []byte("little")))
	require.NoError(t, err)
	plain.takesAll(c)
	assert.Zero(t, c.BufferedAmount())
}

// A heartbeat has left also if a write before it was given up.
func TestHeartbeatBehindAWriteThatIsGivenUp(t *testing.T) {
	c, _ := connectQueueing(t, ConnConfig{})
	w := &c.l.wr
	w.mu.Lock()
	defer w.mu.Unlock()
	tk := w.load().add(&w.out, OpText, true, make([]byte, 100))
	w.box.add(&w.out, OpPing, true, nil)
	w.seldom().beats(w.box.added, 0)
	accepted, err := w.settle(endedContext(), tk)
	assert.False(t, accepted)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, w.box.added, w.rare.beat)
}

// A stallingTransport's sends wait until they may go on.
type stallingTransport struct {
	drivenTransport
	goOn chan struct{}
}

func (t *stallingTransport) sendWaits() bool { return true }

func (t *stallingTransport) flush(stepper) error {
	<-t.goOn
	return errors.New("broken")
}

// Send: it does not wait, with a large payload neither, also where sends do.
func TestSendLargeWhereSendsWait(t *testing.T) {
	c := &Conn{agreed: &nothingAgreed}
	tr := &stallingTransport{goOn: make(chan struct{})}
	c.l.init(tr, RoleServer, (&ConnConfig{Heartbeat: -1}).settings(), deflation{}, nil)
	sent := async(func() error { return c.Send(MessageBinary, make([]byte, referMin)) })
	defer waitUntil(t, func() bool { return c.l.wr.failure() != nil })
	defer close(tr.goOn)
	require.NoError(t, within(t, 10*time.Second, sent))
}
