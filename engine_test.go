package websocket

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/wstest"
)

// overEngines runs test once for each transport and each kind of Engine.
func overEngines(t *testing.T, test func(t *testing.T, pair pairFunc, e *Engine)) {
	t.Helper()
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for _, opts := range []*EngineOptions{nil, {Loops: 1, Blocking: true}} {
			t.Run(fmt.Sprintf("blocking %v", opts != nil), func(t *testing.T) { test(t, pair, newEngine(t, opts)) })
		}
	})
}

// newEngine returns an Engine that is shut down with the test, which must not
// take long.
func newEngine(t testing.TB, opts *EngineOptions) *Engine {
	e, err := NewEngine(opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(bg)
		cancel()
		_ = e.Shutdown(ctx)
		require.NoError(t, e.Shutdown(bg))
		require.Zero(t, e.Len())
	})
	return e
}

// A watched notes the callbacks of one connection. They may come from different
// goroutines, one after the other.
type watched struct {
	Events
	calls  chan string
	closed chan error
	inside atomic.Int32
}

func watch(t testing.TB) *watched {
	w := &watched{calls: make(chan string, 1000), closed: make(chan error, 10)}
	note := func(format string, args ...any) {
		assert.Equal(t, int32(1), w.inside.Add(1), "callbacks at once")
		w.calls <- fmt.Sprintf(format, args...)
		w.inside.Add(-1)
	}
	w.Events = Events{
		Open:    func(*Conn) { note("open") },
		Message: func(_ *Conn, t MessageType, p []byte) { note("%v %s", t, p) },
		Ping:    func(_ *Conn, p []byte) { note("ping %s", p) },
		Pong:    func(_ *Conn, p []byte) { note("pong %s", p) },
		Drain:   func(*Conn) { note("drain") },
		Close: func(c *Conn, err error) {
			assert.Equal(t, c.Err(), err)
			note("close")
			w.closed <- err
		},
	}
	return w
}

// log returns what has been called up to the end, which it waits for.
func (w *watched) log(t testing.TB, e *Engine) (calls []string, err error) {
	t.Helper()
	err = within(t, 20*time.Second, w.closed)
	waitUntil(t, func() bool { return e.Len() == 0 })
	assert.Empty(t, w.closed, "Close was called again")
	for {
		select {
		case call := <-w.calls:
			calls = append(calls, call)
		default:
			return calls, err
		}
	}
}

// The ways in which a connection ends, each with what Close is told.
var engineEnds = []struct {
	name string
	cfg  ConnConfig
	tcp  bool // it needs a socket
	act  func(t *testing.T, c *Conn, peer *scriptedPeer)
	code StatusCode
	is   error
}{
	{name: "the peer closes", code: 4000, act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
		peer.sends(peer.closeFrame(4000, "why"))
		peer.expectClose(4000)
		peer.expectEnd()
	}},
	{name: "the peer goes", is: io.ErrUnexpectedEOF, act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
		peer.Close()
	}},
	{name: "the peer resets", tcp: true, is: wstest.ErrReset, act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
		peer.Conn.(*net.TCPConn).SetLinger(0)
		peer.Close()
	}},
	{name: "the peer half-closes", tcp: true, is: io.ErrUnexpectedEOF, act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
		peer.Conn.(*net.TCPConn).CloseWrite()
		peer.expectEnd()
	}},
	{name: "the peer closes and half-closes", tcp: true, code: 4000, act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
		require.NoError(t, c.Send(MessageBinary, make([]byte, stuckSize)))
		peer.send(peer.closeFrame(4000, ""))
		peer.Conn.(*net.TCPConn).CloseWrite()
		time.Sleep(5 * time.Millisecond)
		assert.Len(t, peer.expect(OpBinary), stuckSize)
		peer.expectClose(4000)
		peer.expectEnd()
	}},
	{name: "bad frame", code: StatusProtocolError, act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
		peer.sends([]byte{0xf3, 0x80, 0, 0, 0, 0}, make([]byte, 100<<10))
		peer.expectClose(StatusProtocolError)
		peer.Close()
	}},
	{name: "bad text", code: StatusInvalidFramePayloadData, is: ErrInvalidText, act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
		peer.sends(peer.text("\xff"))
		peer.expectClose(StatusInvalidFramePayloadData)
		peer.Close()
	}},
	{
		name: "too big", cfg: ConnConfig{MaxMessageSize: 5, Heartbeat: -1}, code: StatusMessageTooBig, is: ErrMessageTooBig,
		act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
			peer.sends(peer.text("sixsix"))
			peer.expectClose(StatusMessageTooBig)
			peer.Close()
		},
	},
	{name: "a failure while the peer sends on", code: StatusProtocolError, act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
		flooded := make(chan struct{})
		go func() {
			defer close(flooded)
			for {
				if _, err := peer.Write(append([]byte{0xf3}, make([]byte, 10<<10)...)); err != nil {
					return
				}
			}
		}()
		peer.expectClose(StatusProtocolError)
		within(t, 20*time.Second, flooded)
	}},
	{
		name: "a failure that the peer does not read", tcp: true, code: StatusProtocolError,
		cfg: ConnConfig{CloseTimeout: 50 * time.Millisecond, SendLimit: -1, Heartbeat: -1},
		act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
			require.NoError(t, c.Send(MessageBinary, make([]byte, stuckSize)))
			peer.send([]byte{0xf3, 0x80, 0, 0, 0, 0})
			within(t, 10*time.Second, c.Done())
		},
	},
	{
		name: "a failure that the peer half-closes on and reads late", tcp: true, code: StatusProtocolError,
		act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
			require.NoError(t, c.Send(MessageBinary, make([]byte, stuckSize)))
			peer.send([]byte{0xf3, 0x80, 0, 0, 0, 0})
			peer.Conn.(*net.TCPConn).CloseWrite()
			time.Sleep(5 * time.Millisecond)
			assert.Len(t, peer.expect(OpBinary), stuckSize)
			peer.expectClose(StatusProtocolError)
		},
	},
	{name: "Close", code: 4001, act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
		require.NoError(t, c.Close(4001, "bye"))
		assert.Equal(t, "bye", peer.expectClose(4001))
		peer.sends(peer.text("late"), peer.closeFrame(4001, ""))
		peer.expectEnd()
	}},
	{
		name: "Close that the peer does not answer", is: os.ErrDeadlineExceeded,
		cfg: ConnConfig{CloseTimeout: 50 * time.Millisecond, Heartbeat: -1},
		act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
			require.NoError(t, c.Close(4001, "bye"))
			peer.expectClose(4001)
			peer.expectEnd()
		},
	},
	{name: "CloseNow", is: net.ErrClosed, act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
		require.NoError(t, c.CloseNow())
		require.ErrorIs(t, c.CloseNow(), net.ErrClosed)
		peer.expectEnd()
	}},
	{
		name: "no heartbeat", cfg: ConnConfig{Heartbeat: 20 * time.Millisecond, HeartbeatTimeout: 20 * time.Millisecond},
		is: ErrHeartbeat, act: func(t *testing.T, c *Conn, peer *scriptedPeer) {
			peer.expect(OpPing)
			peer.expectEnd()
		},
	},
}

// CHECKLIST 13, 14, 15: Open is called first, Close last, once and with the cause
// of the end, whatever that was; then every call says so.
func TestEngineEnds(t *testing.T) {
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		for _, tc := range engineEnds {
			t.Run(tc.name, func(t *testing.T) {
				cfg := tc.cfg
				if cfg.Heartbeat == 0 {
					cfg.Heartbeat = -1
				}
				if cfg.SendLimit == 0 {
					cfg.SendLimit = 2 * stuckSize
				}
				c, peer := connectScripted(t, pair, RoleServer, cfg)
				if _, ok := peer.Conn.(*net.TCPConn); tc.tcp && !ok {
					t.Skip("needs a socket")
				}
				w := watch(t)
				local, remote := c.LocalAddr(), c.RemoteAddr()
				require.NoError(t, e.Attach(c, &w.Events))
				assert.Equal(t, "open", within(t, 10*time.Second, w.calls))
				tc.act(t, c, peer)
				log, err := w.log(t, e)
				assert.Equal(t, "close", log[len(log)-1])
				assert.NotContains(t, log, "text late")
				assert.Equal(t, tc.code, CloseStatus(err), err)
				if tc.is != nil {
					require.ErrorIs(t, err, tc.is)
				} else {
					require.NotErrorIs(t, err, net.ErrClosed)
				}
				within(t, time.Second, c.Done())
				assert.Equal(t, local.String(), c.LocalAddr().String())
				assert.Equal(t, remote.String(), c.RemoteAddr().String())
				for name, call := range map[string]func() error{
					"Write":    func() error { return c.WriteText(bg, "x") },
					"Send":     func() error { return c.Send(MessageText, nil) },
					"Flush":    func() error { return c.Flush(bg) },
					"SendPing": func() error { return c.SendPing(nil) },
					"Close":    func() error { return c.Close(4000, "") },
					"CloseNow": c.CloseNow,
					"Attach":   func() error { return e.Attach(c, &w.Events) },
				} {
					require.ErrorIs(t, call(), net.ErrClosed, name)
				}
				assert.Zero(t, c.BufferedAmount())
				assert.Zero(t, e.Len())
			})
		}
	})
}

// A client waits for the server to close the transport, and no longer than
// CloseTimeout allows.
func TestEngineClient(t *testing.T) {
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		for _, closes := range []bool{true, false} {
			c, peer := connectScripted(t, pair, RoleClient, ConnConfig{CloseTimeout: 50 * time.Millisecond, Heartbeat: -1})
			w := watch(t)
			require.NoError(t, e.Attach(c, &w.Events))
			peer.sends(peer.text("a"), peer.closeFrame(4000, ""))
			peer.expectClose(4000)
			assert.Equal(t, StateClosing, c.State())
			if closes {
				peer.Close()
			}
			log, err := w.log(t, e)
			assert.Equal(t, []string{"open", "text a", "close"}, log)
			assert.Equal(t, StatusCode(4000), CloseStatus(err))
		}
	})
}

// CHECKLIST 31: a callback that panics or ends its goroutine closes the
// connection with 1011 and harms no other.
func TestEngineCallbackFails(t *testing.T) {
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		other, otherPeer := connectScripted(t, pair, RoleServer)
		echoes := &Events{Message: func(c *Conn, typ MessageType, p []byte) { c.Write(bg, typ, p) }}
		require.NoError(t, e.Attach(other, echoes))
		for _, where := range []string{"open", "message", "ping", "pong", "drain", "close"} {
			for _, how := range []string{"panic", "Goexit"} {
				var reported atomic.Int32
				c, peer := connectScripted(t, pair, RoleServer, ConnConfig{
					Heartbeat: -1, SendLimit: 100,
					Trace: &Trace{Panicked: func(any, []byte) { reported.Add(1) }},
				})
				closed := make(chan error, 5)
				fail := func(at string) {
					if at != where {
						return
					}
					if how == "panic" {
						panic("boom")
					}
					runtime.Goexit()
				}
				require.NoError(t, e.Attach(c, &Events{
					Open:    func(*Conn) { fail("open") },
					Message: func(*Conn, MessageType, []byte) { fail("message") },
					Ping:    func(*Conn, []byte) { fail("ping") },
					Pong:    func(*Conn, []byte) { fail("pong") },
					Drain:   func(*Conn) { fail("drain") },
					Close:   func(_ *Conn, err error) { closed <- err; fail("close") },
				}))
				code := StatusInternalError
				switch where {
				case "close":
					code = 4000
					peer.sends(peer.closeFrame(code, ""))
				case "drain":
					require.NoError(t, c.Send(MessageBinary, make([]byte, 90)))
				default:
					peer.sends(peer.text("a"), peer.frame(OpPing, true, ""), peer.frame(OpPong, true, ""))
				}
				peer.expectClose(code)
				if where != "close" {
					peer.sends(peer.closeFrame(code, ""))
				}
				peer.expectEnd()
				assert.Equal(t, code, CloseStatus(within(t, 10*time.Second, closed)), "%s in %s", how, where)
				waitUntil(t, func() bool { return e.Len() == 1 })
				assert.Empty(t, closed, "%s in %s", how, where)
				assert.Equal(t, how == "panic", reported.Load() == 1)
				otherPeer.sends(otherPeer.text("alive"))
				assert.Equal(t, "alive", otherPeer.expect(OpText))
			}
		}
	})
}
