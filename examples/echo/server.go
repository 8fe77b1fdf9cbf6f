// The server: an http.Server, or an Engine that listens, whose connections are
// closed when it ends.

package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/seed86893212/websocket"
)

// runServer serves until ctx ends.
func runServer(ctx context.Context, cfg config) error {
	l, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return err
	}
	log.Printf("listening on ws://%s, mode %s", l.Addr(), cfg.mode)
	e, err := newEcho(cfg)
	if err != nil {
		_ = l.Close()
		return err
	}
	served := make(chan error, 1)
	go func() { served <- e.listen(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	// Shutdown ends the listening and the requests. Of the WebSocket
	// connections it knows nothing.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = e.http.Shutdown(ctx)
	e.close()
	return err
}

// echo is the server's WebSocket side: every path is an endpoint.
type echo struct {
	http    http.Server
	mode    mode
	engine  *websocket.Engine // in place of mode
	listens bool              // in place of http too
	upgrade websocket.UpgradeOptions
	events  websocket.Events

	mu      sync.Mutex
	conns   map[*websocket.Conn]struct{} // nil once the server ends
	running sync.WaitGroup
}

func newEcho(cfg config) (*echo, error) {
	e := &echo{
		mode:    modes[cfg.mode],
		listens: cfg.mode == engineListen,
		events:  *echoEvents,
		conns:   make(map[*websocket.Conn]struct{}),
	}
	e.events.Close = ended
	sendLimit := int64(0)
	if opts := engines[cfg.mode]; opts != nil {
		sendLimit = 64 << 20 // what a client may have coming, since nobody waits for it
		var err error
		if e.engine, err = websocket.NewEngine(opts); err != nil {
			return nil, err
		}
	}
	e.upgrade = websocket.UpgradeOptions{
		HandshakeTimeout: 10 * time.Second,
		MaxMessageSize:   cfg.max,
		SendLimit:        sendLimit,
		Subprotocols:     cfg.subprotocols,
		Compression:      cfg.compression(),
		// Any web page may talk to an echo, which has nothing to guard. A
		// server that knows its users by their cookies must not say this.
		OriginPatterns: []string{"*"},
	}
	e.http.Handler = websocket.Handler(e.serve, &e.upgrade)
	e.http.ReadHeaderTimeout, e.http.IdleTimeout = 10*time.Second, time.Minute
	return e, nil
}

// listen accepts connections from l until the server ends.
func (e *echo) listen(l net.Listener) error {
	if e.listens {
		return e.engine.Serve(l, &websocket.ListenOptions{Upgrade: &e.upgrade}, &e.events)
	}
	return e.http.Serve(l)
}

// serve is called for each connection, on a goroutine of its own, which an Engine
// does not need.
func (e *echo) serve(c *websocket.Conn, _ *http.Request) {
	if e.engine != nil {
		if err := e.engine.Attach(c, &e.events); err != nil {
			_ = c.Close(websocket.StatusGoingAway, "the server is ending")
		}
		return
	}
	if !e.add(c) {
		_ = c.Close(websocket.StatusGoingAway, "the server is ending")
		return
	}
	defer e.remove(c)
	// The connections are closed by close, so the reads need no context that
	// ends: context.Background costs nothing to wait with.
	ended(c, e.mode(context.Background(), c))
}

// ended is called when a connection has ended.
func ended(c *websocket.Conn, err error) {
	if !ordinary(err) {
		log.Printf("%v: %v", c.RemoteAddr(), err)
	}
}

// ordinary reports whether err tells of a connection that ended as it should:
// closed by the peer, with or without a code, or by this side.
func ordinary(err error) bool {
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusReceived:
		return true
	}
	return err == nil || errors.Is(err, net.ErrClosed)
}

func (e *echo) add(c *websocket.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conns == nil {
		return false
	}
	e.conns[c] = struct{}{}
	e.running.Add(1)
	return true
}

func (e *echo) remove(c *websocket.Conn) {
	e.mu.Lock()
	delete(e.conns, c)
	e.mu.Unlock()
	e.running.Done()
}

// close closes all connections, each with a closing handshake, and waits.
func (e *echo) close() {
	if e.engine != nil {
		_ = e.engine.Shutdown(context.Background()) // CloseTimeout bounds it
	}
	e.mu.Lock()
	conns := e.conns
	e.conns = nil
	for c := range conns {
		go func() { _ = c.Close(websocket.StatusGoingAway, "the server is ending") }()
	}
	e.mu.Unlock()
	e.running.Wait()
}
