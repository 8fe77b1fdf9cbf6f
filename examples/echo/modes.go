// The ways to read a connection. Each function echoes until the connection
// ends and returns why; copy the one that suits. An Engine needs no function that
// waits: see serve and listen in server.go.

package main

import (
	"context"
	"io"
	"maps"
	"slices"

	"github.com/seed86893212/websocket"
)

// A mode echoes what comes on a connection until it ends.
type mode func(ctx context.Context, c *websocket.Conn) error

var modes = map[string]mode{
	"read":     echoRead,
	"into":     echoInto,
	"messages": echoMessages,
	"stream":   echoStream,
	"serve":    echoServe,
}

// engines are the modes in which an Engine calls echoEvents for all connections.
var engines = map[string]*websocket.EngineOptions{
	"engine":          {},
	"engine-blocking": {Blocking: true},
	engineListen:      {},
}

// engineListen is the mode in which the Engine does without net/http too.
const engineListen = "engine-listen"

// modeNames returns the names of all modes.
func modeNames() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(modes)), maps.Keys(engines))
	slices.Sort(names)
	return names
}

// echoRead is the plainest way: each message comes in memory of its own, to
// keep as long as one likes. The end is an error: a *websocket.CloseError with
// the peer's code if there was a close frame.
func echoRead(ctx context.Context, c *websocket.Conn) error {
	for {
		typ, data, err := c.Read(ctx)
		if err != nil {
			return err
		}
		if err := c.Write(ctx, typ, data); err != nil {
			return err
		}
	}
}

// echoInto reads every message into the same buffer, which grows as needed.
func echoInto(ctx context.Context, c *websocket.Conn) error {
	var buf []byte
	for {
		typ, data, err := c.ReadInto(ctx, buf)
		if err != nil {
			return err
		}
		if err := c.Write(ctx, typ, data); err != nil {
			return err
		}
		buf = data
	}
}

// echoMessages is the shortest way, and copies nothing: a message is valid
// inside the loop's body. The loop just ends when the peer closes normally.
func echoMessages(ctx context.Context, c *websocket.Conn) error {
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := c.Write(ctx, m.Type, m.Data); err != nil {
			return err
		}
	}
	return nil
}

// echoStream never holds a whole message: it goes back in fragments while it
// still arrives, so a message of any size takes the same little memory.
func echoStream(ctx context.Context, c *websocket.Conn) error {
	buf := make([]byte, 32<<10)
	for {
		typ, r, err := c.Reader(ctx)
		if err != nil {
			return err
		}
		w, err := c.Writer(ctx, typ)
		if err != nil {
			return err
		}
		if _, err := io.CopyBuffer(w, r, buf); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
}

// echoServe is the browser's way: callbacks, called one after the other. One
// Events can serve any number of connections.
func echoServe(ctx context.Context, c *websocket.Conn) error {
	return echoEvents.Serve(ctx, c)
}

var echoEvents = &websocket.Events{
	Message: func(c *websocket.Conn, typ websocket.MessageType, data []byte) {
		// Serve waits while the peer is slow; on an Engine nothing waits. Other
		// errors mean that the connection has ended.
		if err := c.Write(context.Background(), typ, data); err == websocket.ErrSendLimit {
			_ = c.Close(websocket.StatusPolicyViolation, "too slow")
		}
	},
}
