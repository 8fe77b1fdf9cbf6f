package websocket

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Shutdown closes all connections with 1001 and waits for their Close callbacks.
func TestShutdown(t *testing.T) {
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		var closed atomic.Int32
		ev := &Events{Close: func(_ *Conn, err error) {
			time.Sleep(time.Millisecond)
			assert.Equal(t, StatusGoingAway, CloseStatus(err))
			closed.Add(1)
		}}
		const n = 20
		for range n {
			client, server := connectPair(t, pair)
			require.NoError(t, e.Attach(server, ev))
			go client.Read(bg)
		}
		assert.Equal(t, n, e.Len())
		both := async(func() error { return e.Shutdown(bg) })
		require.NoError(t, e.Shutdown(bg))
		require.NoError(t, within(t, 10*time.Second, both))
		assert.Equal(t, int32(n), closed.Load())
		assert.Zero(t, e.Len())
		require.NoError(t, e.Shutdown(endedContext()), "nothing is left to wait for")
	})
}

// Shutdown does not wait longer than its context for peers that do not answer.
func TestShutdownInTime(t *testing.T) {
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		const n = 5
		closed := make(chan error, n)
		ev := &Events{Close: func(_ *Conn, err error) { closed <- err }}
		for range n {
			c, peer := connectScripted(t, pair, RoleServer, ConnConfig{CloseTimeout: -1, Heartbeat: -1})
			require.NoError(t, e.Attach(c, ev))
			go io.Copy(io.Discard, peer.Conn)
		}
		ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, e.Shutdown(ctx), context.DeadlineExceeded)
		for range n {
			require.Error(t, within(t, 10*time.Second, closed))
		}
		require.NoError(t, e.Shutdown(bg))
	})
}

// A callback that does not return keeps no other connection of its loop from being told
// and, in the end, closed.
func TestShutdownBesideBusyCallback(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	busy, done := make(chan struct{}), make(chan struct{})
	client, stuck := connectPair(t, tcpPair)
	require.NoError(t, e.Attach(stuck, &Events{Message: func(*Conn, MessageType, []byte) { close(busy); <-done }}))
	c, peer := connectScripted(t, tcpPair, RoleServer)
	opened := make(chan struct{})
	require.NoError(t, e.Attach(c, &Events{Open: func(*Conn) { close(opened) }}))
	<-opened
	require.NoError(t, client.WriteText(bg, "x"))
	<-busy
	ctx, cancel := context.WithCancel(bg)
	shut := async(func() error { return e.Shutdown(ctx) })
	peer.expectClose(StatusGoingAway)
	cancel()
	require.ErrorIs(t, within(t, 10*time.Second, shut), context.Canceled)
	peer.expectEnd()
	_, _, err := client.Read(bg)
	require.Error(t, err)
	close(done)
	require.NoError(t, e.Shutdown(bg))
}

// A connection that comes while the Engine is being shut down is refused or ends
// as the others do.
func TestShutdownWhileAttaching(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for i := range 30 {
			e := newEngine(t, &EngineOptions{Blocking: i%2 > 0, Loops: 2})
			ctx := bg
			if i%3 == 0 {
				ctx = endedContext()
			}
			var opened, closed atomic.Int32
			ev := &Events{Open: func(*Conn) { opened.Add(1) }, Close: func(*Conn, error) { closed.Add(1) }}
			var attached int32
			var all sync.WaitGroup
			for range 4 {
				client, server := connectPair(t, pair, ConnConfig{CloseTimeout: -1, Heartbeat: -1})
				if ctx == bg {
					go client.Read(bg)
				}
				all.Go(func() {
					switch err := e.Attach(server, ev); err {
					case nil:
						atomic.AddInt32(&attached, 1)
					default:
						assert.ErrorIs(t, err, ErrEngineClosed)
					}
				})
			}
			all.Go(func() {
				if err := e.Shutdown(ctx); err != nil {
					assert.ErrorIs(t, err, context.Canceled)
				}
			})
			all.Wait()
			ended := async(func() error { return e.Shutdown(bg) })
			require.NoError(t, within(t, 10*time.Second, ended))
			assert.Equal(t, attached, opened.Load())
			assert.Equal(t, attached, closed.Load())
		}
	})
}

// A callback that waits holds up no other connection of a Blocking engine, and
// its own callbacks stay in order.
func TestBlockingCallbacks(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		e := newEngine(t, &EngineOptions{Loops: 1, Blocking: true})
		release := make(chan struct{})
		slow, slowPeer := connectScripted(t, pair, RoleServer)
		w := watch(t)
		message := w.Message
		w.Message = func(c *Conn, typ MessageType, p []byte) {
			<-release
			message(c, typ, p)
		}
		require.NoError(t, e.Attach(slow, &w.Events))
		slowPeer.sends(slowPeer.text("a"), slowPeer.text("b"), slowPeer.text("c"), slowPeer.closeFrame(4000, ""))
		for range 10 {
			client, server := connectPair(t, pair)
			require.NoError(t, e.Attach(server, &Events{
				Message: func(c *Conn, typ MessageType, p []byte) { c.Write(bg, typ, p) },
			}))
			require.NoError(t, client.WriteText(bg, "quick"))
			_, p, err := client.Read(bg)
			require.NoError(t, err)
			assert.Equal(t, "quick", string(p))
			client.CloseNow()
		}
		close(release)
		slowPeer.expectClose(4000)
		log, _ := w.log(t, e)
		assert.Equal(t, []string{"open", "text a", "text b", "text c", "close"}, log)
	})
}

// A callback that takes its time is not a dead peer.
func TestBlockingIsNotSilence(t *testing.T) {
	e := newEngine(t, &EngineOptions{Blocking: true})
	c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{
		Heartbeat: 20 * time.Millisecond, HeartbeatTimeout: 20 * time.Millisecond, SendLimit: 1000,
	})
	go func() { // answers at once
		for {
			h, p, err := peer.next()
			if err != nil {
				return
			}
			if h.Opcode == OpPing {
				peer.Write(peer.frame(OpPong, true, string(p)))
			}
		}
	}()
	drained := make(chan struct{})
	var pongs atomic.Int32
	require.NoError(t, e.Attach(c, &Events{
		Pong: func(*Conn, []byte) { pongs.Add(1) },
		Drain: func(*Conn) {
			time.Sleep(300 * time.Millisecond)
			close(drained)
		},
	}))
	waitUntil(t, func() bool { return pongs.Load() > 1 })
	require.NoError(t, c.Send(MessageBinary, make([]byte, 900)))
	<-drained
	before := pongs.Load()
	waitUntil(t, func() bool { return pongs.Load() > before || c.Err() != nil })
	require.NoError(t, c.Err())
}

// A peer that floods holds up no other connection of its loop, though each of its
// messages takes a while.
func TestEngineFair(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	c, peer := connectScripted(t, tcpPair, RoleServer)
	require.NoError(t, e.Attach(c, &Events{Message: func(*Conn, MessageType, []byte) { spin(10 * time.Microsecond) }}))
	flood := bytes.Repeat(peer.text(""), 10000)
	go func() {
		for {
			if _, err := peer.Write(flood); err != nil {
				return
			}
		}
	}()
	client, server := connectPair(t, tcpPair)
	require.NoError(t, e.Attach(server, &Events{
		Message: func(c *Conn, typ MessageType, p []byte) { c.Write(bg, typ, p) },
	}))
	var took []time.Duration
	for range 100 {
		begun := time.Now()
		require.NoError(t, client.WriteText(bg, "x"))
		_, _, err := client.Read(bg)
		require.NoError(t, err)
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("median %v, p99 %v", took[50], took[98])
	assert.Less(t, took[50], 20*time.Millisecond)
	require.NoError(t, c.CloseNow())
}

// spin keeps the processor busy.
func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		continue
	}
}

// An askingListener calls the Engine as it is closed.
type askingListener struct {
	net.Listener
	e *Engine
}

func (l askingListener) Close() error {
	l.e.Len()
	return l.Listener.Close()
}

// What Shutdown calls may call the Engine.
func TestShutdownClosesListenerThatAsks(t *testing.T) {
	e := newEngine(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := async(func() error { return e.Serve(askingListener{l, e}, nil, &Events{}) })
	client, err := Dial(bg, "ws://"+l.Addr().String(), nil)
	require.NoError(t, err)
	go client.Read(bg)
	shut := async(func() error { return e.Shutdown(bg) })
	require.NoError(t, within(t, 10*time.Second, shut))
	require.ErrorIs(t, within(t, 10*time.Second, served), ErrEngineClosed)
}
