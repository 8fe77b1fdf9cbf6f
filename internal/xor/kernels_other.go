// No kernels but the portable ones.

//go:build purego || !(amd64 || arm64)

package xor

import "unsafe"

// long masks n bytes at p, more than shortMax, in place.
func long(p *byte, n int, key uint32) { longCopy(p, p, n, key) }

// longCopy masks n bytes of src, more than shortMax, into dst, which is src or
// apart from it.
func longCopy(dst, src *byte, n int, key uint32) {
	words(unsafe.Slice(dst, n), unsafe.Slice(src, n), key)
}

// text is walk, where there are vectors.
func text(state uint8, p []byte) uint8 { return walk(state, p) }

// maskText masks p, which is longer than shortMax, in place, and returns what
// text returns for it.
func maskText(state uint8, p []byte, key uint32) uint8 { return maskWalk(state, p, key) }
