// Tests of Upgrade and Handler.

package websocket

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const rawRequest = "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + sampleKey + "\r\n"

// scriptedConn is a net.Conn that reads a script and keeps what is written.
type scriptedConn struct {
	net.Conn
	in       io.Reader
	out      strings.Builder
	writeErr error
	closed   bool
}

func (c *scriptedConn) Read(p []byte) (int, error) { return c.in.Read(p) }

func (c *scriptedConn) Write(p []byte) (int, error) {
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	return c.out.Write(p)
}
func (c *scriptedConn) Close() error                     { c.closed = true; return nil }
func (c *scriptedConn) RemoteAddr() net.Addr             { return nil }
func (c *scriptedConn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (c *scriptedConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// hijackable is a ResponseWriter that gives up a connection.
type hijackable struct {
	*httptest.ResponseRecorder
	nc  net.Conn
	brw *bufio.ReadWriter
	err error
}

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h.nc, h.brw, h.err }

// talkRaw sends raw bytes to a server and reads the head of its answer.
func talkRaw(t *testing.T, addr, raw string) (*http.Response, net.Conn, *bufio.Reader) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	_, err = io.WriteString(nc, raw)
	require.NoError(t, err)
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	return resp, nc, br
}

// serveHTTP starts a server for one handler.
func serveHTTP(t *testing.T, h http.HandlerFunc) (addr string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func requireClosed(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		require.Fail(t, "still open after 5 s")
	}
}

func TestUpgradeOverTheWire(t *testing.T) {
	type result struct {
		nc  net.Conn
		est established
		err error
	}
	results := make(chan result, 1)
	addr := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("X-Long", strings.Repeat("x", 8<<10)) // more than net/http's buffer holds
		nc, est, err := newUpgrader(&UpgradeOptions{Subprotocols: []string{"chat"}, Heartbeat: -1}).accept(w, r)
		results <- result{nc, est, err}
	})
	resp, peer, br := talkRaw(t, addr, rawRequest+"Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: chat\r\n"+
		"Sec-WebSocket-Extensions: permessage-deflate\r\nOrigin: https://example.com\r\n\r\n")
	got := <-results
	require.NoError(t, got.err)
	defer got.nc.Close()
	assert.Equal(t, 101, resp.StatusCode)
	assert.Equal(t, []string{"a=1", "b=2"}, resp.Header["Set-Cookie"])
	assert.NotContains(t, resp.Header, "Content-Type")
	assert.Len(t, resp.Header.Get("X-Long"), 8<<10)
	assert.NotContains(t, resp.Header, "Sec-Websocket-Extensions", "none is answered unless Compression is set")
	_, err := checkResponse(resp, sampleKey, []string{"x", "chat"}, &deflation{})
	require.NoError(t, err)
	assert.Equal(t, RoleServer, got.est.role)
	assert.Equal(t, "chat", got.est.subprotocol)
	assert.Zero(t, got.est.settings.heartbeat)
	assert.Empty(t, got.est.buffered)
	_, err = io.WriteString(got.nc, "hi")
	require.NoError(t, err)
	p, err := br.Peek(2)
	require.NoError(t, err)
	assert.Equal(t, "hi", string(p))
	_ = peer
}

// CHECKLIST 21: bytes that arrive together with the handshake are kept, be
// they with the last line of it or just before the hijack.
func TestServerKeepsEarlyBytes(t *testing.T) {
	got := make(chan string, 1)
	slow := make(chan struct{})
	addr := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-slow
		}
		nc, est, err := newUpgrader(nil).accept(w, r)
		if err != nil {
			got <- err.Error()
			return
		}
		defer nc.Close()
		rest := make([]byte, 64)
		n := copy(rest, est.buffered)
		for n < 5 {
			m, err := nc.Read(rest[n:])
			if err != nil {
				break
			}
			n += m
		}
		got <- string(rest[:n])
	})
	talkRaw(t, addr, rawRequest+"\r\nframe")
	assert.Equal(t, "frame", <-got)

	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer nc.Close()
	_, _ = io.WriteString(nc, strings.Replace(rawRequest, "GET /", "GET /slow", 1)+"\r\n")
	time.Sleep(20 * time.Millisecond) // net/http now reads one byte in the background
	_, _ = io.WriteString(nc, "frame")
	time.Sleep(20 * time.Millisecond)
	close(slow)
	assert.Equal(t, "frame", <-got)
}

func TestTakeBufferedIsACopy(t *testing.T) {
	br := bufio.NewReader(strings.NewReader("abc"))
	_, _ = br.Peek(1)
	p := takeBuffered(bufio.NewReadWriter(br, nil))
	inside, _ := br.Peek(3)
	require.Equal(t, "abc", string(p))
	inside[0] = 'x'
	assert.Equal(t, "abc", string(p), "net/http's buffer is not kept")
	assert.Nil(t, takeBuffered(nil))
	assert.Nil(t, takeBuffered(&bufio.ReadWriter{}))
}

// Each refusal is answered with a status and a text, and gives no Conn.
func TestUpgradeRefuses(t *testing.T) {
	no := errors.New("not you")
	slow := fmt.Errorf("%w", &HandshakeError{StatusCode: 429, Header: http.Header{"Retry-After": {"5"}}, Reason: "slow down"})
	for _, tc := range []struct {
		name   string
		raw    string
		opts   *UpgradeOptions
		status int
		body   string
	}{
		{"a plain request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", nil, 426, "WebSocket endpoint"},
		{"origin", rawRequest + "Origin: http://evil.example\r\n\r\n", nil, 403, "evil.example"},
		{"CheckOrigin", rawRequest + "\r\n", &UpgradeOptions{CheckOrigin: func(*http.Request) error { return no }}, 403, "not you"},
		{"CheckOrigin with a status", rawRequest + "\r\n", &UpgradeOptions{CheckOrigin: func(*http.Request) error { return slow }}, 429, "slow down"},
		{"ChooseSubprotocol with a status", rawRequest + "\r\n", &UpgradeOptions{ChooseSubprotocol: func(*http.Request, []string) (string, error) {
			return "", slow
		}}, 429, "slow down"},
		{"ChooseSubprotocol", rawRequest + "\r\n", &UpgradeOptions{ChooseSubprotocol: func(*http.Request, []string) (string, error) { return "", no }}, 400, "not you"},
		{"bad pattern", rawRequest + "\r\n", &UpgradeOptions{OriginPatterns: []string{"["}}, 500, "OriginPatterns"},
		{"bad subprotocol option", rawRequest + "\r\n", &UpgradeOptions{Subprotocols: []string{"a b"}}, 500, "Subprotocols"},
		{"body", rawRequest + "Content-Length: 1\r\n\r\nx", nil, 400, "no body"},
		{"subprotocols", rawRequest + "Sec-WebSocket-Protocol: a/b\r\n\r\n", nil, 400, "not a token"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			errs := make(chan error, 1)
			addr := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				c, err := Upgrade(w, r, tc.opts)
				assert.Nil(t, c)
				errs <- err
			})
			resp, _, _ := talkRaw(t, addr, tc.raw)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, tc.status, resp.StatusCode)
			assert.Contains(t, string(body), tc.body)
			assert.Contains(t, resp.Header.Get("Content-Type"), "text/plain")
			if tc.status == 426 {
				assert.Equal(t, "13", resp.Header.Get("Sec-WebSocket-Version"))
				assert.Equal(t, "websocket", resp.Header.Get("Upgrade"))
				assert.Equal(t, "Upgrade", resp.Header.Get("Connection"), "RFC 9110, section 7.8")
			}
			if tc.status == 429 {
				assert.Equal(t, "5", resp.Header.Get("Retry-After"))
			}
			var he *HandshakeError
			upgradeErr := <-errs
			require.ErrorAs(t, upgradeErr, &he)
			assert.Equal(t, tc.status, he.StatusCode)
			assert.Equal(t, strings.TrimSpace(string(body)), he.Reason)
			assert.Equal(t, tc.body == "not you", errors.Is(upgradeErr, no))
		})
	}
}

func TestUpgradeRefusesHTTP2(t *testing.T) {
	errs := make(chan error, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := Upgrade(w, r, nil)
		errs <- err
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	assert.Equal(t, 2, resp.ProtoMajor)
	assert.Equal(t, 505, resp.StatusCode)
	assert.Contains(t, string(body), "HTTP/1.1")
	var he *HandshakeError
	require.ErrorAs(t, <-errs, &he)
	assert.Equal(t, 505, he.StatusCode)
}

type wrapped struct{ http.ResponseWriter } // hides Hijack

type unwrapping struct{ http.ResponseWriter }

func (u unwrapping) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// CHECKLIST 22: wrapped ResponseWriters are unwrapped; the error names the one
// that can't be.
func TestUpgradeUnwraps(t *testing.T) {
	nc := &scriptedConn{}
	w := &hijackable{ResponseRecorder: httptest.NewRecorder(), nc: nc}
	got, _, err := newUpgrader(nil).accept(unwrapping{unwrapping{w}}, sampleRequest())
	require.NoError(t, err)
	assert.Same(t, nc, got)
	assert.Contains(t, nc.out.String(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

	c, err := Upgrade(unwrapping{wrapped{w}}, sampleRequest(), nil)
	assert.Nil(t, c)
	var he *HandshakeError
	require.ErrorAs(t, err, &he)
	assert.Equal(t, 500, he.StatusCode)
	assert.ErrorIs(t, err, http.ErrNotSupported)
	assert.Contains(t, err.Error(), "websocket.unwrapping, which wraps websocket.wrapped")
	assert.NotContains(t, err.Error(), "hijackable")
	assert.Equal(t, 500, w.Code)
	assert.Contains(t, w.Body.String(), "websocket.wrapped", "the answer names it too")
}

func TestUpgradeAfterHijack(t *testing.T) {
	w := &hijackable{ResponseRecorder: httptest.NewRecorder(), err: http.ErrHijacked}
	_, err := Upgrade(w, sampleRequest(), nil)
	assert.ErrorIs(t, err, http.ErrHijacked)
	assert.Empty(t, w.Body.String(), "nothing is written to somebody else's connection")

	nc := &scriptedConn{writeErr: io.ErrClosedPipe}
	w = &hijackable{ResponseRecorder: httptest.NewRecorder(), nc: nc}
	c, err := Upgrade(w, sampleRequest(), nil)
	assert.Nil(t, c)
	assert.ErrorIs(t, err, io.ErrClosedPipe)
	assert.True(t, nc.closed, "a connection without an answer is closed")
}

// CHECKLIST 23: a client that doesn't take its answer.
func TestUpgradeIsBoundedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		start := time.Now()
		_, err := Upgrade(&hijackable{ResponseRecorder: httptest.NewRecorder(), nc: near}, sampleRequest(), nil)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, DefaultHandshakeTimeout, time.Since(start))
		_, err = near.Write(nil)
		assert.ErrorIs(t, err, io.ErrClosedPipe, "closed")
	})
}

func TestUpgradeLeavesNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		_ = near.SetDeadline(time.Now().Add(time.Second)) // as ReadTimeout leaves it
		go func() {
			_, _ = http.ReadResponse(bufio.NewReader(far), nil)
			time.Sleep(time.Hour)
			_, _ = far.Write([]byte("x"))
		}()
		nc, _, err := newUpgrader(nil).accept(&hijackable{ResponseRecorder: httptest.NewRecorder(), nc: near}, sampleRequest())
		require.NoError(t, err)
		_, err = nc.Read(make([]byte, 1))
		assert.NoError(t, err, "an hour later there is still no deadline")
	})
}

// Handler runs serve after net/http has let go, on a request that lives as
// long as the connection.
func TestHandlerRequest(t *testing.T) {
	type keyType struct{}
	handlerReturned := make(chan struct{})
	finish := make(chan struct{})
	ctxs := make(chan context.Context, 1)
	h := Handler(func(c *Conn, r *http.Request) {
		<-handlerReturned // ServeHTTP doesn't wait for serve
		time.Sleep(20 * time.Millisecond)
		assert.NoError(t, r.Context().Err(), "not cancelled with the handler")
		assert.Equal(t, "v", r.Context().Value(keyType{}))
		assert.NotNil(t, r.Context().Value(http.ServerContextKey))
		assert.Equal(t, http.NoBody, r.Body)
		assert.Equal(t, "1", r.Header.Get("X"))
		ctxs <- r.Context()
		<-finish
	}, &UpgradeOptions{CloseTimeout: 50 * time.Millisecond}) // the peer won't answer the close
	addr := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyType{}, "v")))
		close(handlerReturned)
	})
	talkRaw(t, addr, rawRequest+"X: 1\r\n\r\n")
	ctx := <-ctxs
	child, cancel := context.WithCancel(ctx)
	defer cancel()
	afterwards := make(chan struct{})
	context.AfterFunc(ctx, func() { close(afterwards) })
	assert.NoError(t, ctx.Err())
	assert.NoError(t, context.Cause(ctx))
	close(finish)
	requireClosed(t, ctx.Done())
	requireClosed(t, child.Done())
	requireClosed(t, afterwards)
	assert.ErrorIs(t, ctx.Err(), context.Canceled)
	assert.ErrorIs(t, child.Err(), context.Canceled)
	assert.ErrorIs(t, context.Cause(child), os.ErrDeadlineExceeded, "why the connection ended")
}

// The request's own context is over when the handler returns; none of that may
// show through, not even in context.Cause.
func TestConnContext(t *testing.T) {
	over, cancel := context.WithCancelCause(context.Background())
	cancel(io.ErrUnexpectedEOF)
	_, server := connectPair(t, tcpPair)
	ctx := connRequest(sampleRequest().WithContext(over), &server.l.link).Context()
	child, cancelChild := context.WithCancel(ctx)
	defer cancelChild()
	assert.NoError(t, ctx.Err())
	assert.NoError(t, child.Err())
	assert.NoError(t, context.Cause(ctx))
	_, has := ctx.Deadline()
	assert.False(t, has)
	require.NoError(t, server.CloseNow())
	<-child.Done()
	assert.Equal(t, context.Canceled, ctx.Err())
	assert.ErrorIs(t, context.Cause(ctx), net.ErrClosed)
	late := connRequest(sampleRequest(), &server.l.link).Context()
	assert.Equal(t, context.Canceled, late.Err())
	assert.ErrorIs(t, context.Cause(late), net.ErrClosed)
}

// A context of the connection's costs no goroutine, waited for or derived from, and ends
// while the body of a loop still runs, over any transport.
func TestConnContextInBody(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			client, server := connectPair(t, tr.pair)
			r := connRequest(sampleRequest(), &server.l.link)
			const many = 100
			more := make(chan int, 1) // goroutines
			done := async(func() error {
				for _, err := range server.Messages(r.Context()) {
					if err != nil {
						return err
					}
					before := runtime.NumGoroutine()
					for range many {
						_, cancel := context.WithTimeout(r.Context(), time.Hour)
						defer cancel()
					}
					more <- runtime.NumGoroutine() - before
					derived, cancel := context.WithTimeout(r.Context(), time.Hour)
					time.AfterFunc(time.Millisecond, func() { server.CloseNow() })
					<-derived.Done()
					cancel()
					assert.Error(t, r.Context().Err())
					assert.False(t, errors.Is(derived.Err(), context.DeadlineExceeded))
				}
				return nil
			})
			require.NoError(t, client.WriteText(bg, "x"))
			assert.Less(t, <-more, many/2)
			assert.NoError(t, within(t, 10*time.Second, done))
			_, _, err := server.Read(r.Context())
			assert.ErrorIs(t, err, net.ErrClosed, "not that the context has ended")
			_, err = server.Ping(r.Context())
			assert.ErrorIs(t, err, net.ErrClosed)
		})
	}
}

func TestHandlerEndsTheConnection(t *testing.T) {
	for name, leave := range map[string]func(){
		"return":          func() {},
		"panic":           func() { panic("oops") },
		"ErrAbortHandler": func() { panic(http.ErrAbortHandler) },
		"Goexit":          runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			conns := make(chan *Conn, 1)
			// A hook of the caller's takes the panic; the log stays quiet.
			trace := &Trace{Panicked: func(value any, stack []byte) {
				assert.Equal(t, "oops", value)
				assert.Contains(t, string(stack), "server_test.go")
			}}
			h := Handler(func(c *Conn, _ *http.Request) { conns <- c; leave() },
				&UpgradeOptions{Trace: trace, CloseTimeout: 50 * time.Millisecond})
			_, _, br := talkRaw(t, serveHTTP(t, h.ServeHTTP), rawRequest+"\r\n")
			requireClosed(t, (<-conns).Done())
			_, err := io.ReadAll(br)
			assert.NoError(t, err, "the client sees the end")
		})
	}
}

func TestHandlerRefuses(t *testing.T) {
	assert.Panics(t, func() { Handler(nil, nil) })
	h := Handler(func(*Conn, *http.Request) { t.Error("served") }, &UpgradeOptions{OriginPatterns: []string{"a["}})
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, sampleRequest())
		assert.Equal(t, 500, w.Code)
		assert.Contains(t, w.Body.String(), `"a["`)
	}
}

// The options are the caller's: they are neither changed nor looked at later.
func TestHandlerCopiesOptions(t *testing.T) {
	opts := &UpgradeOptions{Subprotocols: []string{"a"}}
	u := newUpgrader(opts)
	opts.Subprotocols[0] = "b"
	assert.Equal(t, []string{"a"}, u.opts.Subprotocols)
}

// Who runs a server learns of refused handshakes: from Trace.Refused, and without it from the log if
// it is the server's fault.
func TestRefusedIsReported(t *testing.T) {
	refused := make(chan error, 1)
	trace := &Trace{Refused: func(remoteAddr string, err error) {
		assert.Contains(t, remoteAddr, "127.0.0.1:")
		refused <- err
	}}
	check := func(t *testing.T, addr string) {
		_, err := Dial(bg, "ws://"+addr, &DialOptions{Proxy: direct().Proxy, Header: http.Header{"Origin": {"http://other.example"}}})
		require.Equal(t, 403, handshakeErrorOf(t, err).StatusCode)
		require.Equal(t, 403, handshakeErrorOf(t, within(t, time.Minute, refused)).StatusCode)
	}
	t.Run("Handler", func(t *testing.T) {
		check(t, serveHTTP(t, Handler(func(*Conn, *http.Request) {}, &UpgradeOptions{Trace: trace}).ServeHTTP))
	})
	t.Run("Serve", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		e := newEngine(t, nil)
		go e.Serve(l, &ListenOptions{Upgrade: &UpgradeOptions{Trace: trace}}, &Events{})
		check(t, l.Addr().String())
	})
	t.Run("the log", func(t *testing.T) {
		var logged bytes.Buffer
		log.SetOutput(&logged)
		defer log.SetOutput(os.Stderr)
		h := Handler(func(*Conn, *http.Request) {}, &UpgradeOptions{OriginPatterns: []string{"a["}})
		r := httptest.NewRequest("GET", "/", nil)
		h.ServeHTTP(httptest.NewRecorder(), r)
		assert.Contains(t, logged.String(), "option OriginPatterns")
		assert.Contains(t, logged.String(), r.RemoteAddr)
	})
}
