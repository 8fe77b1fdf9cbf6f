//go:build linux

package micro

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/seed86893212/websocket/bench/internal/wire"
	"github.com/seed86893212/websocket/bench/micro/cloop"
	"github.com/seed86893212/websocket/internal/xor"
	"github.com/stretchr/testify/require"
)

const key = 0x3d21fa37

var keyBytes = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// masks are the ways to mask p, times times.
var masks = []struct {
	name string
	mask func(p []byte, times int)
}{
	{"ours", func(p []byte, times int) {
		for range times {
			xor.Mask(p, key)
		}
	}},
	{"gorilla", func(p []byte, times int) {
		for range times {
			gorillaMask(keyBytes, 0, p)
		}
	}},
	{"coder", func(p []byte, times int) {
		for range times {
			coderMask(p, key)
		}
	}},
	{"gws", func(p []byte, times int) {
		for range times {
			gwsMask(p, keyBytes[:])
		}
	}},
	{"gobwas", func(p []byte, times int) {
		for range times {
			ws.Cipher(p, keyBytes, 0)
		}
	}},
	{"C", func(p []byte, times int) { cloop.Mask(p, key, times) }},
}

func TestMasksAgree(t *testing.T) {
	for _, m := range masks {
		if m.name == "C" && !cloop.Available {
			continue
		}
		for n := 1; n < 200; n++ {
			p := make([]byte, n)
			m.mask(p, 1)
			for i, b := range p {
				require.Equal(t, keyBytes[i&3], b, "%s: byte %d of %d", m.name, i, n)
			}
		}
	}
}

func BenchmarkMask(b *testing.B) {
	for _, size := range []int{8, 32, 128, 1 << 10, 16 << 10, 1 << 20} {
		for _, m := range masks {
			if m.name == "C" && !cloop.Available {
				continue
			}
			b.Run(fmt.Sprintf("%d/%s", size, m.name), func(b *testing.B) {
				p := make([]byte, size)
				b.SetBytes(int64(size))
				defer cpu(b)()
				b.ResetTimer()
				m.mask(p, b.N)
			})
		}
	}
}

// What a library does that masks and then checks with the standard library.
func BenchmarkMaskThenValid(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, kind := range []wire.Kind{wire.KindText, wire.KindMixed} {
		for _, size := range []int{128, 16 << 10} {
			b.Run(fmt.Sprintf("%s/%d", kind, size), func(b *testing.B) {
				p := wire.Payload(kind, size, r)
				b.SetBytes(int64(size))
				defer cpu(b)()
				for b.Loop() {
					xor.Mask(p, 0)
					if !utf8.Valid(p) {
						b.Fatal("not text")
					}
				}
			})
		}
	}
}
