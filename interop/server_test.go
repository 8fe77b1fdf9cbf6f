//go:build linux

package interop

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket"
)

// echoes are the ways of reading, each as an echo that runs until the
// connection ends. They serve both sides of a connection.
var echoes = []struct {
	name string
	run  func(ctx context.Context, c *websocket.Conn) error
}{
	{"Read", func(ctx context.Context, c *websocket.Conn) error {
		for {
			t, p, err := c.Read(ctx)
			if err != nil {
				return err
			}
			if err := c.Write(ctx, t, p); err != nil {
				return err
			}
		}
	}},
	{"ReadInto", func(ctx context.Context, c *websocket.Conn) error {
		var buf []byte
		for {
			t, p, err := c.ReadInto(ctx, buf)
			if err != nil {
				return err
			}
			if err := c.Write(ctx, t, p); err != nil {
				return err
			}
			buf = p
		}
	}},
	{"Messages", func(ctx context.Context, c *websocket.Conn) error {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := c.Write(ctx, m.Type, m.Data); err != nil {
				return err
			}
		}
		return nil
	}},
	{"Reader", func(ctx context.Context, c *websocket.Conn) error {
		buf := make([]byte, 5000)
		for {
			t, r, err := c.Reader(ctx)
			if err != nil {
				return err
			}
			w, err := c.Writer(ctx, t)
			if err != nil {
				return err
			}
			// Without ReadFrom and WriteTo: in many small pieces.
			if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buf); err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
		}
	}},
	{"Serve", func(ctx context.Context, c *websocket.Conn) error {
		ev := &websocket.Events{Message: func(c *websocket.Conn, t websocket.MessageType, p []byte) {
			_ = c.Write(ctx, t, p) // Serve finds what is wrong
		}}
		return ev.Serve(ctx, c)
	}},
	{"Engine", func(ctx context.Context, c *websocket.Conn) error { return echoEngine(ctx, c, nil) }},
	{"EngineBlocking", func(ctx context.Context, c *websocket.Conn) error {
		return echoEngine(ctx, c, &websocket.EngineOptions{Blocking: true})
	}},
}

// echoEngine has an Engine of its own echo what comes.
func echoEngine(ctx context.Context, c *websocket.Conn, opts *websocket.EngineOptions) error {
	e, err := websocket.NewEngine(opts)
	if err != nil {
		return err
	}
	err = e.Attach(c, &websocket.Events{Message: func(c *websocket.Conn, t websocket.MessageType, p []byte) {
		if c.Write(ctx, t, p) == websocket.ErrSendLimit {
			_ = c.CloseNow()
		}
	}})
	if err != nil {
		return err
	}
	select {
	case <-c.Done():
	case <-ctx.Done():
		_ = c.CloseNow()
	}
	if err := e.Shutdown(context.Background()); err != nil {
		return err
	}
	return ctx.Err()
}

// A server is ours. The paths of its endpoints are like those of the peers:
//
//	/echo/NAME  one of echoes
//	/batch      sends ?n= messages at once
//	/close      closes with ?code= and ?reason=
//	/abort      CloseNow after the first message
//	/ping       sends the payload of the pong to a ping with ?payload=
//	/count      says how many bytes and messages there were, when one is empty
type server struct {
	*httptest.Server
	t testing.TB

	// Ended gets the error of each connection that has ended.
	ended chan error
}

// newServer starts a server: with TLS if there is a config.
func newServer(t testing.TB, config *tls.Config, opts *websocket.UpgradeOptions) *server {
	s := &server{t: t, ended: make(chan error, 1000)}
	s.Server = httptest.NewUnstartedServer(s.routes(opts))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // failed TLS handshakes
	if config != nil {
		s.TLS = config
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (s *server) routes(opts *websocket.UpgradeOptions) *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(path string, run func(ctx context.Context, c *websocket.Conn, r *http.Request) error) {
		mux.Handle(path, websocket.Handler(func(c *websocket.Conn, r *http.Request) {
			// A mistake in here must not keep the test waiting.
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := run(ctx, c, r); errors.Is(err, context.DeadlineExceeded) {
				_ = c.CloseNow()
			}
			_ = c.Close(websocket.StatusNormalClosure, "")
			<-c.Done()
			s.ended <- c.Err()
		}, opts))
	}
	for _, echo := range echoes {
		handle("/echo/"+echo.name, func(ctx context.Context, c *websocket.Conn, _ *http.Request) error {
			return echo.run(ctx, c)
		})
	}
	handle("/batch", func(ctx context.Context, c *websocket.Conn, r *http.Request) error {
		n, _ := strconv.Atoi(r.FormValue("n"))
		for i := range n {
			if err := c.WriteText(ctx, "message "+strconv.Itoa(i)); err != nil {
				return err
			}
		}
		_, _, err := c.Read(ctx)
		return err
	})
	handle("/close", func(_ context.Context, c *websocket.Conn, r *http.Request) error {
		code, _ := strconv.Atoi(r.FormValue("code"))
		return c.Close(websocket.StatusCode(code), r.FormValue("reason"))
	})
	handle("/abort", func(ctx context.Context, c *websocket.Conn, _ *http.Request) error {
		_, _, err := c.Read(ctx)
		_ = c.CloseNow()
		return err
	})
	handle("/ping", func(ctx context.Context, c *websocket.Conn, r *http.Request) error {
		ev := &websocket.Events{
			Open: func(c *websocket.Conn) { _ = c.SendPing([]byte(r.FormValue("payload"))) },
			Pong: func(c *websocket.Conn, p []byte) { _ = c.Send(websocket.MessageText, p) },
		}
		return ev.Serve(ctx, c)
	})
	handle("/count", func(ctx context.Context, c *websocket.Conn, _ *http.Request) error {
		messages, bytes := 0, 0
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return err
			}
			if len(m.Data) > 0 {
				messages, bytes = messages+1, bytes+len(m.Data)
				continue
			}
			if err := c.WriteText(ctx, strconv.Itoa(messages)+" "+strconv.Itoa(bytes)); err != nil {
				return err
			}
		}
		return nil
	})
	mux.Handle("/", http.FileServer(http.Dir("testdata")))
	return mux
}

// ws returns the WebSocket URL of a path.
func (s *server) ws(path string) string { return "ws" + strings.TrimPrefix(s.URL, "http") + path }

// address returns where the server listens.
func (s *server) address() string { return s.Listener.Addr().String() }

// end waits for the end of a connection and returns its cause.
func (s *server) end() error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(patience):
		s.t.Fatal("the connection does not end")
		return nil
	}
}

// direct are options that no proxy of the environment can disturb.
func direct() *websocket.DialOptions {
	return &websocket.DialOptions{Proxy: noProxy}
}

// dial opens a connection that the test's end closes.
func dial(t testing.TB, url string, opts *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	c, err := websocket.Dial(within(t), url, opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// exchange sends a message and expects its echo.
func exchange(t testing.TB, c *websocket.Conn, typ websocket.MessageType, p []byte) {
	t.Helper()
	require.NoError(t, c.Write(within(t), typ, p))
	gotTyp, got, err := c.Read(within(t))
	require.NoError(t, err)
	require.Equal(t, typ, gotTyp)
	requireSame(t, p, got)
}

// requireSame is require.Equal without printing a megabyte.
func requireSame(t testing.TB, want, got []byte) {
	t.Helper()
	if string(want) != string(got) {
		t.Fatalf("sent %d bytes, got other %d", len(want), len(got))
	}
}

// requireClosed checks the cause of a connection's end.
func requireClosed(t testing.TB, err error, code websocket.StatusCode, reason string, remote bool) {
	t.Helper()
	var ce *websocket.CloseError
	require.ErrorAs(t, err, &ce)
	require.Equal(t, code, ce.Code)
	require.Equal(t, reason, ce.Reason)
	require.Equal(t, remote, ce.Remote)
}

// payload makes a message of exactly size bytes; text has characters of every
// length.
func payload(size int, typ websocket.MessageType) []byte {
	if typ == websocket.MessageText {
		return []byte(strings.Repeat("aé€😀", size/10) + strings.Repeat("x", size%10))
	}
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i*7 + size)
	}
	return p
}
