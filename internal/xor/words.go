// Masking in portable Go, eight bytes at a time.

package xor

import (
	"encoding/binary"
	"math/bits"
)

// shortMax is the longest payload for which no vector kernel is called.
const shortMax = 64

// highBits are set in bytes that are not ASCII.
const highBits = 0x8080808080808080

// rotate returns the key for the byte n bytes on.
func rotate(key uint32, n int) uint32 { return bits.RotateLeft32(key, -8*(n&3)) }

// twice returns the key for eight bytes.
func twice(key uint32) uint64 { return uint64(key)<<32 | uint64(key) }

// mask masks p in place and returns the key for the byte after p. Of a short p
// it also returns the bits that any of the masked bytes has, somewhere in seen.
//
// It goes inwards from both ends, by words that may overlap in the middle: all
// are loaded before the first is stored. The key for the byte after p is also
// the key for the byte any multiple of four before the end.
func mask(p []byte, key uint32) (next uint32, seen uint64) {
	n := len(p)
	next = rotate(key, n)
	le := binary.LittleEndian
	if n < 8 {
		if n >= 4 {
			a, b := le.Uint32(p)^key, le.Uint32(p[n-4:])^next
			le.PutUint32(p, a)
			le.PutUint32(p[n-4:], b)
			return next, uint64(a | b)
		}
		for i := range p {
			p[i] ^= byte(key)
			seen |= uint64(p[i])
			key >>= 8
		}
		return next, seen
	}
	front, back := twice(key), twice(next)
	switch {
	case n <= 16:
		a, b := le.Uint64(p)^front, le.Uint64(p[n-8:])^back
		le.PutUint64(p, a)
		le.PutUint64(p[n-8:], b)
		seen = a | b
	case n <= 32:
		a, b, c, d := le.Uint64(p)^front, le.Uint64(p[8:])^front, le.Uint64(p[n-16:])^back, le.Uint64(p[n-8:])^back
		le.PutUint64(p, a)
		le.PutUint64(p[8:], b)
		le.PutUint64(p[n-16:], c)
		le.PutUint64(p[n-8:], d)
		seen = a | b | c | d
	case n <= shortMax:
		a, b, c, d := le.Uint64(p)^front, le.Uint64(p[8:])^front, le.Uint64(p[16:])^front, le.Uint64(p[24:])^front
		e, f, g, h := le.Uint64(p[n-32:])^back, le.Uint64(p[n-24:])^back, le.Uint64(p[n-16:])^back, le.Uint64(p[n-8:])^back
		le.PutUint64(p, a)
		le.PutUint64(p[8:], b)
		le.PutUint64(p[16:], c)
		le.PutUint64(p[24:], d)
		le.PutUint64(p[n-32:], e)
		le.PutUint64(p[n-24:], f)
		le.PutUint64(p[n-16:], g)
		le.PutUint64(p[n-8:], h)
		seen = a | b | c | d | e | f | g | h
	default:
		long(p, p, key, next)
	}
	return next, seen
}

// words masks src, which is longer than shortMax, into dst, which is as long.
func words(dst, src []byte, key uint32) {
	k := twice(key)
	le := binary.LittleEndian
	for len(src) >= 64 && len(dst) >= 64 {
		s, d := src[:64], dst[:64]
		le.PutUint64(d, le.Uint64(s)^k)
		le.PutUint64(d[8:], le.Uint64(s[8:])^k)
		le.PutUint64(d[16:], le.Uint64(s[16:])^k)
		le.PutUint64(d[24:], le.Uint64(s[24:])^k)
		le.PutUint64(d[32:], le.Uint64(s[32:])^k)
		le.PutUint64(d[40:], le.Uint64(s[40:])^k)
		le.PutUint64(d[48:], le.Uint64(s[48:])^k)
		le.PutUint64(d[56:], le.Uint64(s[56:])^k)
		src, dst = src[64:], dst[64:]
	}
	copy(dst, src)
	mask(dst, key)
}

// shortASCII reports whether all bytes of a short p are ASCII.
func shortASCII(p []byte) bool {
	n := len(p)
	le := binary.LittleEndian
	switch {
	case n >= 8:
		seen := le.Uint64(p[n-8:])
		for ; len(p) >= 8; p = p[8:] {
			seen |= le.Uint64(p)
		}
		return seen&highBits == 0
	case n >= 4:
		return uint64(le.Uint32(p)|le.Uint32(p[n-4:]))&highBits == 0
	default:
		var seen byte
		for _, b := range p {
			seen |= b
		}
		return seen < 0x80
	}
}
