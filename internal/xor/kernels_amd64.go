// The choice among the kernels for amd64.

//go:build !purego

package xor

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Kinds of kernels. SSE2 is part of every amd64.
const (
	sse2 uint8 = iota
	avx2
	avx512
)

// kind is the best that the processor, and the system that saves its registers,
// can run.
var kind = func() uint8 {
	switch x := &cpu.X86; {
	case !x.HasAVX2:
		return sse2
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VBMI && x.HasBMI1 && x.HasBMI2:
		return avx512
	default:
		return avx2
	}
}()

// long masks n bytes at p, more than shortMax, in place.
func long(p *byte, n int, key uint32) { maskVectors(p, n, key) }

// longCopy masks n bytes of src, more than shortMax, into dst, which is apart.
func longCopy(dst, src *byte, n int, key uint32) { copyVectors(dst, src, n, key) }

// How long a text must be for a kernel to pay: AVX-512 takes any length.
const (
	textMinAVX512 = 16
	textMinAVX2   = 64
)

// text is walk, with vectors.
func text(state uint8, p []byte) uint8 {
	switch {
	case state == broken:
		return broken
	case kind == avx512 && len(p) >= textMinAVX512:
		if !textAVX512(unsafe.SliceData(p), len(p), leads[state/6]) {
			return broken
		}
		return ending(p)
	case kind == avx2 && len(p) >= textMinAVX2:
		n := len(p) &^ 31
		if !textAVX2(unsafe.SliceData(p), n, leads[state/6]) {
			return broken
		}
		if n == len(p) {
			return ending(p)
		}
		return walk(ending(p[:n]), p[n:])
	default:
		return walk(state, p)
	}
}

// maskText masks p, which is longer than shortMax, in place, and returns what
// text returns for it.
func maskText(state uint8, p []byte, key uint32) uint8 {
	switch {
	case state == broken:
		Mask(p, key)
		return broken
	case kind == avx512:
		last := p[len(p)-1] ^ byte(rotate(key, len(p)-1)) // to load it behind the kernel's stores would wait for them
		switch {
		case !maskTextAVX512(unsafe.SliceData(p), len(p), key, leads[state/6]):
			return broken
		case last < 0x80:
			return whole
		}
		return ending(p)
	case kind == avx2:
		n := len(p) &^ 31
		ok := maskTextAVX2(unsafe.SliceData(p), n, key, leads[state/6])
		if n < len(p) {
			Mask(p[n:], key)
		}
		if !ok {
			return broken
		}
		if n == len(p) {
			return ending(p)
		}
		return walk(ending(p[:n]), p[n:])
	default:
		return maskWalk(state, p, key)
	}
}
