package websocket

import (
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/poll"
)

// What a peer sent in one piece with its end is noticed, at once and without a
// scheduling point between them (see the poller's edges).
func TestEndInSameEdge(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, reset := range []bool{false, true} {
		for range 2 {
			c, peer := connectScripted(t, tcpPair, RoleServer)
			got := make(chan error, 10)
			go func() {
				for _, err := range c.Messages(bg) {
					got <- err
				}
				close(got)
			}()
			waitUntil(t, c.reading)
			tc := peer.Conn.(*net.TCPConn)
			if reset {
				tc.SetLinger(0)
			}
			rc, err := tc.SyscallConn()
			require.NoError(t, err)
			frame := peer.text("x")
			require.NoError(t, rc.Control(func(fd uintptr) { poll.Send(fd, frame) }))
			if reset {
				tc.Close()
			} else {
				tc.CloseWrite()
			}
			err = within(t, time.Minute, got)
			if err == nil {
				err = within(t, time.Minute, got)
			}
			require.Error(t, err)
			if !reset {
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			}
			<-got
			peer.Close()
		}
	}
}

// A reset is the cause of the end even if a write was the first to be told of it.
func TestResetThatAWriteMetIsTheCause(t *testing.T) {
	for range 20 {
		c, peer := connectScripted(t, tcpPair, RoleServer)
		tc := peer.Conn.(*net.TCPConn)
		tc.SetLinger(0)
		tc.Close()
		_ = c.Write(bg, MessageText, []byte("x")) // which may be accepted before it meets the reset
		_, _, err := c.Read(bg)
		require.ErrorIs(t, err, syscall.ECONNRESET)
		require.Equal(t, err, c.Err())
	}
}

// What the system says of a connection is told as package net does it, in each mode.
func TestResetIsToldAsNetDoes(t *testing.T) {
	for name, drive := range drivers {
		c, peer := connectScripted(t, tcpPair, RoleServer)
		local, remote := c.LocalAddr(), c.RemoteAddr()
		peer.Conn.(*net.TCPConn).SetLinger(0)
		peer.Close()
		err := within(t, 10*time.Second, async(func() error { return drive(&Events{}, c) }))
		var op *net.OpError
		require.ErrorAs(t, err, &op, name)
		assert.Equal(t, "read", op.Op)
		assert.Equal(t, local.String(), op.Source.String())
		assert.Equal(t, remote.String(), op.Addr.String())
		var call *os.SyscallError
		require.ErrorAs(t, err, &call)
		assert.Equal(t, "read", call.Syscall)
		require.ErrorIs(t, err, syscall.ECONNRESET)
		var ne net.Error
		require.ErrorAs(t, err, &ne)
		assert.False(t, ne.Timeout())
		assert.Contains(t, err.Error(), op.Error())
	}
}

// An error that is kept does not keep the connection.
func TestErrorKeepsNoConnection(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	freed := make(chan struct{})
	kept := func() error {
		own, peer := tcpPair(t)
		c, err := NewConn(own, &ConnConfig{Role: RoleServer, Heartbeat: -1})
		require.NoError(t, err)
		data := new([64]int)
		runtime.AddCleanup(data, func(int) { close(freed) }, 0)
		c.SetUserData(data)
		closed := make(chan error, 1)
		require.NoError(t, e.Attach(c, &Events{Close: func(_ *Conn, err error) { closed <- err }}))
		peer.(*net.TCPConn).SetLinger(0)
		peer.Close()
		return within(t, 10*time.Second, closed)
	}()
	require.ErrorIs(t, kept, syscall.ECONNRESET)
	waitUntil(t, func() bool {
		runtime.GC()
		select {
		case <-freed:
			return true
		default:
			return false
		}
	})
	runtime.KeepAlive(kept)
}

// Deadlines that somebody else sets, as middleware may after the handler has returned, neither
// end anything nor keep a processor busy. TLS does not write any more after one: that is told.
func TestDeadlinesOfOthers(t *testing.T) {
	for name, secure := range map[string]bool{"TCP": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			near, far := tcpPair(t)
			a, b := near, far
			if secure {
				a, b = tlsOver(t, near, far)
			}
			c, err := NewConn(a, &ConnConfig{Role: RoleClient, Heartbeat: -1})
			require.NoError(t, err)
			defer c.CloseNow()
			peer, err := NewConn(b, &ConnConfig{Role: RoleServer, Heartbeat: -1})
			require.NoError(t, err)
			defer peer.CloseNow()
			read := async(func() string { _, p, _ := c.Read(bg); return string(p) })
			waitUntil(t, c.reading)
			require.NoError(t, near.SetReadDeadline(time.Unix(1, 0)))
			wait := 100 * time.Millisecond
			before := cpu(t)
			time.Sleep(wait)
			assert.Less(t, cpu(t)-before, wait/2)
			require.NoError(t, peer.WriteText(bg, "in"))
			assert.Equal(t, "in", within(t, time.Minute, read))

			for _, write := range []func() error{
				func() error { return c.WriteText(bg, "out") },
				func() error { return c.Send(MessageText, []byte("out")) },
			} {
				require.NoError(t, near.SetWriteDeadline(time.Unix(1, 0)))
				err := write()
				if secure {
					waitUntil(t, func() bool { return c.l.wr.failure() != nil })
					require.ErrorIs(t, c.l.wr.failure(), os.ErrDeadlineExceeded)
					break
				}
				require.NoError(t, err)
				_, p, err := peer.Read(bg)
				require.NoError(t, err)
				assert.Equal(t, "out", string(p))
			}
			before = cpu(t)
			time.Sleep(wait)
			assert.Less(t, cpu(t)-before, wait/2)
		})
	}
}

// Nor do several in one write.
func TestDeadlinesOfOthersInOneWrite(t *testing.T) {
	near, far := tcpPair(t)
	shrink(near)
	shrink(far)
	c, err := NewConn(near, &ConnConfig{Role: RoleServer, Heartbeat: -1})
	require.NoError(t, err)
	defer c.CloseNow()
	peer, err := NewConn(far, &ConnConfig{Role: RoleClient, Heartbeat: -1, MaxMessageSize: -1})
	require.NoError(t, err)
	defer peer.CloseNow()
	write := async(func() error { return c.Write(bg, MessageBinary, make([]byte, 16<<20)) })
	for range 3 {
		time.Sleep(20 * time.Millisecond)
		require.NoError(t, near.SetWriteDeadline(longAgo))
	}
	time.Sleep(20 * time.Millisecond)
	go peer.Read(bg)
	require.NoError(t, within(t, time.Minute, write))
}
