// No kernels but the portable ones.

//go:build purego || !(amd64 || arm64)

package xor

// long masks src, which is longer than shortMax, into dst, which is as long.
func long(dst, src []byte, key, _ uint32) { words(dst, src, key) }

// text is walk, where there are vectors.
func text(state uint8, p []byte) uint8 { return walk(state, p) }

// maskText masks p, which is longer than shortMax, in place, and returns what
// text returns for it.
func maskText(state uint8, p []byte, key, _ uint32) uint8 { return maskWalk(state, p, key) }
