//go:build linux

package interop

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket"
)

// via returns options that lead through a proxy.
func via(t *testing.T, opts *websocket.DialOptions, proxy string) *websocket.DialOptions {
	t.Helper()
	u, err := url.Parse(proxy)
	require.NoError(t, err)
	opts.Proxy = func(*http.Request) (*url.URL, error) { return u, nil }
	return opts
}

// servers returns a ws and a wss server as a host sees them.
func servers(t *testing.T, root *authority, host string) map[string]string {
	config, _, _ := root.issue(host)
	plain, secure := newServer(t, nil, nil), newServer(t, config, nil)
	return map[string]string{
		"ws":  "ws://" + host + ":" + port(plain.address()),
		"wss": "wss://" + host + ":" + port(secure.address()),
	}
}

// useWell sends a little and a lot through a connection and closes it.
func useWell(t *testing.T, c *websocket.Conn) {
	t.Helper()
	for _, size := range []int{0, 5, 65536, 1 << 20} {
		exchange(t, c, websocket.MessageBinary, payload(size, websocket.MessageBinary))
	}
	require.NoError(t, c.Close(websocket.StatusNormalClosure, "done"))
}

// squid starts Squid with a port that asks for ann's password and one that
// does not. It alone knows where peer.example is, so that nobody gets there
// without it.
func squid(t *testing.T) (guarded, open string) {
	need(t, "squid", "/usr/lib/squid/basic_ncsa_auth")
	guarded, open = freeAddress(t), freeAddress(t)
	config := fmt.Sprintf(`
http_port %[1]s
http_port %[2]s
auth_param basic program /usr/lib/squid/basic_ncsa_auth %[4]s
auth_param basic children 1 startup=1
acl open localport %[3]s
acl known proxy_auth REQUIRED
http_access allow open
http_access allow known
http_access deny all
hosts_file %[5]s
cache deny all
access_log none
cache_log /dev/null
cache_store_log none
pid_filename none
coredump_dir none
pinger_enable off
shutdown_lifetime 0 seconds
`, guarded, open, port(open), writeFile(t, "passwords", "ann:$apr1$interop$fs7STVCE1ssLaPeAkPDnn/\n"), // se/cret
		writeFile(t, "hosts", "127.0.0.1 peer.example\n"))
	p := start(t, "squid", "-N", "-n", "interop"+port(open), "-d", "1", "-f", writeFile(t, "squid.conf", config))
	p.awaitPort(guarded)
	p.awaitPort(open)
	return guarded, open
}

func TestConnectProxy(t *testing.T) {
	guarded, open := squid(t)
	root := newAuthority(t)
	for scheme, base := range servers(t, root, "peer.example") {
		t.Run(scheme, func(t *testing.T) {
			target := base + "/echo/Messages"
			t.Run("without credentials", func(t *testing.T) {
				useWell(t, dial(t, target, via(t, root.trust(), "http://"+open)))
			})
			t.Run("with credentials", func(t *testing.T) {
				useWell(t, dial(t, target, via(t, root.trust(), "http://ann:se%2Fcret@"+guarded)))
			})
			t.Run("from the environment", func(t *testing.T) {
				t.Setenv("HTTP_PROXY", "http://"+open)
				t.Setenv("HTTPS_PROXY", "http://ann:se%2Fcret@"+guarded)
				t.Setenv("http_proxy", "")
				t.Setenv("https_proxy", "")
				t.Setenv("no_proxy", "")
				t.Setenv("NO_PROXY", "")
				opts := root.trust()
				opts.Proxy = nil
				useWell(t, dial(t, target, opts))
			})
			for name, user := range map[string]string{
				"missing credentials": "", "wrong password": "ann:wrong@", "unknown user": "bob:secret@",
			} {
				t.Run(name, func(t *testing.T) {
					_, err := websocket.Dial(within(t), target, via(t, root.trust(), "http://"+user+guarded))
					var he *websocket.HandshakeError
					require.ErrorAs(t, err, &he)
					require.Equal(t, http.StatusProxyAuthRequired, he.StatusCode)
					require.ErrorContains(t, err, "407 Proxy Authentication Required")
					require.ErrorContains(t, err, guarded)
					require.NotContains(t, err.Error(), "wrong")
					require.NotEmpty(t, he.Header.Get("Proxy-Authenticate"))
				})
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		target := "ws://peer.example:" + port(freeAddress(t))
		_, err := websocket.Dial(within(t), target, via(t, direct(), "http://"+open))
		var he *websocket.HandshakeError
		require.ErrorAs(t, err, &he)
		require.Equal(t, http.StatusServiceUnavailable, he.StatusCode) // what Squid answers
		require.ErrorContains(t, err, "peer.example")
	})
}

func TestSOCKSProxy(t *testing.T) {
	need(t, "microsocks")
	open, guarded := freeAddress(t), freeAddress(t)
	free := start(t, "microsocks", "-i", "127.0.0.1", "-p", port(open))
	free.awaitPort(open)
	asks := start(t, "microsocks", "-i", "127.0.0.1", "-p", port(guarded), "-u", "ann", "-P", "se/cret")
	asks.awaitPort(guarded)
	root := newAuthority(t)
	for scheme, base := range servers(t, root, "127.0.0.1") {
		t.Run(scheme, func(t *testing.T) {
			target := base + "/echo/Messages"
			server, err := url.Parse(base)
			require.NoError(t, err)
			for _, socks := range []string{"socks5", "socks5h"} {
				t.Run(socks+" without credentials", func(t *testing.T) {
					useWell(t, dial(t, target, via(t, root.trust(), socks+"://"+open)))
					free.await("connected to " + server.Host)
				})
				t.Run(socks+" with credentials", func(t *testing.T) {
					useWell(t, dial(t, target, via(t, root.trust(), socks+"://ann:se%2Fcret@"+guarded)))
					asks.await("connected to " + server.Host)
				})
			}
			for name, user := range map[string]string{
				"missing credentials": "", "wrong password": "ann:wrong@", "unknown user": "bob:secret@",
			} {
				t.Run(name, func(t *testing.T) {
					_, err := websocket.Dial(within(t), target, via(t, root.trust(), "socks5://"+user+guarded))
					var he *websocket.HandshakeError
					require.ErrorAs(t, err, &he)
					require.Zero(t, he.StatusCode)
					require.ErrorContains(t, err, "socks")
					require.ErrorContains(t, err, "authentication")
					require.ErrorContains(t, err, guarded)
					require.NotContains(t, err.Error(), "wrong")
				})
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		target := "ws://" + freeAddress(t)
		_, err := websocket.Dial(within(t), target, via(t, direct(), "socks5://"+open))
		require.ErrorContains(t, err, "connection refused")
	})
}
