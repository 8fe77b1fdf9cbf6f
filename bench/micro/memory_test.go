//go:build linux

package micro

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/seed86893212/websocket/bench/internal/wire"
)

// A memory is a net.Conn whose peer sends one frame after the other, each in a
// read of its own, and forgets what it gets.
type memory struct {
	frame []byte
	rest  []byte
	left  int // frames to come
}

func newMemory(kind wire.Kind, size, frames int) *memory {
	payload := make([]byte, size)
	return &memory{frame: wire.AppendMasked(nil, kind.Opcode(), payload, key), left: frames}
}

func (m *memory) Read(p []byte) (int, error) {
	if len(m.rest) == 0 {
		if m.left == 0 {
			return 0, io.EOF
		}
		m.left--
		m.rest = m.frame
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

func (m *memory) Write(p []byte) (int, error)      { return len(p), nil }
func (m *memory) Close() error                     { return nil }
func (m *memory) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (m *memory) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (m *memory) SetDeadline(time.Time) error      { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }

// A response is an http.ResponseWriter that gives its connection away.
type response struct {
	conn   net.Conn
	rw     *bufio.ReadWriter
	header http.Header
	code   int
}

func newResponse(conn net.Conn) *response {
	return &response{conn: conn, rw: bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), header: http.Header{}}
}

func (r *response) Header() http.Header         { return r.header }
func (r *response) Write(p []byte) (int, error) { return len(p), nil }
func (r *response) WriteHeader(code int)        { r.code = code }

func (r *response) Hijack() (net.Conn, *bufio.ReadWriter, error) { return r.conn, r.rw, nil }

// handshake returns the request of a client.
func handshake() *http.Request {
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		panic(err) // the arguments are right
	}
	r.Host = "localhost"
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "User-Agent": "bench",
	} {
		r.Header.Set(name, value)
	}
	return r
}
