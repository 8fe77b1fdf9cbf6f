//go:build linux

package interop

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket"
)

// compressions are what this side wants; every message is compressed.
var compressions = map[string]*websocket.Compression{
	"takeover":    {Threshold: -1, SendTakeover: true, ReceiveTakeover: true},
	"no takeover": {Threshold: -1},
	"9 bits":      {Threshold: -1, SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 9, ReceiveWindowBits: 9},
	"level 9":     {Threshold: -1, SendTakeover: true, Level: 9, SendWindowBits: 12},
}

// deflates are what the peer wants, by the names of the peers. (zlib has no
// windows of 8 bits.)
var deflates = []args{
	{},
	{"serverNoTakeover": true, "clientNoTakeover": true},
	{"serverBits": 9, "clientBits": 9},
	{"serverBits": 12, "clientBits": 11, "serverNoTakeover": true},
}

func TestNodeCompressed(t *testing.T)   { testPeerCompressed(t, nodePeer(t)) }
func TestPythonCompressed(t *testing.T) { testPeerCompressed(t, pythonPeer(t)) }

// CHECKLIST 17: thousands of messages both ways, with windows of all kinds.
func testPeerCompressed(t *testing.T, p *peer) {
	for name, c := range compressions {
		s := newServer(t, nil, &websocket.UpgradeOptions{Compression: c})
		for i, deflate := range deflates {
			t.Run(fmt.Sprintf("%s/peer %d/client", name, i), func(t *testing.T) {
				to := s.ws("/echo/" + echoes[i%len(echoes)].name)
				got := p.call("echo", args{"url": to, "sizes": sizes, "deflate": deflate})
				require.Contains(t, got.Extensions, "permessage-deflate")
				require.EqualValues(t, 1000, got.Code)
				requireClosed(t, s.end(), 1000, "", true)
				require.EqualValues(t, 1000, p.call("batch", args{"url": to, "sizes": small, "deflate": deflate}).Code)
				requireClosed(t, s.end(), 1000, "", true)
				p.call("fragments", args{"url": to, "sizes": []int{1, 5000, 0, 3, 70000}, "deflate": deflate})
				requireClosed(t, s.end(), 1000, "", true)
			})
			t.Run(fmt.Sprintf("%s/peer %d/server", name, i), func(t *testing.T) {
				base := p.base
				defer func() { p.base = base }()
				p.base = fmt.Sprintf("ws://127.0.0.1:%d", p.call("listen", args{"deflate": deflate}).Port)
				opts := direct()
				opts.Compression = c
				conn, ended := p.dial(t, "/echo", url.Values{}, opts)
				require.Contains(t, conn.Extensions(), "permessage-deflate")
				for _, size := range sizes {
					exchange(t, conn, websocket.MessageBinary, payload(size, websocket.MessageBinary))
					exchange(t, conn, websocket.MessageText, payload(size, websocket.MessageText))
				}
				closeAndWait(t, conn, 1000, "")
				require.EqualValues(t, 1000, ended().Code)
			})
		}
	}
}

func TestChromiumCompressed(t *testing.T) {
	b := startBrowser(t)
	for name, c := range compressions {
		s := newServer(t, nil, &websocket.UpgradeOptions{Compression: c})
		p := b.open(t, s.URL+"/page.html")
		for _, echo := range echoes {
			t.Run(name+"/"+echo.name, func(t *testing.T) {
				var extensions string
				p.run(t, fmt.Sprintf(`
					const ws = await open(%q);
					let seed = 1;
					const random = (n) => (seed = (seed * 48271) %% 2147483647) %% n;
					for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
						for (const data of [text(size), binary(size)]) {
							ws.send(data);
							if (!same(await ws.next(), data)) throw new Error("the echo differs: " + size);
						}
					}
					const sent = Array.from({ length: 2000 }, (_, i) => "message " + i + text(random(1 << random(13))));
					for (const data of sent) ws.send(data); // without waiting
					for (const data of sent) {
						if ((await ws.next()) !== data) throw new Error("the echo differs: " + data);
					}
					ws.close(1000);
					await ws.ended;
					return ws.extensions;
				`, s.ws("/echo/"+echo.name)), &extensions)
				require.Contains(t, extensions, "permessage-deflate")
				requireClosed(t, s.end(), 1000, "", true)
			})
		}
	}
}
