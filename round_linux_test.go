package websocket

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/poll"
)

// together has the messages of some connections, one each, handed out in one round
// of a loop, of which r says whether it is brief and has a timer already. Each is
// answered, and then message is called, for the n-th of conns.
func together(t *testing.T, r *round, some int, opts ConnConfig, message func(c *Conn, n int, conns []*Conn)) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	l := e.loops[0]
	var clients, servers []*Conn
	seen := 0 // by the loop
	ev := &Events{Message: func(c *Conn, typ MessageType, p []byte) {
		seen++
		n := seen
		if assert.NoError(t, c.Write(bg, typ, p)) {
			message(c, n, servers)
		}
	}}
	for range some {
		client, server := connectPair(t, tcpPair, opts)
		require.NoError(t, e.Attach(server, ev))
		clients, servers = append(clients, client), append(servers, server)
	}
	busy, sent := make(chan struct{}), make(chan struct{})
	require.True(t, l.call(func() {
		close(busy)
		<-sent
		l.brief, l.round.ticking = r.brief.Load(), r.ticking
	}))
	<-busy
	for _, c := range clients {
		require.NoError(t, c.WriteText(bg, "x"))
	}
	close(sent)
	for _, c := range clients {
		read := async(func() error { _, _, err := c.Read(bg); return err })
		require.NoError(t, within(t, 10*time.Second, read))
	}
	returned := make(chan struct{})
	require.True(t, l.call(func() { close(returned) }))
	<-returned // an answer may come before the callback that has sent it returns
	assert.Equal(t, len(clients), seen)
}

// waiting returns how many of conns have something to send.
func waiting(conns []*Conn) (n int) {
	for _, c := range conns {
		if c.BufferedAmount() > 0 {
			n++
		}
	}
	return n
}

// briefRound returns a round of brief turns, that has a timer already if ticking.
func briefRound(ticking bool) *round {
	r := &round{ticking: ticking}
	r.brief.Store(true)
	return r
}

var (
	brief   = briefRound(false)
	noTimer = briefRound(true)
)

func TestRoundSendsTogether(t *testing.T) {
	together(t, noTimer, roundTurns+4, ConnConfig{}, func(_ *Conn, n int, conns []*Conn) {
		assert.Equal(t, (n-1)%roundTurns+1, waiting(conns))
	})
}

func TestRoundOfOne(t *testing.T) {
	together(t, noTimer, 1, ConnConfig{}, func(_ *Conn, _ int, conns []*Conn) {
		assert.Zero(t, waiting(conns), "there is nobody to wait for")
	})
}

func TestRoundOfSlowCallbacks(t *testing.T) {
	together(t, &round{}, 3, ConnConfig{}, func(_ *Conn, _ int, conns []*Conn) {
		assert.Zero(t, waiting(conns))
	})
}

func TestNoCoalescingInRound(t *testing.T) {
	together(t, brief, 3, ConnConfig{NoCoalescing: true}, func(_ *Conn, _ int, conns []*Conn) {
		assert.Zero(t, waiting(conns))
	})
}

// A callback that does not return holds no answer back, neither its own nor those
// before it.
func TestRoundWithCallbackThatLasts(t *testing.T) {
	together(t, brief, 3, ConnConfig{}, func(_ *Conn, n int, conns []*Conn) {
		if n == len(conns) {
			assert.Eventually(t, func() bool { return waiting(conns) == 0 }, 10*time.Second, time.Millisecond)
		}
	})
}

// What is written outside the connection's turn is sent at once, behind what was
// held back.
func TestRoundTakenAlong(t *testing.T) {
	together(t, noTimer, 3, ConnConfig{}, func(_ *Conn, n int, conns []*Conn) {
		if n == len(conns) {
			for _, c := range conns {
				if c.BufferedAmount() > 0 {
					c.WriteText(bg, "y")
				}
			}
			assert.Equal(t, 1, waiting(conns), "its own turn is not over")
		}
	})
}

// What is held back for company does not fill the queue of a peer that is not slow.
func TestRoundLeavesRoomToSend(t *testing.T) {
	together(t, noTimer, 3, ConnConfig{SendLimit: 1000}, func(c *Conn, _ int, _ []*Conn) {
		for range 3 {
			assert.NoError(t, c.Write(bg, MessageBinary, make([]byte, 400)))
		}
		assert.ErrorIs(t, c.Write(bg, MessageBinary, make([]byte, 1001)), ErrSendLimit)
	})
}

// Whether others are in the round makes no difference to what is accepted before
// CloseNow.
func TestRoundBeforeCloseNow(t *testing.T) {
	for _, some := range []int{1, 3} {
		together(t, noTimer, some, ConnConfig{}, func(c *Conn, _ int, _ []*Conn) { assert.NoError(t, c.CloseNow()) })
	}
}

// In a bubble, what is held back leaves by the bubble's clock.
func TestCoalescingInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := connectPair(t, tcpPair)
		server.l.wr.hold()
		require.NoError(t, server.WriteText(bg, "held back"))
		assert.NotZero(t, server.BufferedAmount())
		time.Sleep(coalesceTime)
		synctest.Wait()
		assert.Zero(t, server.BufferedAmount())
		client.CloseNow()
		server.CloseNow()
	})
}

// Whoever a loop drives is in its round, however it has got there.
func TestRoundOfLoop(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		e := newEngine(t, &EngineOptions{Loops: 1, Blocking: blocking})
		_, attached := connectPair(t, tcpPair)
		attached.l.wr.hold()
		require.NoError(t, attached.WriteText(bg, "held back, with a timer of others"))
		require.NoError(t, e.Attach(attached, &Events{}))

		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		opened := make(chan *Conn, 1)
		serveRush(t, e, l, nil, &Events{Open: func(c *Conn) { opened <- c }})
		var came *Conn
		for came == nil || !rushed(came) {
			_, came = acceptedFrom(t, l.Addr().String(), opened)
		}
		for _, c := range []*Conn{attached, came} {
			assert.Equal(t, !blocking, c.l.wr.round == &e.loops[0].round)
		}
		if !blocking {
			assert.Zero(t, attached.BufferedAmount(), "nobody else would know of it")
		}
		require.NoError(t, l.Close())
	}
}

// A loop finds out by itself whether its callbacks are brief.
func TestRoundIsBrief(t *testing.T) {
	l := &engineLoop{events: make([]poll.Event, 2)}
	now := time.Now()
	for _, tc := range []struct {
		took  time.Duration
		turns int
		brief bool
	}{
		{2*briefTurn - 1, 2, true},
		{2 * briefTurn, 2, false},
		{time.Hour, 0, false}, // nothing happened: it has waited
		{briefTurn - 1, 1, true},
		{time.Hour, 0, true},
	} {
		l.events, l.taken = l.events[:tc.turns], now.Add(-tc.took)
		l.between(now)
		assert.Equal(t, tc.brief, l.brief, "%v", tc)
	}
}
