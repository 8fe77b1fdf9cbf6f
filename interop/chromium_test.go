//go:build linux

package interop

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket"
)

// closeEvent is what onclose gets.
type closeEvent struct {
	Code     websocket.StatusCode
	Reason   string
	WasClean bool
}

func TestChromium(t *testing.T) {
	b := startBrowser(t)
	s := newServer(t, nil, &websocket.UpgradeOptions{Subprotocols: []string{"chat.v2"}})
	p := b.open(t, s.URL+"/page.html")
	for _, echo := range echoes {
		t.Run(echo.name, func(t *testing.T) {
			var got struct {
				Protocol, Extensions string
				closeEvent
			}
			p.run(t, fmt.Sprintf(`
				const ws = await open(%q, ["chat.v1", "chat.v2"]);
				for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
					for (const data of [text(size), binary(size)]) {
						ws.send(data);
						if (!same(await ws.next(), data)) throw new Error("the echo differs: " + size);
					}
				}
				for (let i = 0; i < 1000; i++) ws.send("message " + i); // without waiting
				for (let i = 0; i < 1000; i++) {
					if ((await ws.next()) !== "message " + i) throw new Error("the echo differs: " + i);
				}
				ws.close(1000, "grüße");
				const { protocol, extensions } = ws;
				return { protocol, extensions, ...(await ws.ended) };
			`, s.ws("/echo/"+echo.name)), &got)
			require.Equal(t, "chat.v2", got.Protocol)
			require.Equal(t, closeEvent{1000, "", true}, got.closeEvent) // what comes back is the code
			requireClosed(t, s.end(), 1000, "grüße", true)
		})
	}
	t.Run("Blob", func(t *testing.T) {
		p.run(t, fmt.Sprintf(`
			const ws = await open(%q);
			ws.binaryType = "blob";
			const data = binary(100000);
			ws.send(new Blob([data]));
			const echo = await ws.next();
			if (!(echo instanceof Blob)) throw new Error("no Blob: " + echo);
			if (!same(await echo.arrayBuffer(), data)) throw new Error("the echo differs");
			ws.close();
			await ws.ended;
		`, s.ws("/echo/Read")), nil)
		requireClosed(t, s.end(), websocket.StatusNoStatusReceived, "", true)
	})
	t.Run("bufferedAmount", func(t *testing.T) {
		var got struct {
			Queued, Rest int
			Counted      string
		}
		p.run(t, fmt.Sprintf(`
			const ws = await open(%q);
			for (let i = 0; i < 32; i++) ws.send(new Uint8Array(1 << 20));
			const queued = ws.bufferedAmount; // nothing leaves before the script waits
			ws.send("");
			const counted = await ws.next();
			const rest = ws.bufferedAmount;
			ws.close(1000);
			await ws.ended;
			return { queued, counted, rest };
		`, s.ws("/count")), &got)
		require.Equal(t, 32<<20, got.Queued)
		require.Equal(t, "32 "+strconv.Itoa(32<<20), got.Counted)
		require.Zero(t, got.Rest)
		s.end()
	})
	t.Run("the page closes", func(t *testing.T) {
		for _, closing := range closings {
			call := "ws.close()"
			switch closing.code {
			case websocket.StatusGoingAway:
				continue // a page may not
			case websocket.StatusNoStatusReceived:
			default:
				call = fmt.Sprintf("ws.close(%d, %s)", closing.code, quoteJS(closing.reason))
			}
			var got closeEvent
			p.run(t, fmt.Sprintf("const ws = await open(%q); %s; return ws.ended;", s.ws("/echo/Messages"), call), &got)
			require.Equal(t, closeEvent{closing.code, "", true}, got) // what comes back is the code
			requireClosed(t, s.end(), closing.code, closing.reason, true)
		}
	})
	t.Run("the page goes away", func(t *testing.T) {
		other := b.open(t, s.URL+"/page.html")
		other.run(t, fmt.Sprintf("window.ws = await open(%q)", s.ws("/echo/Messages")), nil)
		other.navigate(t, s.URL+"/page.html?again")
		requireClosed(t, s.end(), websocket.StatusGoingAway, "", true)
	})
	t.Run("the server closes", func(t *testing.T) {
		for _, closing := range closings {
			query := url.Values{"code": {strconv.Itoa(int(closing.code))}, "reason": {closing.reason}}
			var got closeEvent
			p.run(t, fmt.Sprintf("return (await open(%q)).ended", s.ws("/close?"+query.Encode())), &got)
			require.Equal(t, closeEvent{closing.code, closing.reason, true}, got)
			requireClosed(t, s.end(), closing.code, closing.reason, false)
		}
	})
	t.Run("the connection is lost", func(t *testing.T) {
		var got closeEvent
		p.run(t, fmt.Sprintf("const ws = await open(%q); ws.send('go'); return ws.ended", s.ws("/abort")), &got)
		require.Equal(t, closeEvent{1006, "", false}, got)
		s.end()
	})
	t.Run("a message too big", func(t *testing.T) {
		var got closeEvent
		p.run(t, fmt.Sprintf("const ws = await open(%q); ws.send(binary((1 << 20) + 1)); return ws.ended",
			s.ws("/echo/Messages")), &got)
		require.Equal(t, websocket.StatusMessageTooBig, got.Code)
		require.True(t, got.WasClean)
		require.ErrorIs(t, s.end(), websocket.ErrMessageTooBig)
	})
	t.Run("ping", func(t *testing.T) {
		p.run(t, fmt.Sprintf(`
			const ws = await open(%q);
			const pong = await ws.next();
			if (pong !== "alive?") throw new Error(pong);
			ws.close(1000);
			await ws.ended;
		`, s.ws("/ping?payload=alive?")), nil)
		s.end()
	})
	t.Run("no subprotocol in common", func(t *testing.T) {
		var got string
		p.run(t, fmt.Sprintf("return open(%q, ['other']).then(() => 'opened', (e) => e.message)", s.ws("/echo/Read")), &got)
		require.Equal(t, "not opened: 1006", got) // as a browser must
		s.end()
	})
	t.Run("origin", func(t *testing.T) { testOrigin(t, b, s) })
}

// testOrigin opens connections from pages of other hosts.
func testOrigin(t *testing.T, b *browser, s *server) {
	friendly := newServer(t, nil, &websocket.UpgradeOptions{OriginPatterns: []string{"*.friend.example:*"}})
	for _, test := range []struct {
		name, host string // of the page
		url        string
		want       string
	}{
		{"same host", "127.0.0.1", s.ws("/echo/Read"), "opened"},
		{"same host by another name", "localhost", s.ws("/echo/Read"), "not opened: 1006"},
		{"foreign host", "app.friend.example", s.ws("/echo/Read"), "not opened: 1006"},
		{"host in the patterns", "app.friend.example", friendly.ws("/echo/Read"), "opened"},
		{"host not in the patterns", "evil.example", friendly.ws("/echo/Read"), "not opened: 1006"},
		{"same host, with patterns", "127.0.0.1", friendly.ws("/echo/Read"), "not opened: 1006"}, // another port
	} {
		t.Run(test.name, func(t *testing.T) {
			p := b.open(t, "http://"+test.host+":"+port(s.address())+"/page.html")
			var got string
			p.run(t, fmt.Sprintf(`
				return open(%q).then(async (ws) => { ws.close(1000); await ws.ended; return "opened"; }, (e) => e.message);
			`, test.url), &got)
			require.Equal(t, test.want, got)
		})
	}
	// Those two that were opened.
	s.end()
	require.NotNil(t, friendly.end())
}

// quoteJS writes s as JavaScript has it.
func quoteJS(s string) string {
	b, _ := json.Marshal(s) // strings always work
	return strings.ToValidUTF8(string(b), "")
}
