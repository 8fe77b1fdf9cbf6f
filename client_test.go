// Tests of Dial against scripted servers.

package websocket

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// direct are options that no proxy of the environment can disturb.
func direct() *DialOptions {
	return &DialOptions{Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}
}

// listenScript starts a TCP server that runs script for each connection.
func listenScript(t *testing.T, script func(nc net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				script(nc)
			}()
		}
	}()
	return l.Addr().String()
}

// answer101 is the head of the right answer to r, without its empty line.
func answer101(r *http.Request) string {
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + string(appendAcceptKey(nil, r.Header.Get("Sec-WebSocket-Key"))) + "\r\n"
}

// answering is a script that reads a request, answers and waits for the end.
func answering(answer func(r *http.Request) string) func(net.Conn) {
	return func(nc net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(nc))
		if err != nil {
			return
		}
		_, _ = io.WriteString(nc, answer(r))
		_, _ = io.Copy(io.Discard, nc)
	}
}

func handshakeErrorOf(t *testing.T, err error) *HandshakeError {
	t.Helper()
	var he *HandshakeError
	require.ErrorAs(t, err, &he)
	assert.Equal(t, 1, strings.Count(err.Error(), "websocket: "), "said once: %v", err)
	return he
}

// CHECKLIST 21: bytes that came with the answer are kept.
func TestDialOverTheWire(t *testing.T) {
	requests := make(chan *http.Request, 1)
	addr := listenScript(t, answering(func(r *http.Request) string {
		requests <- r
		return "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer101(r) +
			"Sec-WebSocket-Protocol: b\r\nX-Server: 1\r\n\r\nframe"
	}))
	opts := direct()
	opts.Subprotocols = []string{"a", "b"}
	opts.Header = http.Header{"X-Client": {"1", "2"}, "Host": {"elsewhere.example"}, "Cookie": {"a=1", "b=2"}, "User-Agent": nil}
	nc, est, err := dial(context.Background(), "WS://user:pass@"+addr+"?q=a b", opts)
	require.NoError(t, err)
	defer nc.Close()

	r := <-requests
	assert.Equal(t, "/?q=a%20b", r.RequestURI)
	assert.Equal(t, "elsewhere.example", r.Host)
	assert.Equal(t, []string{"1", "2"}, r.Header["X-Client"])
	assert.Equal(t, []string{"a=1; b=2"}, r.Header["Cookie"], "RFC 6265, section 5.4: one line")
	assert.Equal(t, []string{"a, b"}, r.Header["Sec-Websocket-Protocol"])
	assert.NotContains(t, r.Header, "User-Agent")
	name, password, _ := r.BasicAuth()
	assert.Equal(t, "user pass", name+" "+password)
	_, refused := checkRequest(r)
	assert.Nil(t, refused, "our own server accepts it")

	assert.Equal(t, "frame", string(est.buffered))
	assert.Equal(t, "b", est.subprotocol)
	assert.Equal(t, RoleClient, est.role)
	assert.Equal(t, 101, est.response.StatusCode)
	assert.Equal(t, "1", est.response.Header.Get("X-Server"))
	assert.Equal(t, http.NoBody, est.response.Body)
	assert.Equal(t, addr, est.response.Request.URL.Host)
	assert.IsType(t, &net.TCPConn{}, nc)
}

func TestDialOurServer(t *testing.T) {
	addr := serveHTTP(t, Handler(func(c *Conn, _ *http.Request) { <-c.CloseRead(bg).Done() }, nil).ServeHTTP)
	c, err := Dial(context.Background(), "http://"+addr+"/", direct())
	require.NoError(t, err)
	require.NoError(t, c.CloseNow())
	requireClosed(t, c.Done())
}

func TestDialChecksOptions(t *testing.T) {
	opts := direct()
	opts.Header = http.Header{"Sec-WebSocket-Key": {"x"}}
	_, err := Dial(context.Background(), "ws://127.0.0.1:1/", opts)
	assert.ErrorContains(t, err, "belongs to the handshake")
	opts = direct()
	opts.Subprotocols = []string{"a", "a"}
	_, err = Dial(context.Background(), "ws://127.0.0.1:1/", opts)
	assert.ErrorContains(t, err, "twice")
	opts = direct()
	opts.NetDial = func(context.Context, string, string) (net.Conn, error) { return nil, nil }
	_, err = Dial(context.Background(), "ws://127.0.0.1:1/", opts)
	assert.ErrorContains(t, err, "neither a connection nor an error")
	_, err = Dial(context.Background(), "ws://127.0.0.1:1/", direct())
	handshakeErrorOf(t, err)
	var oe *net.OpError
	assert.ErrorAs(t, err, &oe)
}

// CHECKLIST 20: the answer's rules hold in Dial, and the error has the answer.
func TestDialRefusesAnswers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(r *http.Request) string
		status int
		reason string
		body   string
	}{
		{"403", func(*http.Request) string { return "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way" }, 403, `"no way"`, "no way"},
		{"200", func(*http.Request) string { return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" }, 200, "does not open a WebSocket", "hi"},
		{"long body", func(*http.Request) string {
			return "HTTP/1.1 500 Oops\r\nContent-Length: 9999\r\n\r\n" + strings.Repeat("x", 9999)
		}, 500, "xxx", strings.Repeat("x", 1024)},
		{"redirect", func(*http.Request) string {
			return "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /there\r\n\r\n"
		}, 302, `"/there"`, ""},
		{"wrong key", func(r *http.Request) string {
			r.Header.Set("Sec-WebSocket-Key", "other")
			return answer101(r) + "\r\n"
		}, 101, "Sec-WebSocket-Accept", ""},
		{"unasked subprotocol", func(r *http.Request) string { return answer101(r) + "Sec-WebSocket-Protocol: chat\r\n\r\n" }, 101, "chat", ""},
		{"unasked extension", func(r *http.Request) string { return answer101(r) + "Sec-WebSocket-Extensions: foo\r\n\r\n" }, 101, "foo", ""},
		{"not HTTP", func(*http.Request) string { return "SSH-2.0-OpenSSH\r\n\r\n" }, 0, "malformed HTTP", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Dial(context.Background(), "ws://"+listenScript(t, answering(tc.answer)), direct())
			assert.Nil(t, c)
			he := handshakeErrorOf(t, err)
			assert.Equal(t, tc.status, he.StatusCode)
			assert.Contains(t, he.Reason, tc.reason)
			assert.Equal(t, tc.body, string(he.Body))
			assert.Equal(t, tc.status == 302, he.Header.Get("Location") != "")
		})
	}
}

// CHECKLIST 23: endless header lines and answers that never end are bounded in
// size, even with no time-out at all.
func TestDialIsBoundedInSize(t *testing.T) {
	endless := func(head, again string) func(net.Conn) {
		return func(nc net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(nc))
			_, _ = io.WriteString(nc, head)
			for {
				if _, err := io.WriteString(nc, again); err != nil {
					return
				}
			}
		}
	}
	for name, script := range map[string]func(net.Conn){
		"one endless line":        endless("HTTP/1.1 101 Switching Protocols\r\nX: ", strings.Repeat("x", 4096)),
		"endless lines":           endless("HTTP/1.1 101 Switching Protocols\r\n", strings.Repeat("X: y\r\n", 512)),
		"endless status line":     endless("HTTP/1.1 101 ", strings.Repeat("x", 4096)),
		"endless interim answers": endless("", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 64)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // which also fails if a goroutine stays
				opts := direct()
				opts.HandshakeTimeout = -1
				opts.NetDial = pipeDial(script)
				_, err := Dial(context.Background(), "ws://a/", opts)
				assert.ErrorIs(t, err, errAnswerTooLong)
			})
		})
	}
	t.Run("endless body", func(t *testing.T) {
		script := endless("HTTP/1.1 500 Oops\r\n\r\n", strings.Repeat("x", 4096))
		_, err := Dial(context.Background(), "ws://"+listenScript(t, script), direct())
		assert.Len(t, handshakeErrorOf(t, err).Body, maxExcerpt)
	})
}

// pipeDial gives Dial one end of a pipe and the script the other.
func pipeDial(script func(net.Conn)) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go script(far)
		return near, nil
	}
}

// CHECKLIST 23: slow and silent servers are bounded in time.
func TestDialIsBoundedInTime(t *testing.T) {
	silent := func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }
	deaf := func(nc net.Conn) {
		time.Sleep(time.Minute)
		_ = nc.Close()
	}
	trickle := func(nc net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, nc) }()
		_, _ = io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nX: ")
		for {
			if _, err := nc.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
	for name, script := range map[string]func(net.Conn){"silent": silent, "deaf": deaf, "trickle": trickle} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := direct()
				opts.NetDial = pipeDial(script)

				start := time.Now()
				_, err := Dial(context.Background(), "ws://a/", opts)
				assert.Equal(t, DefaultHandshakeTimeout, time.Since(start))
				assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
				assert.NotErrorIs(t, err, context.DeadlineExceeded)
				assert.Contains(t, handshakeErrorOf(t, err).Reason, "not done within 10s (no answer from a")

				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				scheme := map[bool]string{true: "ws", false: "wss"}[name == "trickle"]
				_, err = Dial(ctx, scheme+"://a/", opts)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorContains(t, err, map[string]string{"ws": "(no answer from a", "wss": "(TLS to a"}[scheme])

				gone := errors.New("the user is gone")
				cctx, cancelCause := context.WithCancelCause(context.Background())
				time.AfterFunc(time.Second, func() { cancelCause(gone) })
				_, err = Dial(cctx, "ws://a/", opts)
				assert.ErrorIs(t, err, context.Canceled)
				assert.ErrorIs(t, err, gone)
				time.Sleep(time.Hour) // the script ends too
			})
		})
	}
	// synctest fails the test if a goroutine of Dial's were left.
}

// CHECKLIST 23: the body of a refusal that never ends holds nobody up.
func TestDialBodyIsBoundedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := direct()
		opts.HandshakeTimeout = -1
		opts.NetDial = pipeDial(answering(func(*http.Request) string {
			return "HTTP/1.1 503 Later\r\nContent-Length: 100\r\n\r\nnot now"
		}))
		start := time.Now()
		_, err := Dial(context.Background(), "ws://a/", opts)
		assert.Equal(t, "not now", string(handshakeErrorOf(t, err).Body))
		assert.Equal(t, excerptTimeout, time.Since(start))
	})
}

// After the handshake neither a deadline nor the context is left on the
// connection.
func TestDialLeavesNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := direct()
		opts.NetDial = func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			_ = near.SetDeadline(time.Now().Add(time.Minute))
			go func() {
				r, _ := http.ReadRequest(bufio.NewReader(far))
				_, _ = io.WriteString(far, answer101(r)+"\r\n")
				time.Sleep(time.Hour)
				_, _ = io.WriteString(far, "x")
			}()
			return near, nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		nc, est, err := dial(ctx, "ws://a/", opts)
		require.NoError(t, err)
		cancel()
		assert.Nil(t, est.buffered)
		_, err = nc.Read(make([]byte, 1))
		assert.NoError(t, err)
	})
}

func TestDialCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Dial(ctx, "ws://"+listenScript(t, func(net.Conn) {}), direct())
	assert.ErrorIs(t, err, context.Canceled)
}

func TestDialUnixSocket(t *testing.T) {
	path := t.TempDir() + "/s"
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	s := &http.Server{Handler: Handler(func(*Conn, *http.Request) {}, nil)}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	opts := direct()
	opts.NetDial = func(ctx context.Context, _, address string) (net.Conn, error) {
		assert.Equal(t, "anything.example:80", address)
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	c, err := Dial(context.Background(), "ws://anything.example", opts)
	require.NoError(t, err)
	_ = c.CloseNow()
}

// tlsServer is a TLS server for example.com and 127.0.0.1 that our client can
// be made to trust.
func tlsServer(t *testing.T, h http.Handler) (addr string, trusted *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s.Listener.Addr().String(), &tls.Config{RootCAs: pool}
}

// tlsCertificate is the certificate that every tlsServer has.
func tlsCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	return s.TLS.Certificates[0]
}

// CHECKLIST 26: the names in TLS certificates are verified.
func TestDialTLS(t *testing.T) {
	names := make(chan string, 4)
	addr, trusted := tlsServer(t, Handler(func(_ *Conn, r *http.Request) {
		names <- r.TLS.ServerName + " " + r.TLS.NegotiatedProtocol
	}, nil))
	toServer := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	opts := direct()
	opts.NetDial = toServer
	opts.TLSConfig = trusted
	trusted.NextProtos = []string{"h2"}

	nc, est, err := dial(context.Background(), "wss://example.com/", opts)
	require.NoError(t, err)
	assert.IsType(t, &tls.Conn{}, nc)
	assert.NotNil(t, est.response.TLS)
	assert.Equal(t, "example.com http/1.1", <-names, "never HTTP/2, always the server's name")
	_ = nc.Close()
	assert.Empty(t, trusted.ServerName, "the caller's config is not changed")
	assert.Equal(t, []string{"h2"}, trusted.NextProtos)

	_, err = Dial(context.Background(), "wss://evil.example/", opts)
	var nameErr x509.HostnameError
	assert.ErrorAs(t, err, &nameErr, "another name")
	opts.TLSConfig = nil
	_, err = Dial(context.Background(), "https://example.com/", opts)
	var unknown x509.UnknownAuthorityError
	assert.ErrorAs(t, err, &unknown, "another authority")

	named := trusted.Clone()
	named.ServerName = "example.com"
	opts.TLSConfig = named
	nc, _, err = dial(context.Background(), "wss://evil.example/", opts)
	require.NoError(t, err, "the name is the caller's to choose")
	_ = nc.Close()

	opts = direct()
	opts.NetDialTLS = func(ctx context.Context, _, address string) (net.Conn, error) {
		assert.Equal(t, "example.com:443", address)
		config := trusted.Clone()
		config.ServerName, config.NextProtos = "example.com", nil
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", addr)
	}
	nc, _, err = dial(context.Background(), "wss://example.com", opts)
	require.NoError(t, err)
	_ = nc.Close()
}

// CHECKLIST 25: each connection has a key of its own.
func TestDialKeysDiffer(t *testing.T) {
	keys := make(chan string, 2)
	addr := listenScript(t, answering(func(r *http.Request) string {
		keys <- r.Header.Get("Sec-WebSocket-Key")
		return answer101(r) + "\r\n"
	}))
	for range 2 {
		nc, _, err := dial(context.Background(), "ws://"+addr, direct())
		require.NoError(t, err)
		_ = nc.Close()
	}
	assert.NotEqual(t, <-keys, <-keys)
}

// After an error nothing stays open, at whatever stage it was. (synctest fails
// if a goroutine stays.)
func TestDialClosesOnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int32
		for _, answer := range []string{
			"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: /\r\n\r\n",
			"HTTP/1.1 101 X\r\n\r\n",
			"rubbish\r\n\r\n",
		} {
			opts := direct()
			opts.Redirects = 2
			dialPipe := pipeDial(answering(func(*http.Request) string { return answer }))
			opts.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
				nc, err := dialPipe(ctx, network, address)
				open.Add(1)
				return &countedConn{Conn: nc, open: &open}, err
			}
			_, err := Dial(context.Background(), "ws://a", opts)
			assert.Error(t, err)
			assert.Zero(t, open.Load(), "connections left open after %q", answer)
		}
	})
}

type countedConn struct {
	net.Conn
	open *atomic.Int32
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// What is left out of a server's answer is seen to be missing.
func TestFirstLine(t *testing.T) {
	assert.Equal(t, "not here", firstLine([]byte(" not here\nbut there\n")))
	assert.Equal(t, strings.Repeat("x", 120), firstLine([]byte(strings.Repeat("x", 120))))
	assert.Equal(t, strings.Repeat("x", 119)+"…", firstLine([]byte(strings.Repeat("x", 119)+"éé")))
}
