package websocket

import (
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/seed86893212/websocket/internal/flate"
	flatesamples "github.com/seed86893212/websocket/internal/flate/samples"
	"github.com/stretchr/testify/require"
)

// idlePeer is a client that costs this process nothing but its descriptor. It
// opens a connection with what header has besides the usual, and exchanges frames,
// which come back in frames of less than 64 KiB.
func idlePeer(b testing.TB, addr *net.TCPAddr, header string, frames [][]byte) (fd int) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(b, err)
	require.NoError(b, syscall.Connect(fd, &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte{127, 0, 0, 1}}))
	buf := make([]byte, 64<<10)
	read := func(at int) int {
		n, err := syscall.Read(fd, buf[at:])
		require.NoError(b, err)
		require.Positive(b, n)
		return at + n
	}
	_, err = syscall.Write(fd, []byte("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: idle\r\n"+header+"\r\n"))
	require.NoError(b, err)
	n := read(0)
	require.Equal(b, header, offered(string(buf[:n])))
	for _, f := range frames {
		_, err := syscall.Write(fd, f)
		require.NoError(b, err)
		for n := 0; ; {
			n = read(n)
			if h, size, err := ParseFrameHeader(buf[:n]); err == nil && size > 0 && n >= size+int(h.PayloadLength) {
				break
			}
		}
	}
	return fd
}

// offered returns the line of an answer that has its extensions.
func offered(answer string) string {
	for line := range strings.Lines(answer) {
		if strings.HasPrefix(line, "Sec-WebSocket-Extensions: ") {
			return line
		}
	}
	return ""
}

// hello is one message.
var hello = [][]byte{[]byte("\x82\x85\x00\x00\x00\x00hello")}

// BenchmarkIdle is what a connection costs that was opened by Handler, has
// exchanged one message and waits for another: memory of the heap and of
// stacks, without the kernel's.
func BenchmarkIdle(b *testing.B) {
	for _, mode := range []string{"read", "into", "messages", "serve", "engine"} {
		b.Run(mode, func(b *testing.B) {
			benchmarkIdle(b, 2000, mode, nil, "", hello)
		})
	}
}

// BenchmarkIdleCompressed is the same after 100 KiB of compressed messages.
func BenchmarkIdleCompressed(b *testing.B) {
	var frames [][]byte
	for _, m := range flatesamples.JSON(rand.New(rand.NewPCG(1, 1)), 110, 1<<10) {
		z := flate.AppendMessage(nil, m, nil, 12, 1)
		h := FrameHeader{Final: true, RSV1: true, Opcode: OpText, Masked: true, PayloadLength: int64(len(z))}
		frames = append(frames, append(h.Append(nil), z...)) // the key is 0
	}
	both := Compression{SendTakeover: true, ReceiveTakeover: true}
	for _, tc := range []struct{ name, header string }{
		{"none", noTakeover},
		{"12", "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"},
		{"15", "permessage-deflate"},
	} {
		b.Run(tc.name, func(b *testing.B) {
			benchmarkIdle(b, 500, "read", &both, "Sec-WebSocket-Extensions: "+tc.header+"\r\n", frames)
		})
	}
}

func benchmarkIdle(b *testing.B, conns int, mode string, z *Compression, header string, frames [][]byte) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	e, err := NewEngine(nil)
	require.NoError(b, err)
	defer e.Shutdown(bg)
	echoes := &Events{Message: func(c *Conn, t MessageType, p []byte) { c.Write(bg, t, p) }}
	serve := func(c *Conn, _ *http.Request) { echo(c, mode) }
	if mode == "engine" {
		serve = func(c *Conn, _ *http.Request) { _ = e.Attach(c, echoes) }
	}
	srv := &http.Server{Handler: Handler(serve, &UpgradeOptions{Compression: z})}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&before)
		fds := make([]int, conns)
		for i := range fds {
			fds[i] = idlePeer(b, l.Addr().(*net.TCPAddr), header, frames)
		}
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		heap := (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / float64(conns)
		stack := (float64(after.StackInuse) - float64(before.StackInuse)) / float64(conns)
		b.ReportMetric(heap+stack, "B/conn")
		b.ReportMetric(heap, "heap-B/conn")
		b.ReportMetric(stack, "stack-B/conn")
		for _, fd := range fds {
			syscall.Close(fd)
		}
	}
}
