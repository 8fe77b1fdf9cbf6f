package websocket

import (
	"bytes"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An attached is some connections of one loop, and their peers.
type attached struct {
	e       *Engine
	l       *engineLoop
	servers []*Conn
	peers   []*scriptedPeer
}

// gather attaches n connections, with what events returns for each. It skips the test
// where the system does not receive for several at once.
func gather(t *testing.T, n int, cfg ConnConfig, events func(i int) *Events) *attached {
	r := &attached{e: newEngine(t, &EngineOptions{Loops: 1})}
	if r.l = r.e.loops[0]; r.l.fetch.batch == nil {
		t.Skip("no io_uring")
	}
	cfg.Heartbeat = -1
	for i := range n {
		c, peer := connectScripted(t, tcpPair, RoleServer, cfg)
		require.NoError(t, r.e.Attach(c, events(i)))
		r.servers, r.peers = append(r.servers, c), append(r.peers, peer)
	}
	return r
}

// round has act done while the loop does not look, so that all that comes of it makes
// one round, in the order in which it was done.
func (r *attached) round(t *testing.T, act func()) {
	busy, done := make(chan struct{}), make(chan struct{})
	require.True(t, r.l.call(func() {
		close(busy)
		<-done
		r.l.brief = true
	}))
	<-busy
	act()
	close(done)
}

// settled waits until the loop has dealt with what there was.
func (r *attached) settled(t *testing.T) {
	for range 2 {
		returned := make(chan struct{})
		require.True(t, r.l.call(func() { close(returned) }))
		within(t, 10*time.Second, returned)
	}
}

// A countedBatch notes how many sends are made at once.
type countedBatch struct {
	batch
	now  int
	made []int
}

func (b *countedBatch) Send(fd int, p []byte) int { b.now++; return b.batch.Send(fd, p) }
func (b *countedBatch) Do() {
	b.batch.Do()
	b.made, b.now = append(b.made, b.now), 0
}

func TestFetchAndSendTogether(t *testing.T) {
	const n = roundTurns + 4
	var fetched atomic.Int32
	var r *attached
	r = gather(t, n, ConnConfig{}, func(int) *Events {
		return &Events{Message: func(c *Conn, typ MessageType, p []byte) {
			if g := r.l.fetch.of[r.l.at-r.l.fetch.from]; g.d.c == c && g.n == 2+4+1 {
				fetched.Add(1)
			}
			assert.NoError(t, c.Write(bg, typ, p))
		}}
	})
	var sends countedBatch
	r.round(t, func() {
		sends.batch, r.l.round.joint.batch = r.l.round.joint.batch, &sends
		r.l.round.ticking = true // no timer
		for i, p := range r.peers {
			p.send(p.frame(OpBinary, true, string(rune('a'+i))))
		}
	})
	for i, p := range r.peers {
		assert.Equal(t, string(rune('a'+i)), p.expect(OpBinary))
	}
	r.settled(t)
	assert.EqualValues(t, n, fetched.Load())
	assert.Equal(t, []int{roundTurns, 4}, sends.made)
}

// What has been received for a connection that another's callback ends is dropped
// with it, and the rest of the round goes on.
func TestFetchedForWhoIsClosed(t *testing.T) {
	closed := make(chan int, 8)
	var r *attached
	r = gather(t, 8, ConnConfig{}, func(i int) *Events {
		return &Events{
			Message: func(c *Conn, typ MessageType, p []byte) {
				for _, other := range r.servers[i+1 : max(i+1, 6)] {
					assert.NoError(t, other.CloseNow())
				}
				assert.NoError(t, c.Write(bg, typ, p))
			},
			Close: func(*Conn, error) { closed <- i },
		}
	})
	r.round(t, func() {
		for _, p := range r.peers {
			p.send(p.frame(OpBinary, true, "x"))
		}
	})
	for _, i := range []int{0, 6, 7} {
		assert.Equal(t, "x", r.peers[i].expect(OpBinary))
	}
	var gone []int
	for range 5 {
		gone = append(gone, within(t, 10*time.Second, closed))
	}
	slices.Sort(gone)
	assert.Equal(t, []int{1, 2, 3, 4, 5}, gone)
	waitUntil(t, func() bool { return r.e.Len() == 3 })
}

// A callback that ends the loop's goroutine takes nothing along that was received for
// others.
func TestFetchedBesideGoexit(t *testing.T) {
	r := gather(t, 6, ConnConfig{}, func(i int) *Events {
		return &Events{
			Message: func(c *Conn, typ MessageType, p []byte) {
				if i == 1 {
					runtime.Goexit()
				}
				assert.NoError(t, c.Write(bg, typ, p))
			},
		}
	})
	r.round(t, func() {
		for _, p := range r.peers {
			p.send(p.frame(OpBinary, true, "x"))
		}
	})
	for i, p := range r.peers {
		if i != 1 {
			assert.Equal(t, "x", p.expect(OpBinary))
		}
	}
	r.peers[1].expectClose(StatusInternalError)
}

// Ends are found by receiving, and each connection has its own.
func TestFetchedEnds(t *testing.T) {
	type end struct {
		i   int
		err error
	}
	ends := make(chan end, 8)
	r := gather(t, 6, ConnConfig{}, func(i int) *Events {
		return &Events{
			Message: func(c *Conn, typ MessageType, p []byte) { assert.NoError(t, c.Write(bg, typ, p)) },
			Close:   func(_ *Conn, err error) { ends <- end{i, err} },
		}
	})
	r.round(t, func() {
		for i, p := range r.peers {
			switch i {
			case 1:
				require.NoError(t, p.Conn.(*net.TCPConn).CloseWrite())
			case 2:
				require.NoError(t, p.Conn.(*net.TCPConn).SetLinger(0))
				require.NoError(t, p.Close())
			case 3:
				p.send([]byte{0xf3, 0x80, 0, 0, 0, 0})
			case 4:
				p.send(p.closeFrame(4000, "why"))
			default:
				p.send(p.frame(OpText, true, "x"))
			}
		}
	})
	assert.Equal(t, "x", r.peers[0].expect(OpText))
	assert.Equal(t, "x", r.peers[5].expect(OpText))
	r.peers[3].expectClose(StatusProtocolError)
	r.peers[3].Close()
	r.peers[4].expectClose(4000)
	for range 4 {
		switch e := within(t, 10*time.Second, ends); e.i {
		case 1:
			assert.ErrorContains(t, e.err, "unexpected EOF")
		case 2:
			assert.ErrorIs(t, e.err, syscall.ECONNRESET)
		case 3:
			assert.Equal(t, StatusProtocolError, CloseStatus(e.err))
		case 4:
			assert.EqualValues(t, 4000, CloseStatus(e.err))
		default:
			assert.Fail(t, "has ended", "%d: %v", e.i, e.err)
		}
	}
}

// A peer that does not read holds up nobody in its round, and gets everything in the
// end.
func TestTogetherWithASlowPeer(t *testing.T) {
	const answer = 15 << 10 // held back for company
	r := gather(t, 6, ConnConfig{SendLimit: -1}, func(int) *Events {
		return &Events{Message: func(c *Conn, typ MessageType, p []byte) {
			assert.NoError(t, c.Write(bg, typ, bytes.Repeat(p, answer)))
		}}
	})
	slow := 0
	for ; r.servers[0].BufferedAmount() == 0; slow++ {
		r.round(t, func() {
			for _, p := range r.peers {
				p.send(p.frame(OpBinary, true, "x"))
			}
		})
		for _, p := range r.peers[1:] {
			assert.Equal(t, string(bytes.Repeat([]byte("x"), answer)), p.expect(OpBinary))
		}
		r.settled(t)
	}
	for range slow {
		assert.Equal(t, string(bytes.Repeat([]byte("x"), answer)), r.peers[0].expect(OpBinary))
	}
	waitUntil(t, func() bool { return r.servers[0].BufferedAmount() == 0 })
}

// Writers on other goroutines, in the midst of sends that are made together.
func TestTogetherRaced(t *testing.T) {
	const each = 300
	r := gather(t, 8, ConnConfig{}, func(int) *Events {
		return &Events{Message: func(c *Conn, typ MessageType, p []byte) { assert.NoError(t, c.Write(bg, typ, p)) }}
	})
	var all sync.WaitGroup
	for i, c := range r.servers {
		all.Go(func() {
			for range each {
				assert.NoError(t, c.Send(MessageText, []byte("sent")))
			}
		})
		all.Go(func() {
			for range each {
				p := r.peers[i]
				p.send(p.frame(OpBinary, true, "echoed"))
			}
		})
		all.Go(func() {
			sent := 0
			for range 2 * each {
				_, p, err := r.peers[i].next()
				if !assert.NoError(t, err) {
					return
				}
				if string(p) == "sent" {
					sent++
				}
			}
			assert.Equal(t, each, sent)
		})
	}
	all.Wait()
}

// Messages of any size, with and without batches: nothing is lost or mixed up.
func TestTogetherEcho(t *testing.T) {
	for _, single := range []bool{false, true} {
		e := newEngine(t, &EngineOptions{Loops: 1, NoIOUring: single})
		var all sync.WaitGroup
		for i := range 24 {
			client, server := connectPair(t, tcpPair)
			require.NoError(t, e.Attach(server, &Events{
				Message: func(c *Conn, typ MessageType, p []byte) { assert.NoError(t, c.Write(bg, typ, p)) },
			}))
			all.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(i)))
				for n := range 100 {
					size := random.IntN(1 << (2 + random.IntN(16)))
					p := bytes.Repeat([]byte{byte(n)}, size)
					if !assert.NoError(t, client.Write(bg, MessageBinary, p)) {
						return
					}
					_, got, err := client.Read(bg)
					if !assert.NoError(t, err) || !assert.True(t, bytes.Equal(p, got)) {
						return
					}
				}
			})
		}
		all.Wait()
	}
}

// Where there is no io_uring, or it is not wanted, nothing else changes.
func TestNoIOUring(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1, NoIOUring: true})
	assert.Nil(t, e.loops[0].fetch.batch)
	assert.Nil(t, e.loops[0].round.joint.batch)
}
