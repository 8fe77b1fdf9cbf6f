package websocket

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// echo sends every message back until the connection ends, reading in the
// given way.
func echo(c *Conn, mode string) error {
	switch mode {
	case "read":
		for {
			typ, p, err := c.Read(bg)
			if err != nil {
				return err
			}
			if err := c.Write(bg, typ, p); err != nil {
				return err
			}
		}
	case "into":
		var buf []byte
		for {
			typ, p, err := c.ReadInto(bg, buf)
			if err != nil {
				return err
			}
			if err := c.Write(bg, typ, p); err != nil {
				return err
			}
			buf = p
		}
	case "messages":
		for m, err := range c.Messages(bg) {
			if err != nil {
				return err
			}
			if err := c.Write(bg, m.Type, m.Data); err != nil {
				return err
			}
		}
		return nil
	case "stream":
		for {
			typ, r, err := c.Reader(bg)
			if err != nil {
				return err
			}
			w, err := c.Writer(bg, typ)
			if err != nil {
				return err
			}
			if _, err := io.Copy(w, r); err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
		}
	case "serve":
		ev := &Events{Message: func(c *Conn, t MessageType, p []byte) { c.Write(bg, t, p) }}
		return ev.Serve(bg, c)
	case "engine", "engine blocking":
		return serveEngine(c, &EngineOptions{Blocking: mode != "engine"}, &Events{
			Message: func(c *Conn, t MessageType, p []byte) { c.Write(bg, t, p) },
		})
	}
	panic(mode)
}

var modes = []string{"read", "into", "messages", "stream", "serve", "engine", "engine blocking"}

// drivers are the ways of driving a connection with callbacks until it ends.
var drivers = map[string]func(ev *Events, c *Conn) error{
	"serve":  func(ev *Events, c *Conn) error { return ev.Serve(bg, c) },
	"engine": func(ev *Events, c *Conn) error { return serveEngine(c, nil, ev) },
	"engine blocking": func(ev *Events, c *Conn) error {
		return serveEngine(c, &EngineOptions{Blocking: true}, ev)
	},
}

// overDrivers runs test once over each transport with each driver.
func overDrivers(t *testing.T, test func(t *testing.T, pair pairFunc, serve func(ev *Events, c *Conn) error)) {
	t.Helper()
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for name, serve := range drivers {
			t.Run(name, func(t *testing.T) { test(t, pair, serve) })
		}
	})
}

// serveEngine is Events.Serve by an Engine of its own.
func serveEngine(c *Conn, opts *EngineOptions, ev *Events) error {
	e, err := NewEngine(opts)
	if err != nil {
		return err
	}
	if err := e.Attach(c, ev); err != nil {
		return err
	}
	<-c.Done()
	if err := e.Shutdown(bg); err != nil {
		return err
	}
	if err := c.Err(); !c.l.endedWell(err) {
		return err
	}
	return nil
}

func TestEcho(t *testing.T) {
	sizes := []int{0, 1, 125, 126, 127, 4095, 4096, 4097, 65535, 65536, 70000, 1 << 20}
	overTransports(t, func(t *testing.T, pair func(testing.TB) (net.Conn, net.Conn)) {
		for _, mode := range modes {
			t.Run(mode, func(t *testing.T) {
				client, server := connectPair(t, pair, ConnConfig{SendLimit: 4 << 20})
				done := make(chan error, 1)
				go func() { done <- echo(server, mode) }()
				for _, size := range sizes {
					for _, typ := range []MessageType{MessageText, MessageBinary} {
						want := bytes.Repeat([]byte("\u00e9a€."), size/7+1)[:0]
						want = append(want, bytes.Repeat([]byte("é"), size/2)...)
						want = append(want, bytes.Repeat([]byte("x"), size%2)...)
						require.Len(t, want, size)
						keep := bytes.Clone(want)
						written := make(chan error, 1)
						go func() { written <- client.Write(bg, typ, want) }()
						got, p, err := client.Read(bg)
						require.NoError(t, err)
						require.NoError(t, <-written)
						assert.True(t, bytes.Equal(keep, want), "Write changed its argument")
						assert.Equal(t, typ, got)
						require.True(t, bytes.Equal(want, p), "size %d came back as %d", size, len(p))
					}
				}
				require.NoError(t, client.Close(StatusNormalClosure, "done"))
				err := <-done
				if mode != "read" && mode != "into" && mode != "stream" {
					require.NoError(t, err)
				} else {
					var ce *CloseError
					require.ErrorAs(t, err, &ce)
					assert.Equal(t, CloseError{Code: StatusNormalClosure, Reason: "done", Remote: true}, *ce)
				}
				<-server.Done()
				assert.Equal(t, StatusNormalClosure, CloseStatus(server.Err()))
				assert.Equal(t, StatusNormalClosure, CloseStatus(client.Err()))
			})
		}
	})
}

func TestPipelined(t *testing.T) {
	overTransports(t, func(t *testing.T, pair func(testing.TB) (net.Conn, net.Conn)) {
		for _, mode := range modes {
			t.Run(mode, func(t *testing.T) {
				client, server := connectPair(t, pair)
				go echo(server, mode)
				const n = 2000
				go func() {
					for i := range n {
						if client.WriteText(bg, fmt.Sprint("message ", i, strings.Repeat(".", i%300))) != nil {
							return
						}
					}
				}()
				var buf []byte
				for i := range n {
					var err error
					_, buf, err = client.ReadInto(bg, buf)
					require.NoError(t, err)
					require.Equal(t, fmt.Sprint("message ", i, strings.Repeat(".", i%300)), string(buf))
				}
			})
		}
	})
}

func TestCancelledReadLosesNothing(t *testing.T) {
	overTransports(t, func(t *testing.T, pair func(testing.TB) (net.Conn, net.Conn)) {
		client, server := connectPair(t, pair)
		for i := range 50 {
			ctx, cancel := context.WithTimeout(bg, time.Duration(i%4)*time.Millisecond)
			_, _, err := server.Read(ctx)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		ctx, cancel := context.WithCancel(bg)
		time.AfterFunc(5*time.Millisecond, cancel)
		_, _, err := server.ReadInto(ctx, make([]byte, 10))
		require.ErrorIs(t, err, context.Canceled)
		go client.WriteText(bg, "still here")
		_, p, err := server.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, "still here", string(p))
	})
}

func TestConcurrentWriters(t *testing.T) {
	overTransports(t, func(t *testing.T, pair func(testing.TB) (net.Conn, net.Conn)) {
		client, server := connectPair(t, pair)
		const writers, each = 8, 200
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					msg := fmt.Sprint(w, " ", i, strings.Repeat("x", (w*i*37)%40000))
					ctx, cancel := context.WithCancel(bg)
					switch i % 3 {
					case 0:
						assert.NoError(t, server.WriteText(ctx, msg))
					case 1:
						assert.NoError(t, server.WriteText(bg, msg))
					case 2:
						mw, err := server.Writer(ctx, MessageText)
						if assert.NoError(t, err) {
							mw.WriteString(msg[:1])
							mw.WriteString(msg[1:])
							assert.NoError(t, mw.Close())
						}
					}
					cancel()
					server.SendPing([]byte("p"))
				}
			})
		}
		next := make([]int, writers)
		for range writers * each {
			_, p, err := client.Read(bg)
			require.NoError(t, err)
			var w, i int
			_, err = fmt.Sscanf(strings.TrimRight(string(p), "x"), "%d %d", &w, &i)
			require.NoError(t, err)
			require.Equal(t, next[w], i)
			require.Len(t, p, len(fmt.Sprint(w, " ", i))+(w*i*37)%40000)
			next[w]++
		}
		wg.Wait()
	})
}

func TestHeartbeat(t *testing.T) {
	a, b := net.Pipe()
	go io.Copy(io.Discard, b)
	c, err := NewConn(a, &ConnConfig{Role: RoleServer, Heartbeat: 20 * time.Millisecond, HeartbeatTimeout: 20 * time.Millisecond})
	require.NoError(t, err)
	_, _, err = c.Read(bg)
	require.ErrorIs(t, err, ErrHeartbeat)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NotErrorIs(t, err, net.ErrClosed)
	_, _, err = c.Read(bg)
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, err, ErrHeartbeat)
	b.Close()
}

func TestCloseBothWaysAtOnce(t *testing.T) {
	overTransports(t, func(t *testing.T, pair func(testing.TB) (net.Conn, net.Conn)) {
		client, server := connectPair(t, pair)
		var wg sync.WaitGroup
		wg.Go(func() { client.Close(StatusGoingAway, "a") })
		wg.Go(func() { server.Close(StatusNormalClosure, "b") })
		wg.Wait()
		<-client.Done()
		<-server.Done()
		assert.NotZero(t, CloseStatus(client.Err()), client.Err())
		assert.NotZero(t, CloseStatus(server.Err()), server.Err())
	})
}

// A pong answers the pings before it (RFC 6455, section 5.5.3), so their numbers tell their order.
func TestPingsGoOutInOrder(t *testing.T) {
	var p pinger
	var last atomic.Uint64
	var pings sync.WaitGroup
	for range 8 {
		pings.Go(func() {
			for range 1000 {
				n, _, _ := p.ping(func(payload []byte) error {
					said := binary.BigEndian.Uint64(payload)
					runtime.Gosched()
					assert.Less(t, last.Swap(said), said)
					return nil
				})
				p.forget(n)
			}
		})
	}
	pings.Wait()
}

// A Ping that begins while the connection ends learns of that, and does not wait for the body of
// a loop.
func TestPingAsItEnds(t *testing.T) {
	for range 500 {
		a, b := net.Pipe()
		c, err := NewConn(a, &ConnConfig{Role: RoleClient, Heartbeat: -1})
		require.NoError(t, err)
		go io.Copy(io.Discard, b)
		in, out := make(chan struct{}), make(chan struct{})
		go func() {
			for range c.Messages(bg) {
				close(in)
				<-out
			}
		}()
		b.Write([]byte{0x81, 1, 'x'})
		<-in
		var pinging sync.WaitGroup
		for range 4 {
			pinging.Go(func() {
				for c.State() == StateOpen {
					c.Ping(bg)
				}
			})
		}
		c.CloseNow()
		within(t, time.Minute, async(func() bool { pinging.Wait(); return true }))
		close(out)
		<-c.Done()
		b.Close()
	}
}

func TestPing(t *testing.T) {
	overTransports(t, func(t *testing.T, pair func(testing.TB) (net.Conn, net.Conn)) {
		client, server := connectPair(t, pair)
		go server.Read(bg)
		ctx := client.CloseRead(bg)
		for range 100 {
			_, err := client.Ping(bg)
			require.NoError(t, err)
		}
		server.CloseNow()
		<-ctx.Done()
	})
}
