package main

import (
	"net/http"

	"github.com/seed86893212/websocket/bench/internal/plan"
	"golang.org/x/net/websocket"
)

// x/net/websocket, with its Message codec.
func init() {
	register(server{
		Library: plan.Library{Name: "xnet", Module: "golang.org/x/net", UTF8: "no", TLS: true, Note: "Message.Receive, Message.Send"},
		run: func(cfg config) error {
			s := websocket.Server{Handler: xnetEcho, Handshake: func(*websocket.Config, *http.Request) error { return nil }}
			return serveHTTP(cfg, s, nil)
		},
	})
}

// xnetMessage receives and sends messages as they are: the codec of the library
// takes its type from Go's, and so cannot echo both.
var xnetMessage = websocket.Codec{
	Marshal: func(v any) ([]byte, byte, error) {
		m := v.(*xnetData)
		return m.payload, m.opcode, nil
	},
	Unmarshal: func(p []byte, opcode byte, v any) error {
		*v.(*xnetData) = xnetData{p, opcode}
		return nil
	},
}

type xnetData struct {
	payload []byte
	opcode  byte
}

func xnetEcho(c *websocket.Conn) {
	c.MaxPayloadBytes = maxMessage
	var m xnetData
	for xnetMessage.Receive(c, &m) == nil {
		if xnetMessage.Send(c, &m) != nil {
			return
		}
	}
}
