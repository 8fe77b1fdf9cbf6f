//go:build linux

package micro

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gobwas/ws"
	"github.com/seed86893212/websocket"
	"github.com/seed86893212/websocket/bench/internal/wire"
)

func BenchmarkHeader(b *testing.B) {
	for _, size := range []int{100, 1000, 100_000} {
		frame := wire.AppendMasked(nil, wire.Binary, make([]byte, size), key)
		b.Run(fmt.Sprintf("%d/ours", size), func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				h, _, err := websocket.ParseFrameHeader(frame)
				if err != nil || h.PayloadLength != int64(size) {
					b.Fatal(h, err)
				}
			}
		})
		b.Run(fmt.Sprintf("%d/gobwas", size), func(b *testing.B) {
			r := bytes.NewReader(frame)
			defer cpu(b)()
			for b.Loop() {
				r.Reset(frame)
				h, err := ws.ReadHeader(r)
				if err != nil || h.Length != int64(size) {
					b.Fatal(h, err)
				}
			}
		})
	}
}
