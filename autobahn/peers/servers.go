// Package peers has echo servers made with other libraries. The runner judges
// them as the original suite does, which is how we know that it judges well.
package peers

import (
	"net/http"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	xnet "golang.org/x/net/websocket"
)

// limit is longer than any message of the suite.
const limit = 64 << 20

// Gorilla echoes with gorilla/websocket.
func Gorilla() http.Handler {
	upgrader := gorilla.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			typ, data, err := c.ReadMessage()
			if err != nil || c.WriteMessage(typ, data) != nil {
				return
			}
		}
	})
}

// Coder echoes with coder/websocket.
func Coder() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: coder.CompressionDisabled})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(limit)
		for {
			typ, data, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), typ, data) != nil {
				return
			}
		}
	})
}

// GWS echoes with gws, its check of UTF-8 on, with or without compression.
func GWS(compress bool) http.Handler {
	upgrader := gws.NewUpgrader(&gwsEcho{}, &gws.ServerOption{
		CheckUtf8Enabled:   true,
		ReadMaxPayloadSize: limit,
		PermessageDeflate: gws.PermessageDeflate{
			Enabled: compress, ServerContextTakeover: true, ClientContextTakeover: true,
		},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r)
		if err == nil {
			go c.ReadLoop()
		}
	})
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes())
}

// XNet echoes with golang.org/x/net/websocket, each message with its type.
func XNet() http.Handler {
	type typed struct {
		kind byte
		data []byte
	}
	codec := xnet.Codec{
		Marshal: func(v any) ([]byte, byte, error) {
			m := v.(*typed)
			return m.data, m.kind, nil
		},
		Unmarshal: func(data []byte, kind byte, v any) error {
			*v.(*typed) = typed{kind, data}
			return nil
		},
	}
	return xnet.Server{Handler: func(c *xnet.Conn) {
		c.MaxPayloadBytes = limit
		for {
			var m typed
			if codec.Receive(c, &m) != nil || codec.Send(c, &m) != nil {
				return
			}
		}
	}}
}
