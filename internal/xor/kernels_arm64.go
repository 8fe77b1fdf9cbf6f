// The kernels for arm64. NEON is part of every one.

//go:build !purego

package xor

import "unsafe"

// portable turns the kernels off, for tests.
var portable bool

// maskNEON masks n bytes of src into dst, which is src or apart from it. n is at
// least 64. next is the key for the byte after the last.
//
//go:noescape
func maskNEON(dst, src *byte, n int, key, next uint32)

// maskTextNEON masks n bytes at p in place and checks them as text. It tells
// whether text can go on so, as far as p shows it; a character may be open at the
// end. lead is the first byte of a character of which all else is still to come,
// or 0. n is a multiple of 64, and not 0.
//
//go:noescape
func maskTextNEON(p *byte, n int, key uint32, lead uint8) bool

// textNEON checks n bytes at p as maskTextNEON does, without masking them.
//
//go:noescape
func textNEON(p *byte, n int, lead uint8) bool

// long masks n bytes at p, more than shortMax, in place.
func long(p *byte, n int, key uint32) { longCopy(p, p, n, key) }

// longCopy masks n bytes of src, more than shortMax, into dst, which is src or
// apart from it.
func longCopy(dst, src *byte, n int, key uint32) {
	if portable {
		words(unsafe.Slice(dst, n), unsafe.Slice(src, n), key)
		return
	}
	maskNEON(dst, src, n, key, rotate(key, n))
}

// text is walk, with vectors.
func text(state uint8, p []byte) uint8 {
	n := len(p) &^ 63
	if n == 0 || portable || state == broken {
		return walk(state, p)
	}
	if !textNEON(unsafe.SliceData(p), n, leads[state/6]) {
		return broken
	}
	return walk(ending(p[:n]), p[n:])
}

// maskText masks p, which is longer than shortMax, in place, and returns what
// text returns for it.
func maskText(state uint8, p []byte, key uint32) uint8 {
	if portable {
		return maskWalk(state, p, key)
	}
	if state == broken {
		Mask(p, key)
		return broken
	}
	n := len(p) &^ 63
	ok := maskTextNEON(unsafe.SliceData(p), n, key, leads[state/6])
	Mask(p[n:], key)
	if !ok {
		return broken
	}
	return walk(ending(p[:n]), p[n:])
}
