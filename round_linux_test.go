package websocket

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/poll"
)

// together has the messages of several connections, one each, handed out in one
// round of a loop, of which r says whether it is brief and has a timer already. Each
// is answered, and then message is called.
func together(t *testing.T, r *round, opts ConnConfig, message func(n int, conns []*Conn)) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	l := e.loops[0]
	var clients, servers []*Conn
	seen := 0 // by the loop
	ev := &Events{Message: func(c *Conn, typ MessageType, p []byte) {
		seen++
		n := seen
		if assert.NoError(t, c.Write(bg, typ, p)) {
			message(n, servers)
		}
	}}
	for range 3 {
		client, server := connectPair(t, tcpPair, opts)
		require.NoError(t, e.Attach(server, ev))
		clients, servers = append(clients, client), append(servers, server)
	}
	busy, sent := make(chan struct{}), make(chan struct{})
	require.True(t, l.call(func() {
		close(busy)
		<-sent
		l.turns, l.round.brief, l.round.ticking = 0, r.brief, r.ticking
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

var brief = &round{brief: true}

func TestRoundSendsTogether(t *testing.T) {
	together(t, &round{brief: true, ticking: true}, ConnConfig{}, func(n int, conns []*Conn) {
		assert.Equal(t, n, waiting(conns))
	})
}

func TestRoundOfSlowCallbacks(t *testing.T) {
	together(t, &round{}, ConnConfig{}, func(_ int, conns []*Conn) {
		assert.Zero(t, waiting(conns))
	})
}

func TestNoCoalescingInRound(t *testing.T) {
	together(t, brief, ConnConfig{NoCoalescing: true}, func(_ int, conns []*Conn) {
		assert.Zero(t, waiting(conns))
	})
}

// A callback that does not return holds no answer back, neither its own nor those
// before it.
func TestRoundWithCallbackThatLasts(t *testing.T) {
	together(t, brief, ConnConfig{}, func(n int, conns []*Conn) {
		if n == len(conns) {
			assert.Eventually(t, func() bool { return waiting(conns) == 0 }, 10*time.Second, time.Millisecond)
		}
	})
}

// What is written outside the connection's turn is sent at once, behind what was
// held back.
func TestRoundTakenAlong(t *testing.T) {
	together(t, brief, ConnConfig{}, func(n int, conns []*Conn) {
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
		assert.Equal(t, tc.brief, l.round.brief, "%v", tc)
	}
}
