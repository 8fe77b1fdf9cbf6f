//go:build linux

package micro

import (
	"testing"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	"github.com/seed86893212/websocket"
	"github.com/stretchr/testify/require"
)

// BenchmarkUpgrade is the cost of an opening handshake without what net/http and
// the network add: from the parsed request to the connection, and its end.
func BenchmarkUpgrade(b *testing.B) {
	gorillaUpgrader := gorilla.Upgrader{}
	gwsUpgrader := gws.NewUpgrader(&gws.BuiltinEventHandler{}, nil)
	for _, u := range []struct {
		name    string
		upgrade func(w *response) error
	}{
		{"ours", func(w *response) error {
			c, err := websocket.Upgrade(w, handshakeRequest, nil)
			if err == nil {
				_ = c.CloseNow() // there is nobody to tell
			}
			return err
		}},
		{"gorilla", func(w *response) error {
			c, err := gorillaUpgrader.Upgrade(w, handshakeRequest, nil)
			if err == nil {
				_ = c.Close()
			}
			return err
		}},
		{"coder", func(w *response) error {
			c, err := coder.Accept(w, handshakeRequest, nil)
			if err == nil {
				_ = c.CloseNow()
			}
			return err
		}},
		{"gws", func(w *response) error {
			_, err := gwsUpgrader.Upgrade(w, handshakeRequest)
			return err
		}},
		{"gobwas", func(w *response) error {
			_, _, _, err := ws.UpgradeHTTP(handshakeRequest, w)
			return err
		}},
	} {
		b.Run(u.name, func(b *testing.B) {
			w := newResponse(&memory{})
			require.NoError(b, u.upgrade(w))
			b.ReportAllocs()
			defer cpu(b)()
			for b.Loop() {
				clear(w.header)
				w.rw.Reader.Reset(w.conn)
				w.rw.Writer.Reset(w.conn)
				if err := u.upgrade(w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var handshakeRequest = handshake()
