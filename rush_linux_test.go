package websocket

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seed86893212/websocket/internal/poll"
)

// A rush goes on for as long as a test does.
func init() {
	rushLasts = time.Hour
	waysIn = append(waysIn, wayIn{
		name: "rush",
		serve: func(t *testing.T, e *Engine, opts *ListenOptions, ev *Events) (net.Listener, <-chan error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			return l, serveRush(t, e, l, opts, ev)
		},
		check: func(t *testing.T, c *Conn) {
			if !rushed(c) {
				t.Error("accepted by package net")
			}
		},
	})
}

// serveRush has e serve l, and begins a rush with a request that is no handshake.
func serveRush(t *testing.T, e *Engine, l net.Listener, opts *ListenOptions, ev *Events) <-chan error {
	served := async(func() error { return e.Serve(l, opts, ev) })
	nc, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer nc.Close()
	_, err = nc.Write([]byte("nonsense\n"))
	require.NoError(t, err)
	_, err = http.ReadResponse(bufio.NewReader(nc), nil)
	require.NoError(t, err)
	return served
}

// rushed reports whether a rusher has accepted c. Where somebody wants to see the
// handshake, none does.
func rushed(c *Conn) bool {
	d, ok := c.l.transport().(*driven)
	if !ok {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closes&closesPlain != 0
}

// acceptedFrom returns the connection that a dial to addr has made, as l's Serve
// hands it to opened.
func acceptedFrom(t *testing.T, addr string, opened <-chan *Conn) (client, server *Conn) {
	t.Helper()
	client, err := Dial(bg, "ws://"+addr, nil)
	require.NoError(t, err)
	t.Cleanup(func() { client.CloseNow() })
	return client, <-opened
}

// What connections come with is what they would have from package net, whether the
// listener was there before them or not.
func TestRushTunesAsNet(t *testing.T) {
	for name, lc := range map[string]net.ListenConfig{
		"default":   {},
		"none":      {KeepAlive: -1},
		"15s":       {KeepAlive: 15 * time.Second},
		"config":    {KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 7 * time.Second, Interval: 3 * time.Second, Count: 4}},
		"multipath": multipath(true), "single path": multipath(false),
	} {
		t.Run(name, func(t *testing.T) {
			l, err := lc.Listen(bg, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer l.Close()
			tuning := func(conn syscall.Conn) (tuning poll.Tuning) {
				rc, err := conn.SyscallConn()
				require.NoError(t, err)
				require.NoError(t, rc.Control(func(fd uintptr) { tuning, err = poll.TuningOf(int(fd)) }))
				require.NoError(t, err)
				return tuning
			}
			client, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			defer client.Close()
			nc, err := l.Accept()
			require.NoError(t, err)
			defer nc.Close()
			want := tuning(nc.(*net.TCPConn))

			e := newEngine(t, nil)
			opened := make(chan *Conn, 10)
			// These wait in the queue when the listener learns.
			var early []net.Conn
			for range 3 {
				nc, err := net.Dial("tcp", l.Addr().String())
				require.NoError(t, err)
				defer nc.Close()
				_, err = nc.Write([]byte(rawRequest + "\r\n"))
				require.NoError(t, err)
				early = append(early, nc)
			}
			serveRush(t, e, l, nil, &Events{Open: func(c *Conn) { opened <- c }})
			byRush := 0
			for i := range early {
				c := <-opened
				if rushed(c) {
					byRush++
				}
				assert.Equal(t, want, tuning(c), "early %d", i)
			}
			assert.Equal(t, len(early)-1, byRush)
			if name == "single path" {
				assert.Equal(t, want, tuning(l.(*net.TCPListener)), "to be inherited")
			}
			for i := range 3 {
				_, server := acceptedFrom(t, l.Addr().String(), opened)
				assert.True(t, rushed(server))
				assert.Equal(t, want, tuning(server), "later %d", i)
			}
		})
	}
}

func multipath(use bool) (lc net.ListenConfig) {
	lc.SetMultipathTCP(use)
	return lc
}

// Addresses are those that package net would tell.
func TestRushAddresses(t *testing.T) {
	for _, tc := range []struct{ network, listen, dial string }{
		{"tcp4", "127.0.0.1:0", "127.0.0.1"},
		{"tcp", ":0", "127.0.0.2"},
		{"tcp4", "0.0.0.0:0", "127.0.0.3"},
		{"tcp", "[::]:0", "::1"},
		{"tcp6", "[::1]:0", "::1"},
	} {
		t.Run(tc.network+" "+tc.listen, func(t *testing.T) {
			l, err := net.Listen(tc.network, tc.listen)
			if err != nil {
				t.Skip(err)
			}
			defer l.Close()
			e := newEngine(t, nil)
			opened := make(chan *Conn, 1)
			serveRush(t, e, l, nil, &Events{Open: func(c *Conn) { opened <- c }})
			_, port, err := net.SplitHostPort(l.Addr().String())
			require.NoError(t, err)
			client, server := acceptedFrom(t, net.JoinHostPort(tc.dial, port), opened)
			assert.True(t, rushed(server))
			assert.Equal(t, client.RemoteAddr().String(), server.LocalAddr().String())
			assert.Equal(t, client.LocalAddr().String(), server.RemoteAddr().String())
		})
	}
}

// startRusher returns a rusher for a loop, which wants no connections, and one that
// package net has accepted.
func startRusher(t *testing.T) (u *rusher, l net.Listener, nc net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m := startDoorman(t, nil, &Events{})
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	nc, err = l.Accept()
	require.NoError(t, err)
	loop, err := newEngineLoop(false, false, nil)
	require.NoError(t, err)
	loop.call(func() { loop.guests.closed = true })
	u = newRusher(l, []*engineLoop{loop}, &reception{m: m}).(*rusher)
	t.Cleanup(func() {
		u.close()
		loop.stop()
		client.Close()
		nc.Close()
		l.Close()
	})
	return u, l, nc
}

// rushing has u rush behind nc.
func rushing(u *rusher, nc net.Conn) <-chan error {
	u.learn(nc)
	return async(func() error { u.rush(); return nil })
}

// A rush ends when nothing has come for a while, or the listener is gone, or
// something is wrong: then package net has its turn.
func TestRushEnds(t *testing.T) {
	t.Run("quiet", func(t *testing.T) {
		u, _, nc := startRusher(t)
		u.lasts = 10 * time.Millisecond
		require.NoError(t, within(t, 10*time.Second, rushing(u, nc)))
	})
	t.Run("not while something comes", func(t *testing.T) {
		u, l, nc := startRusher(t)
		u.lasts = 10 * rushCheck
		begin := time.Now()
		done := rushing(u, nc)
		for time.Since(begin) < 2*u.lasts {
			client, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			_, err = client.Read(make([]byte, 1))
			require.Error(t, err, "it is not wanted")
			client.Close()
			time.Sleep(rushCheck)
		}
		select {
		case <-done:
			t.Error("it has ended")
		default:
		}
		require.NoError(t, within(t, 10*time.Second, done))
	})
	t.Run("listener closed", func(t *testing.T) {
		u, l, nc := startRusher(t)
		done := rushing(u, nc)
		require.NoError(t, l.Close())
		require.NoError(t, within(t, 10*time.Second, done))
	})
	t.Run("no descriptors", func(t *testing.T) {
		u, l, nc := startRusher(t)
		u.onAccept = func(uintptr) { u.came, u.err = u.came[:0], syscall.EMFILE }
		client, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer client.Close()
		require.NoError(t, within(t, 10*time.Second, rushing(u, nc)))
	})
	t.Run("a listener that blocks", func(t *testing.T) {
		u, l, nc := startRusher(t)
		block := func(on bool) {
			rc, err := l.(*net.TCPListener).SyscallConn()
			require.NoError(t, err)
			require.NoError(t, rc.Control(func(fd uintptr) { err = syscall.SetNonblock(int(fd), !on) }))
			require.NoError(t, err)
		}
		block(true)
		defer block(false)
		client, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer client.Close()
		require.NoError(t, within(t, 10*time.Second, rushing(u, nc)))
		assert.ErrorIs(t, u.err, poll.ErrBlocks)
	})
	t.Run("watched by another", func(t *testing.T) {
		u, l, nc := startRusher(t)
		other := newRusher(l, u.loops, u.r).(*rusher)
		first := rushing(u, nc)
		waitUntil(t, func() bool { return watches(u) })
		require.NoError(t, within(t, 10*time.Second, rushing(other, nc)))
		assert.True(t, watches(u))
		require.NoError(t, l.Close())
		require.NoError(t, within(t, 10*time.Second, first))
	})
	t.Run("not a TCP connection", func(t *testing.T) {
		u, _, _ := startRusher(t)
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		require.NoError(t, within(t, 10*time.Second, rushing(u, near)))
	})
}

// watches reports whether u's loop has the poller tell of connections.
func watches(u *rusher) bool {
	err := make(chan error, 1)
	u.home.call(func() {
		_ = u.rc.Control(func(fd uintptr) { err <- u.home.poller.Change(int(fd), u.id, poll.In|poll.News) })
	})
	return <-err == nil
}

// After a rush connections come in as before it, and another rush may begin.
func TestRushAgain(t *testing.T) {
	rushLasts = 2 * rushCheck
	defer func() { rushLasts = time.Hour }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	e := newEngine(t, nil)
	opened := make(chan *Conn, 1)
	served := serveRush(t, e, l, nil, &Events{Open: func(c *Conn) { opened <- c }, Message: echoAll.Message})
	for range 3 {
		time.Sleep(10 * rushCheck)
		client, server := acceptedFrom(t, l.Addr().String(), opened)
		assert.False(t, rushed(server), "the first one after a pause")
		expectEcho(t, client)
		waitUntil(t, func() bool {
			client, server := acceptedFrom(t, l.Addr().String(), opened)
			expectEcho(t, client)
			return rushed(server)
		})
	}
	l.Close()
	require.ErrorIs(t, within(t, 10*time.Second, served), net.ErrClosed)
}

// However many wait at once, and whatever callbacks do, each gets to its loop, and the
// loops get as many.
func TestRushTakesAll(t *testing.T) {
	for name, open := range map[string]func(){
		"callbacks return":              func() {},
		"callbacks end their goroutine": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer l.Close()
			const many = 3*rushTurn + 1
			for range many {
				nc, err := net.Dial("tcp", l.Addr().String())
				require.NoError(t, err)
				defer nc.Close()
				_, err = io.WriteString(nc, rawRequest+"\r\n")
				require.NoError(t, err)
			}
			e := newEngine(t, &EngineOptions{Loops: 2})
			opened := make(chan *Conn, many)
			serveRush(t, e, l, nil, &Events{Open: func(c *Conn) { opened <- c; open() }})
			waitUntil(t, func() bool { return len(opened) == many })
			count := map[*drivenLoop]int{}
			for range many {
				if c := <-opened; rushed(c) {
					count[c.l.transport().(*driven).loop]++
				}
			}
			require.Len(t, count, 2)
			for _, n := range count {
				assert.Equal(t, (many-1)/2, n)
			}
		})
	}
}

// A listener that is closed while somebody else has its descriptor, as a server's
// successor may, is nothing to the loop any more.
func TestRushForgetsTheListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := newEngine(t, nil)
	served := serveRush(t, e, l, nil, &Events{})
	successor, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	defer successor.Close()
	require.NoError(t, l.Close())
	require.ErrorIs(t, within(t, 10*time.Second, served), net.ErrClosed)
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	before := cpu(t)
	time.Sleep(100 * time.Millisecond)
	assert.Less(t, cpu(t)-before, 50*time.Millisecond)
}

// Where somebody wants to see the request, or closing may take its time, or there
// is no loop, other ways are taken.
func TestRushIsNotForAll(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	loops := []*engineLoop{{mailbox: mailbox{over: true}}}
	for name, opts := range map[string]*ListenOptions{
		"Accept":            {Accept: func(*Handshake) error { return nil }},
		"CheckOrigin":       {Upgrade: &UpgradeOptions{CheckOrigin: func(*http.Request) error { return nil }}},
		"ChooseSubprotocol": {Upgrade: &UpgradeOptions{ChooseSubprotocol: func(*http.Request, []string) (string, error) { return "", nil }}},
	} {
		assert.Nil(t, newRusher(l, loops, &reception{m: startDoorman(t, opts, nil)}), name)
	}
	plain := &reception{m: startDoorman(t, nil, nil)}
	assert.Nil(t, newRusher(l, nil, plain), "no loops")
	assert.Nil(t, newRusher(bareListener{Listener: l}, loops, plain), "another type")
	require.NoError(t, l.Close())
	assert.Nil(t, newRusher(l, loops, plain), "closed")
}

// Whose descriptor somebody else has seen is closed with care, and one that lingers.
func TestRushClosesWithCare(t *testing.T) {
	for _, lingers := range []bool{false, true} {
		lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) (err error) {
			if lingers {
				_ = rc.Control(func(fd uintptr) {
					err = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1, Linger: 1})
				})
			}
			return err
		}}
		l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		e := newEngine(t, nil)
		opened, closed := make(chan *Conn, 1), make(chan error, 1)
		serveRush(t, e, l, nil, &Events{
			Open:  func(c *Conn) { opened <- c },
			Close: func(_ *Conn, err error) { closed <- err },
		})
		client, server := acceptedFrom(t, l.Addr().String(), opened)
		assert.Equal(t, !lingers, rushed(server))
		rc, err := server.SyscallConn()
		require.NoError(t, err)
		assert.False(t, rushed(server))
		// A duplicate keeps the socket, which must not be watched any more.
		dup, err := poll.Duplicate(rc)
		require.NoError(t, err)
		require.NoError(t, client.CloseNow())
		require.Error(t, <-closed)
		before := cpu(t)
		time.Sleep(100 * time.Millisecond)
		assert.Less(t, cpu(t)-before, 50*time.Millisecond)
		poll.Close(dup)
	}
}

// A guest that has sent nothing holds no buffer; one that is gone, nothing.
func TestLobbyHoldsLittle(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	serveRush(t, e, l, nil, &Events{})
	loop := e.loops[0]
	look := func() (waiting, holding, slots int) {
		done := make(chan struct{})
		loop.call(func() {
			defer close(done)
			for _, g := range loop.guests.waiting {
				if g.p != nil || g.v != nil {
					holding++
				}
			}
			waiting, slots = len(loop.guests.waiting), len(loop.slots)-len(loop.free)
		})
		<-done
		return waiting, holding, slots
	}
	var conns []net.Conn
	for range 5 {
		nc, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer nc.Close()
		conns = append(conns, nc)
	}
	waitUntil(t, func() bool { waiting, _, _ := look(); return waiting == 5 })
	_, holding, slots := look()
	assert.Zero(t, holding)
	assert.Equal(t, 5, slots)
	_, err = conns[0].Write([]byte("GET"))
	require.NoError(t, err)
	waitUntil(t, func() bool { _, holding, _ := look(); return holding == 1 })
	for _, nc := range conns {
		nc.Close()
	}
	waitUntil(t, func() bool {
		waiting, holding, slots := look()
		return waiting == 0 && holding == 0 && slots == 0
	})
}

// BenchmarkServe is an opening handshake and the end of its connection, with all
// that the client does.
func BenchmarkServe(b *testing.B) {
	for _, way := range []string{"net", "rush"} {
		b.Run(way, func(b *testing.B) {
			e := newEngine(b, nil)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(b, err)
			defer l.Close()
			at := l
			if way == "net" {
				at = bareListener{Listener: l}
			}
			go func() { _ = e.Serve(at, nil, &Events{}) }()
			addr := l.Addr().(*net.TCPAddr)
			b.ReportAllocs()
			for b.Loop() {
				syscall.Close(idlePeer(b, addr, "", nil))
			}
		})
	}
}

// A newcomer whose loop has ended, or whose engine wants none any more, is closed.
func TestLobbyTurnsAway(t *testing.T) {
	for name, leave := range map[string]func(l *engineLoop, n newcomer, r *reception){
		"the engine is closed": func(l *engineLoop, n newcomer, r *reception) {
			r.admit = func() bool { return false }
			l.guests.enter(n, r, l)
		},
		"nothing can be sent": func(l *engineLoop, n newcomer, r *reception) {
			poll.Shutdown(n.fd, syscall.SHUT_WR)
			l.guests.enter(n, r, l)
		},
		"before the loop's end": func(l *engineLoop, n newcomer, r *reception) {
			l.calls = append(l.calls, func() { l.guests.enter(n, r, l) })
			l.left.Store(true)
			l.end()
		},
		"it cannot be watched": func(l *engineLoop, n newcomer, r *reception) {
			require.NoError(t, l.poller.Close())
			l.guests.enter(n, r, l)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := poll.NewPoller(1)
			require.NoError(t, err)
			defer p.Close()
			counted := 0
			r := &reception{
				m:     startDoorman(t, nil, &Events{Open: func(*Conn) { t.Error("opened") }}),
				admit: func() bool { counted++; return true },
				gone:  func() { counted-- },
			}
			client, server := tcpPair(t)
			rc, err := server.(syscall.Conn).SyscallConn()
			require.NoError(t, err)
			fd, err := poll.Duplicate(rc)
			require.NoError(t, err)
			require.NoError(t, server.Close())
			_, err = client.Write([]byte(rawRequest + "\r\n"))
			require.NoError(t, err)
			time.Sleep(time.Millisecond)
			l := &engineLoop{drivenLoop: drivenLoop{poller: p}, done: make(chan struct{})}
			leave(l, newcomer{fd: fd}, r)
			client.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, err = client.Read(make([]byte, 1))
			require.Error(t, err)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.Zero(t, counted)
			assert.Len(t, l.free, len(l.slots))
			assert.Empty(t, l.guests.waiting)
		})
	}
}

// Heartbeats are looked after by the loop: a connection has no timer.
func TestRushNeedsNoTimer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	e := newEngine(t, nil)
	opened := make(chan *Conn, 1)
	serveRush(t, e, l, &ListenOptions{Upgrade: &UpgradeOptions{Heartbeat: 50 * time.Millisecond, HeartbeatTimeout: 50 * time.Millisecond}}, &Events{Open: func(c *Conn) { opened <- c }})
	client, server := acceptedFrom(t, l.Addr().String(), opened)
	client.CloseRead(bg) // and answers
	server.l.alarm.mu.Lock()
	assert.Nil(t, server.l.alarm.timer)
	server.l.alarm.mu.Unlock()
	assert.True(t, rushed(server))

	silent, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer silent.Close()
	_, err = silent.Write([]byte(rawRequest + "\r\n"))
	require.NoError(t, err)
	within(t, 10*time.Second, (<-opened).Done())
	assert.True(t, server.l.isOpen())
}

// bothWays calls f with listeners whose connections go through net, and, but for the
// first, through a rush.
func bothWays(t *testing.T, lc net.ListenConfig, f func(t *testing.T, e *Engine, l, at net.Listener)) {
	for _, way := range []string{"net", "rush"} {
		t.Run(way, func(t *testing.T) {
			l, err := lc.Listen(bg, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
			at := l
			if way == "net" {
				at = bareListener{Listener: l}
			}
			f(t, newEngine(t, nil), l, at)
		})
	}
}

// A Fallback learns who asked, even if they have gone by then.
func TestFallbackKnowsWhoHasGone(t *testing.T) {
	bothWays(t, net.ListenConfig{}, func(t *testing.T, e *Engine, l, at net.Listener) {
		from := make(chan string, 100)
		see := func(_ http.ResponseWriter, r *http.Request) { from <- r.RemoteAddr }
		serveRush(t, e, at, &ListenOptions{Fallback: http.HandlerFunc(see)}, &Events{})
		for range cap(from) {
			nc, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			_, err = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			require.NoError(t, err)
			require.NoError(t, nc.(*net.TCPConn).SetLinger(0))
			require.NoError(t, nc.Close())
		}
		time.Sleep(100 * time.Millisecond)
		for len(from) > 0 {
			require.NotEmpty(t, <-from)
		}
	})
}

// A Fallback's connections have the options that the listener gives them.
func TestFallbackKeepsSocketOptions(t *testing.T) {
	bothWays(t, net.ListenConfig{KeepAlive: -1}, func(t *testing.T, e *Engine, l, at net.Listener) {
		alive := make(chan int, 1)
		look := func(w http.ResponseWriter, _ *http.Request) {
			nc, _, err := w.(http.Hijacker).Hijack()
			assert.NoError(t, err)
			defer nc.Close()
			rc, err := nc.(*replayedConn).Conn.(syscall.Conn).SyscallConn()
			assert.NoError(t, err)
			_ = rc.Control(func(fd uintptr) {
				on, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
				assert.NoError(t, err)
				alive <- on
			})
		}
		serveRush(t, e, at, &ListenOptions{Fallback: http.HandlerFunc(look)}, &Events{})
		nc, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer nc.Close()
		_, err = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		assert.Zero(t, <-alive)
	})
}

// A peer that ends its direction is told the end, even if the application has a
// duplicate of the descriptor.
func TestEndIsToldBesideADuplicate(t *testing.T) {
	bothWays(t, net.ListenConfig{}, func(t *testing.T, e *Engine, l, at net.Listener) {
		opened, closed := make(chan *Conn, 1), make(chan error, 1)
		serveRush(t, e, at, nil, &Events{
			Open:  func(c *Conn) { opened <- c },
			Close: func(_ *Conn, err error) { closed <- err },
		})
		client, c := acceptedFrom(t, l.Addr().String(), opened)
		rc, err := c.SyscallConn()
		require.NoError(t, err)
		dup, err := poll.Duplicate(rc)
		require.NoError(t, err)
		defer poll.Close(dup)
		client.l.transport().closeWrite()
		require.ErrorIs(t, <-closed, io.ErrUnexpectedEOF)
		ctx, cancel := context.WithTimeout(bg, 10*time.Second)
		defer cancel()
		_, _, err = client.Read(ctx)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}

// The same without a loop, at a close in order and at one that is not.
func TestEndIsToldBesideADuplicateOfARead(t *testing.T) {
	for name, end := range map[string]func(client, server *Conn) error{
		"Close":    func(client, _ *Conn) error { return client.Close(StatusNormalClosure, "") },
		"CloseNow": func(_, server *Conn) error { return server.CloseNow() },
	} {
		t.Run(name, func(t *testing.T) {
			client, server := connectPair(t, tcpPair, ConnConfig{CloseTimeout: -1})
			rc, err := server.SyscallConn()
			require.NoError(t, err)
			dup, err := poll.Duplicate(rc)
			require.NoError(t, err)
			defer poll.Close(dup)
			reads := async(func() error { _, _, err := server.Read(bg); return err })
			require.NoError(t, within(t, 10*time.Second, async(func() error { return end(client, server) })))
			require.Error(t, within(t, 10*time.Second, reads))
			require.Error(t, within(t, 10*time.Second, async(func() error { _, _, err := client.Read(bg); return err })))
		})
	}
}

// Nobody who has been accepted is forgotten, though a callback ends its goroutine
// between them, and the rush ends meanwhile.
func TestRushLeavesNobodyBehind(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	e := newEngine(t, &EngineOptions{Loops: 1})
	over := make(chan struct{})
	var once sync.Once
	ev := &Events{Open: func(c *Conn) {
		if rushed(c) {
			once.Do(func() {
				l.Close()
				<-over
				runtime.Goexit()
			})
		}
	}}
	clients := make([]net.Conn, 20)
	for i := range clients {
		clients[i], err = net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer clients[i].Close()
		_, err = io.WriteString(clients[i], rawRequest+"\r\n")
		require.NoError(t, err)
	}
	served := async(func() error { return e.Serve(l, nil, ev) })
	time.Sleep(3 * rushCheck) // by then it is known that the listener is closed
	close(over)
	require.Error(t, within(t, 10*time.Second, served))
	patience := time.Now().Add(10 * time.Second)
	for _, nc := range clients {
		nc.SetReadDeadline(patience)
		_, err := nc.Read(make([]byte, 1))
		assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "neither answered nor closed")
	}
}

// A loop that is late to bring newcomers to another leaves none there once their
// listener is gone: nobody would end their handshakes any more.
func TestRushEndsThoseItBringsLate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	e := newEngine(t, &EngineOptions{Loops: 2})
	home := &e.loops[1].drivenLoop // of the first listener
	over := make(chan struct{})
	var once sync.Once
	ev := &Events{Open: func(c *Conn) {
		if d := c.l.transport().(*driven); rushed(c) && d.loop == home {
			once.Do(func() {
				l.Close()
				<-over
			})
		}
	}}
	clients := make([]net.Conn, 20)
	for i := range clients {
		clients[i], err = net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer clients[i].Close()
		if i < 3 { // the last one is the first that comes to home
			_, err = io.WriteString(clients[i], rawRequest+"\r\n")
			require.NoError(t, err)
		}
	}
	opts := &ListenOptions{Upgrade: &UpgradeOptions{HandshakeTimeout: -1}}
	require.Error(t, within(t, 10*time.Second, async(func() error { return e.Serve(l, opts, ev) })))
	heeded := make(chan struct{})
	e.loops[0].call(func() { close(heeded) })
	<-heeded // the other loop has ended what it had
	close(over)
	for i, nc := range clients[3:] {
		nc.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err := nc.Read(make([]byte, 1))
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "%d is still there", i)
	}
}

// A door with a throng, or without.
type busyDoor bool

func (busyDoor) knocked()       {}
func (d busyDoor) throng() bool { return bool(d) }

// A loop that finds nothing waits a little for more in a throng, and only then.
func TestLoopNapsInAThrong(t *testing.T) {
	p, err := poll.NewPoller(4)
	require.NoError(t, err)
	defer p.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	defer poll.Close(pair[0])
	defer poll.Close(pair[1])
	require.NoError(t, p.Add(pair[0], 1, poll.In))
	naps := 0
	l := &engineLoop{drivenLoop: drivenLoop{poller: p}, nap: func(time.Duration) {
		naps++
		_, err := poll.Send(uintptr(pair[1]), []byte("x"))
		require.NoError(t, err)
	}}
	l.gather()
	assert.Empty(t, l.events)
	l.guests.open(newID(doorSlot), busyDoor(false))
	l.gather()
	assert.Empty(t, l.events)
	l.guests.open(newID(doorSlot), busyDoor(true))
	l.left.Store(true)
	l.gather()
	assert.Empty(t, l.events)
	assert.Zero(t, naps, "there is no throng, or word")
	l.left.Store(false)
	l.gather()
	assert.Len(t, l.events, 1, "it came meanwhile")
	assert.Equal(t, 1, naps)
	l.gather()
	assert.Len(t, l.events, 1)
	assert.Equal(t, 1, naps, "there is something")
}

// A throng is many connections in a short time, and ends with it. Who wants nothing held
// back has none.
func TestThrong(t *testing.T) {
	u, l, nc := startRusher(t)
	done := rushing(u, nc)
	require.Eventually(t, func() bool { return watches(u) }, 10*time.Second, time.Millisecond)
	assert.False(t, u.throng())
	crowd := func() (thick bool) {
		hold := make(chan struct{})
		u.home.call(func() { <-hold })
		for range 4 * rushThrong { // which come at once, for who has been held up
			client, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			defer client.Close()
		}
		close(hold)
		for began := time.Now(); !thick && time.Since(began) < 10*rushCheck; time.Sleep(time.Millisecond) {
			thick = u.throng()
		}
		return thick
	}
	tries := 1
	for !crowd() { // the test itself was late
		tries++
		require.Less(t, tries, 10)
	}
	require.Eventually(t, func() bool { return !u.throng() }, 10*time.Second, time.Millisecond)
	require.NoError(t, l.Close())
	require.NoError(t, within(t, 10*time.Second, done))

	u = &rusher{r: &reception{m: startDoorman(t, &ListenOptions{Upgrade: &UpgradeOptions{NoCoalescing: true}}, nil)}}
	u.thick.Store(true)
	assert.False(t, u.throng())
}
