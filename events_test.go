package websocket

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorder returns Events that record what they are told.
func recorder() (*Events, *[]string) {
	var log []string
	add := func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
	return &Events{
		Open:    func(*Conn) { add("open") },
		Message: func(_ *Conn, t MessageType, p []byte) { add("%v %s", t, p) },
		Ping:    func(_ *Conn, p []byte) { add("ping %s", p) },
		Pong:    func(_ *Conn, p []byte) { add("pong %s", p) },
		Drain:   func(*Conn) { add("drain") },
		Close:   func(_ *Conn, err error) { add("close %d", CloseStatus(err)) },
	}, &log
}

// CHECKLIST 11: Open comes first, Close last and once; payloads are exact.
func TestServeOrder(t *testing.T) {
	overDrivers(t, func(t *testing.T, pair pairFunc, serve func(*Events, *Conn) error) {
		c, peer := connectScripted(t, pair, RoleServer)
		ev, log := recorder()
		served := async(func() error { return serve(ev, c) })
		peer.send(peer.text("a"), peer.frame(OpPing, true, "\x00\x01p"), peer.frame(OpPong, true, "q"), peer.frame(OpBinary, true, "b"))
		assert.Equal(t, "\x00\x01p", peer.expect(OpPong))
		peer.sends(peer.closeFrame(4000, ""))
		peer.expectClose(4000)
		err := within(t, time.Minute, served)
		assert.Equal(t, StatusCode(4000), CloseStatus(err))
		require.NotErrorIs(t, err, net.ErrClosed)
		assert.Equal(t, []string{"open", "text a", "ping \x00\x01p", "pong q", "binary b", "close 4000"}, *log)
		_, _, err = c.Read(bg)
		require.ErrorIs(t, err, ErrTaken)
		require.ErrorIs(t, ev.Serve(bg, c), ErrTaken)
		assert.Len(t, *log, 6)
	})
}

// CHECKLIST 31: a panic in any callback is contained, closes with 1011 and is
// reported.
func TestServePanic(t *testing.T) {
	overDrivers(t, func(t *testing.T, pair pairFunc, serve func(*Events, *Conn) error) {
		for _, where := range []string{"open", "message", "ping", "pong", "close"} {
			var reported []any
			c, peer := connectScripted(t, pair, RoleServer, ConnConfig{Heartbeat: -1, Trace: &Trace{
				Panicked: func(v any, stack []byte) {
					assert.NotEmpty(t, stack)
					reported = append(reported, v)
				},
			}})
			closes := 0
			boom := func(at string) {
				if at == where {
					panic("boom " + at)
				}
			}
			ev := &Events{
				Open:    func(*Conn) { boom("open") },
				Message: func(*Conn, MessageType, []byte) { boom("message") },
				Ping:    func(*Conn, []byte) { boom("ping") },
				Pong:    func(*Conn, []byte) { boom("pong") },
				Close:   func(*Conn, error) { closes++; boom("close") },
			}
			served := async(func() error { return serve(ev, c) })
			peer.send(peer.text("a"), peer.frame(OpPing, true, ""), peer.frame(OpPong, true, ""))
			code := StatusInternalError
			if where == "close" {
				code = 4000
				peer.send(peer.closeFrame(4000, ""))
			}
			peer.expectClose(code)
			peer.sends(peer.closeFrame(code, ""))
			err := within(t, time.Minute, served)
			if strings.HasSuffix(t.Name(), "/serve") {
				require.ErrorContains(t, err, "boom "+where)
			}
			assert.Equal(t, []any{"boom " + where}, reported)
			assert.Equal(t, 1, closes, where)
			<-c.Done()
		}
	})
}

// CHECKLIST 31: runtime.Goexit in a callback ends the connection too.
func TestServeGoexit(t *testing.T) {
	overDrivers(t, func(t *testing.T, pair pairFunc, serve func(*Events, *Conn) error) {
		c, peer := connectScripted(t, pair, RoleServer)
		closed := make(chan error, 2)
		ev := &Events{
			Message: func(*Conn, MessageType, []byte) { runtime.Goexit() },
			Close:   func(_ *Conn, err error) { closed <- err },
		}
		go serve(ev, c)
		peer.send(peer.text("a"))
		peer.expectClose(StatusInternalError)
		peer.send(peer.closeFrame(StatusInternalError, ""))
		assert.Equal(t, StatusInternalError, CloseStatus(within(t, time.Minute, closed)))
		assert.Empty(t, closed)
		<-c.Done()
	})
}

// The end of Serve's context closes with 1001.
func TestServeContext(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		ctx, cancel := context.WithCancel(bg)
		ev, log := recorder()
		served := async(func() error { return ev.Serve(ctx, c) })
		waitUntil(t, c.reading)
		cancel()
		peer.expectClose(StatusGoingAway)
		peer.sends(peer.closeFrame(StatusGoingAway, ""))
		require.ErrorIs(t, within(t, time.Minute, served), context.Canceled)
		assert.Equal(t, []string{"open", "close 1001"}, *log)
	})
}

// A driven Conn never waits for its driver: Close returns, inside and outside
// of a callback, and the end comes behind it.
func TestServeClose(t *testing.T) {
	overDrivers(t, func(t *testing.T, pair pairFunc, serve func(*Events, *Conn) error) {
		for _, inside := range []bool{true, false} {
			c, peer := connectScripted(t, pair, RoleServer)
			ev, log := recorder()
			if inside {
				ev.Open = func(c *Conn) {
					assert.NoError(t, c.Close(4000, ""))
					assert.ErrorIs(t, c.Close(4000, ""), net.ErrClosed)
				}
			}
			served := async(func() error { return serve(ev, c) })
			if !inside {
				waitUntil(t, c.reading)
				require.NoError(t, c.Close(4000, ""))
				assert.Equal(t, StateClosing, c.State())
			}
			peer.expectClose(4000)
			peer.sends(peer.text("late"), peer.closeFrame(4000, ""))
			require.NoError(t, within(t, time.Minute, served))
			assert.Equal(t, "close 4000", (*log)[len(*log)-1])
			assert.NotContains(t, *log, "text late")
		}
	})
}

// Drain is called once a queue that was full has been sent.
func TestServeDrain(t *testing.T) {
	overDrivers(t, func(t *testing.T, pair pairFunc, serve func(*Events, *Conn) error) {
		c, peer := connectScripted(t, pair, RoleServer, ConnConfig{SendLimit: stuckSize, Heartbeat: -1})
		drained := make(chan int64, 10)
		opened := make(chan struct{})
		ev := &Events{
			Open:  func(*Conn) { close(opened) },
			Drain: func(c *Conn) { drained <- c.BufferedAmount() },
		}
		go serve(ev, c)
		<-opened
		require.NoError(t, c.Send(MessageBinary, make([]byte, stuckSize-100)))
		assert.Len(t, peer.expect(OpBinary), stuckSize-100)
		assert.Zero(t, within(t, time.Minute, drained))
		require.NoError(t, c.Send(MessageText, []byte("small")))
		peer.expect(OpText)
		require.NoError(t, c.Flush(bg))
		assert.Empty(t, drained)
	})
}

// What comes before the rest of a message that a MessageReader began is told as
// ever; the rest is dropped.
func TestServeAfterReader(t *testing.T) {
	overDrivers(t, func(t *testing.T, pair pairFunc, serve func(*Events, *Conn) error) {
		c, peer := connectScripted(t, pair, RoleServer, ConnConfig{SendLimit: stuckSize, Heartbeat: -1})
		peer.sends(peer.frame(OpText, false, "begun"))
		_, r, err := c.Reader(bg)
		require.NoError(t, err)
		_, err = io.ReadFull(r, make([]byte, len("begun")))
		require.NoError(t, err)
		told := make(chan string, 10)
		go serve(&Events{
			Open:    func(c *Conn) { assert.NoError(t, c.Send(MessageBinary, make([]byte, stuckSize-100))) },
			Message: func(_ *Conn, _ MessageType, p []byte) { told <- string(p) },
			Ping:    func(_ *Conn, p []byte) { told <- "ping " + string(p) },
			Drain:   func(*Conn) { told <- "drain" },
		}, c)
		peer.expect(OpBinary)
		assert.Equal(t, "drain", within(t, time.Minute, told))
		peer.sends(peer.frame(OpPing, true, "1"))
		assert.Equal(t, "ping 1", within(t, time.Minute, told))
		peer.sends(peer.frame(OpContinuation, true, "rest"), peer.text("whole"))
		assert.Equal(t, "whole", within(t, time.Minute, told))
	})
}

// A callback that closes the connection does not wait for itself, there either.
func TestServeAfterReaderCloses(t *testing.T) {
	overDrivers(t, func(t *testing.T, pair pairFunc, serve func(*Events, *Conn) error) {
		c, peer := connectScripted(t, pair, RoleServer, ConnConfig{CloseTimeout: time.Hour, Heartbeat: -1})
		peer.sends(peer.frame(OpText, false, "begun"))
		_, r, err := c.Reader(bg)
		require.NoError(t, err)
		_, err = io.ReadFull(r, make([]byte, len("begun")))
		require.NoError(t, err)
		closed := make(chan error, 1)
		go serve(&Events{Ping: func(c *Conn, _ []byte) { closed <- c.Close(StatusGoingAway, "") }}, c)
		peer.sends(peer.frame(OpPing, true, "1"))
		assert.NoError(t, within(t, time.Minute, closed))
		require.NoError(t, c.CloseNow())
	})
}

// Serve is one call: the connection that ends during a callback has not ended
// before, whatever Serve is about then.
func TestServeEndsInACallback(t *testing.T) {
	end := func(c *Conn) { c.l.end(errNoHeartbeat, false) }
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for name, ev := range map[string]*Events{
			"Open": {Open: end},
			"Ping": {Ping: func(c *Conn, _ []byte) { end(c) }},
		} {
			for _, begun := range []bool{false, true} {
				c, peer := connectScripted(t, pair, RoleServer, ConnConfig{Heartbeat: -1})
				if begun {
					peer.sends(peer.frame(OpText, false, "begun"))
					_, _, err := c.Reader(bg)
					require.NoError(t, err)
				}
				peer.sends(peer.frame(OpPing, true, "1"))
				err := within(t, time.Minute, async(func() error { return ev.Serve(bg, c) }))
				assert.ErrorIs(t, err, ErrHeartbeat, name)
				assert.NotErrorIs(t, err, net.ErrClosed, "%s, begun %v", name, begun)
				peer.Close()
			}
		}
	})
}

// CloseRead: control frames are answered, the context ends with the connection,
// a data message closes with 1008, and Close waits for the end.
func TestCloseRead(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		type key struct{}
		c, peer := connectScripted(t, pair, RoleServer)
		ctx := c.CloseRead(context.WithValue(bg, key{}, 7))
		assert.Equal(t, 7, ctx.Value(key{}))
		peer.send(peer.frame(OpPing, true, "p"))
		assert.Equal(t, "p", peer.expect(OpPong))
		require.NoError(t, ctx.Err())
		peer.sends(peer.text("data"))
		peer.expectClose(StatusPolicyViolation)
		peer.sends(peer.closeFrame(StatusPolicyViolation, ""))
		within(t, time.Minute, ctx.Done())
		assert.Equal(t, StatusPolicyViolation, CloseStatus(context.Cause(ctx)))

		c, peer = connectScripted(t, pair, RoleServer)
		parent, cancel := context.WithCancel(bg)
		ctx = c.CloseRead(parent)
		cancel()
		within(t, time.Minute, ctx.Done())
		assert.Equal(t, StateOpen, c.State())
		closed := async(func() error { return c.Close(4000, "") })
		peer.expectClose(4000)
		select {
		case err := <-closed:
			require.FailNow(t, "Close did not wait", "%v", err)
		case <-c.Done():
			require.FailNow(t, "ended too early")
		case <-time.After(5 * time.Millisecond):
		}
		peer.sends(peer.closeFrame(4000, ""))
		require.NoError(t, within(t, time.Minute, closed))
		<-c.Done()
	})
}

// On a connection that is being closed, a driver is told so.
func TestServeWhileClosing(t *testing.T) {
	c, peer := connectScripted(t, pipePair, RoleServer)
	go io.Copy(io.Discard, peer.Conn)
	closed := make(chan error, 1)
	go func() { closed <- c.Close(StatusNormalClosure, "") }()
	waitUntil(t, c.reading)
	assert.ErrorIs(t, (&Events{}).Serve(bg, c), net.ErrClosed)
	require.NoError(t, c.CloseNow())
	require.Error(t, <-closed)
}
