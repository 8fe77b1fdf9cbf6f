package websocket

import (
	"context"
	"math/rand/v2"
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
	t.Cleanup(batch.Close)
	c, j := new(crowd), &countedBatch{batch: batch}
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
			c.leaving.Store(true) // when all have answered
			const conns = 5
			clients := make([]*Conn, conns)
			var all sync.WaitGroup
			for i := range clients {
				client, server := connectPair(t, tcpPair)
				server.l.wr.joins(&c.round)
				clients[i] = client
				all.Go(func() {
					_ = loop(server, func(typ MessageType, p []byte) { assert.NoError(t, server.Write(bg, typ, p)) })
				})
			}
			c.round.ticking = true // no timer
			for range 2 {
				for i, client := range clients { // who finds the lock taken sends by itself
					require.NoError(t, client.WriteText(bg, "x"))
					waitUntil(t, func() bool { return int(c.many.Load()) == i+1 })
				}
				time.Sleep(time.Millisecond) // the last one waits again
				c.began = time.Since(epoch)
				c.leave()
				c.leaving.Store(true)
				for _, client := range clients {
					_, p, err := client.Read(bg)
					require.NoError(t, err)
					assert.Equal(t, "x", string(p))
				}
			}
			assert.Equal(t, []int{conns, conns}, sends.made)
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
						server.l.wr.joins(&c.round)
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
	own.l.wr.joins(&c.round)
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
