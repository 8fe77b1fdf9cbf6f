// The choice among the kernels for amd64.

//go:build !purego

package xor

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Which kernels the processor, and the system that saves its registers, can
// run.
var (
	haveAVX2   = cpu.X86.HasAVX2
	haveAVX512 = haveAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VBMI && cpu.X86.HasBMI2
)

// long masks src, which is longer than shortMax, into dst, which is as long.
func long(dst, src []byte, key, next uint32) {
	d, s, n := unsafe.SliceData(dst), unsafe.SliceData(src), len(src)
	switch {
	case haveAVX512:
		maskAVX512(d, s, n, key, next)
	case haveAVX2:
		maskAVX2(d, s, n, key, next)
	default:
		words(dst, src, key, next)
	}
}

// longText is walk for text longer than shortMax.
func longText(state uint8, p []byte) uint8 {
	switch {
	case state == broken:
	case haveAVX512:
		if !textAVX512(unsafe.SliceData(p), len(p), leads[state/6]) {
			return broken
		}
		return walk(whole, tail(p))
	case haveAVX2:
		n := len(p) &^ 31
		if !textAVX2(unsafe.SliceData(p), n, leads[state/6]) {
			return broken
		}
		return walk(walk(whole, tail(p[:n])), p[n:])
	default:
		return walk(state, p)
	}
	return broken
}

// longMaskText masks text longer than shortMax in place and returns what walk
// returns for it.
func longMaskText(state uint8, p []byte, key, next uint32) uint8 {
	switch {
	case state == broken:
		long(p, p, key, next)
	case haveAVX512:
		if !maskTextAVX512(unsafe.SliceData(p), len(p), key, leads[state/6]) {
			return broken
		}
		return walk(whole, tail(p))
	case haveAVX2:
		n := len(p) &^ 31
		ok := maskTextAVX2(unsafe.SliceData(p), n, key, leads[state/6])
		mask(p[n:], p[n:], key, next)
		if !ok {
			return broken
		}
		return walk(walk(whole, tail(p[:n])), p[n:])
	default:
		return maskWalk(state, p, key)
	}
	return broken
}
