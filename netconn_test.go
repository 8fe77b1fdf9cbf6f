package websocket

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"
)

func TestNetConnSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				client, server := connectPair(t, tr.pair, ConnConfig{Heartbeat: -1, CloseTimeout: 50 * time.Millisecond})
				c1, c2 = NetConn(bg, client, MessageBinary), NetConn(bg, server, MessageBinary)
				return c1, c2, func() {
					client.CloseNow()
					server.CloseNow()
					c1.Close()
					c2.Close()
				}, nil
			})
		})
	}
}

// CHECKLIST 34: empty messages never surface, messages are joined to a stream,
// and it ends with io.EOF after 1000 and 1001 only.
func TestNetConnReads(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for code, want := range map[StatusCode]error{StatusNormalClosure: io.EOF, StatusGoingAway: io.EOF, StatusNoStatusReceived: io.EOF, 4000: nil} {
			c, peer := connectScripted(t, pair, RoleServer)
			nc := NetConn(bg, c, MessageText)
			peer.sends(peer.text(""), peer.frame(OpText, false, ""), peer.frame(OpContinuation, true, ""),
				peer.text("ab"), peer.text(""), peer.frame(OpText, false, "c"), peer.frame(OpContinuation, true, "d"), peer.closeFrame(code, ""))
			go io.Copy(io.Discard, peer.br)
			n, err := nc.Read(nil)
			assert.Zero(t, n)
			require.NoError(t, err)
			var got []byte
			buf := make([]byte, 1)
			for {
				n, err = nc.Read(buf)
				if err != nil {
					break
				}
				require.Equal(t, 1, n)
				got = append(got, buf[0])
			}
			assert.Equal(t, "abcd", string(got))
			if want != nil {
				require.Equal(t, want, err)
			} else {
				assert.Equal(t, code, CloseStatus(err))
			}
			for range 3 {
				n, again := nc.Read(buf)
				assert.Zero(t, n)
				assert.Equal(t, err, again)
			}
			_, err = nc.Write([]byte("x"))
			require.ErrorIs(t, err, net.ErrClosed)
			nc.Close()
			assert.Equal(t, c.LocalAddr(), nc.LocalAddr())
			assert.Equal(t, c.RemoteAddr(), nc.RemoteAddr())
		}
	})
}

// What a MessageReader has left unread of its message is discarded.
func TestNetConnAfterReader(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		peer.sends(peer.frame(OpText, false, "old "), peer.frame(OpContinuation, true, "rest"), peer.text("new"))
		_, r, err := c.Reader(bg)
		require.NoError(t, err)
		_, err = r.Read(make([]byte, 1))
		require.NoError(t, err)
		p := make([]byte, 10)
		n, err := NetConn(bg, c, MessageText).Read(p)
		require.NoError(t, err)
		assert.Equal(t, "new", string(p[:n]))
	})
}

func TestNetConnOtherType(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	nc := NetConn(bg, c, MessageText)
	peer.send(peer.frame(OpBinary, true, "x"))
	read := async(func() error { _, err := nc.Read(make([]byte, 1)); return err })
	peer.expectClose(StatusUnsupportedData)
	peer.send(peer.closeFrame(StatusUnsupportedData, ""))
	assert.Equal(t, StatusUnsupportedData, CloseStatus(within(t, time.Minute, read)))
}

// Deadlines can pass, be moved and be taken back; nothing is lost, and pasts of
// any kind do no harm.
func TestNetConnDeadlines(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		nc := NetConn(bg, c, MessageBinary)
		buf := make([]byte, 10)
		for _, past := range []time.Time{time.Unix(0, 0), time.Unix(-1<<40, 0), time.Now().Add(-1)} {
			require.NoError(t, nc.SetDeadline(past))
			for range 2 {
				_, err := nc.Read(buf)
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				_, err = nc.Write(buf)
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			}
		}
		require.NoError(t, nc.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
		_, err := nc.Read(buf)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, nc.SetReadDeadline(time.Now().Add(time.Hour)))
		read := async(func() error { _, err := nc.Read(buf); return err })
		require.NoError(t, nc.SetReadDeadline(time.Now().Add(time.Millisecond))) // seen by the read under way
		require.ErrorIs(t, within(t, time.Minute, read), os.ErrDeadlineExceeded)
		require.NoError(t, nc.SetDeadline(time.Time{}))
		peer.sends(peer.frame(OpBinary, true, "x"))
		n, err := nc.Read(buf)
		require.NoError(t, err)
		assert.Equal(t, "x", string(buf[:n]))
		go nc.Write([]byte("y"))
		assert.Equal(t, "y", peer.expect(OpBinary))
	})
}

// A Write that ran into its deadline says how much of it the peer will get.
func TestNetConnWriteInTheMiddle(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		nc := NetConn(bg, c, MessageBinary)
		p := make([]byte, 16<<20) // more than any kernel takes
		type result struct {
			n   int
			err error
		}
		wrote := async(func() result { n, err := nc.Write(p); return result{n, err} })
		_, err := peer.br.Peek(1)
		require.NoError(t, err)
		require.NoError(t, nc.SetWriteDeadline(longAgo))
		assert.Equal(t, result{len(p), os.ErrDeadlineExceeded}, within(t, time.Minute, wrote))
		n, err := nc.Write(p)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Zero(t, n)
		require.NoError(t, nc.SetWriteDeadline(time.Time{}))
		go nc.Write([]byte("next"))
		assert.Len(t, peer.expect(OpBinary), len(p))
		assert.Equal(t, "next", peer.expect(OpBinary))
	})
}

// Close sees the handshake through, bounded; the end of the context does not.
func TestNetConnClose(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for _, reading := range []bool{false, true} {
			c, peer := connectScripted(t, pair, RoleServer)
			nc := NetConn(bg, c, MessageBinary)
			read := make(chan error, 1)
			if reading {
				go func() { _, err := nc.Read(make([]byte, 1)); read <- err }()
				waitUntil(t, c.reading)
			}
			closed := async(nc.Close)
			peer.expectClose(StatusNormalClosure)
			if reading { // without waiting for the peer's answer
				require.ErrorIs(t, within(t, time.Minute, read), net.ErrClosed)
				_, err := nc.Read(make([]byte, 1))
				require.ErrorIs(t, err, net.ErrClosed)
			}
			peer.sends(peer.frame(OpBinary, true, "late"), peer.closeFrame(StatusNormalClosure, ""))
			require.NoError(t, within(t, time.Minute, closed))
			<-c.Done()
			_, err := nc.Read(make([]byte, 1))
			require.ErrorIs(t, err, net.ErrClosed)
			require.ErrorIs(t, nc.Close(), net.ErrClosed)
		}
		c, _ := connectScripted(t, pair, RoleServer)
		ctx, cancel := context.WithCancel(bg)
		nc := NetConn(ctx, c, MessageBinary)
		read := async(func() error { _, err := nc.Read(make([]byte, 1)); return err })
		cancel()
		require.ErrorIs(t, within(t, time.Minute, read), net.ErrClosed)
		<-c.Done()
	})
	synctest.Test(t, func(t *testing.T) {
		c, peer := connectScripted(t, pipePair, RoleServer)
		nc := NetConn(bg, c, MessageBinary)
		nc.SetDeadline(time.Now().Add(time.Hour))
		reads, writes := nc.(*netConn).read.timer, nc.(*netConn).write.timer
		begun := time.Now()
		nc.Close()
		assert.Equal(t, DefaultCloseTimeout, time.Since(begun))
		assert.False(t, reads.Stop() || writes.Stop(), "no timer is left behind")
		peer.Close()
	})
}

// Done is closed, and the buffers are given up, though nobody reads or closes the net.Conn.
func TestNetConnEndsUnread(t *testing.T) {
	overTransports(t, func(t *testing.T, pair func(testing.TB) (client, server net.Conn)) {
		for name, end := range map[string]func(c *Conn, cancel func()){
			"CloseNow": func(c *Conn, _ func()) { c.CloseNow() },
			"context":  func(_ *Conn, cancel func()) { cancel() },
		} {
			c, peer := connectScripted(t, pair, RoleServer)
			ctx, cancel := context.WithCancel(bg)
			nc := NetConn(ctx, c, MessageBinary)
			peer.sends(peer.frame(OpBinary, true, "received"))
			p := make([]byte, 3)
			_, err := nc.Read(p)
			require.NoError(t, err)
			end(c, cancel)
			within(t, time.Minute, c.Done())
			rest, err := io.ReadAll(nc)
			assert.Equal(t, "eived", string(rest), name)
			assert.ErrorIs(t, err, net.ErrClosed)
			cancel()
		}
	})
}

// A deadline that has passed counts before what is at hand, as with every net.Conn.
func TestNetConnPastDeadline(t *testing.T) {
	client, server := connectPair(t, tcpPair)
	a, b := NetConn(bg, client, MessageBinary), NetConn(bg, server, MessageBinary)
	_, err := a.Write([]byte("abc"))
	require.NoError(t, err)
	p := make([]byte, 1)
	_, err = b.Read(p)
	require.NoError(t, err)
	require.NoError(t, b.SetReadDeadline(longAgo))
	_, err = b.Read(p)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, b.SetReadDeadline(time.Time{}))
	_, err = b.Read(p)
	require.NoError(t, err)
	assert.Equal(t, "b", string(p))
}

// A deadline that is moved while a Read waits holds for that Read.
func TestNetConnDeadlineMovesUnderRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := connectScripted(t, pipePair, RoleServer)
		nc := NetConn(bg, c, MessageBinary)
		require.NoError(t, nc.SetReadDeadline(time.Now().Add(time.Hour)))
		start := time.Now()
		read := async(func() error { _, err := nc.Read(make([]byte, 1)); return err })
		synctest.Wait()
		require.NoError(t, nc.SetReadDeadline(start.Add(time.Second)))
		require.ErrorIs(t, <-read, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
		require.NoError(t, c.CloseNow())
	})
}
