package websocket

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/poll"
)

// crowded returns a crowd that goes on waiting, and in which way its sends are made. It
// skips the test where the system makes none together.
func crowded(t *testing.T) (*crowd, *countedBatch) {
	batch, err := poll.NewBatch(togetherMost)
	if err != nil {
		t.Skip("no io_uring:", err)
	}
	c, j := new(crowd), &countedBatch{batch: batch}
	t.Cleanup(func() {
		c.sending.Lock() // a round may be about to end
		defer c.sending.Unlock()
		batch.Close()
	})
	c.init()
	c.once.Do(func() { c.joint.batch = j })
	c.brief.Store(true)
	return c, j
}

// loops are ways of reading.
var loops = map[string]func(c *Conn, f func(typ MessageType, p []byte)) error{
	"Messages": func(c *Conn, f func(typ MessageType, p []byte)) error {
		for msg, err := range c.Messages(bg) {
			if err != nil {
				return err
			}
			f(msg.Type, msg.Data)
		}
		return c.Err()
	},
	"Serve": func(c *Conn, f func(typ MessageType, p []byte)) error {
		ev := &Events{Message: func(_ *Conn, typ MessageType, p []byte) { f(typ, p) }}
		return ev.Serve(bg, c)
	},
	"ReadInto": func(c *Conn, f func(typ MessageType, p []byte)) error {
		var buf []byte
		for {
			typ, p, err := c.ReadInto(bg, buf)
			if err != nil {
				return err
			}
			f(typ, p)
			buf = p
		}
	},
	"Read": func(c *Conn, f func(typ MessageType, p []byte)) error {
		for {
			typ, p, err := c.Read(bg)
			if err != nil {
				return err
			}
			f(typ, p)
		}
	},
}

func TestCrowdSendsTogether(t *testing.T) {
	for name, loop := range loops {
		t.Run(name, func(t *testing.T) {
			c, sends := crowded(t)
			c.slow = time.Hour
			c.leaving.Store(true) // when all have answered
			const conns = 5
			clients := make([]*Conn, conns)
			var all sync.WaitGroup
			for i := range clients {
				client, server := connectPair(t, tcpPair)
				server.l.wr.enlist(&c.round)
				clients[i] = client
				all.Go(func() {
					_ = loop(server, func(typ MessageType, p []byte) { assert.NoError(t, server.Write(bg, typ, p)) })
				})
			}
			c.round.ticking = true           // no timer
			for i, client := range clients { // who finds the lock taken sends by itself
				require.NoError(t, client.WriteText(bg, "x"))
				waitUntil(t, func() bool { return int(c.many.Load()) == i+1 })
			}
			time.Sleep(time.Millisecond) // the last one waits again
			c.began = time.Since(epoch)
			c.leave()
			for _, client := range clients {
				_, p, err := client.Read(bg)
				require.NoError(t, err)
				assert.Equal(t, "x", string(p))
			}
			assert.Equal(t, []int{conns}, sends.made)
			for _, client := range clients {
				client.CloseNow()
			}
			all.Wait()
		})
	}
}

// A connection may end while others send for it.
func TestCrowdRaced(t *testing.T) {
	for name, loop := range loops {
		t.Run(name, func(t *testing.T) {
			c, _ := crowded(t)
			ctx, cancel := context.WithTimeout(bg, time.Second)
			defer cancel()
			var all sync.WaitGroup
			for i := range 12 {
				random := rand.New(rand.NewPCG(1, uint64(i)))
				all.Go(func() {
					for ctx.Err() == nil {
						client, server := connectPair(t, tcpPair)
						server.l.wr.enlist(&c.round)
						var both sync.WaitGroup
						both.Go(func() {
							_ = loop(server, func(typ MessageType, p []byte) { _ = server.Write(bg, typ, p) })
						})
						for range random.IntN(50) {
							c.brief.Store(true)
							p := make([]byte, random.IntN(300))
							if !assert.NoError(t, client.Write(bg, MessageBinary, p)) {
								break
							}
							_, got, err := client.Read(bg)
							if !assert.NoError(t, err) || !assert.Len(t, got, len(p)) {
								break
							}
						}
						_ = client.Write(bg, MessageBinary, []byte("the last"))
						if random.IntN(2) == 0 {
							client.CloseNow()
						}
						server.CloseNow()
						client.CloseNow()
						both.Wait()
					}
				})
			}
			all.Wait()
		})
	}
}

// Who finds the round's lock taken sends by itself: if all waited for it, they would
// soon wait for each other.
func TestCrowdWaitsForNoLock(t *testing.T) {
	c, _ := crowded(t)
	own, peer := connectScripted(t, tcpPair, RoleServer)
	own.l.wr.enlist(&c.round)
	c.mu.Lock()
	defer c.mu.Unlock()
	own.l.wr.hold()
	for _, p := range []string{"a", "b"} {
		require.NoError(t, within(t, 10*time.Second, async(func() error { return own.WriteText(bg, p) })))
		assert.Equal(t, p, peer.expect(OpText))
	}
	within(t, 10*time.Second, async(func() bool { own.l.wr.pong([]byte("c")); return true }))
	assert.Equal(t, "c", peer.expect(OpPong))
	within(t, 10*time.Second, async(func() bool { own.l.wr.rest(); return true }))
}

// What is left to others allocates nothing.
func TestCrowdAllocatesNothing(t *testing.T) {
	c, _ := crowded(t)
	c.once.Do(func() {})
	w := new(counted)
	assert.Less(t, testing.AllocsPerRun(100, func() {
		c.brief.Store(true)
		c.add(w)
		c.rests()
		for c.busy() {
			runtime.Gosched()
		}
	}), 0.5)
}

func (c *crowd) busy() bool {
	return c.leaving.Load() || c.ending.Load()
}

// A gatedBatch waits before it makes its sends.
type gatedBatch struct {
	batch
	asked, made chan struct{}
}

func (b *gatedBatch) Do() {
	close(b.asked)
	<-b.made
	b.batch.Do()
}

// gated returns a crowd whose round is to end once, with the sends of two who have
// none beside those that it gets.
func gated(t *testing.T) (*crowd, *gatedBatch) {
	c, sends := crowded(t)
	b := &gatedBatch{sends, make(chan struct{}), make(chan struct{})}
	c.joint.batch = b
	c.ticking = true
	c.leaving.Store(true)
	c.add(new(absent))
	c.add(new(absent))
	return c, b
}

// An absent has nothing to send. It may wait with saying so.
type absent struct{ asked, answers chan struct{} }

func (*absent) letGo()      {}
func (*absent) given(joint) {}
func (a *absent) offer(joint) bool {
	if a.asked != nil {
		close(a.asked)
		<-a.answers
	}
	return false
}

// holdsBack returns a connection whose server is in c and holds a text back.
func holdsBack(t *testing.T, c *crowd, text string) (client, server *Conn) {
	client, server = connectPair(t, tcpPair)
	server.l.wr.enlist(&c.round)
	server.l.wr.hold()
	require.NoError(t, server.WriteText(bg, text))
	return client, server
}

// What has been accepted before CloseNow is sent before the end, by whomever.
func TestCrowdBeforeCloseNow(t *testing.T) {
	c, b := gated(t)
	client, server := holdsBack(t, c, "accepted")
	go c.end()
	<-b.asked
	closed := async(server.CloseNow)
	time.Sleep(10 * time.Millisecond)
	close(b.made)
	_, p, err := client.Read(bg)
	require.NoError(t, err)
	assert.Equal(t, "accepted", string(p))
	assert.NoError(t, within(t, 10*time.Second, closed))
}

// An Engine drives a connection for which others are just sending.
func TestAttachWhileCrowdSends(t *testing.T) {
	c, b := gated(t)
	e := newEngine(t, &EngineOptions{Loops: 1})
	client, server := holdsBack(t, c, "held back")
	go c.end()
	<-b.asked
	attached := async(func() error { return e.Attach(server, &Events{}) })
	time.Sleep(10 * time.Millisecond)
	close(b.made)
	require.NoError(t, within(t, 10*time.Second, attached))
	assert.IsType(t, &driven{}, server.l.transport())
	_, p, err := client.Read(bg)
	require.NoError(t, err)
	assert.Equal(t, "held back", string(p))
}

// Only its own loop sends for a connection with others: it alone knows that the
// descriptor stays open. Here a round has begun to end before its connection moved.
func TestCrowdLeavesDrivenAlone(t *testing.T) {
	c, sends := crowded(t)
	c.ticking = true
	first := &absent{make(chan struct{}), make(chan struct{})}
	c.add(first)
	c.add(new(absent))
	e := newEngine(t, &EngineOptions{Loops: 1})
	client, server := holdsBack(t, c, "held back")
	ended := async(func() int { return c.end() })
	<-first.asked
	wrote := make(chan struct{})
	goOn := make(chan struct{})
	require.NoError(t, e.Attach(server, &Events{Message: func(c *Conn, typ MessageType, p []byte) {
		c.l.wr.hold() // as in a round that is brief
		assert.NoError(t, c.Write(bg, typ, p))
		close(wrote)
		<-goOn
	}}))
	require.NoError(t, client.WriteText(bg, "answered"))
	<-wrote
	close(first.answers)
	within(t, 10*time.Second, ended)
	close(goOn)
	for _, want := range []string{"held back", "answered"} {
		_, p, err := client.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, want, string(p))
	}
	for _, n := range sends.made {
		assert.Zero(t, n, "sends in the crowd's call")
	}
}

// Callbacks that may wait are in no crowd, in whose calls nobody would look after their
// descriptors.
func TestBlockingEngineIsInNoCrowd(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1, Blocking: true})
	_, server := connectPair(t, tcpPair)
	require.NoError(t, e.Attach(server, &Events{}))
	assert.Nil(t, server.l.wr.round.crowd)
	d := server.l.transport().(*driven)
	c, _ := crowded(t)
	assert.False(t, d.queue(&c.joint, &sending{p: []byte("x")}))
}

// Nor is a connection's descriptor used after its Close, when others may close it.
func TestNoSendTogetherAfterTheEnd(t *testing.T) {
	r := gather(t, 1, ConnConfig{}, func(int) *Events { return &Events{} })
	d := r.servers[0].l.transport().(*driven)
	queued := make(chan [2]bool)
	r.l.call(func() {
		var s sending
		s.p = []byte("\x82\x01x")
		before := d.queue(&r.l.round.joint, &s)
		r.l.fetch.batch.Reset()
		d.stage = stageOver
		after := d.queue(&r.l.round.joint, &s)
		r.l.fetch.batch.Reset()
		d.stage = stageOpen
		queued <- [2]bool{before, after}
	})
	assert.Equal(t, [2]bool{true, false}, within(t, 10*time.Second, queued))
}

// Who has its lock taken for long, as by compression, keeps up nobody else.
func TestCrowdPassesLocked(t *testing.T) {
	c, _ := crowded(t)
	c.ticking = true
	const conns = 4
	var clients, servers []*Conn
	for range conns {
		client, server := holdsBack(t, c, "x")
		clients, servers = append(clients, client), append(servers, server)
	}
	servers[0].l.wr.mu.Lock()
	assert.Equal(t, conns, within(t, 10*time.Second, async(func() int { return c.end() })))
	for _, client := range clients[1:] {
		_, p, err := client.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, "x", string(p))
	}
	servers[0].l.wr.mu.Unlock()
	_, p, err := clients[0].Read(bg)
	require.NoError(t, err)
	assert.Equal(t, "x", string(p))
}

// Also if it is taken while the send is made.
func TestCrowdPassesLockedLater(t *testing.T) {
	c, b := gated(t)
	var servers []*Conn
	for range 2 {
		_, server := holdsBack(t, c, "x")
		servers = append(servers, server)
	}
	ended := async(func() int { return c.end() })
	<-b.asked
	servers[0].l.wr.mu.Lock()
	close(b.made)
	waitUntil(t, func() bool {
		w := &servers[1].l.wr
		w.mu.Lock()
		defer w.mu.Unlock()
		return !w.flushing
	})
	servers[0].l.wr.mu.Unlock()
	within(t, 10*time.Second, ended)
	waitUntil(t, func() bool { return servers[0].BufferedAmount() == 0 })
}

// A peer that has ended its own direction gets the answer that was accepted before
// that was seen.
func TestCrowdBeforeTheEnd(t *testing.T) {
	for name, loop := range loops {
		t.Run(name, func(t *testing.T) {
			c, _ := crowded(t)
			c.leaving.Store(true) // nobody else sends
			c.ticking = true
			own, peer := connectScripted(t, tcpPair, RoleServer)
			own.l.wr.enlist(&c.round)
			ended := async(func() error {
				return loop(own, func(typ MessageType, p []byte) {
					assert.NoError(t, peer.Conn.(*net.TCPConn).CloseWrite())
					assert.NoError(t, own.Write(bg, typ, p))
					assert.NotZero(t, own.BufferedAmount())
				})
			})
			peer.send(peer.frame(OpBinary, true, "accepted"))
			assert.Equal(t, "accepted", peer.expect(OpBinary))
			assert.ErrorIs(t, within(t, 10*time.Second, ended), io.ErrUnexpectedEOF)
		})
	}
}

// What is written while somebody else sends for the connection is not left to them.
func TestCrowdBesideASend(t *testing.T) {
	c, b := gated(t)
	client, server := holdsBack(t, c, "first")
	go c.end()
	<-b.asked
	server.l.wr.hold()
	second := async(func() error { return server.WriteText(bg, "second") })
	waitUntil(t, func() bool {
		w := &server.l.wr
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.box.queue) == 1
	})
	close(b.made)
	require.NoError(t, within(t, 10*time.Second, second))
	require.NoError(t, server.CloseNow())
	for _, want := range []string{"first", "second"} {
		_, p, err := client.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, want, string(p))
	}
}
