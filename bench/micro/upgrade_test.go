//go:build linux

package micro

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	"github.com/seed86893212/websocket"
	"github.com/stretchr/testify/require"
)

// BenchmarkUpgrade is the cost of an opening handshake without what net/http and
// the network add: from the parsed request to the connection, and its end.
func BenchmarkUpgrade(b *testing.B) {
	gorillaUpgrader := gorilla.Upgrader{}
	gwsUpgrader := gws.NewUpgrader(&gws.BuiltinEventHandler{}, nil)
	for _, u := range []struct {
		name    string
		upgrade func(w *response) error
	}{
		{"ours", func(w *response) error {
			c, err := websocket.Upgrade(w, handshakeRequest, nil)
			if err == nil {
				_ = c.CloseNow() // there is nobody to tell
			}
			return err
		}},
		{"gorilla", func(w *response) error {
			c, err := gorillaUpgrader.Upgrade(w, handshakeRequest, nil)
			if err == nil {
				_ = c.Close()
			}
			return err
		}},
		{"coder", func(w *response) error {
			c, err := coder.Accept(w, handshakeRequest, nil)
			if err == nil {
				_ = c.CloseNow()
			}
			return err
		}},
		{"gws", func(w *response) error {
			_, err := gwsUpgrader.Upgrade(w, handshakeRequest)
			return err
		}},
		{"gobwas", func(w *response) error {
			_, _, _, err := ws.UpgradeHTTP(handshakeRequest, w)
			return err
		}},
	} {
		b.Run(u.name, func(b *testing.B) {
			w := newResponse(&memory{})
			require.NoError(b, u.upgrade(w))
			b.ReportAllocs()
			defer cpu(b)()
			for b.Loop() {
				clear(w.header)
				w.rw.Reader.Reset(w.conn)
				w.rw.Writer.Reset(w.conn)
				if err := u.upgrade(w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHandshake is an opening handshake with all that net/http, TCP and a
// bare client add to it.
func BenchmarkHandshake(b *testing.B) {
	gone := make(chan struct{})
	gorillaUpgrader := gorilla.Upgrader{}
	servers := []struct {
		name  string
		serve func(l net.Listener)
	}{
		{"ours", overHTTP(func(w http.ResponseWriter, r *http.Request) {
			if c, err := websocket.Upgrade(w, r, nil); err == nil {
				<-gone
				_ = c.CloseNow()
			}
		})},
		{"ours, Handler", overHTTP(websocket.Handler(func(c *websocket.Conn, _ *http.Request) {
			<-gone
			_ = c.CloseNow()
		}, nil).ServeHTTP)},
		{"gorilla", overHTTP(func(w http.ResponseWriter, r *http.Request) {
			if c, err := gorillaUpgrader.Upgrade(w, r, nil); err == nil {
				<-gone
				_ = c.Close()
			}
		})},
	}
	for _, s := range listeners {
		servers = append(servers, struct {
			name  string
			serve func(l net.Listener)
		}{s.name + ", listener", func(l net.Listener) {
			s.serve(l, func() { <-gone })
		}})
	}
	for _, s := range servers {
		b.Run(s.name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(b, err)
			go s.serve(l)
			defer l.Close()
			request := "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
			answer := make([]byte, 129)
			b.ReportAllocs()
			defer cpu(b)()
			for b.Loop() {
				c, err := net.Dial("tcp", l.Addr().String())
				require.NoError(b, err)
				_, _ = io.WriteString(c, request)
				if _, err := io.ReadFull(c, answer); err != nil || string(answer[125:]) != "\r\n\r\n" {
					b.Fatalf("%q, %v", answer, err)
				}
				_ = c.(*net.TCPConn).SetLinger(0) // leaves no port waiting
				_ = c.Close()
				gone <- struct{}{}
			}
		})
	}
}

// overHTTP serves a listener by net/http.
func overHTTP(h http.HandlerFunc) func(net.Listener) {
	return func(l net.Listener) { _ = http.Serve(l, h) }
}

// BenchmarkListen is a connection's way through a listener without net/http, from
// the bytes of its request to its end right after the answer, without the network.
// Ours makes a whole Conn, with the goroutine that reads ahead of a net.Conn of a
// type that it does not know; gobwas leaves all that to its user.
func BenchmarkListen(b *testing.B) {
	for _, s := range listeners {
		b.Run(s.name, func(b *testing.B) {
			v := &visitor{left: b.N, next: make(chan struct{}, 1)}
			v.next <- struct{}{}
			b.ReportAllocs()
			defer cpu(b)()
			b.ResetTimer()
			s.serve(v, func() { v.next <- struct{}{} })
			require.Zero(b, v.left)
			require.Regexp(b, "(?s)^HTTP/1.1 101 .*\r\n\r\n$", v.answer)
		})
	}
}

// A visitor is a net.Listener whose connections come one after the other, each
// with a browser's opening handshake.
type visitor struct {
	left   int
	next   chan struct{}
	answer string
}

// A visit is one of its connections.
type visit struct {
	memory
	v *visitor
}

func (v *visitor) Accept() (net.Conn, error) {
	<-v.next
	if v.left == 0 {
		return nil, net.ErrClosed
	}
	v.left--
	return &visit{memory{rest: browserHandshake}, v}, nil
}

func (v *visitor) Close() error { return nil }

func (v *visitor) Addr() net.Addr { return &net.TCPAddr{} }

func (c *visit) Write(p []byte) (int, error) {
	if v := c.v; v.left == 0 && v.answer == "" {
		v.answer = string(p)
	}
	return len(p), nil
}

// listeners serve one without net/http, and call ended for each connection that
// was opened and has come to its end.
var listeners = []struct {
	name  string
	serve func(l net.Listener, ended func())
}{
	{"ours", func(l net.Listener, ended func()) {
		engine, err := websocket.NewEngine(nil)
		if err != nil {
			panic(err) // there is a descriptor for it
		}
		_ = engine.Serve(l, nil, &websocket.Events{Close: func(*websocket.Conn, error) { ended() }})
		_ = engine.Shutdown(context.Background())
	}},
	{"gobwas", func(l net.Listener, ended func()) {
		var under sync.WaitGroup
		defer under.Wait()
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			under.Go(func() {
				_ = nc.SetDeadline(time.Now().Add(10 * time.Second)) // as ours
				if _, err := (ws.Upgrader{}).Upgrade(nc); err == nil {
					_ = nc.SetDeadline(time.Time{})
					_, _ = ws.ReadHeader(nc) // it is the end that comes
					_ = nc.Close()
					ended()
				}
			})
		}
	}},
}
var handshakeRequest = handshake()

var browserHandshake = []byte("GET /chat?room=1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\nOrigin: http://localhost\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br\r\n" +
	"Accept-Language: en-US,en;q=0.9\r\nCookie: session=0123456789abcdef; theme=dark\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n")
