// Tests of Dial through proxies. CHECKLIST 26.

package websocket

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// joinConns copies between two connections until either ends.
func joinConns(a, b net.Conn) {
	go func() {
		_, _ = io.Copy(a, b)
		_ = a.Close()
	}()
	_, _ = io.Copy(b, a)
	_ = b.Close()
}

// connectProxy is an HTTP proxy for one server that wants a password if one is
// given.
func connectProxy(server, password string) func(net.Conn) {
	return func(nc net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(nc))
		if err != nil {
			return
		}
		if r.Method != http.MethodConnect || r.Host != r.RequestURI {
			_, _ = io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		want := ""
		if password != "" {
			want = "Basic " + base64.StdEncoding.EncodeToString([]byte(password))
		}
		if r.Header.Get("Proxy-Authorization") != want {
			_, _ = io.WriteString(nc, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 8\r\n\r\nwho, me?")
			return
		}
		up, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		_, _ = io.WriteString(nc, "HTTP/1.1 200 Connection established\r\n\r\n")
		joinConns(nc, up)
	}
}

// socksProxy is a SOCKS5 proxy (RFC 1928, RFC 1929) for one server.
func socksProxy(server, password string, names chan<- string) func(net.Conn) {
	return func(nc net.Conn) {
		var b [262]byte
		read := func(n int) []byte {
			_, _ = io.ReadFull(nc, b[:n])
			return b[:n]
		}
		read(int(read(2)[1])) // the methods
		if password == "" {
			_, _ = nc.Write([]byte{5, 0})
		} else {
			_, _ = nc.Write([]byte{5, 2})
			name := string(read(int(read(2)[1])))
			pass := string(read(int(read(1)[0])))
			if name+":"+pass != password {
				_, _ = nc.Write([]byte{1, 1})
				return
			}
			_, _ = nc.Write([]byte{1, 0})
		}
		head := read(4)
		if head[0] != 5 || head[1] != 1 {
			return
		}
		var host string
		switch head[3] {
		case 1:
			host = net.IP(read(4)).String()
		case 3:
			host = string(read(int(read(1)[0])))
		}
		port := binary.BigEndian.Uint16(read(2))
		names <- net.JoinHostPort(host, strconv.Itoa(int(port)))
		up, err := net.Dial("tcp", server)
		if err != nil {
			_, _ = nc.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		_, _ = nc.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		joinConns(nc, up)
	}
}

// through returns options with one proxy for everything.
func through(t *testing.T, proxy string) *DialOptions {
	t.Helper()
	u, err := url.Parse(proxy)
	require.NoError(t, err)
	return &DialOptions{Proxy: func(r *http.Request) (*url.URL, error) {
		assert.Contains(t, []string{"http", "https"}, r.URL.Scheme)
		assert.NotNil(t, r.Context())
		return u, nil
	}}
}

// CHECKLIST 26: CONNECT, with and without credentials, for ws and wss.
func TestProxyConnect(t *testing.T) {
	h := Handler(func(*Conn, *http.Request) {}, nil)
	plain := serveHTTP(t, h.ServeHTTP)
	secure, trusted := tlsServer(t, h)
	for _, tc := range []struct{ name, url, server, userinfo, password string }{
		{"ws", "ws://example.com/", plain, "", ""},
		{"ws with credentials", "ws://example.com:8080/", plain, "user:p%40ss@", "user:p@ss"},
		{"wss", "wss://example.com/", secure, "", ""},
		{"wss with credentials", "wss://example.com/", secure, "user:p%40ss@", "user:p@ss"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := through(t, "http://"+tc.userinfo+listenScript(t, connectProxy(tc.server, tc.password)))
			opts.TLSConfig = trusted
			nc, est, err := dial(context.Background(), tc.url, opts)
			require.NoError(t, err)
			assert.Empty(t, est.response.Request.Header.Get("Proxy-Authorization"), "the server never sees it")
			_ = nc.Close()
		})
	}
	t.Run("a name that the certificate lacks", func(t *testing.T) {
		opts := through(t, "http://"+listenScript(t, connectProxy(secure, "")))
		opts.TLSConfig = trusted
		_, err := Dial(context.Background(), "wss://evil.example/", opts)
		assert.ErrorContains(t, err, "evil.example")
	})
}

// CHECKLIST 26: an https proxy is verified under its own name.
func TestProxyConnectTLS(t *testing.T) {
	secure, trusted := tlsServer(t, Handler(func(*Conn, *http.Request) {}, nil))
	cert := tlsCertificate(t)
	names := make(chan string, 1)
	addr := listenScript(t, func(nc net.Conn) {
		conn := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			names <- h.ServerName
			return nil, nil
		}})
		connectProxy(secure, "")(conn)
	})
	_, port, _ := net.SplitHostPort(addr)
	opts := through(t, "https://example.com:"+port)
	opts.NetDial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	opts.TLSConfig = trusted.Clone()
	opts.TLSConfig.ServerName = "127.0.0.1" // the server's, not the proxy's
	nc, _, err := dial(context.Background(), "wss://whatever.example/", opts)
	require.NoError(t, err)
	assert.Equal(t, "example.com", <-names)
	_ = nc.Close()
}

// CHECKLIST 26: what a proxy says can be read.
func TestProxyErrors(t *testing.T) {
	addr := listenScript(t, connectProxy("127.0.0.1:1", "user:secret"))
	_, err := Dial(context.Background(), "ws://example.com/", through(t, "http://user:wrong@"+addr))
	he := handshakeErrorOf(t, err)
	assert.Equal(t, 407, he.StatusCode)
	assert.Equal(t, "who, me?", string(he.Body))
	assert.EqualError(t, err, "websocket: handshake: 407 Proxy Authentication Required: proxy "+addr+
		` refused to connect to example.com:80: "who, me?"`)

	for proxy, reason := range map[string]string{
		"ftp://a:1":                  `"ftp"`,
		"http:///":                   "no host",
		"http://u:wrong@127.0.0.1:1": "proxy 127.0.0.1:1: dial",
	} {
		_, err = Dial(context.Background(), "ws://example.com/", through(t, proxy))
		assert.ErrorContains(t, err, reason)
		assert.NotContains(t, err.Error(), "wrong")
	}

	chatty := listenScript(t, answering(func(*http.Request) string { return "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 X\r\n\r\n" }))
	_, err = Dial(context.Background(), "ws://example.com/", through(t, "http://"+chatty))
	assert.ErrorContains(t, err, "bytes after the answer")
	endless := listenScript(t, func(nc net.Conn) {
		for {
			if _, err := io.WriteString(nc, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
				return
			}
		}
	})
	_, err = Dial(context.Background(), "ws://example.com/", through(t, "http://"+endless))
	assert.ErrorIs(t, err, errAnswerTooLong)

	opts := &DialOptions{Proxy: func(*http.Request) (*url.URL, error) { return nil, io.ErrNoProgress }}
	_, err = Dial(context.Background(), "ws://example.com/", opts)
	assert.ErrorIs(t, err, io.ErrNoProgress)
}

// CHECKLIST 26: SOCKS5, with and without credentials; names go to the proxy.
func TestProxySOCKS(t *testing.T) {
	plain := serveHTTP(t, Handler(func(*Conn, *http.Request) {}, nil).ServeHTTP)
	for _, tc := range []struct{ name, scheme, userinfo, password string }{
		{"socks5", "socks5", "", ""},
		{"socks5h", "socks5h", "", ""},
		{"credentials", "socks5", "user:pass@", "user:pass"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			names := make(chan string, 1)
			addr := listenScript(t, socksProxy(plain, tc.password, names))
			nc, _, err := dial(context.Background(), "ws://example.com:81/", through(t, tc.scheme+"://"+tc.userinfo+addr))
			require.NoError(t, err)
			assert.Equal(t, "example.com:81", <-names)
			assert.IsType(t, &net.TCPConn{}, nc, "the bare connection")
			_ = nc.Close()
		})
	}
	addr := listenScript(t, socksProxy(plain, "user:pass", make(chan string, 1)))
	_, err := Dial(context.Background(), "ws://example.com/", through(t, "socks5://user:wrong@"+addr))
	assert.ErrorContains(t, err, "proxy "+addr)
	assert.NotContains(t, err.Error(), "wrong")
	addr = listenScript(t, socksProxy("127.0.0.1:1", "", make(chan string, 1)))
	_, err = Dial(context.Background(), "ws://example.com/", through(t, "socks5://"+addr))
	assert.ErrorContains(t, err, "connection refused")
}

// CHECKLIST 23: proxies that say nothing are bounded in time.
func TestProxyIsBoundedInTime(t *testing.T) {
	for _, proxy := range []string{"http://p", "https://p", "socks5://p", "socks5://u:p@p"} {
		synctest.Test(t, func(t *testing.T) {
			opts := through(t, proxy)
			opts.NetDial = pipeDial(func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) })
			start := time.Now()
			_, err := Dial(context.Background(), "ws://a/", opts)
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded, proxy)
			assert.ErrorContains(t, err, "(proxy p: ")
			assert.Equal(t, DefaultHandshakeTimeout, time.Since(start), proxy)

			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Second, cancel)
			_, err = Dial(ctx, "ws://a/", opts)
			assert.ErrorIs(t, err, context.Canceled, proxy)
		})
	}
}

// Without an option the environment decides; ws counts as http, wss as https.
func TestProxyFromEnvironment(t *testing.T) {
	plain := serveHTTP(t, Handler(func(*Conn, *http.Request) {}, nil).ServeHTTP)
	t.Setenv("http_proxy", "http://"+listenScript(t, connectProxy(plain, "")))
	t.Setenv("https_proxy", "http://127.0.0.1:1")
	t.Setenv("no_proxy", "direct.example")
	t.Setenv("REQUEST_METHOD", "")
	nc, _, err := dial(context.Background(), "ws://example.com/", nil)
	require.NoError(t, err)
	_ = nc.Close()
	_, err = Dial(context.Background(), "wss://example.com/", nil)
	assert.ErrorContains(t, err, "proxy 127.0.0.1:1")
	_, err = Dial(context.Background(), "ws://direct.example/", &DialOptions{
		NetDial: func(_ context.Context, _, address string) (net.Conn, error) {
			assert.Equal(t, "direct.example:80", address)
			return nil, io.ErrClosedPipe
		},
	})
	assert.ErrorIs(t, err, io.ErrClosedPipe)
}

// A proxy that cannot be reached, or refuses, or whose answer comes as the context ends,
// leaves no connection behind.
func TestProxyFails(t *testing.T) {
	ended := func(cancel func()) io.Reader {
		return readerFunc(func(p []byte) (int, error) {
			cancel()
			return copy(p, "HTTP/1.1 200 OK\r\n\r\n"), nil
		})
	}
	refusing := func(func()) io.Reader { return strings.NewReader("HTTP/1.1 403 Forbidden\r\n\r\n") }
	for name, tc := range map[string]struct {
		proxy string
		says  func(cancel func()) io.Reader // nil: nobody is there
		want  string
	}{
		"HTTP, unreachable":  {"http://proxy", nil, "no route"},
		"HTTP, refusing":     {"http://proxy", refusing, "403"},
		"HTTP, ended":        {"http://proxy", ended, "canceled"},
		"SOCKS, unreachable": {"socks5://proxy", nil, "no route"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(bg)
			defer cancel()
			nc := &guardedConn{scriptedConn: &scriptedConn{}}
			opts := &DialOptions{
				Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(tc.proxy) },
				NetDial: func(context.Context, string, string) (net.Conn, error) {
					if tc.says == nil {
						return nil, errors.New("no route")
					}
					nc.in = tc.says(cancel)
					return nc, nil
				},
			}
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server/", http.NoBody)
			require.NoError(t, err)
			_, err = openRoute(ctx, opts, r)
			require.ErrorContains(t, err, tc.want)
			assert.Equal(t, tc.says != nil, nc.closed.Load())
		})
	}
}

// guardedConn may be closed by several goroutines.
type guardedConn struct {
	*scriptedConn
	closed atomic.Bool
}

func (c *guardedConn) Close() error { c.closed.Store(true); return nil }

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// RFC 9110, section 9.3.6: only 2xx is a tunnel.
func TestConnectAnswered101(t *testing.T) {
	proxy := listenScript(t, func(nc net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(nc)); err == nil {
			_, _ = io.WriteString(nc, "HTTP/1.1 101 X\r\n\r\n")
		}
	})
	_, err := Dial(bg, "ws://example.com", through(t, "http://"+proxy))
	assert.Equal(t, 101, handshakeErrorOf(t, err).StatusCode)
	assert.ErrorContains(t, err, "refused to connect")
}
