// No kernels but the portable ones.

//go:build purego || !amd64

package xor

// long masks src, which is longer than shortMax, into dst, which is as long.
func long(dst, src []byte, key, next uint32) { words(dst, src, key, next) }

// longText is walk for text longer than shortMax.
func longText(state uint8, p []byte) uint8 { return walk(state, p) }

// longMaskText masks text longer than shortMax in place and returns what walk
// returns for it.
func longMaskText(state uint8, p []byte, key, _ uint32) uint8 { return maskWalk(state, p, key) }
