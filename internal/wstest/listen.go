// A listener in memory, and an http.Server on it.

package wstest

import (
	"context"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
)

// URL is a URL for Dial with a Listener. It never goes through a proxy of the
// environment, since its host is localhost.
const URL = "ws://localhost/"

// A Listener is a net.Listener in memory. Its Dial connects to it.
type Listener struct {
	wrap   func(net.Conn) net.Conn
	queue  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen returns a listener. wrap, if not nil, is put around the server's end
// of each connection.
func Listen(wrap func(net.Conn) net.Conn) *Listener {
	return &Listener{wrap: wrap, queue: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial connects to l whatever the network and the address are. It has the
// signature of DialOptions.NetDial.
func (l *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := Pipe()
	var accepted net.Conn = server
	if l.wrap != nil {
		accepted = l.wrap(server)
	}
	select {
	case l.queue <- accepted:
		return client, nil
	case <-l.closed:
		return nil, opError("dial", ErrRefused)
	case <-ctx.Done():
		return nil, opError("dial", ctx.Err())
	}
}

// Accept waits for the next Dial.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.queue:
		return nc, nil
	case <-l.closed:
		return nil, opError("accept", net.ErrClosed)
	}
}

// Close ends Accept and Dial. Connections stay.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr returns an address without meaning.
func (l *Listener) Addr() net.Addr { return addr{} }

// Serve runs an http.Server with the handler on a new listener until the test
// ends. What the server logs goes to the test's log.
func Serve(t testing.TB, handler http.Handler) *Listener {
	t.Helper()
	l := Listen(nil)
	server := &http.Server{Handler: handler, ErrorLog: log.New(testLog{t}, "", 0)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // always http.ErrServerClosed
	}()
	t.Cleanup(func() {
		_ = l.Close()
		_ = server.Close()
		<-done
	})
	return l
}

// testLog writes to the log of a test.
type testLog struct{ t testing.TB }

func (w testLog) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}
