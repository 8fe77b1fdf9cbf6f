package websocket

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// sinkConn is a net.Conn that takes everything and gives nothing.
type sinkConn struct{ net.Conn }

func (sinkConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (sinkConn) Write(p []byte) (int, error)      { return len(p), nil }
func (sinkConn) Close() error                     { return nil }
func (sinkConn) SetDeadline(time.Time) error      { return nil }
func (sinkConn) SetReadDeadline(time.Time) error  { return nil }
func (sinkConn) SetWriteDeadline(time.Time) error { return nil }

// sinkWriter is a ResponseWriter that can be hijacked again and again.
type sinkWriter struct {
	http.ResponseWriter
	header http.Header
	brw    *bufio.ReadWriter
}

func newSinkWriter(header http.Header) *sinkWriter {
	return &sinkWriter{header: header, brw: bufio.NewReadWriter(bufio.NewReader(sinkConn{}), bufio.NewWriter(sinkConn{}))}
}

func (w *sinkWriter) Header() http.Header                          { return w.header }
func (w *sinkWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) { return sinkConn{}, w.brw, nil }

// upgradeCases are handshakes as servers see them.
var upgradeCases = []struct {
	name    string
	opts    *UpgradeOptions
	request http.Header // besides what is needed
	answer  http.Header
	allocs  float64 // before there is a Conn
}{
	{name: "plain"},
	{name: "same host", request: http.Header{"Origin": {"http://example.com"}}},
	{name: "cookies", answer: http.Header{"Set-Cookie": {"a=1", "b=2"}, "X-Request-Id": {"7"}}},
	{
		name:    "options",
		opts:    &UpgradeOptions{Subprotocols: []string{"v2.chat", "chat"}, OriginPatterns: []string{"app.example", "https://*.example.org:*"}},
		request: http.Header{"Origin": {"https://www.example.org"}, "Sec-Websocket-Protocol": {"chat"}},
		allocs:  4, // one of them is kept: the settings
	},
}

func upgradeRequest(extra http.Header) *http.Request {
	r := sampleRequest()
	for name, values := range extra {
		r.Header[name] = values
	}
	return r
}

// BenchmarkAccept is what the opening handshake costs before there is a Conn.
func BenchmarkAccept(b *testing.B) {
	for _, tc := range upgradeCases {
		b.Run(tc.name, func(b *testing.B) {
			w, r := newSinkWriter(tc.answer), upgradeRequest(tc.request)
			b.ReportAllocs()
			for b.Loop() {
				var u upgrader
				u.init(tc.opts)
				if _, _, err := u.accept(w, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHandler is a connection from the request to its end, served on a
// goroutine of its own.
func BenchmarkHandler(b *testing.B) {
	served := make(chan struct{})
	h := Handler(func(c *Conn, _ *http.Request) {
		_ = c.CloseNow()
		served <- struct{}{}
	}, nil)
	w, r := newSinkWriter(nil), upgradeRequest(nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
		<-served
	}
}
