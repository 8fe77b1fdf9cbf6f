package xor

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"
)

var benchSizes = []int{8, 32, 128, 1 << 10, 16 << 10, 1 << 20}

// The kernels beside others' and a C loop: see peers.
func BenchmarkMask(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				Mask(p, 0x9b37c4d1)
			}
		})
	}
}

func BenchmarkCopy(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dst, src := make([]byte, n), make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				Copy(dst, src, 0x9b37c4d1)
			}
		})
	}
}

// Text is masked with a key of zeros, so that it stays what it is.
func BenchmarkText(b *testing.B) {
	for _, kind := range []struct{ name, text string }{
		{"ASCII", "Hello, world. "},
		{"mixed", "Grüße, Welt! Привет, мир. 世界 😀 "},
	} {
		for _, n := range benchSizes {
			p := bytes.Repeat([]byte(kind.text), n/len(kind.text)+1)[:n]
			for _, way := range []struct {
				name  string
				check func() bool
			}{
				{"MaskWrite", func() bool {
					var text Text
					_, ok := text.MaskWrite(p, 0)
					return ok
				}},
				{"Write", func() bool {
					var text Text
					return text.Write(p)
				}},
				{"Mask, utf8.Valid", func() bool {
					Mask(p, 0)
					return utf8.Valid(p)
				}},
			} {
				b.Run(fmt.Sprintf("%s/%s/%d", kind.name, way.name, n), func(b *testing.B) {
					b.SetBytes(int64(n))
					for b.Loop() {
						way.check()
					}
				})
			}
		}
	}
}
