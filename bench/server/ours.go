package main

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/seed86893212/websocket"
	"github.com/seed86893212/websocket/bench/internal/plan"
)

const ourModule = "github.com/seed86893212/websocket"

// Ourselves, in every mode.
func init() {
	for _, m := range []struct {
		name, note string
		serve      func(c *websocket.Conn, r *http.Request)
	}{
		{"ours-read", "Handler; Read, Write", ourRead},
		{"ours-into", "Handler; ReadInto, Write", ourReadInto},
		{"ours-messages", "Handler; Messages, Write", ourMessages},
		{"ours-serve", "Handler; Events.Serve, Write", ourServe},
		{"ours-stream", "Handler; Reader, Writer", ourStream},
	} {
		register(server{
			Library: plan.Library{Name: m.name, Module: ourModule, UTF8: "yes", Broadcast: true, TLS: true, Deflate: true, Takeover: true, Window: true, Note: m.note},
			run: func(cfg config) error {
				opts := &websocket.UpgradeOptions{MaxMessageSize: maxMessage, Compression: ourCompression(cfg)}
				return serveHTTP(cfg, websocket.Handler(m.serve, opts), websocket.Handler(ourBroadcast, opts))
			},
		})
	}
}

// The same by an Engine.
func init() {
	for _, e := range []struct {
		name, note string
		opts       websocket.EngineOptions
	}{
		{"ours-engine", "Handler; Engine, Write", websocket.EngineOptions{}},
		{"ours-engine-blocking", "Handler; Engine with Blocking, Write", websocket.EngineOptions{Blocking: true}},
		{"ours-engine-alone", "Handler; Engine with NoIOUring, Write", websocket.EngineOptions{NoIOUring: true}},
	} {
		register(server{
			Library: plan.Library{Name: e.name, Module: ourModule, UTF8: "yes", Broadcast: true, TLS: true, Deflate: true, Takeover: true, Window: true, Note: e.note},
			run: func(cfg config) error {
				engine, err := websocket.NewEngine(&e.opts)
				if err != nil {
					return err
				}
				opts := ourEngineOptions(cfg)
				attach := func(ev *websocket.Events) http.Handler {
					return websocket.Handler(func(c *websocket.Conn, _ *http.Request) { _ = engine.Attach(c, ev) }, opts)
				}
				return serveHTTP(cfg, attach(&ourEcho), attach(&ourRoomEvents))
			},
		})
	}
}

// And by an Engine that listens, without net/http.
func init() {
	register(server{
		Library: plan.Library{Name: "ours-engine-listen", Module: ourModule, UTF8: "yes", TLS: true, Deflate: true, Takeover: true, Window: true, Note: "Engine.Serve, Write"},
		run: func(cfg config) error {
			engine, err := websocket.NewEngine(nil)
			if err != nil {
				return err
			}
			ln, err := listen(cfg)
			if err != nil {
				return err
			}
			return engine.Serve(ln, &websocket.ListenOptions{Upgrade: ourEngineOptions(cfg)}, &ourEcho)
		},
	})
}

func ourEngineOptions(cfg config) *websocket.UpgradeOptions {
	return &websocket.UpgradeOptions{MaxMessageSize: maxMessage, SendLimit: 4 * maxMessage, Compression: ourCompression(cfg)}
}

// ourCompression returns nil without compression.
func ourCompression(cfg config) *websocket.Compression {
	d := cfg.deflate
	if !d.On() {
		return nil
	}
	return &websocket.Compression{
		Threshold: -1, SendTakeover: d.Takeover, ReceiveTakeover: d.Takeover,
		SendWindowBits: d.Bits, ReceiveWindowBits: d.Bits,
	}
}

func ourRead(c *websocket.Conn, _ *http.Request) {
	ctx := context.Background()
	for {
		t, p, err := c.Read(ctx)
		if err != nil || c.Write(ctx, t, p) != nil {
			return
		}
	}
}

func ourReadInto(c *websocket.Conn, _ *http.Request) {
	ctx := context.Background()
	var buf []byte
	for {
		t, p, err := c.ReadInto(ctx, buf)
		if err != nil || c.Write(ctx, t, p) != nil {
			return
		}
		buf = p
	}
}

func ourMessages(c *websocket.Conn, _ *http.Request) {
	ctx := context.Background()
	for m, err := range c.Messages(ctx) {
		if err != nil || c.Write(ctx, m.Type, m.Data) != nil {
			return
		}
	}
}

var ourEcho = websocket.Events{Message: func(c *websocket.Conn, t websocket.MessageType, p []byte) {
	_ = c.Write(context.Background(), t, p) // the loop finds out what is wrong
}}

func ourServe(c *websocket.Conn, _ *http.Request) { _ = ourEcho.Serve(context.Background(), c) }

func ourStream(c *websocket.Conn, _ *http.Request) {
	ctx := context.Background()
	buf := make([]byte, 32<<10)
	for {
		t, r, err := c.Reader(ctx)
		if err != nil {
			return
		}
		w, err := c.Writer(ctx, t)
		if err != nil {
			return
		}
		_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buf)
		if errors.Join(err, w.Close()) != nil {
			return
		}
	}
}

var ourRoom room[*websocket.Conn]

var ourRoomEvents = websocket.Events{
	Open:  func(c *websocket.Conn) { ourRoom.join(c) },
	Close: func(c *websocket.Conn, _ error) { ourRoom.leave(c) },
	Message: func(_ *websocket.Conn, t websocket.MessageType, p []byte) {
		if prepared, err := websocket.NewPreparedMessage(t, p); err == nil {
			ourRoom.each(func(to *websocket.Conn) { _ = to.SendPrepared(prepared) })
		}
	},
}

func ourBroadcast(c *websocket.Conn, _ *http.Request) {
	ourRoom.join(c)
	defer ourRoom.leave(c)
	for m, err := range c.Messages(context.Background()) {
		if err != nil {
			return
		}
		prepared, err := websocket.NewPreparedMessage(m.Type, m.Data)
		if err != nil {
			return
		}
		ourRoom.each(func(to *websocket.Conn) { _ = to.SendPrepared(prepared) })
	}
}
