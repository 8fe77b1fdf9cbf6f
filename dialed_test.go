package websocket

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dialingOver makes Dial use nc.
func dialingOver(nc net.Conn) *DialOptions {
	opts := direct()
	opts.NetDial = func(context.Context, string, string) (net.Conn, error) { return nc, nil }
	return opts
}

const notFound = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

// A countedTLS is what programs put around a tls.Conn to count connections.
type countedTLS struct {
	*tls.Conn
	closed *atomic.Int32
}

func (c countedTLS) Close() error {
	c.closed.Add(1)
	return c.Conn.Close()
}

// A streamOf is a stream of a session that it names.
type streamOf struct {
	net.Conn
	session net.Conn
}

func (c streamOf) NetConn() net.Conn { return c.session }

// Nothing is left open after an error: what a function of the options dialed is closed, and
// nothing else.
func TestDialClosesWhatWasDialed(t *testing.T) {
	t.Run("around TLS", func(t *testing.T) {
		addr, trusted := tlsServer(t, http.NotFoundHandler())
		trusted.ServerName, trusted.NextProtos = "example.com", nil
		var closed atomic.Int32
		opts := direct()
		opts.NetDialTLS = func(ctx context.Context, _, _ string) (net.Conn, error) {
			nc, err := (&tls.Dialer{Config: trusted}).DialContext(ctx, "tcp", addr)
			if err != nil {
				return nil, err
			}
			return countedTLS{nc.(*tls.Conn), &closed}, nil
		}
		_, err := Dial(bg, "wss://example.com/", opts)
		require.Equal(t, 404, handshakeErrorOf(t, err).StatusCode)
		assert.Positive(t, closed.Load())
	})
	t.Run("a stream", func(t *testing.T) {
		session, _ := tcpPair(t)
		near, far := net.Pipe()
		go answering(func(*http.Request) string { return notFound })(far)
		_, err := Dial(bg, "ws://example.com/", dialingOver(streamOf{near, session}))
		require.Equal(t, 404, handshakeErrorOf(t, err).StatusCode)
		_, err = session.Write([]byte("x"))
		require.NoError(t, err, "the session is not Dial's")
		_, err = near.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.ErrClosedPipe)
	})
	t.Run("a silent stream", func(t *testing.T) {
		near, far := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		opts := dialingOver(streamOf{near, nil})
		opts.HandshakeTimeout = 50 * time.Millisecond
		_, err := Dial(bg, "ws://example.com/", opts)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
}

// The function that chooses a proxy gets a request of its own: what it does to that changes
// nothing.
func TestDialProxyFunctionChangesNothing(t *testing.T) {
	near, far := net.Pipe()
	first := make(chan byte, 1)
	go func() {
		var b [1]byte
		_, _ = io.ReadFull(far, b[:])
		first <- b[0]
		_ = far.Close()
	}()
	opts := dialingOver(near)
	opts.Header = http.Header{"X-Mine": {"a"}}
	opts.Proxy = func(r *http.Request) (*url.URL, error) {
		r.URL.Scheme = "wss" // as the rules that it asks want it
		r.Header.Set("X-Mine", "b\r\nX-Other: c")
		return nil, nil
	}
	_, err := Dial(bg, "wss://user:secret@example.com/", opts)
	require.Error(t, err)
	assert.Equal(t, byte(22), <-first, "a TLS handshake, nothing in clear")
	assert.Equal(t, "a", opts.Header.Get("X-Mine"))
}

// TLS within TLS: whoever does not listen any more is not said goodbye to, which may take five
// seconds. The pipe has no buffer, so that it would.
func TestDialTLSWithinTLSIsBounded(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		c := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{testCertificate()}})
		br := bufio.NewReader(c)
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		_, _ = br.Read(make([]byte, 10)) // of the ClientHello, and then nothing more
	}()
	opts := through(t, "https://localhost/")
	opts.TLSConfig = trustsTests()
	opts.NetDial = func(context.Context, string, string) (net.Conn, error) { return near, nil }
	ctx, cancel := context.WithCancel(bg)
	time.AfterFunc(100*time.Millisecond, cancel)
	start := time.Now()
	_, err := Dial(ctx, "wss://server.example/", opts)
	require.ErrorIs(t, err, context.Canceled)
	assert.Less(t, time.Since(start), 4*time.Second)
}

// A hijacker gives nc away.
type hijacker struct {
	*httptest.ResponseRecorder
	nc net.Conn
}

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h.nc, nil, nil }

// The same for a server whose answer nobody reads.
func TestUpgradeOverTLSIsBounded(t *testing.T) {
	near, far := net.Pipe()
	s := tls.Server(near, &tls.Config{Certificates: []tls.Certificate{testCertificate()}})
	config := trustsTests()
	config.MaxVersion = tls.VersionTLS12
	c := tls.Client(far, config)
	go func() { _ = c.Handshake() }()
	require.NoError(t, s.Handshake())
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(rawRequest + "\r\n")))
	require.NoError(t, err)
	start := time.Now()
	_, err = Upgrade(hijacker{httptest.NewRecorder(), s}, r, &UpgradeOptions{HandshakeTimeout: 100 * time.Millisecond})
	require.Error(t, err)
	assert.Less(t, time.Since(start), 4*time.Second)
}

// An error of a function of the options is that function's, whatever is in its tree.
func TestDialErrorsOfFunctions(t *testing.T) {
	mine := errors.New("the tunnel is down")
	opts := direct()
	opts.NetDial = func(context.Context, string, string) (net.Conn, error) {
		return nil, fmt.Errorf("%w: %w", mine, &HandshakeError{StatusCode: 403, Reason: "of the relay"})
	}
	_, err := Dial(bg, "ws://a.example/", opts)
	require.ErrorIs(t, err, mine)
	assert.Zero(t, err.(*HandshakeError).StatusCode, "nobody has answered") //nolint:errorlint // it is the one on top
	opts.Proxy = through(t, "http://proxy.example/").Proxy
	_, err = Dial(bg, "ws://a.example/", opts)
	require.ErrorIs(t, err, mine)
	assert.Zero(t, err.(*HandshakeError).StatusCode, "nor has the proxy") //nolint:errorlint // as above

	for _, op := range []string{"Get", "parse"} {
		opts.Proxy = func(*http.Request) (*url.URL, error) {
			return nil, fmt.Errorf("%w: %w", mine, &url.Error{Op: op, URL: "http://wpad/proxy.pac", Err: errors.New("refused")})
		}
		_, err = Dial(bg, "ws://a.example/", opts)
		require.ErrorIs(t, err, mine)
		assert.NotContains(t, err.Error(), "not a URL")
	}
}

// The zone of an IPv6 address means something on this machine only: neither a proxy nor a
// certificate knows it.
func TestDialZone(t *testing.T) {
	near, far := net.Pipe()
	line := async(func() string {
		line, _ := bufio.NewReader(far).ReadString('\n')
		_ = far.Close()
		return line
	})
	opts := through(t, "http://proxy.example/")
	opts.NetDial = func(context.Context, string, string) (net.Conn, error) { return near, nil }
	_, err := Dial(bg, "ws://[FE80::1%25eth0]:81/", opts)
	require.Error(t, err)
	assert.Equal(t, "CONNECT [fe80::1]:81 HTTP/1.1\r\n", <-line)

	a, b := tcpPair(t)
	require.NoError(t, b.Close())
	_, err = Dial(bg, "wss://[fe80::1%25eth0]/", dialingOver(a))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "TLS to fe80::1:")

	a, b = tcpPair(t)
	require.NoError(t, b.Close())
	opts = through(t, "https://[fe80::1%25eth0]:81/")
	opts.NetDial = func(context.Context, string, string) (net.Conn, error) { return a, nil }
	_, err = Dial(bg, "ws://server.example/", opts)
	require.Error(t, err)
	assert.Contains(t, err.Error(), "TLS to fe80::1:")
}

// RFC 9110, section 7.8: there is no Upgrade in HTTP/2, whatever its status line says.
func TestDialAnswerOfHTTP2(t *testing.T) {
	addr := listenScript(t, answering(func(r *http.Request) string { return "HTTP/2.0" + answer101(r)[len("HTTP/1.1"):] + "\r\n" }))
	_, err := Dial(bg, "ws://"+addr, direct())
	assert.Contains(t, handshakeErrorOf(t, err).Reason, "does not switch protocols")
}
