package main

import (
	"bytes"

	"github.com/fasthttp/websocket"
	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/valyala/fasthttp"
)

// fasthttp/websocket, gorilla on fasthttp.
func init() {
	register(server{
		Library: plan.Library{Name: "fasthttp", Module: "github.com/fasthttp/websocket", UTF8: "no", Broadcast: true, TLS: true, Note: "NextReader into a reused buffer, WriteMessage"},
		run:     runFasthttp,
	})
}

func runFasthttp(cfg config) error {
	upgrader := websocket.FastHTTPUpgrader{}
	handler := func(ctx *fasthttp.RequestCtx) {
		serve := fasthttpEcho
		if string(ctx.Path()) == "/broadcast" {
			serve = fasthttpBroadcast
		}
		_ = upgrader.Upgrade(ctx, func(c *websocket.Conn) {
			defer c.Close() //nolint:errcheck // there is nobody to tell
			c.SetReadLimit(maxMessage)
			serve(c)
		})
	}
	ln, err := listen(cfg)
	if err != nil {
		return err
	}
	s := fasthttp.Server{Handler: handler, Logger: quiet{}}
	return s.Serve(ln)
}

// quiet is a fasthttp.Logger that says nothing.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

func fasthttpEcho(c *websocket.Conn) {
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

var fasthttpRoom room[*locked[*websocket.Conn]]

func fasthttpBroadcast(c *websocket.Conn) {
	me := &locked[*websocket.Conn]{conn: c}
	fasthttpRoom.join(me)
	defer fasthttpRoom.leave(me)
	for {
		t, p, err := c.ReadMessage()
		if err != nil {
			return
		}
		prepared, err := websocket.NewPreparedMessage(t, p)
		if err != nil {
			return
		}
		fasthttpRoom.each(func(to *locked[*websocket.Conn]) {
			to.mu.Lock()
			defer to.mu.Unlock()
			_ = to.conn.WritePreparedMessage(prepared)
		})
	}
}
