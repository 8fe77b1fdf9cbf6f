//go:build linux

package interop

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket"
)

// nginxConf has the reverse proxy of nginx's manual, on a plain port and on one
// that terminates TLS. The first path element says how the Host header is
// passed on, since it matters to the check of the Origin.
const nginxConf = `
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;

	map $http_upgrade $connection_upgrade {
		default upgrade;
		'' close;
	}
	server {
		listen %[2]s;
		listen %[3]s ssl http2;
		ssl_certificate %[4]s;
		ssl_certificate_key %[5]s;

		proxy_http_version 1.1;
		proxy_set_header Upgrade $http_upgrade;
		proxy_set_header Connection $connection_upgrade;
		proxy_read_timeout %[7]s;

		location / { # nginx's default is the name of the upstream
			proxy_pass http://%[6]s/;
		}
		location /host/ { # without the port
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			proxy_set_header Host $host;
			proxy_pass http://%[6]s/;
		}
		location /http_host/ { # as the client sent it
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			proxy_set_header Host $http_host;
			proxy_pass http://%[6]s/;
		}
		location /unaware/ { # nobody thought of WebSocket
			proxy_set_header Connection "";
			proxy_pass http://%[6]s/;
		}
	}
}
`

// startNginx starts nginx in front of a server. It ends a connection on which
// the server has sent nothing for so long.
func startNginx(t *testing.T, root *authority, upstream, idle string) (plain, secure string) {
	need(t, "nginx")
	plain, secure = freeAddress(t), freeAddress(t)
	_, cert, key := root.issue("localhost", "127.0.0.1")
	conf := writeFile(t, "nginx.conf", "")
	dir := filepath.Dir(conf)
	conf = writeFile(t, "nginx.conf", fmt.Sprintf(nginxConf, dir, plain, secure, cert, key, upstream, idle))
	p := start(t, "nginx", "-e", "stderr", "-p", dir, "-c", conf)
	p.awaitPort(plain)
	p.awaitPort(secure)
	return plain, secure
}

func TestNginx(t *testing.T) {
	need(t, "nginx")
	root := newAuthority(t)
	s := newServer(t, nil, nil)
	plain, secure := startNginx(t, root, s.address(), "60s")

	for _, base := range []string{"ws://" + plain, "wss://" + secure} {
		scheme, _, _ := strings.Cut(base, ":")
		for _, echo := range echoes {
			t.Run(scheme+" "+echo.name, func(t *testing.T) {
				useWell(t, dial(t, base+"/http_host/echo/"+echo.name, root.trust()))
				requireClosed(t, s.end(), 1000, "done", true)
			})
		}
	}
	t.Run("origin", func(t *testing.T) {
		for _, test := range []struct {
			url, origin string
			status      int
		}{
			{"ws://" + plain + "/http_host", "http://" + plain, 101},
			{"wss://" + secure + "/http_host", "https://" + secure, 101},
			{"wss://" + secure + "/http_host", "https://evil.example", 403},
			{"wss://" + secure + "/http_host", "https://" + plain, 403}, // another port
			// $host drops the port, which is right where it is the default one.
			{"wss://" + secure + "/host", "https://127.0.0.1", 101},
			{"ws://" + plain + "/host", "http://127.0.0.1", 101},
			{"wss://" + secure + "/host", "https://" + secure, 403},
			// Without a Host of its own the server is 127.0.0.1 and its own port.
			{"wss://" + secure, "https://" + secure, 403},
			{"wss://" + secure, "", 101}, // not a page
		} {
			opts := root.trust()
			if test.origin != "" {
				opts.Header = http.Header{"Origin": {test.origin}}
			}
			c, err := websocket.Dial(within(t), test.url+"/echo/Read", opts)
			if test.status == http.StatusSwitchingProtocols {
				require.NoError(t, err, test)
				useWell(t, c)
				s.end()
				continue
			}
			var he *websocket.HandshakeError
			require.ErrorAs(t, err, &he, test)
			require.Equal(t, test.status, he.StatusCode, test)
			require.Contains(t, string(he.Body), test.origin) // says what was wrong
		}
	})
	t.Run("patterns for a Host that is not passed on", func(t *testing.T) {
		s := newServer(t, nil, &websocket.UpgradeOptions{OriginPatterns: []string{"https://127.0.0.1:*"}})
		_, secure := startNginx(t, root, s.address(), "60s")
		opts := root.trust()
		opts.Header = http.Header{"Origin": {"https://" + secure}}
		useWell(t, dial(t, "wss://"+secure+"/echo/Read", opts))
	})
	t.Run("headers not passed on", func(t *testing.T) {
		_, err := websocket.Dial(within(t), "ws://"+plain+"/unaware/echo/Read", direct())
		var he *websocket.HandshakeError
		require.ErrorAs(t, err, &he)
		require.Equal(t, http.StatusUpgradeRequired, he.StatusCode)
		require.Contains(t, string(he.Body), "Upgrade") // says what to look for
	})
	t.Run("server away", func(t *testing.T) {
		away, _ := startNginx(t, root, freeAddress(t), "60s")
		_, err := websocket.Dial(within(t), "ws://"+away+"/echo/Read", direct())
		var he *websocket.HandshakeError
		require.ErrorAs(t, err, &he)
		require.Equal(t, http.StatusBadGateway, he.StatusCode)
	})
	t.Run("idle", func(t *testing.T) { testIdle(t, root) })
	t.Run("Chromium", func(t *testing.T) {
		b := startBrowser(t)
		for _, base := range []string{"http://" + plain, "https://" + secure} {
			p := b.open(t, base+"/http_host/page.html")
			var got struct {
				Version string // of HTTP, of the page
				closeEvent
			}
			p.run(t, fmt.Sprintf(`
				const ws = await open(%q);
				ws.send(binary(1 << 20));
				if (!same(await ws.next(), binary(1 << 20))) throw new Error("the echo differs");
				ws.close(3000);
				const version = performance.getEntriesByType("navigation")[0].nextHopProtocol;
				return { version, ...(await ws.ended) };
			`, "ws"+base[4:]+"/http_host/echo/Messages"), &got)
			require.Equal(t, closeEvent{3000, "", true}, got.closeEvent)
			if base[:5] == "https" {
				require.Equal(t, "h2", got.Version) // which a WebSocket does not mind
			}
			requireClosed(t, s.end(), 3000, "", true)
		}
	})
}

// testIdle outlasts the time-out of nginx.
func testIdle(t *testing.T, root *authority) {
	s := newServer(t, nil, &websocket.UpgradeOptions{Heartbeat: 250 * time.Millisecond})
	silent := newServer(t, nil, &websocket.UpgradeOptions{Heartbeat: -1})
	plain, secure := startNginx(t, root, s.address(), "2s")
	mute, _ := startNginx(t, root, silent.address(), "2s")
	var alive []*websocket.Conn
	var reads []chan error
	for _, base := range []string{"ws://" + plain, "wss://" + secure} {
		c := dial(t, base+"/echo/Messages", root.trust())
		read := make(chan error, 1)
		go func() {
			_, p, err := c.Read(within(t)) // answers the heartbeats
			if err == nil && string(p) != "still there" {
				err = errors.New("another message: " + string(p))
			}
			read <- err
		}()
		alive, reads = append(alive, c), append(reads, read)
	}
	// A connection that was opened later and is lost tells when it is time.
	opts := direct()
	opts.Heartbeat = -1
	_, _, err := dial(t, "ws://"+mute+"/echo/Messages", opts).Read(within(t))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Error(t, silent.end())
	for i, c := range alive {
		require.NoError(t, c.WriteText(within(t), "still there"))
		require.NoError(t, <-reads[i])
		require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
		requireClosed(t, s.end(), 1000, "", true)
	}
}
