// The HTTP side: the page, and the WebSocket at /ws.

package main

import (
	"context"
	"embed"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"github.com/seed86893212/websocket"
)

//go:embed page
var page embed.FS

// policy lets the page load what comes from here and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// A server is one room and the page to it.
type server struct {
	http.Handler
	room    *room
	ctx     context.Context // ends with the server
	end     context.CancelFunc
	mu      sync.Mutex // guards running against a late Add
	running sync.WaitGroup
}

func newServer(l limits) *server {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err)
	}
	s := &server{room: newRoom(l)}
	s.ctx, s.end = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.Handle("GET /", secure(http.FileServerFS(files)))
	// Only the page from here may connect: without OriginPatterns, a browser
	// must come from the same host.
	mux.Handle("GET /ws", websocket.Handler(s.serve, &websocket.UpgradeOptions{
		Subprotocols:   []string{"chat"},
		MaxMessageSize: l.image,
		SendLimit:      l.queue,
		CloseTimeout:   2 * time.Second, // for those who don't listen any more
	}))
	s.Handler = mux
	return s
}

// serve sees one connection through. Events has the browser's callbacks; that
// they are called one after the other spares user a lock.
func (s *server) serve(c *websocket.Conn, _ *http.Request) {
	if !s.begin() {
		_ = c.Close(websocket.StatusGoingAway, "")
		return
	}
	defer s.running.Done()
	m, err := s.room.enter(c)
	if err != nil {
		_ = c.Close(websocket.StatusTryAgainLater, err.Error())
		return
	}
	u := newUser(c, s.room, m)
	events := websocket.Events{
		Message: func(_ *websocket.Conn, t websocket.MessageType, data []byte) { u.receive(t, data) },
		Close:   func(*websocket.Conn, error) { s.room.leave(m) },
	}
	// When s.ctx ends, Serve closes the connection with StatusGoingAway. Why
	// else a connection ended does not matter here.
	_ = events.Serve(s.ctx, c)
}

// begin reports whether a connection may still begin.
func (s *server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.running.Add(1)
	return true
}

// close closes all connections, each with a closing handshake, and waits.
func (s *server) close() {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	s.running.Wait()
}

// secure adds the headers that keep the page to itself.
func secure(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-cache")
		h.ServeHTTP(w, r)
	})
}
