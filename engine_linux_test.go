package websocket

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/poll"
)

// Word that is left each time that it is dealt with keeps no connection waiting.
func TestLoopIsFairToWord(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	l := e.loops[0]
	var stopped atomic.Bool
	var again func()
	again = func() {
		if !stopped.Load() {
			l.call(again)
		}
	}
	client, server := connectPair(t, tcpPair)
	require.NoError(t, e.Attach(server, &Events{
		Message: func(c *Conn, typ MessageType, p []byte) { c.Write(bg, typ, p) },
	}))
	again()
	defer stopped.Store(true)
	for range 10 {
		require.NoError(t, client.WriteText(bg, "x"))
		read := async(func() error { _, _, err := client.Read(bg); return err })
		require.NoError(t, within(t, 10*time.Second, read))
	}
}

// A connection that has more to hand out when its turn ends, or is ending, waits for
// nothing: the time for the answer to a heartbeat does not run.
func TestLoopTellsWaitingFromBusy(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	const n = 4 * clockEvery
	c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{SendLimit: 2 * stuckSize, CloseTimeout: -1})
	waits := func() bool { return c.l.alarm.reading.Load()&readParked != 0 }
	var seen []bool
	all := make(chan struct{})
	peer.send(bytes.Repeat(peer.frame(OpBinary, true, ""), n))
	require.NoError(t, e.Attach(c, &Events{Message: func(*Conn, MessageType, []byte) {
		time.Sleep(2 * turnTime / clockEvery)
		if seen = append(seen, waits()); len(seen) == n {
			close(all)
		}
	}}))
	<-all
	assert.False(t, seen[n-1], "after its first turn")
	waitUntil(t, waits)
	require.NoError(t, c.Send(MessageBinary, make([]byte, stuckSize)))
	peer.send(peer.closeFrame(4000, ""))
	waitUntil(t, func() bool { return c.State() == StateClosing && !waits() })
	assert.NoError(t, c.CloseNow())
}

// Messages that are large, though they came in few bytes, end a turn sooner.
func TestLoopTurnWithLargeMessages(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	other, quiet := connectScripted(t, tcpPair, RoleServer)
	heard := make(chan struct{})
	require.NoError(t, e.Attach(other, &Events{Message: func(*Conn, MessageType, []byte) { close(heard) }}))
	c, peer := connectScripted(t, tcpPair, RoleClient, deflating("permessage-deflate", Compression{}))
	const many = 60
	n, before := 0, 0
	all := make(chan struct{})
	peer.send(bytes.Repeat(packed(OpBinary, make([]byte, 1<<20), true), many))
	require.NoError(t, e.Attach(c, &Events{Message: func(*Conn, MessageType, []byte) {
		if n++; n == 1 {
			quiet.send(quiet.text("x"))
		}
		select {
		case <-heard:
		default:
			before++
		}
		if n == many {
			close(all)
		}
	}}))
	<-all
	assert.LessOrEqual(t, before, 10, "another connection has waited for")
}

// cpu returns the time that the process has used.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The poller tells of what is there again and again: a connection that waits for
// its end, or for room, must not keep its loop busy.
func TestLoopDoesNotSpin(t *testing.T) {
	stuck := make([]byte, stuckSize)
	for name, tc := range map[string]struct {
		side Role
		act  func(c *Conn, peer *scriptedPeer)
	}{
		"no room": {RoleServer, func(c *Conn, peer *scriptedPeer) { c.Send(MessageBinary, stuck) }},
		"no room, and the peer has closed and half-closed": {RoleServer, func(c *Conn, peer *scriptedPeer) {
			c.Send(MessageBinary, stuck)
			peer.send(peer.closeFrame(4000, ""))
			peer.Conn.(*net.TCPConn).CloseWrite()
		}},
		"no room, failed and half-closed": {RoleServer, func(c *Conn, peer *scriptedPeer) {
			c.Send(MessageBinary, stuck)
			peer.send([]byte{0xf3, 0x80, 0, 0, 0, 0})
			peer.Conn.(*net.TCPConn).CloseWrite()
		}},
		"Close without an answer": {RoleServer, func(c *Conn, peer *scriptedPeer) { c.Close(4000, "") }},
		"failed": {RoleServer, func(c *Conn, peer *scriptedPeer) {
			peer.send([]byte{0xf3, 0x80, 0, 0, 0, 0})
		}},
		"a client waits for the end": {RoleClient, func(c *Conn, peer *scriptedPeer) {
			peer.send(peer.closeFrame(4000, ""))
		}},
		"idle": {RoleServer, func(*Conn, *scriptedPeer) {}},
	} {
		for _, blocking := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, blocking %v", name, blocking), func(t *testing.T) {
				e := newEngine(t, &EngineOptions{Blocking: blocking})
				c, peer := connectScripted(t, tcpPair, tc.side, ConnConfig{SendLimit: 2 * stuckSize, Heartbeat: -1})
				w := watch(t)
				require.NoError(t, e.Attach(c, &w.Events))
				within(t, 10*time.Second, w.calls)
				tc.act(c, peer)
				time.Sleep(20 * time.Millisecond)
				before := cpu(t)
				time.Sleep(200 * time.Millisecond)
				assert.Less(t, cpu(t)-before, 60*time.Millisecond)
				require.NoError(t, c.CloseNow())
				w.log(t, e)
			})
		}
	}
}

// What ends a connection that waits for room, without anything to receive, is
// noticed.
func TestLoopNoticesReset(t *testing.T) {
	e := newEngine(t, nil)
	for _, half := range []bool{true, false} {
		c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{SendLimit: 2 * stuckSize, CloseTimeout: -1, Heartbeat: -1})
		w := watch(t)
		require.NoError(t, e.Attach(c, &w.Events))
		require.NoError(t, c.Send(MessageBinary, make([]byte, stuckSize)))
		tcp := peer.Conn.(*net.TCPConn)
		if half {
			peer.send(peer.closeFrame(4000, ""))
			tcp.CloseWrite()
			time.Sleep(10 * time.Millisecond)
		}
		tcp.SetLinger(0)
		tcp.Close()
		_, err := w.log(t, e)
		require.Error(t, err)
		assert.Equal(t, half, CloseStatus(err) == 4000, err)
	}
}

// A connection that is idle holds no buffer, one that has ended holds nothing.
func TestLoopHoldsNothing(t *testing.T) {
	e := newEngine(t, nil)
	c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{SendLimit: 2 * stuckSize, Heartbeat: -1})
	w := watch(t)
	require.NoError(t, e.Attach(c, &w.Events))
	peer.send(peer.text("a"), peer.text("cut")[:7])
	for range 2 {
		within(t, 10*time.Second, w.calls)
	}
	d := c.l.rd.t.(*driven)
	held := make(chan bool)
	waitUntil(t, func() bool {
		for _, l := range e.loops {
			l.call(func() { held <- &l.drivenLoop == d.loop && c.l.rd.buf.chunk != nil })
		}
		holds := false
		for range e.loops {
			holds = <-held || holds
		}
		return !holds
	})
	require.NoError(t, c.Send(MessageBinary, make([]byte, stuckSize)))
	require.NoError(t, c.CloseNow())
	w.log(t, e)
	c.l.wr.mu.Lock()
	assert.True(t, c.l.wr.box == nil, "its queue")
	c.l.wr.mu.Unlock()
	assert.Equal(t, int32(-1), d.fd)
}

// CHECKLIST 5: what is written to a connection that has ended never reaches
// another that has its descriptor's number now.
func TestDescriptorReuse(t *testing.T) {
	e := newEngine(t, nil)
	for range 50 {
		c, peer := connectScripted(t, tcpPair, RoleServer)
		w := watch(t)
		require.NoError(t, e.Attach(c, &w.Events))
		stop := make(chan struct{})
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			for {
				select {
				case <-stop:
					return
				default:
					c.WriteText(bg, "for the old one")
				}
			}
		}()
		go io.Copy(io.Discard, peer.Conn)
		c.CloseNow()
		r, pw, err := os.Pipe()
		require.NoError(t, err)
		client, server := tcpPair(t)
		w.log(t, e)
		client2, server2 := tcpPair(t)
		runtime.Gosched()
		close(stop)
		<-wrote
		for _, nc := range []net.Conn{client, server, client2, server2} {
			nc.SetReadDeadline(time.Now().Add(time.Millisecond))
			n, _ := nc.Read(make([]byte, 1))
			require.Zero(t, n)
			nc.Close()
		}
		r.Close()
		pw.Close()
	}
}

// A callback that holds its loop up makes no other peer of that loop a dead one.
func TestLateLoopIsNotSilence(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	slow, slowPeer := connectScripted(t, tcpPair, RoleServer)
	held := make(chan struct{})
	require.NoError(t, e.Attach(slow, &Events{Message: func(*Conn, MessageType, []byte) {
		time.Sleep(500 * time.Millisecond)
		close(held)
	}}))
	const n = 16
	var conns [n]*Conn
	var peers [n]*scriptedPeer
	pongs := make(chan struct{}, 10*n)
	for i := range n {
		conns[i], peers[i] = connectScripted(t, tcpPair, RoleServer, ConnConfig{Heartbeat: 50 * time.Millisecond, HeartbeatTimeout: 200 * time.Millisecond})
		require.NoError(t, e.Attach(conns[i], &Events{Pong: func(*Conn, []byte) { pongs <- struct{}{} }}))
	}
	for _, peer := range peers {
		peer.expect(OpPing)
	}
	slowPeer.send(slowPeer.text("hold"))
	time.Sleep(20 * time.Millisecond)
	for _, peer := range peers {
		peer.send(peer.frame(OpPong, true, ""))
	}
	within(t, 10*time.Second, held)
	for range n {
		within(t, 10*time.Second, pongs)
	}
	for _, c := range conns {
		require.NoError(t, c.Err())
	}
}

// Word that is left while a connection moves to its loop has it looked at only once it
// has moved: what the loop reads is not written any more. The race detector tells.
func TestAttachBeforeTheFirstTurn(t *testing.T) {
	e := newEngine(t, nil)
	for range 50 {
		c, peer := connectScripted(t, tcpPair, RoleServer)
		peer.send(append(peer.text("first"), peer.text("second")...))
		_, _, err := c.Read(bg)
		require.NoError(t, err)
		got := make(chan string, 1)
		c.l.rd.bell.wake(wakeDrain)
		require.NoError(t, e.Attach(c, &Events{Message: func(_ *Conn, _ MessageType, p []byte) { got <- string(p) }}))
		assert.Equal(t, "second", within(t, 5*time.Second, got))
	}
}

// Word is never missed: who leaves it wakes a loop that waits, and only that.
func TestMailboxWakesWhoWaits(t *testing.T) {
	p, err := poll.NewPoller(1)
	require.NoError(t, err)
	defer p.Close()
	m := mailbox{p: p}
	none := time.Now().Add(time.Minute)
	sleep := func() (woken bool) {
		m.answered(none)
		began := time.Now()
		_, err := p.Stand(func() bool { return time.Since(began) > 50*time.Millisecond })
		require.NoError(t, err)
		return m.rung
	}
	require.True(t, m.call(func() {}))
	assert.False(t, m.rung, "the loop is busy")
	assert.False(t, m.rest(), "there is word")
	require.True(t, m.call(func() {}))
	assert.False(t, m.rung, "it is busy still")
	looks, tasks := m.take(nil, nil)
	assert.Empty(t, looks)
	assert.Len(t, tasks, 2)
	require.True(t, m.rest())
	time.AfterFunc(time.Millisecond, func() { m.call(func() {}) })
	assert.True(t, sleep())
	m.stir()
	m.take(nil, nil)

	d := &driven{listed: true}
	m.look(d)
	assert.False(t, m.left.Load(), "it counts as listed before it is enlisted")
	m.enlist(d)
	m.look(d)
	assert.Equal(t, []*driven{d}, m.listed())
	looks, _ = m.take(nil, nil)
	assert.Equal(t, []*driven{d}, looks)
	m.look(d)
	assert.Equal(t, []*driven{d}, m.listed(), "more may be left at once")
	m.close()
	assert.False(t, m.call(func() {}))
}

// When Shutdown returns, the descriptors of the loops are closed.
func TestShutdownGivesUpLoops(t *testing.T) {
	for range 20 {
		e, err := NewEngine(&EngineOptions{Loops: 4})
		require.NoError(t, err)
		loops := e.loops
		require.NoError(t, e.Shutdown(bg))
		for _, l := range loops {
			assert.True(t, l.over, "its mailbox is closed")
			assert.Error(t, l.poller.Close(), "and its poller")
		}
	}
}

// A ping of a loop is a quarter of the interval late at most: one sweep finds what came, and another
// that it is time.
func TestSweepsForHeartbeats(t *testing.T) {
	for _, cfg := range []ConnConfig{{}, {HeartbeatTimeout: -1}, {Heartbeat: time.Minute, HeartbeatTimeout: time.Second}, {Heartbeat: 1}} {
		c := &Conn{}
		c.l.wr.set = cfg.settings()
		every := c.l.wr.set.sweepEvery()
		assert.Positive(t, every)
		assert.LessOrEqual(t, 2*every, max(c.l.wr.set.heartbeat/4, 2))
	}
}

// A loop that never comes to rest looks after heartbeats as well, once all that may have been there
// for long has had a turn.
func TestBusyLoopSweeps(t *testing.T) {
	l, err := newEngineLoop(false, false, func() {})
	require.NoError(t, err)
	defer func() { l.stop(); l.wait() }()
	done := make(chan struct{})
	l.call(func() {
		defer close(done)
		const rounds = 3
		l.slots, l.free = make([]*driven, rounds*loopEvents), nil
		defer func() { l.slots, l.every, l.events = nil, 0, nil }()
		l.events = l.events[:loopEvents]
		l.every, l.swept, l.behind = time.Hour, 0, 0 // the loop may have had a round
		now := time.Now()
		l.taken, l.sweepAt = now, now
		for range rounds + 1 { // the late one, and those in which the others have their turn
			now = now.Add(2 * loopLate)
			l.between(now)
			assert.Zero(t, l.swept, "before they have had their turn")
		}
		now = now.Add(2 * loopLate)
		l.between(now)
		assert.Equal(t, len(l.slots)/sweepParts+1, l.swept)
		l.swept, l.behind = 0, 0
		l.sweep(l.sweepAt.Add(l.every))
		assert.Equal(t, len(l.slots), l.swept, "which is late, and so does all that is due")
	})
	<-done
}

// With Blocking, what has been received is handed out after a write has failed, however long
// callbacks take.
func TestBlockingReadGoesOnAfterWritingFailed(t *testing.T) {
	for name, tc := range map[string]struct{ heartbeat, work time.Duration }{
		"no heartbeats": {-1, brokenTime / 4},
		"long":          {0, brokenTime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, &EngineOptions{Loops: 1, Blocking: true})
			c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{Heartbeat: tc.heartbeat})
			const many = 9
			for range many {
				peer.send(peer.text("x"))
			}
			peer.send(peer.closeFrame(4001, "bye"))
			require.NoError(t, peer.Close())
			time.Sleep(20 * time.Millisecond)
			var n atomic.Int32
			ended := make(chan error, 1)
			require.NoError(t, e.Attach(c, &Events{
				Message: func(c *Conn, typ MessageType, p []byte) {
					n.Add(1)
					time.Sleep(tc.work)
					_ = c.Write(bg, typ, p)
				},
				Close: func(_ *Conn, err error) { ended <- err },
			}))
			err := within(t, time.Minute, ended)
			assert.Equal(t, StatusCode(4001), CloseStatus(err), "%v", err)
			assert.EqualValues(t, many, n.Load())
		})
	}
}

// An Engine takes a connection over whose heartbeats have begun.
func TestAttachWhileHeartbeatsCome(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	for range 100 {
		c, _ := connectScripted(t, tcpPair, RoleServer, ConnConfig{Heartbeat: 50 * time.Microsecond, HeartbeatTimeout: -1})
		ctx, cancel := context.WithTimeout(bg, 200*time.Microsecond)
		_, _, _ = c.Read(ctx)
		cancel()
		require.NoError(t, e.Attach(c, &Events{}))
		c.CloseNow()
	}
}

// Shutdown: "Calling it again waits too".
func TestShutdownAgainWaitsForLoops(t *testing.T) {
	e, err := NewEngine(&EngineOptions{Loops: 1})
	require.NoError(t, err)
	l := e.loops[0]
	busy, goOn := make(chan struct{}), make(chan struct{})
	l.call(func() { close(busy); <-goOn })
	<-busy
	first := async(func() error { return e.Shutdown(bg) })
	waitUntil(t, func() bool { e.mu.Lock(); defer e.mu.Unlock(); return e.loops == nil })
	second := async(func() error { return e.Shutdown(bg) })
	select {
	case <-second:
		t.Error("the loop has not ended")
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	require.NoError(t, within(t, time.Minute, first))
	if !t.Failed() {
		require.NoError(t, within(t, time.Minute, second))
	}
}

// Done: "everything it held has been given up", also if the loop sees the end before the
// writer has been shut.
func TestLoopThatSeesTheEndFirst(t *testing.T) {
	e := newEngine(t, nil)
	c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{Heartbeat: -1, SendLimit: -1})
	over := make(chan struct{})
	require.NoError(t, e.Attach(c, &Events{Close: func(*Conn, error) { close(over) }}))
	require.NoError(t, c.Send(MessageBinary, make([]byte, 8<<20)))
	require.NotZero(t, c.BufferedAmount(), "the peer does not read")
	c.l.onEnd(func(error) { // as the state is closed, and the writer has not been shut
		peer.send(peer.frame(OpPing, true, ""))
		<-over
	})
	require.NoError(t, c.CloseNow())
	within(t, time.Minute, c.Done())
	waitUntil(t, func() bool {
		c.l.wr.mu.Lock()
		defer c.l.wr.mu.Unlock()
		return c.l.wr.box == nil
	})
}

// With Blocking, nobody counts as silent whose word is still to be received by a goroutine that has
// not begun.
func TestSweepHearsFirst(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1, Blocking: true})
	c, _ := connectScripted(t, tcpPair, RoleServer, ConnConfig{Heartbeat: time.Hour})
	l, opened := e.loops[0], make(chan struct{})
	require.NoError(t, e.Attach(c, &Events{Open: func(*Conn) { close(opened) }}))
	<-opened
	found := make(chan *driven, 1)
	l.call(func() { found <- l.slots[0] })
	d := <-found
	waitUntil(t, func() bool {
		d.aside.mu.Lock()
		defer d.aside.mu.Unlock()
		return !d.aside.working
	})
	done := make(chan State)
	l.call(func() {
		if assert.True(t, d.aside.note(true, false, false)) {
			c.l.wr.set = (&ConnConfig{Heartbeat: time.Millisecond, HeartbeatTimeout: time.Millisecond}).settings()
			for range 10 {
				time.Sleep(2 * time.Millisecond)
				l.sweepAt = time.Time{}
				l.sweep(time.Now())
			}
			c.l.wr.set = (&ConnConfig{Heartbeat: -1}).settings()
			go l.work(d)
		}
		done <- c.State()
	})
	assert.Equal(t, StateOpen, <-done)
}

// Once a connection with frequent heartbeats has gone, the others are swept as seldom as before.
func TestSweepSlowsDown(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	_, calm := connectPair(t, tcpPair, ConnConfig{Heartbeat: 80 * time.Second, HeartbeatTimeout: -1})
	require.NoError(t, e.Attach(calm, &Events{}))
	every := func() time.Duration {
		got := make(chan time.Duration, 1)
		e.loops[0].call(func() { got <- e.loops[0].every })
		return <-got
	}
	waitUntil(t, func() bool { return every() == 10*time.Second })
	_, busy := connectPair(t, tcpPair, ConnConfig{Heartbeat: 8 * time.Millisecond, HeartbeatTimeout: -1})
	require.NoError(t, e.Attach(busy, &Events{}))
	waitUntil(t, func() bool { return every() == time.Millisecond })
	time.Sleep(50 * time.Millisecond) // more than a whole sweep
	require.Equal(t, time.Millisecond, every())
	busy.CloseNow()
	waitUntil(t, func() bool { return every() == 10*time.Second })
}

// A connection whose close waits for what is to be sent (SO_LINGER) holds up no other.
func TestLingeringCloseIsAside(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	peer, far := tcpPair(t)
	require.NoError(t, far.(*net.TCPConn).SetLinger(10))
	slow, err := NewConn(far, &ConnConfig{Role: RoleServer, Heartbeat: -1, SendLimit: -1})
	require.NoError(t, err)
	require.NoError(t, e.Attach(slow, &Events{}))
	client, server := connectPair(t, tcpPair)
	require.NoError(t, e.Attach(server, &Events{Message: func(c *Conn, typ MessageType, p []byte) { c.Write(bg, typ, p) }}))
	require.NoError(t, slow.Send(MessageBinary, make([]byte, 20<<20)))
	waitUntil(t, func() bool { return slow.BufferedAmount() < 20<<20 })
	require.NoError(t, slow.CloseNow())
	require.NoError(t, client.WriteText(bg, "x"))
	within(t, 5*time.Second, async(func() error { _, _, err := client.Read(bg); return err }))
	require.NoError(t, peer.Close()) // and so the close ends
}

// What inflates to much does not keep the others waiting: the time of a turn begins with it.
func TestTurnEndsBehindLargeInflated(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	log, release := make(chan string, 3), make(chan struct{})
	events := func(name string) *Events {
		return &Events{Message: func(*Conn, MessageType, []byte) {
			log <- name
			time.Sleep(2 * turnTime)
		}}
	}
	cfg := ConnConfig{Heartbeat: -1, Extensions: "permessage-deflate", Compression: &Compression{}}
	loud, a := connectPair(t, tcpPair, cfg)
	other, b := connectPair(t, tcpPair, cfg)
	require.NoError(t, e.Attach(a, events("loud")))
	require.NoError(t, e.Attach(b, events("other")))
	e.loops[0].call(func() { <-release })
	for range 2 {
		require.NoError(t, loud.Write(bg, MessageBinary, make([]byte, 2*turnLarge)))
	}
	require.NoError(t, other.WriteText(bg, "x"))
	close(release)
	var got []string
	for range 3 {
		got = append(got, within(t, time.Minute, log))
	}
	assert.NotEqual(t, []string{"loud", "loud", "other"}, got)
}
