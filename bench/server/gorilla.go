package main

import (
	"bytes"
	"net/http"

	"github.com/gorilla/websocket"
	"github.com/seed86893212/websocket/bench/internal/plan"
)

// gorilla with a buffer per connection that is used again and again, and as its
// echo example has it, with ReadMessage.
func init() {
	for _, m := range []struct {
		name, note string
		echo       func(c *websocket.Conn)
	}{
		{"gorilla", "NextReader into a reused buffer, WriteMessage", gorillaEcho},
		{"gorilla-simple", "ReadMessage, WriteMessage", gorillaSimple},
	} {
		register(server{
			Library: plan.Library{Name: m.name, Module: "github.com/gorilla/websocket", UTF8: "no", Broadcast: true, TLS: true, Deflate: true, Note: m.note},
			run: func(cfg config) error {
				return serveHTTP(cfg, gorillaHandler(cfg, m.echo), gorillaHandler(cfg, gorillaBroadcast))
			},
		})
	}
}

func gorillaHandler(cfg config, serve func(c *websocket.Conn)) http.Handler {
	upgrader := &websocket.Upgrader{EnableCompression: cfg.deflate.On()}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close() //nolint:errcheck // there is nobody to tell
		c.SetReadLimit(maxMessage)
		serve(c)
	})
}

func gorillaEcho(c *websocket.Conn) {
	var buf bytes.Buffer
	for {
		t, r, err := c.NextReader()
		if err != nil {
			return
		}
		buf.Reset()
		if _, err := buf.ReadFrom(r); err != nil || c.WriteMessage(t, buf.Bytes()) != nil {
			return
		}
	}
}

func gorillaSimple(c *websocket.Conn) {
	for {
		t, p, err := c.ReadMessage()
		if err != nil || c.WriteMessage(t, p) != nil {
			return
		}
	}
}

var gorillaRoom room[*locked[*websocket.Conn]]

func gorillaBroadcast(c *websocket.Conn) {
	me := &locked[*websocket.Conn]{conn: c}
	gorillaRoom.join(me)
	defer gorillaRoom.leave(me)
	for {
		t, p, err := c.ReadMessage()
		if err != nil {
			return
		}
		prepared, err := websocket.NewPreparedMessage(t, p)
		if err != nil {
			return
		}
		gorillaRoom.each(func(to *locked[*websocket.Conn]) {
			to.mu.Lock()
			defer to.mu.Unlock()
			_ = to.conn.WritePreparedMessage(prepared)
		})
	}
}
