// Tests of what follows a redirect, and of cookies. CHECKLIST 24.

package websocket

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// CHECKLIST 24: redirects, none by default, and never down from TLS.
func TestDialRedirects(t *testing.T) {
	final := serveHTTP(t, Handler(func(*Conn, *http.Request) {}, nil).ServeHTTP)
	hops := 0
	addr := listenScript(t, answering(func(r *http.Request) string {
		n := 0
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
		hops++
		if n == 0 {
			return "HTTP/1.1 307 X\r\nContent-Length: 0\r\nLocation: ws://" + final + "/\r\n\r\n"
		}
		return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: %d#f\r\n\r\n", []int{301, 302, 303, 307, 308}[n%5], n-1)
	}))
	try := func(path string, redirects int) (int, error) {
		hops = 0
		opts := direct()
		opts.Redirects = redirects
		nc, est, err := dial(context.Background(), "ws://"+addr+path, opts)
		if err == nil {
			assert.Equal(t, final, est.response.Request.URL.Host)
			_ = nc.Close()
		}
		return hops, err
	}
	n, err := try("/0", 0)
	assert.Equal(t, 307, handshakeErrorOf(t, err).StatusCode)
	assert.ErrorContains(t, err, final)
	assert.Equal(t, 1, n)
	_, err = try("/0", -1)
	assert.Error(t, err)
	n, err = try("/4", 5)
	assert.NoError(t, err)
	assert.Equal(t, 5, n)
	_, err = try("/4", 4)
	assert.ErrorContains(t, err, "more than 4 redirects")

	for _, location := range []string{"ws://" + final, "http://" + final} {
		tlsAddr, trusted := tlsServer(t, http.RedirectHandler(location, http.StatusFound))
		opts := direct()
		opts.TLSConfig, opts.Redirects = trusted, 5
		_, err = Dial(context.Background(), "wss://"+tlsAddr, opts)
		assert.ErrorContains(t, err, "from wss to ws")
	}
	for _, location := range []string{"", "ftp://a/", "ws:", "ws://a b/"} {
		bad := listenScript(t, answering(func(*http.Request) string {
			return "HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: " + location + "\r\n\r\n"
		}))
		opts := direct()
		opts.Redirects = 5
		_, err = Dial(context.Background(), "ws://"+bad, opts)
		assert.Equal(t, 302, handshakeErrorOf(t, err).StatusCode)
	}
}

// CHECKLIST 24: what counts as the same host.
func TestRedirectStays(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		stays    bool
	}{
		{"ws://example.com/a", "ws://EXAMPLE.com:80/b", true},
		{"ws://example.com/", "wss://example.com/", true},
		{"ws://example.com:80/", "https://Example.com:443/", true},
		{"wss://example.com:8443/", "wss://example.com:8443/b", true},
		{"ws://example.com/", "ws://www.example.com/", false},
		{"ws://example.com/", "wss://www.example.com/", false},
		{"ws://example.com/", "wss://example.com:8443/", false},
		{"ws://example.com:8080/", "wss://example.com/", false},
		{"ws://example.com/", "ws://example.com:8080/", false},
		{"wss://example.com/", "ws://example.com:443/", true}, // and is not followed
	} {
		from, err := parseTarget(tc.from)
		require.NoError(t, err)
		to, err := parseTarget(tc.to)
		require.NoError(t, err)
		assert.Equal(t, tc.stays, staysAt(from, to), "%s to %s", tc.from, tc.to)
	}
}

// CHECKLIST 24: credentials stay with the host that they are for.
func TestDialRedirectCredentials(t *testing.T) {
	seen := make(chan http.Header, 8)
	hosts := make(chan string, 8)
	var other, first string
	note := func(r *http.Request) {
		seen <- r.Header
		hosts <- r.Host
	}
	other = listenScript(t, answering(func(r *http.Request) string {
		note(r)
		return "HTTP/1.1 302 X\r\nSet-Cookie: other=1\r\nLocation: ws://" + first + "/back\r\n\r\n"
	}))
	first = listenScript(t, answering(func(r *http.Request) string {
		note(r)
		switch r.URL.Path {
		case "/same":
			return "HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: /leave\r\n\r\n"
		case "/leave":
			return "HTTP/1.1 302 X\r\nSet-Cookie: jar=1\r\nLocation: http://x:y@" + other + "/\r\n\r\n"
		}
		return answer101(r) + "\r\n"
	}))
	opts := direct()
	opts.Redirects = 3
	opts.Header = http.Header{
		"authorization": {"Bearer x"}, "Cookie": {"a=1"}, "Proxy-Authorization": {"p"},
		"WWW-Authenticate": {"w"}, "Host": {"name.example"}, "X": {"kept"},
	}
	check := func(kept bool, step string) {
		h := <-seen
		assert.Equal(t, kept, h.Get("Authorization") != "", "Authorization %s", step)
		assert.Equal(t, kept, strings.Contains(h.Get("Cookie"), "a=1"), "Cookie %s", step)
		assert.Equal(t, kept, h.Get("Proxy-Authorization") != "", "Proxy-Authorization %s", step)
		assert.Equal(t, kept, h.Get("WWW-Authenticate") != "", "WWW-Authenticate %s", step)
		assert.Equal(t, kept, <-hosts == "name.example", "Host %s", step)
		assert.Equal(t, "kept", h.Get("X"))
	}
	for _, userinfo := range []string{"", "user:pass@"} {
		if userinfo != "" {
			delete(opts.Header, "authorization")
		}
		nc, _, err := dial(context.Background(), "ws://"+userinfo+first+"/same", opts)
		require.NoError(t, err)
		_ = nc.Close()
		check(true, "at first")
		check(true, "on the same host")
		check(false, "elsewhere")
		check(false, "back again")
	}
}

// The jar gives and takes cookies for each URL, under http and https.
func TestDialJar(t *testing.T) {
	seen := make(chan string, 4)
	addr := listenScript(t, answering(func(r *http.Request) string {
		seen <- r.Header.Get("Cookie")
		if r.URL.Path == "/" {
			return "HTTP/1.1 302 X\r\nSet-Cookie: hop=1; Path=/\r\nLocation: /next\r\n\r\n"
		}
		return answer101(r) + "Set-Cookie: last=1; Path=/\r\n\r\n"
	}))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	opts := direct()
	opts.Jar, opts.Redirects, opts.Header = jar, 1, http.Header{"Cookie": {"own=1"}}
	nc, _, err := dial(context.Background(), "ws://"+addr, opts)
	require.NoError(t, err)
	_ = nc.Close()
	assert.Equal(t, "own=1", <-seen)
	assert.Equal(t, "own=1; hop=1", <-seen)
	assert.Len(t, jar.Cookies(&url.URL{Scheme: "http", Host: addr}), 2)
}
