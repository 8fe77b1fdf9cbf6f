package main

import (
	"bytes"
	"context"
	"net/http"

	"github.com/coder/websocket"
	"github.com/seed86893212/websocket/bench/internal/plan"
)

// coder with a buffer per connection that is used again and again.
func init() {
	register(server{
		Library: plan.Library{Name: "coder", Module: "github.com/coder/websocket", UTF8: "no", Broadcast: true, TLS: true, Deflate: true, Takeover: true, Note: "Reader into a reused buffer, Write"},
		run: func(cfg config) error {
			return serveHTTP(cfg, coderHandler(cfg, coderEcho), coderHandler(cfg, coderBroadcast))
		},
	})
}

func coderHandler(cfg config, serve func(c *websocket.Conn)) http.Handler {
	opts := &websocket.AcceptOptions{CompressionThreshold: 1}
	switch {
	case cfg.deflate.Takeover:
		opts.CompressionMode = websocket.CompressionContextTakeover
	case cfg.deflate.On():
		opts.CompressionMode = websocket.CompressionNoContextTakeover
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, opts)
		if err != nil {
			return
		}
		defer c.CloseNow() //nolint:errcheck // there is nobody to tell
		c.SetReadLimit(maxMessage)
		serve(c)
	})
}

func coderEcho(c *websocket.Conn) {
	ctx := context.Background()
	var buf bytes.Buffer
	for {
		t, r, err := c.Reader(ctx)
		if err != nil {
			return
		}
		buf.Reset()
		if _, err := buf.ReadFrom(r); err != nil || c.Write(ctx, t, buf.Bytes()) != nil {
			return
		}
	}
}

var coderRoom room[*websocket.Conn]

func coderBroadcast(c *websocket.Conn) {
	ctx := context.Background()
	coderRoom.join(c)
	defer coderRoom.leave(c)
	for {
		t, p, err := c.Read(ctx)
		if err != nil {
			return
		}
		coderRoom.each(func(to *websocket.Conn) { _ = to.Write(ctx, t, p) })
	}
}
