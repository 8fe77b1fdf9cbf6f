// The server: an Engine with everybody on it, and the page.

package main

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed86893212/websocket"
)

//go:embed page
var page embed.FS

// policy lets the page load what comes from here and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// facts is what the page is told every second.
type facts struct {
	Connections int64   `json:"connections"`
	Wanted      int     `json:"wanted"` // how many the crowd has been asked for
	Room        int     `json:"room"`   // how many there can be
	Messages    int64   `json:"messages"`
	Rate        float64 `json:"rate"`     // messages a second
	Resident    int64   `json:"resident"` // bytes; 0 if unknown
	Each        int64   `json:"each"`     // bytes of that for each connection; 0 if unknown
	Heap        uint64  `json:"heap"`     // bytes
	Stacks      uint64  `json:"stacks"`   // bytes
	Goroutines  int     `json:"goroutines"`
	Loops       int     `json:"loops"` // of the Engine
}

// A wish is what the page asks for.
type wish struct {
	Open  int  `json:"open"`
	Close bool `json:"close"`
}

// A server echoes at /echo, and tells its facts at /live.
type server struct {
	http.Handler
	engine      *websocket.Engine
	crowd       *crowd
	connections atomic.Int64 // at /echo
	messages    atomic.Int64

	mu      sync.Mutex
	viewers map[*websocket.Conn]struct{}
	latest  *websocket.PreparedMessage // what they were told; nil before that

	// For tell.
	last   facts
	lastAt time.Time
	empty  int64 // resident memory with no connection at /echo
}

func newServer(addr string) (*server, error) {
	engine, err := websocket.NewEngine(nil)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	s := &server{
		engine:  engine,
		crowd:   &crowd{addr: addr, room: room()},
		viewers: map[*websocket.Conn]struct{}{},
		lastAt:  time.Now(),
		empty:   resident(),
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", secure(http.FileServerFS(files)))
	mux.Handle("GET /echo", s.attach(&websocket.Events{
		Open:    func(*websocket.Conn) { s.connections.Add(1) },
		Message: s.echo,
		Close:   func(*websocket.Conn, error) { s.connections.Add(-1) },
	}))
	mux.Handle("GET /live", s.attach(&websocket.Events{
		Open:    func(c *websocket.Conn) { s.view(c, true) },
		Message: s.obey,
		Close:   func(c *websocket.Conn, _ error) { s.view(c, false) },
	}))
	s.Handler = mux
	return s, nil
}

// attach returns a handler that leaves its connections to the Engine.
func (s *server) attach(ev *websocket.Events) http.Handler {
	return websocket.Handler(func(c *websocket.Conn, _ *http.Request) {
		if s.engine.Attach(c, ev) != nil { // it has ended, or the server does
			_ = c.Close(websocket.StatusGoingAway, "")
		}
	}, &websocket.UpgradeOptions{MaxMessageSize: 4 << 10, SendLimit: 64 << 10})
}

func (s *server) echo(c *websocket.Conn, t websocket.MessageType, p []byte) {
	s.messages.Add(1)
	if c.Send(t, p) != nil { // its queue is full: it does not read
		_ = c.Close(websocket.StatusPolicyViolation, "too slow")
	}
}

// obey does what the page asks for. It must not wait, so starting a process is
// left to another goroutine.
func (s *server) obey(c *websocket.Conn, _ websocket.MessageType, p []byte) {
	var w wish
	switch err := json.Unmarshal(p, &w); {
	case err != nil:
		_ = c.Close(websocket.StatusUnsupportedData, "not the JSON that is understood here")
	case w.Close:
		go s.crowd.clear()
	case w.Open > 0:
		go s.crowd.add(w.Open)
	}
}

func (s *server) view(c *websocket.Conn, comes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !comes {
		delete(s.viewers, c)
		return
	}
	s.viewers[c] = struct{}{}
	if s.latest != nil {
		_ = c.SendPrepared(s.latest)
	}
}

// tell tells all pages the facts: one message, encoded once.
func (s *server) tell(now time.Time) {
	p, err := json.Marshal(s.look(now))
	if err != nil {
		return
	}
	message, err := websocket.NewPreparedMessage(websocket.MessageText, p)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = message
	for c := range s.viewers {
		_ = c.SendPrepared(message) // a page that is too slow gets the next one
	}
}

// look returns the facts. Only one goroutine may call it.
func (s *server) look(now time.Time) facts {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	f := facts{
		Connections: s.connections.Load(),
		Wanted:      s.crowd.size(),
		Room:        s.crowd.room,
		Messages:    s.messages.Load(),
		Resident:    resident(),
		Heap:        samples[0].Value.Uint64(),
		Stacks:      samples[1].Value.Uint64(),
		Goroutines:  runtime.NumGoroutine(),
		Loops:       runtime.GOMAXPROCS(0),
	}
	if seconds := now.Sub(s.lastAt).Seconds(); seconds > 0 {
		f.Rate = float64(f.Messages-s.last.Messages) / seconds
	}
	if f.Connections == 0 {
		s.empty = f.Resident
	} else if f.Resident > s.empty {
		f.Each = (f.Resident - s.empty) / f.Connections
	}
	s.last, s.lastAt = f, now
	return f
}

// close ends the crowd and closes all connections.
func (s *server) close() error {
	s.crowd.clear()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return s.engine.Shutdown(ctx)
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
