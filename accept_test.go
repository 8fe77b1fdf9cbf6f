// Tests of connections accepted without net/http.

package websocket

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/bufpool"
	"github.com/seed86893212/websocket/internal/wstest"
)

// startDoorman returns a doorman that is closed with the test.
func startDoorman(t testing.TB, opts *ListenOptions, ev *Events) *doorman {
	t.Helper()
	m, err := newDoorman(opts, ev, &net.TCPAddr{})
	require.NoError(t, err)
	t.Cleanup(m.close)
	return m
}

type admission struct {
	d   decision
	err error
}

// admitting admits nc on a goroutine of its own.
func admitting(m *doorman, nc net.Conn) <-chan admission {
	result := make(chan admission, 1)
	go func() {
		v := m.gate.visit()
		defer v.free()
		err := m.admit(v, nc)
		result <- admission{v.decision, err}
	}()
	return result
}

// CHECKLIST 21: bytes that arrive together with the handshake are kept, and it
// may arrive in any pieces.
func TestAdmit(t *testing.T) {
	frame := wstest.Wire(wstest.TextFrame("early").Masked())
	for name, cut := range map[string]wstest.Cut{"whole": nil, "bytes": wstest.OneByte, "halves": wstest.Half} {
		t.Run(name, func(t *testing.T) {
			m := startDoorman(t, nil, &Events{})
			far, near := wstest.Pipe()
			defer far.Close()
			result := admitting(m, wstest.Split(near, cut, nil))
			_, err := far.Write(append([]byte(browserRequest), frame...))
			require.NoError(t, err)
			resp, err := http.ReadResponse(bufio.NewReader(far), nil)
			require.NoError(t, err)
			_, err = checkResponse(resp, sampleKey, nil, &deflation{})
			require.NoError(t, err)
			got := <-result
			require.NoError(t, got.err)
			c := newConn(near, got.d.est)
			defer c.CloseNow()
			if cut == nil {
				assert.Equal(t, frame, got.d.est.buffered)
			}
			typ, p, err := c.Read(t.Context())
			require.NoError(t, err)
			assert.Equal(t, MessageText, typ)
			assert.Equal(t, "early", string(p))
		})
	}
}

// A large header makes the buffer move.
func TestAdmitLargeHeader(t *testing.T) {
	m := startDoorman(t, nil, nil)
	far, near := wstest.Pipe()
	defer far.Close()
	result := admitting(m, near)
	_, err := io.WriteString(far, rawRequest+"Cookie: "+strings.Repeat("x", 12<<10)+"\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(far), nil)
	require.NoError(t, err)
	assert.Equal(t, 101, resp.StatusCode)
	require.NoError(t, (<-result).err)
	near.Close()
}

// CHECKLIST 23: slow handshakes are bounded in time, and quick ones leave no
// deadline behind.
func TestAdmitTimeout(t *testing.T) {
	for name, sent := range map[string]string{"silent": "", "slow": "GET / HTTP/1.1\r\nHo"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := newDoorman(&ListenOptions{Upgrade: &UpgradeOptions{HandshakeTimeout: 3 * time.Second}}, nil, nil)
				require.NoError(t, err)
				far, near := wstest.Pipe()
				_, err = io.WriteString(far, sent)
				require.NoError(t, err)
				start := time.Now()
				err = m.admit(m.gate.visit(), near)
				var he *HandshakeError
				require.ErrorAs(t, err, &he)
				assert.Zero(t, he.StatusCode)
				assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
				assert.Equal(t, 3*time.Second, time.Since(start))
				_, err = far.Read(make([]byte, 1))
				assert.ErrorIs(t, err, io.EOF, "closed")
				assert.Empty(t, m.under)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		m, err := newDoorman(nil, nil, nil)
		require.NoError(t, err)
		far, near := wstest.Pipe()
		result := admitting(m, near)
		_, err = io.WriteString(far, browserRequest)
		require.NoError(t, err)
		require.NoError(t, (<-result).err)
		_, err = io.CopyN(io.Discard, far, 129)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		_, err = near.Write([]byte("x"))
		assert.NoError(t, err)
		near.Close()
		far.Close()
	})
}

func TestAdmitEnds(t *testing.T) {
	m := startDoorman(t, nil, nil)
	far, near := wstest.Pipe()
	result := admitting(m, near)
	_, err := io.WriteString(far, "GET / HTTP/1.1\r\n")
	require.NoError(t, err)
	far.Close()
	assert.ErrorIs(t, (<-result).err, io.ErrUnexpectedEOF)

	broken := &scriptedConn{in: strings.NewReader(browserRequest), writeErr: errors.New("gone")}
	err = m.admit(m.gate.visit(), broken)
	assert.ErrorContains(t, err, "writing the answer: gone")
	assert.True(t, broken.closed)

	err = m.admit(m.gate.visit(), &scriptedConn{in: stuckReader{}})
	assert.ErrorIs(t, err, io.ErrNoProgress)
}

// stuckReader reads nothing for ever.
type stuckReader struct{}

func (stuckReader) Read([]byte) (int, error) { return 0, nil }

// A client gets its refusal even if it goes on sending.
func TestAdmitRefuses(t *testing.T) {
	m := startDoorman(t, nil, nil)
	client, server := tcpPair(t)
	result := admitting(m, server)
	go func() {
		_, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\nCookie: ")
		_, _ = client.Write(bytes.Repeat([]byte("x"), 100<<10))
	}()
	resp, err := http.ReadResponse(bufio.NewReader(client), nil)
	require.NoError(t, err)
	assert.Equal(t, 431, resp.StatusCode)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Contains(t, string(body), "longer than 16384")
	for range 3 {
		_, err = client.Write([]byte("x"))
		require.NoError(t, err, "no reset, which would take the answer away")
	}
	client.Close()
	got := <-result
	var he *HandshakeError
	require.ErrorAs(t, got.err, &he)
	assert.Equal(t, 431, he.StatusCode)
	_, err = server.Write([]byte("x"))
	assert.ErrorIs(t, err, net.ErrClosed)
}

// serveDoorman serves a TCP listener, each connection with the events it got.
func serveDoorman(t *testing.T, opts *ListenOptions, ev *Events, wrap func(net.Listener) net.Listener) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr = l.Addr().String()
	if wrap != nil {
		l = wrap(l)
	}
	m, err := newDoorman(opts, ev, l.Addr())
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() {
		served <- m.serve(l, func(nc net.Conn, d *decision) {
			c := newConn(nc, d.est)
			c.SetUserData(d.user)
			_ = d.ev.Serve(context.Background(), c)
			_ = c.CloseNow()
		})
	}()
	t.Cleanup(func() {
		l.Close()
		m.close()
		assert.ErrorIs(t, <-served, net.ErrClosed)
	})
	return addr
}

func echoing(prefix string) *Events {
	return &Events{Message: func(c *Conn, typ MessageType, p []byte) {
		user, _ := c.UserData().(string)
		_ = c.Write(context.Background(), typ, append([]byte(prefix+user), p...))
	}}
}

func TestListenServes(t *testing.T) {
	other := echoing("other ")
	opts := &ListenOptions{
		Accept: func(h *Handshake) error {
			switch h.Request.URL.Path {
			case "/other":
				h.Events, h.UserData = other, "alice "
			case "/private":
				return errors.New("not you")
			}
			return nil
		},
		Fallback: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, r.Method+" "+r.URL.Path+" "+string(body))
		}),
	}
	addr := serveDoorman(t, opts, echoing("echo "), nil)
	for path, want := range map[string]string{"/": "echo hi", "/other": "other alice hi"} {
		c, err := Dial(t.Context(), "ws://"+addr+path, nil)
		require.NoError(t, err)
		require.NoError(t, c.WriteText(t.Context(), "hi"))
		_, p, err := c.Read(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, string(p))
		require.NoError(t, c.Close(StatusNormalClosure, ""))
	}
	_, err := Dial(t.Context(), "ws://"+addr+"/private", nil)
	var he *HandshakeError
	require.ErrorAs(t, err, &he)
	assert.Equal(t, 403, he.StatusCode)
	assert.Equal(t, "not you\n", string(he.Body))

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for range 2 {
		resp, err := client.Post("http://"+addr+"/page", "text/plain", strings.NewReader("body"))
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "POST /page body", string(body))
		assert.True(t, resp.Close, "the next request may ask for a WebSocket")
		resp.Body.Close()
	}
}

func TestListenServesTLS(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{testCertificate()}}
	var secure, secureFallback atomic.Bool
	addr := serveDoorman(t, &ListenOptions{
		Accept: func(h *Handshake) error {
			secure.Store(h.Request.TLS != nil && h.Request.TLS.HandshakeComplete)
			return nil
		},
		Fallback: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			secureFallback.Store(r.TLS != nil && r.TLS.HandshakeComplete)
		}),
	}, echoing(""), func(l net.Listener) net.Listener { return tls.NewListener(l, config) })
	trust := &tls.Config{InsecureSkipVerify: true}
	c, err := Dial(t.Context(), "wss://"+addr+"/", &DialOptions{TLSConfig: trust})
	require.NoError(t, err)
	require.NoError(t, c.WriteText(t.Context(), "hi"))
	_, p, err := c.Read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "hi", string(p))
	require.NoError(t, c.Close(StatusNormalClosure, ""))
	assert.True(t, secure.Load())

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust}}
	resp, err := client.Get("https://" + addr + "/")
	require.NoError(t, err)
	resp.Body.Close()
	assert.True(t, secureFallback.Load())
}

// CHECKLIST 14: closing ends handshakes under way and whatever the Fallback does.
func TestDoormanClose(t *testing.T) {
	reached := make(chan struct{})
	m, err := newDoorman(&ListenOptions{
		Upgrade: &UpgradeOptions{HandshakeTimeout: -1},
		Fallback: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(reached)
			<-r.Context().Done()
		}),
	}, nil, &net.TCPAddr{})
	require.NoError(t, err)
	far, near := wstest.Pipe()
	waiting := admitting(m, near)
	_, err = io.WriteString(far, "GET /")
	require.NoError(t, err)
	client, server := tcpPair(t)
	passed := admitting(m, server)
	_, err = io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	<-reached
	assert.ErrorIs(t, (<-passed).err, errPassed)
	m.close()
	assert.Error(t, (<-waiting).err)
	_, err = client.Read(make([]byte, 1))
	assert.Error(t, err)

	assert.False(t, m.spawn(func() { t.Error("called") }))
	_, near = wstest.Pipe()
	err = m.admit(m.gate.visit(), near)
	assert.ErrorIs(t, err, net.ErrClosed, "nobody is admitted any more")
	far, near = wstest.Pipe()
	m.fallback.take(near, nil) // its request was read just before
	_, err = far.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF)
	m.close()
}

// failingListener fails as when there are no descriptors left.
type failingListener struct {
	net.Listener
	results []error // nil: a connection
}

type outOfDescriptors struct{}

func (outOfDescriptors) Error() string   { return "too many open files" }
func (outOfDescriptors) Temporary() bool { return true }

func (l *failingListener) Accept() (net.Conn, error) {
	if len(l.results) == 0 {
		return nil, net.ErrClosed
	}
	err := l.results[0]
	l.results = l.results[1:]
	if err != nil {
		return nil, err
	}
	return &scriptedConn{in: strings.NewReader("")}, nil
}

func TestDoormanServeWaitsForDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := newDoorman(nil, nil, nil)
		require.NoError(t, err)
		none := outOfDescriptors{}
		l := &failingListener{results: []error{none, none, none, none, none, none, none, none, none, none, nil, none}}
		start := time.Now()
		assert.ErrorIs(t, m.serve(l, nil), net.ErrClosed)
		assert.Equal(t, (5+10+20+40+80+160+320+640+1000+1000+5)*time.Millisecond, time.Since(start))
	})
}

// However many come at once, few goroutines stay for those that may come.
func TestDoormanServeKeepsFew(t *testing.T) {
	m := startDoorman(t, nil, nil)
	l := wstest.Listen(nil)
	const visitors = 3 * maxIdle
	arrived, leave := make(chan struct{}), make(chan struct{})
	served := make(chan error, 1)
	go func() {
		served <- m.serve(l, func(nc net.Conn, _ *decision) {
			arrived <- struct{}{}
			<-leave
			nc.Close()
		})
	}()
	for round := range 2 {
		var conns []net.Conn
		for range visitors {
			nc, err := l.Dial(t.Context(), "", "")
			require.NoError(t, err)
			_, err = io.WriteString(nc, rawRequest+"\r\n")
			require.NoError(t, err)
			conns = append(conns, nc)
		}
		for range visitors {
			<-arrived
		}
		for range visitors {
			leave <- struct{}{}
		}
		for _, nc := range conns {
			_, err := io.ReadAll(nc)
			require.NoError(t, err)
			nc.Close()
		}
		assert.Eventually(t, func() bool { return m.idle.Load() == maxIdle }, 5*time.Second, time.Millisecond, "round %d", round)
	}
	l.Close()
	assert.ErrorIs(t, <-served, net.ErrClosed)
	assert.Zero(t, m.idle.Load())
}

// What came with the request does not stand in a buffer that others use.
func TestAdmitOwnsWhatFollows(t *testing.T) {
	m := startDoorman(t, nil, nil)
	far, near := wstest.Pipe()
	defer far.Close()
	defer near.Close()
	_, err := io.WriteString(far, rawRequest+"\r\nearly")
	require.NoError(t, err)
	v := m.gate.visit()
	require.NoError(t, m.admit(v, near))
	for range 4 {
		p := bufpool.Get(requestBuffer)
		clear(p[:cap(p)])
	}
	assert.Equal(t, "early", string(v.est.buffered))
}

// A goroutine that is one too many to wait for the next connection ends, rather than
// to admit the one again that somebody has by then.
func TestDoormanAdmitsEachOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := newDoorman(nil, nil, nil)
		require.NoError(t, err)
		l := wstest.Listen(nil)
		leave := make(chan struct{})
		served := make(chan error, 1)
		go func() { served <- m.serve(l, func(net.Conn, *decision) { <-leave }) }()
		for range maxIdle + 4 {
			nc, err := l.Dial(t.Context(), "", "")
			require.NoError(t, err)
			defer nc.Close()
			_, err = io.WriteString(nc, rawRequest+"\r\n")
			require.NoError(t, err)
		}
		synctest.Wait()
		close(leave)
		synctest.Wait()
		assert.Empty(t, m.under)
		assert.EqualValues(t, maxIdle, m.idle.Load())
		l.Close()
		assert.ErrorIs(t, <-served, net.ErrClosed)
	})
}

// lingering is a connection whose other end goes on for ever, or never, without saying so.
type lingering struct {
	*scriptedConn
	pieces, n, most int
}

func (c *lingering) CloseWrite() error               { return nil }
func (c *lingering) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }
func (c *lingering) Read(p []byte) (int, error) {
	if c.pieces++; c.pieces > c.most {
		return 0, io.ErrNoProgress
	}
	return min(c.n, len(p)), nil
}

// Who gets a refusal and does not stop sending is not listened to for ever, not even
// where there are no deadlines.
func TestLingerIsBounded(t *testing.T) {
	endless := &lingering{scriptedConn: &scriptedConn{}, n: 1 << 10, most: lingerBytes>>10 + 1}
	linger(endless)
	assert.Equal(t, lingerBytes>>10, endless.pieces)
	assert.True(t, endless.closed)
	silent := &lingering{scriptedConn: &scriptedConn{}, most: 10}
	linger(silent)
	assert.Equal(t, 1, silent.pieces)
	assert.True(t, silent.closed)
}

// A refusal that cannot be sent ends the connection all the same.
func TestDeclineClosesWhatIsBroken(t *testing.T) {
	m := startDoorman(t, nil, nil)
	v := m.gate.visit()
	v.refuse(refusal(http.StatusBadRequest, "no"), "")
	broken := &scriptedConn{writeErr: errors.New("gone")}
	m.decline(v, broken, nil, time.Time{})
	assert.True(t, broken.closed)
	assert.Empty(t, m.under)
}

// A callback that ends its goroutine leaves nothing behind.
func TestDoormanGoexit(t *testing.T) {
	m := startDoorman(t, &ListenOptions{Accept: func(*Handshake) error { runtime.Goexit(); return nil }}, nil)
	nc := &scriptedConn{in: strings.NewReader(browserRequest)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.attendOne(nc, nil)
	}()
	<-done
	assert.True(t, nc.closed)
	assert.Empty(t, m.under)
}

// net/http half-closes a connection whose request it has not read whole, so that the
// client can read the answer.
func TestReplayedConnCloseWrite(t *testing.T) {
	client, server := tcpPair(t)
	require.NoError(t, (&replayedConn{Conn: server}).CloseWrite())
	_, err := client.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	_, err = client.Write([]byte("x"))
	require.NoError(t, err)
	n, err := server.Read(make([]byte, 1))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.ErrorIs(t, (&replayedConn{Conn: &scriptedConn{}}).CloseWrite(), errors.ErrUnsupported)
}
