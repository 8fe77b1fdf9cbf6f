//go:build amd64 && !race && !purego

package websocket

import (
	"net"
	"net/http"
	"runtime"
	"runtime/metrics"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startingStack returns the size of the stack that goroutines begin with.
func startingStack() uint64 {
	s := []metrics.Sample{{Name: "/gc/stack/starting-size:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// A handler that reads whole messages and writes never outgrows the smallest
// stack there is, 2 KiB: once it has, it would keep 4 KiB while it is idle.
func TestIdleStack(t *testing.T) {
	if !slices.Contains([]string{"amd64", "arm64"}, runtime.GOARCH) {
		t.Skip("frames are larger on " + runtime.GOARCH)
	}
	const conns = 500
	for _, mode := range []string{"into", "read"} {
		t.Run(mode, func(t *testing.T) {
			release := make(chan struct{})
			defer close(release)
			for range 4 * conns { // so that the average goroutine needs little, and the next gets that
				go func() { <-release }()
			}
			runtime.GC()
			require.EqualValues(t, 2048, startingStack())

			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			srv := &http.Server{Handler: Handler(func(c *Conn, _ *http.Request) { echo(c, mode) }, nil)}
			go func() { _ = srv.Serve(l) }()
			defer srv.Close()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range conns {
				defer syscall.Close(idlePeer(t, l.Addr().(*net.TCPAddr), "", hello))
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			perConn := int64(after.StackInuse-before.StackInuse) / conns
			assert.Less(t, perConn, int64(2048+1024))
		})
	}
}

// What every connection has fits its size classes.
func TestConnSize(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(Conn{}), uintptr(288))
	assert.LessOrEqual(t, unsafe.Sizeof(rawTransport{}), uintptr(128))
	assert.LessOrEqual(t, unsafe.Sizeof(driven{}), uintptr(96))
}
