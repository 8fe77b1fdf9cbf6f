package websocket

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// isFlushing reports whether somebody sends for c.
func isFlushing(c *Conn) bool {
	c.l.wr.mu.Lock()
	defer c.l.wr.mu.Unlock()
	return c.l.wr.flushing
}

// expectLater is peer.expect for what has to come by itself.
func expectLater(t *testing.T, peer *scriptedPeer, op Opcode, want string) {
	t.Helper()
	require.NoError(t, peer.SetReadDeadline(time.Now().Add(10*time.Second)))
	assert.Equal(t, want, peer.expect(op))
}

// What is written while somebody else's send is under way is sent by them, not left to
// a loop that is in another callback, or to the connection's own that waits.
func TestDrivenSendsBesideAnother(t *testing.T) {
	for name, blocking := range map[string]bool{"loop": false, "blocking": true} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, &EngineOptions{Loops: 1, Blocking: blocking})
			c, peer := connectScripted(t, tcpPair, RoleServer)
			other, otherPeer := connectScripted(t, tcpPair, RoleServer)
			in, release := make(chan struct{}), make(chan struct{})
			defer close(release)
			ev := &Events{Message: func(*Conn, MessageType, []byte) { close(in); <-release }}
			require.NoError(t, e.Attach(c, ev))
			require.NoError(t, e.Attach(other, ev))
			if blocking {
				otherPeer = peer
			}
			otherPeer.send(otherPeer.text("wait"))
			<-in
			d := c.l.transport().(*driven)
			d.mu.Lock() // the system call takes its time
			first := async(func() error { return c.Send(MessageText, []byte("first")) })
			waitUntil(t, func() bool { return isFlushing(c) })
			require.NoError(t, c.Send(MessageText, []byte("second")))
			d.mu.Unlock()
			require.NoError(t, within(t, 10*time.Second, first))
			expectLater(t, peer, OpText, "first")
			expectLater(t, peer, OpText, "second")
		})
	}
}

// So is the answer of a callback that does not return for long.
func TestCallbackAnswersBesideASend(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	c, peer := connectScripted(t, tcpPair, RoleServer)
	release := make(chan struct{})
	defer close(release)
	locked, answered := make(chan struct{}), make(chan struct{})
	require.NoError(t, e.Attach(c, &Events{Message: func(c *Conn, typ MessageType, p []byte) {
		c.l.wr.hold()
		d := c.l.transport().(*driven)
		d.mu.Lock()
		close(locked)
		waitUntil(t, func() bool { return isFlushing(c) })
		assert.NoError(t, c.Write(bg, typ, p))
		d.mu.Unlock()
		close(answered)
		<-release
	}}))
	peer.send(peer.text("answer"))
	<-locked
	c.l.wr.leaves() // so that this one flushes
	sent := async(func() error { return c.Send(MessageText, []byte("other")) })
	<-answered
	require.NoError(t, within(t, 10*time.Second, sent))
	expectLater(t, peer, OpText, "other")
	expectLater(t, peer, OpText, "answer")
}

// A callback that may wait holds up nothing that a slow peer has not taken yet.
func TestBlockingSendsWhenThereIsRoom(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1, Blocking: true})
	c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{SendLimit: -1})
	in, release := make(chan struct{}), make(chan struct{})
	require.NoError(t, e.Attach(c, &Events{Message: func(*Conn, MessageType, []byte) { close(in); <-release }}))
	defer close(release)
	peer.send(peer.text("wait"))
	<-in
	require.NoError(t, c.Send(MessageBinary, make([]byte, stuckSize)))
	require.NotZero(t, c.BufferedAmount())
	require.NoError(t, peer.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, p, err := peer.next()
	require.NoError(t, err)
	assert.Len(t, p, stuckSize)
}

// As above, while the peer sends more itself: before what waits, and after.
func TestBlockingSendsBesideWhatComes(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1, Blocking: true})
	for _, before := range []bool{true, false} {
		c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{SendLimit: -1})
		in, release := make(chan struct{}, 2), make(chan struct{})
		require.NoError(t, e.Attach(c, &Events{Message: func(*Conn, MessageType, []byte) { in <- struct{}{}; <-release }}))
		peer.send(peer.text("wait"))
		<-in
		if before {
			peer.send(peer.text("more"))
			time.Sleep(20 * time.Millisecond)
		}
		require.NoError(t, c.Send(MessageBinary, make([]byte, stuckSize)))
		require.NotZero(t, c.BufferedAmount())
		if !before {
			peer.send(peer.text("more"))
			time.Sleep(20 * time.Millisecond)
		}
		require.NoError(t, peer.SetReadDeadline(time.Now().Add(10*time.Second)))
		_, p, err := peer.next()
		require.NoError(t, err)
		assert.Len(t, p, stuckSize)
		assert.Empty(t, in, "the callback waits")
		close(release)
		<-in
	}
}

// An answer that was accepted is sent before a connection ends whose peer has ended its
// own direction, also if somebody has the writer's lock as the round ends.
func TestDrivenAnswersBeforeTheEnd(t *testing.T) {
	for range 50 {
		e := newEngine(t, &EngineOptions{Loops: 1})
		r := &attached{e: e, l: e.loops[0]}
		var first *Conn
		for range 3 {
			c, peer := connectScripted(t, tcpPair, RoleServer)
			require.NoError(t, e.Attach(c, &Events{Message: func(c *Conn, typ MessageType, p []byte) {
				assert.NoError(t, c.Write(bg, typ, p))
			}}))
			if first == nil {
				first = c
			}
			r.peers = append(r.peers, peer)
		}
		stop := make(chan struct{})
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						first.BufferedAmount()
					}
				}
			})
		}
		r.round(t, func() {
			for _, p := range r.peers {
				p.send(p.frame(OpBinary, true, "x"))
				assert.NoError(t, p.Conn.(*net.TCPConn).CloseWrite())
			}
		})
		for _, p := range r.peers {
			expectLater(t, p, OpBinary, "x")
		}
		close(stop)
		all.Wait()
	}
}

// A lockingRaw calls after each Write.
type lockingRaw struct {
	syscall.RawConn
	after func()
}

func (r *lockingRaw) Write(f func(fd uintptr) bool) error {
	err := r.RawConn.Write(f)
	r.after()
	return err
}

// Who has its lock taken by somebody, as by compression, just as its send returns, keeps
// up nobody else of a round that sends one after the other.
func TestRoundPassesLockedAfterSend(t *testing.T) {
	c, _ := crowded(t)
	c.ticking = true
	var clients, servers []*Conn
	for range togetherMin - 1 {
		client, server := holdsBack(t, c, "x")
		clients, servers = append(clients, client), append(servers, server)
	}
	mu := &servers[0].l.wr.mu
	raw := servers[0].l.rd.t.(*rawTransport)
	raw.rc = &lockingRaw{raw.rc, sync.OnceFunc(mu.Lock)}
	within(t, 10*time.Second, async(func() int { return c.end() }))
	for _, client := range clients {
		_, p, err := client.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, "x", string(p))
	}
	mu.Unlock()
	waitUntil(t, func() bool { return !isFlushing(servers[0]) })
}

// A latecomer calls after each flush, when everything has been sent and whoever did it
// does not say so yet.
type latecomer struct {
	transport
	after func()
}

func (l *latecomer) flush(s stepper) error {
	err := l.transport.flush(s)
	l.after()
	return err
}

// So is one that was accepted just as somebody else was done with sending.
func TestDrivenAnswersBesideAnothersLast(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	c, peer := connectScripted(t, tcpPair, RoleServer)
	answered := make(chan struct{})
	require.NoError(t, e.Attach(c, &Events{Message: func(c *Conn, typ MessageType, p []byte) {
		assert.NoError(t, c.Write(bg, typ, p))
		close(answered)
	}}))
	wr, d := &c.l.wr, c.l.transport().(*driven)
	wr.mu.Lock()
	wr.t = &latecomer{d, func() {
		peer.send(peer.text("answer"))
		assert.NoError(t, peer.Conn.(*net.TCPConn).CloseWrite())
		<-answered
		time.Sleep(20 * time.Millisecond) // in which the loop learns of the end
	}}
	wr.mu.Unlock()
	d.mu.Lock()
	first := async(func() error { return c.Send(MessageText, []byte("first")) })
	waitUntil(t, func() bool { return isFlushing(c) })
	require.NoError(t, c.Send(MessageText, []byte("second")))
	d.mu.Unlock()
	require.NoError(t, within(t, 10*time.Second, first))
	for _, want := range []string{"first", "second", "answer"} {
		expectLater(t, peer, OpText, want)
	}
	within(t, 10*time.Second, c.Done())
}

// Nobody waits for a peer that does not read, also on a connection that an Engine has
// given to a goroutine since somebody was writing.
func TestEndWaitsForNoRoom(t *testing.T) {
	for name, end := range map[string]func(e *Engine, c *Conn, peer *scriptedPeer){
		"CloseNow": func(_ *Engine, c *Conn, _ *scriptedPeer) { assert.NoError(t, c.CloseNow()) },
		"Shutdown": func(e *Engine, _ *Conn, _ *scriptedPeer) {
			ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
			defer cancel()
			assert.ErrorIs(t, e.Shutdown(ctx), context.DeadlineExceeded)
		},
		"the peer's end": func(_ *Engine, _ *Conn, peer *scriptedPeer) {
			assert.NoError(t, peer.Conn.(*net.TCPConn).CloseWrite())
		},
	} {
		for way, stick := range map[string]func(e *Engine, c *Conn){
			"a write under way": func(_ *Engine, c *Conn) {
				async(func() error { return c.Write(bg, MessageBinary, make([]byte, stuckSize)) })
				waitUntil(t, func() bool { return isFlushing(c) })
			},
			"on the loop": func(e *Engine, c *Conn) {
				require.NoError(t, c.Send(MessageBinary, make([]byte, DefaultSendLimit)))
			},
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				e := newEngine(t, &EngineOptions{Loops: 1})
				c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{Heartbeat: -1})
				stick(e, c)
				closed := make(chan error, 1)
				require.NoError(t, e.Attach(c, &Events{Close: func(_ *Conn, err error) { closed <- err }}))
				done := async(func() error { end(e, c, peer); return nil })
				require.NoError(t, within(t, 10*time.Second, done))
				require.Error(t, within(t, 10*time.Second, closed))
			})
		}
	}
}

// Neither too few descriptors nor want of memory end Engine.Serve.
func TestFailuresToAcceptThatPass(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS} {
		assert.True(t, passes(&net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", errno)}), errno)
	}
	assert.False(t, passes(&net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EINVAL)}))
	assert.False(t, passes(&net.OpError{Op: "accept", Err: os.ErrDeadlineExceeded}))
}
