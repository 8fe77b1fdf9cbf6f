package websocket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/wstest"
)

// An Engine's own listener: connections are driven by what Accept chose, other
// requests go to the Fallback, and Shutdown ends it all.
func TestEngineServe(t *testing.T) {
	e, err := NewEngine(nil)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	echoes := &Events{Message: func(c *Conn, mt MessageType, p []byte) {
		_ = c.Write(bg, mt, append([]byte(c.UserData().(string)), p...))
	}}
	served := async(func() error {
		return e.Serve(l, &ListenOptions{
			Upgrade: &UpgradeOptions{Compression: &Compression{}},
			Accept: func(h *Handshake) error {
				h.UserData = h.Request.URL.Path + " "
				return nil
			},
			Fallback: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
		}, echoes)
	})
	c, err := Dial(bg, "ws://"+l.Addr().String()+"/room", &DialOptions{Compression: &Compression{}})
	require.NoError(t, err)
	assert.NotEmpty(t, c.Extensions())
	require.NoError(t, c.WriteText(bg, "hello"))
	_, p, err := c.Read(bg)
	require.NoError(t, err)
	assert.Equal(t, "/room hello", string(p))
	resp, err := http.Get("http://" + l.Addr().String())
	require.NoError(t, err)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	assert.Equal(t, http.StatusTeapot, resp.StatusCode)
	assert.Equal(t, 1, e.Len())
	done := async(func() error { _, _, err := c.Read(bg); return err })
	require.NoError(t, e.Shutdown(bg))
	assert.Equal(t, StatusGoingAway, CloseStatus(within(t, time.Minute, done)))
	require.ErrorIs(t, within(t, time.Minute, served), ErrEngineClosed)
	assert.Zero(t, e.Len())
	require.ErrorIs(t, e.Serve(l, nil, echoes), ErrEngineClosed)
}

func TestEngineServeRefuses(t *testing.T) {
	e, err := NewEngine(nil)
	require.NoError(t, err)
	defer e.Shutdown(bg)
	require.Error(t, e.Serve(nil, nil, &Events{}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.Error(t, e.Serve(l, nil, nil))
	require.ErrorContains(t, e.Serve(l, &ListenOptions{Upgrade: &UpgradeOptions{OriginPatterns: []string{"%"}}}, &Events{}), "%")
	require.NoError(t, l.Close())
	err = e.Serve(l, nil, &Events{})
	require.True(t, errors.Is(err, net.ErrClosed), "%v", err)
}

// A bareListener cannot be compared, nor be the key of a map.
type bareListener struct {
	net.Listener
	_ func()
}

// Any kind of listener is accepted from, twice at once too, and Shutdown ends
// both calls.
func TestEngineServeAnyListener(t *testing.T) {
	e, err := NewEngine(nil)
	require.NoError(t, err)
	under, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := bareListener{Listener: under}
	first := async(func() error { return e.Serve(l, nil, &Events{}) })
	second := async(func() error { return e.Serve(l, nil, &Events{}) })
	waitUntil(t, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.accept) == 2
	})
	var none context.Context
	require.ErrorIs(t, e.Shutdown(none), errNilContext)
	require.NoError(t, e.Shutdown(bg))
	require.ErrorIs(t, within(t, time.Minute, first), ErrEngineClosed)
	require.ErrorIs(t, within(t, time.Minute, second), ErrEngineClosed)
}

// A wayIn is one of the ways in which Serve comes by a connection.
type wayIn struct {
	name string
	// serve has e serve a listener, and returns it when connections come in this way.
	serve func(t *testing.T, e *Engine, opts *ListenOptions, ev *Events) (l net.Listener, served <-chan error)
	check func(t *testing.T, c *Conn) // that c has come in this way
}

// waysIn has more of them on some systems.
var waysIn = []wayIn{{
	name: "net",
	serve: func(t *testing.T, e *Engine, opts *ListenOptions, ev *Events) (net.Listener, <-chan error) {
		under, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		l := bareListener{Listener: under}
		return l, async(func() error { return e.Serve(l, opts, ev) })
	},
	check: func(*testing.T, *Conn) {},
}}

// overWaysIn runs test for each way and each kind of Engine. The listener is closed
// with the test.
func overWaysIn(t *testing.T, test func(t *testing.T, e *Engine, serve func(opts *ListenOptions, ev *Events) (net.Listener, <-chan error))) {
	for _, w := range waysIn {
		for _, opts := range []*EngineOptions{nil, {Loops: 1, Blocking: true}} {
			t.Run(fmt.Sprintf("%s, blocking %v", w.name, opts != nil), func(t *testing.T) {
				e := newEngine(t, opts)
				test(t, e, func(opts *ListenOptions, ev *Events) (net.Listener, <-chan error) {
					checked := *ev
					checked.Open = func(c *Conn) {
						if opts == nil || opts.Accept == nil {
							w.check(t, c)
						}
						if ev.Open != nil {
							ev.Open(c)
						}
					}
					l, served := w.serve(t, e, opts, &checked)
					ended := make(chan error, 1)
					go func() { ended <- <-served }()
					t.Cleanup(func() { l.Close() })
					return l, ended
				})
			})
		}
	}
}

var echoAll = &Events{Message: func(c *Conn, typ MessageType, p []byte) { _ = c.Write(bg, typ, p) }}

// expectEcho sends a message and gets it back.
func expectEcho(t *testing.T, c *Conn) {
	t.Helper()
	require.NoError(t, c.WriteText(bg, "hello"))
	_, p, err := c.Read(bg)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(p))
}

// Everything at once: WebSockets, other requests, the count, and the end of it all.
func TestEngineServesAnyWay(t *testing.T) {
	overWaysIn(t, func(t *testing.T, e *Engine, serve func(*ListenOptions, *Events) (net.Listener, <-chan error)) {
		l, served := serve(&ListenOptions{
			Upgrade: &UpgradeOptions{Compression: &Compression{Threshold: -1}, Subprotocols: []string{"chat"}},
			Fallback: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_, _ = io.WriteString(w, r.Method+" "+r.URL.Path+" "+string(body))
			}),
		}, echoAll)
		url := "ws://" + l.Addr().String()
		var conns []*Conn
		for range 20 {
			c, err := Dial(bg, url, &DialOptions{Compression: &Compression{Threshold: -1}, Subprotocols: []string{"chat"}})
			require.NoError(t, err)
			defer c.CloseNow()
			assert.NotEmpty(t, c.Extensions())
			assert.Equal(t, "chat", c.Subprotocol())
			conns = append(conns, c)
		}
		for _, c := range conns {
			expectEcho(t, c)
		}
		assert.Equal(t, len(conns), e.Len())
		require.NoError(t, conns[0].Close(StatusNormalClosure, ""))
		require.NoError(t, conns[1].CloseNow())
		waitUntil(t, func() bool { return e.Len() == len(conns)-2 })

		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		for range 2 {
			resp, err := client.Post("http://"+l.Addr().String()+"/page", "text/plain", strings.NewReader("body"))
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, "POST /page body", string(body))
			assert.True(t, resp.Close)
		}
		ended := async(func() error { _, _, err := conns[2].Read(bg); return err })
		for _, c := range conns[3:] {
			c.CloseRead(bg)
		}
		require.NoError(t, e.Shutdown(bg))
		assert.Equal(t, StatusGoingAway, CloseStatus(within(t, time.Minute, ended)))
		require.ErrorIs(t, within(t, time.Minute, served), ErrEngineClosed)
		assert.Zero(t, e.Len())
		_, err := Dial(bg, url, nil)
		require.Error(t, err)
	})
}

// CHECKLIST 21: a request may come in any pieces, and frames right behind it.
func TestEngineServeReadsPieces(t *testing.T) {
	frame := wstest.Wire(wstest.TextFrame("early").Masked())
	large := wstest.Wire(wstest.TextFrame(strings.Repeat("x", 8<<10)).Masked())
	overWaysIn(t, func(t *testing.T, e *Engine, serve func(*ListenOptions, *Events) (net.Listener, <-chan error)) {
		l, _ := serve(nil, echoAll)
		long := rawRequest + "Cookie: " + strings.Repeat("x", 9<<10) + "\r\n\r\n"
		for name, pieces := range map[string][]string{
			"whole":              {browserRequest},
			"a frame behind":     {browserRequest + string(frame)},
			"a large one":        {browserRequest + string(large)},
			"half a frame":       {browserRequest + string(frame[:4]), string(frame[4:])},
			"cut":                {browserRequest[:1], browserRequest[1:50], browserRequest[50:]},
			"cut at the end":     {browserRequest[:len(browserRequest)-1], browserRequest[len(browserRequest)-1:] + string(frame)},
			"a long one":         {long},
			"a long one, pieces": {long[:3000], long[3000:6000], long[6000:]},
		} {
			t.Run(name, func(t *testing.T) {
				nc, err := net.Dial("tcp", l.Addr().String())
				require.NoError(t, err)
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(20 * time.Second))
				for i, piece := range pieces {
					if i > 0 {
						time.Sleep(5 * time.Millisecond)
					}
					_, err := io.WriteString(nc, piece)
					require.NoError(t, err)
				}
				br := bufio.NewReader(nc)
				resp, err := http.ReadResponse(br, nil)
				require.NoError(t, err)
				_, err = checkResponse(resp, sampleKey, nil, &deflation{})
				require.NoError(t, err)
				want := 0
				switch name {
				case "a frame behind", "half a frame", "cut at the end":
					want = 2 + len("early")
				case "a large one":
					want = 4 + 8<<10
				}
				_, err = io.ReadFull(br, make([]byte, want))
				require.NoError(t, err)
				_, err = nc.Write(frame)
				require.NoError(t, err)
				_, err = io.ReadFull(br, make([]byte, 7))
				require.NoError(t, err)
				assert.Zero(t, br.Buffered())
			})
		}
	})
}

// Who asks for something else is told what is wrong, and can read it even if it has
// sent more than was looked at.
func TestEngineServeRefusesRequests(t *testing.T) {
	overWaysIn(t, func(t *testing.T, e *Engine, serve func(*ListenOptions, *Events) (net.Listener, <-chan error)) {
		l, _ := serve(nil, &Events{})
		for request, status := range map[string]int{
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                                  426,
			"GET / HTTP/1.1\nHost: a\n\n":                                        400,
			"\x16\x03\x01\x00":                                                   400,
			strings.Replace(rawRequest, "GET", "POST", 1) + "\r\n":               405,
			rawRequest + "Origin: https://example.org\r\n\r\n":                   403,
			rawRequest + "Cookie: " + strings.Repeat("x", 100<<10):               431,
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + strings.Repeat("more", 10<<10): 426,
		} {
			nc, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			nc.SetDeadline(time.Now().Add(20 * time.Second))
			_, err = io.WriteString(nc, request)
			require.NoError(t, err)
			resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
			require.NoError(t, err)
			assert.Equal(t, status, resp.StatusCode, "%.20q", request)
			assert.True(t, resp.Close)
			_, err = io.ReadAll(resp.Body)
			require.NoError(t, err)
			nc.Close()
		}
		assert.Zero(t, e.Len())
	})
}

// CHECKLIST 23: slow handshakes are bounded in time, and only they.
func TestEngineServeTimeout(t *testing.T) {
	const bound = 150 * time.Millisecond
	overWaysIn(t, func(t *testing.T, e *Engine, serve func(*ListenOptions, *Events) (net.Listener, <-chan error)) {
		l, _ := serve(&ListenOptions{Upgrade: &UpgradeOptions{HandshakeTimeout: bound}}, echoAll)
		var slow []net.Conn
		begin := time.Now()
		for _, sent := range []string{"", "GET / HTTP/1.1\r\nHo"} {
			nc, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			defer nc.Close()
			_, err = io.WriteString(nc, sent)
			require.NoError(t, err)
			slow = append(slow, nc)
		}
		quick, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer quick.Close()
		time.Sleep(bound / 10)
		_, err = io.WriteString(quick, browserRequest)
		require.NoError(t, err)
		for _, nc := range slow {
			nc.SetReadDeadline(time.Now().Add(20 * time.Second))
			_, err := nc.Read(make([]byte, 1))
			require.Error(t, err)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.GreaterOrEqual(t, time.Since(begin), bound)
		}
		time.Sleep(bound)
		br := bufio.NewReader(quick)
		_, err = http.ReadResponse(br, nil)
		require.NoError(t, err)
		_, err = quick.Write(wstest.Wire(wstest.TextFrame("x").Masked()))
		require.NoError(t, err)
		_, err = io.ReadFull(br, make([]byte, 3))
		require.NoError(t, err, "its handshake was over in time")
	})
}

// Clients who go away in the middle of their request leave nothing behind.
func TestEngineServeForgetsTheGone(t *testing.T) {
	overWaysIn(t, func(t *testing.T, e *Engine, serve func(*ListenOptions, *Events) (net.Listener, <-chan error)) {
		l, _ := serve(&ListenOptions{Upgrade: &UpgradeOptions{HandshakeTimeout: -1}}, echoAll)
		for _, sent := range []string{"", "GET / HTTP/1.1\r\nHo", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", browserRequest} {
			for _, reset := range []bool{false, true} {
				nc, err := net.Dial("tcp", l.Addr().String())
				require.NoError(t, err)
				_, err = io.WriteString(nc, sent)
				require.NoError(t, err)
				if reset {
					nc.(*net.TCPConn).SetLinger(0)
				}
				nc.Close()
			}
		}
		c, err := Dial(bg, "ws://"+l.Addr().String(), nil)
		require.NoError(t, err)
		defer c.CloseNow()
		expectEcho(t, c)
		waitUntil(t, func() bool { return e.Len() == 1 })
	})
}

// A panic or runtime.Goexit in a callback ends its connection alone.
func TestEngineServeContainsCallbacks(t *testing.T) {
	overWaysIn(t, func(t *testing.T, e *Engine, serve func(*ListenOptions, *Events) (net.Listener, <-chan error)) {
		var opened atomic.Int32
		l, _ := serve(&ListenOptions{Upgrade: &UpgradeOptions{Trace: &Trace{Panicked: func(any, []byte) {}}}}, &Events{
			Open: func(*Conn) {
				switch opened.Add(1) {
				case 1:
					panic("boom")
				case 2:
					runtime.Goexit()
				}
			},
			Message: echoAll.Message,
		})
		for i := range 3 {
			c, err := Dial(bg, "ws://"+l.Addr().String(), nil)
			require.NoError(t, err)
			defer c.CloseNow()
			if i == 2 {
				expectEcho(t, c)
				break
			}
			_, _, err = c.Read(bg)
			assert.Equal(t, StatusInternalError, CloseStatus(err), "%v", err)
		}
		waitUntil(t, func() bool { return e.Len() == 1 })
	})
}

// A callback of the options that waits holds nobody else up.
func TestEngineServeAcceptMayWait(t *testing.T) {
	overWaysIn(t, func(t *testing.T, e *Engine, serve func(*ListenOptions, *Events) (net.Listener, <-chan error)) {
		waits, leave := make(chan struct{}), make(chan struct{})
		l, _ := serve(&ListenOptions{Accept: func(h *Handshake) error {
			if h.Request.URL.Path == "/slow" {
				close(waits)
				<-leave
			}
			return nil
		}}, echoAll)
		slow := async(func() error {
			c, err := Dial(bg, "ws://"+l.Addr().String()+"/slow", nil)
			if err == nil {
				c.CloseNow()
			}
			return err
		})
		<-waits
		for range 10 {
			c, err := Dial(bg, "ws://"+l.Addr().String(), nil)
			require.NoError(t, err)
			expectEcho(t, c)
			c.CloseNow()
		}
		close(leave)
		require.NoError(t, within(t, time.Minute, slow))
	})
}

// CHECKLIST 30: connections come in every state while the engine ends.
func TestEngineServeRaces(t *testing.T) {
	for n := range 8 {
		w := waysIn[n%len(waysIn)]
		e, err := NewEngine(&EngineOptions{Loops: 1 + n%3, Blocking: n/2%2 == 1})
		require.NoError(t, err)
		var open atomic.Int32
		l, served := w.serve(t, e, &ListenOptions{Fallback: http.NotFoundHandler()}, &Events{
			Open:    func(*Conn) { open.Add(1) },
			Message: echoAll.Message,
			Close:   func(*Conn, error) { open.Add(-1) },
		})
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 10 {
					nc, err := net.Dial("tcp", l.Addr().String())
					if err != nil {
						return
					}
					request := []string{rawRequest + "\r\n", rawRequest, "", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "nonsense\n"}[(i+j)%5]
					_, _ = io.WriteString(nc, request)
					if j%2 == 0 {
						nc.SetReadDeadline(time.Now().Add(rand.N(3 * time.Millisecond)))
						_, _ = nc.Read(make([]byte, 100))
					}
					nc.Close()
				}
			})
		}
		time.Sleep(rand.N(10 * time.Millisecond))
		if n%3 == 0 {
			l.Close()
		}
		require.NoError(t, e.Shutdown(bg))
		if err := within(t, time.Minute, served); n%3 != 0 || !errors.Is(err, net.ErrClosed) {
			require.ErrorIs(t, err, ErrEngineClosed)
		}
		all.Wait()
		require.Zero(t, open.Load(), "Open and Close called as often")
		require.Zero(t, e.Len())
	}
}

// CHECKLIST 14 and 23: clients who send no request do not hold Serve up once the
// listener has ended, however long a handshake may take.
func TestEngineServeEndsHandshakes(t *testing.T) {
	for name, end := range map[string]func(e *Engine, l net.Listener) error{
		"Shutdown": func(e *Engine, _ net.Listener) error { return e.Shutdown(bg) },
		"Close":    func(_ *Engine, l net.Listener) error { return l.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			overWaysIn(t, func(t *testing.T, e *Engine, serve func(*ListenOptions, *Events) (net.Listener, <-chan error)) {
				l, served := serve(&ListenOptions{Upgrade: &UpgradeOptions{HandshakeTimeout: -1}}, &Events{})
				var silent []net.Conn
				for _, sent := range []string{"", "GET / HT"} {
					nc, err := net.Dial("tcp", l.Addr().String())
					require.NoError(t, err)
					defer nc.Close()
					_, err = io.WriteString(nc, sent)
					require.NoError(t, err)
					silent = append(silent, nc)
				}
				// The one behind them has been answered, so they have been accepted.
				c, err := Dial(bg, "ws://"+l.Addr().String(), nil)
				require.NoError(t, err)
				defer c.CloseNow()
				c.CloseRead(bg)
				require.NoError(t, end(e, l))
				require.Error(t, within(t, 5*time.Second, served))
				for _, nc := range silent {
					nc.SetReadDeadline(time.Now().Add(20 * time.Second))
					_, err = nc.Read(make([]byte, 1))
					require.Error(t, err)
					require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
				}
				assert.Equal(t, name == "Close", c.l.isOpen())
			})
		})
	}
}

// A lateListener's connections call late before they are first written to.
type lateListener struct {
	net.Listener
	late func()
}

func (l lateListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return &lateConn{Conn: nc, late: l.late}, err
}

type lateConn struct {
	net.Conn
	late func()
	once sync.Once
}

func (c *lateConn) Write(p []byte) (int, error) {
	c.once.Do(c.late)
	return c.Conn.Write(p)
}

// RFC 6455, section 4.2.2: whoever has been told that the handshake has succeeded has
// a connection, and is told of its end as others are, however soon that comes.
func TestEngineServeEndsWhatItAnswers(t *testing.T) {
	e := newEngine(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	shut := make(chan (<-chan error), 1)
	late := lateListener{l, func() {
		shut <- async(func() error { return e.Shutdown(bg) })
		for closed, _ := e.ending(); !closed; closed, _ = e.ending() {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond) // the handshakes under way have been ended
	}}
	served := async(func() error { return e.Serve(late, nil, &Events{}) })
	c, err := Dial(bg, "ws://"+l.Addr().String(), nil)
	require.NoError(t, err)
	_, _, err = c.Read(bg)
	assert.Equal(t, StatusGoingAway, CloseStatus(err), err)
	require.NoError(t, within(t, 10*time.Second, <-shut))
	require.ErrorIs(t, within(t, 10*time.Second, served), ErrEngineClosed)
}

// CHECKLIST 23: a request whose body does not come holds no connection of the Fallback.
func TestFallbackIsBounded(t *testing.T) {
	overWaysIn(t, func(t *testing.T, _ *Engine, serve func(*ListenOptions, *Events) (net.Listener, <-chan error)) {
		l, _ := serve(&ListenOptions{Fallback: http.NotFoundHandler()}, &Events{})
		bodies := []string{"Content-Length: 1000", "Transfer-Encoding: chunked"}
		var conns []net.Conn
		for _, body := range bodies {
			nc, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			defer nc.Close()
			_, err = io.WriteString(nc, "POST / HTTP/1.1\r\nHost: x\r\n"+body+"\r\n\r\n")
			require.NoError(t, err)
			conns = append(conns, nc)
		}
		for i, nc := range conns {
			require.NoError(t, nc.SetReadDeadline(time.Now().Add(20*time.Second)))
			answer, err := io.ReadAll(nc)
			require.NoError(t, err, bodies[i])
			assert.Contains(t, string(answer), "404 Not Found")
		}
	})
}

// A Fallback's handler may hijack its connection, which then is its own.
func TestFallbackHijacked(t *testing.T) {
	overWaysIn(t, func(t *testing.T, _ *Engine, serve func(*ListenOptions, *Events) (net.Listener, <-chan error)) {
		l, _ := serve(&ListenOptions{Fallback: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			nc, _, err := http.NewResponseController(w).Hijack()
			if assert.NoError(t, err) {
				go func() {
					time.Sleep(lingerTime + 100*time.Millisecond)
					_, _ = io.WriteString(nc, "mine")
					_ = nc.Close()
				}()
			}
		})}, &Events{})
		nc, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer nc.Close()
		_, err = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		answer, err := io.ReadAll(nc)
		require.NoError(t, err)
		assert.Equal(t, "mine", string(answer))
	})
}

// A peer that does not answer the close frame then does not hold Serve up.
func TestEngineServeEndsBesideSilentPeer(t *testing.T) {
	e := newEngine(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	late := lateListener{l, func() {
		ctx, cancel := context.WithCancel(bg)
		cancel()
		_ = e.Shutdown(ctx)
	}}
	served := async(func() error {
		return e.Serve(late, &ListenOptions{Upgrade: &UpgradeOptions{CloseTimeout: -1}}, &Events{})
	})
	nc, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer nc.Close()
	_, err = io.WriteString(nc, rawRequest+"\r\n")
	require.NoError(t, err)
	require.ErrorIs(t, within(t, 20*time.Second, served), ErrEngineClosed)
}

// Whoever calls Serve after Shutdown must not leave clients to a listener that nobody
// accepts from.
func TestEngineServeAfterShutdownClosesListener(t *testing.T) {
	e := newEngine(t, nil)
	require.NoError(t, e.Shutdown(bg))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.ErrorIs(t, e.Serve(l, nil, &Events{}), ErrEngineClosed)
	require.ErrorIs(t, l.Close(), net.ErrClosed, "it was open")
}

// An Accept that ends its goroutine (runtime.Goexit) ends its connection alone.
func TestEngineServeAcceptEndsGoroutine(t *testing.T) {
	e := newEngine(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := async(func() error {
		return e.Serve(l, &ListenOptions{Accept: func(h *Handshake) error {
			if h.Request.URL.Path == "/exit" {
				runtime.Goexit()
			}
			return nil
		}}, echoAll)
	})
	gone := async(func() error {
		_, err := Dial(bg, "ws://"+l.Addr().String()+"/exit", &DialOptions{HandshakeTimeout: -1})
		return err
	})
	require.Error(t, within(t, 5*time.Second, gone))
	c, err := Dial(bg, "ws://"+l.Addr().String(), nil)
	require.NoError(t, err)
	expectEcho(t, c)
	require.NoError(t, c.CloseNow())
	require.NoError(t, e.Shutdown(bg))
	require.ErrorIs(t, within(t, 5*time.Second, served), ErrEngineClosed)
}

// A listener whose deadline has passed has failed: Serve says so.
func TestServeEndsWithTheDeadlineOfItsListener(t *testing.T) {
	e := newEngine(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(20*time.Millisecond)))
	require.ErrorIs(t, e.Serve(l, nil, &Events{}), os.ErrDeadlineExceeded)
}

// Shutdown ends a refusal that nobody reads, however long a handshake may take.
func TestShutdownEndsARefusal(t *testing.T) {
	e := newEngine(t, nil)
	near, far := net.Pipe()
	l := wstest.Listen(func(net.Conn) net.Conn { return near })
	served := async(func() error {
		return e.Serve(l, &ListenOptions{Upgrade: &UpgradeOptions{HandshakeTimeout: -1}}, &Events{})
	})
	_, err := l.Dial(bg, "", "")
	require.NoError(t, err)
	_, err = io.WriteString(far, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	time.Sleep(20 * time.Millisecond) // it is being answered
	require.NoError(t, e.Shutdown(bg))
	require.ErrorIs(t, within(t, 8*time.Second, served), ErrEngineClosed)
}
