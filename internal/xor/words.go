// Masking in portable Go, eight bytes at a time.

package xor

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

const (
	// shortMax is the longest payload for which no vector kernel is called.
	shortMax = 64
	// asciiMax is the longest text that is looked through for ASCII alone before a
	// kernel is called: that takes about as long as the call.
	asciiMax = 256
)

// highBits are set in bytes that are not ASCII.
const highBits = 0x8080808080808080

// rotate returns the key for the byte n bytes on.
func rotate(key uint32, n int) uint32 { return bits.RotateLeft32(key, -8*n) }

// twice returns the key for eight bytes.
func twice(key uint32) uint64 { return uint64(key)<<32 | uint64(key) }

// mask masks n bytes of src into dst, which is src or apart from it. Of few bytes
// it also returns the bits that any of the masked ones has, somewhere in seen.
//
// It goes inwards from both ends, by words that may overlap in the middle: all
// are loaded before the first is stored.
//
// Pointers and a length are fewer arguments than slices, and so fewer stores to
// the stack: stores are what masking is bound by.
func mask(dst, src *byte, n int, key uint32) (seen uint64) {
	if n < 8 {
		return maskFew(dst, src, n, key)
	}
	le := binary.LittleEndian
	front, back := twice(key), twice(rotate(key, n))
	switch {
	case n <= 16:
		a, b := le.Uint64(at(src, 0))^front, le.Uint64(at(src, n-8))^back
		le.PutUint64(at(dst, 0), a)
		le.PutUint64(at(dst, n-8), b)
		seen = a | b
	case n <= 32:
		a, b, c, d := le.Uint64(at(src, 0))^front, le.Uint64(at(src, 8))^front, le.Uint64(at(src, n-16))^back, le.Uint64(at(src, n-8))^back
		le.PutUint64(at(dst, 0), a)
		le.PutUint64(at(dst, 8), b)
		le.PutUint64(at(dst, n-16), c)
		le.PutUint64(at(dst, n-8), d)
		seen = a | b | c | d
	case n <= shortMax:
		a, b, c, d := le.Uint64(at(src, 0))^front, le.Uint64(at(src, 8))^front, le.Uint64(at(src, 16))^front, le.Uint64(at(src, 24))^front
		e, f, g, h := le.Uint64(at(src, n-32))^back, le.Uint64(at(src, n-24))^back, le.Uint64(at(src, n-16))^back, le.Uint64(at(src, n-8))^back
		le.PutUint64(at(dst, 0), a)
		le.PutUint64(at(dst, 8), b)
		le.PutUint64(at(dst, 16), c)
		le.PutUint64(at(dst, 24), d)
		le.PutUint64(at(dst, n-32), e)
		le.PutUint64(at(dst, n-24), f)
		le.PutUint64(at(dst, n-16), g)
		le.PutUint64(at(dst, n-8), h)
		seen = a | b | c | d | e | f | g | h
	case dst == src:
		long(dst, n, key)
	default:
		longCopy(dst, src, n, key)
	}
	return seen
}

// maskFew is mask for less than eight bytes.
func maskFew(dst, src *byte, n int, key uint32) (seen uint64) {
	d, s := unsafe.Slice(dst, n), unsafe.Slice(src, n)
	if n >= 4 {
		le := binary.LittleEndian
		a, b := le.Uint32(s)^key, le.Uint32(s[n-4:])^rotate(key, n)
		le.PutUint32(d, a)
		le.PutUint32(d[n-4:], b)
		return uint64(a | b)
	}
	for i, b := range s {
		d[i] = b ^ byte(key)
		seen |= uint64(d[i])
		key >>= 8
	}
	return seen
}

// at returns eight bytes from p+offset on.
func at(p *byte, offset int) []byte { return (*[8]byte)(unsafe.Add(unsafe.Pointer(p), offset))[:] }

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
	mask(unsafe.SliceData(dst), unsafe.SliceData(src), len(src), key)
}

// shortASCII reports whether all bytes of a short p are ASCII.
func shortASCII(p []byte) bool {
	n := len(p)
	le := binary.LittleEndian
	switch {
	case n >= 32:
		b := unsafe.SliceData(p)
		seen := le.Uint64(at(b, n-32)) | le.Uint64(at(b, n-24)) | le.Uint64(at(b, n-16)) | le.Uint64(at(b, n-8))
		for i := 0; i < n-32; i += 32 {
			seen |= le.Uint64(at(b, i)) | le.Uint64(at(b, i+8)) | le.Uint64(at(b, i+16)) | le.Uint64(at(b, i+24))
		}
		return seen&highBits == 0
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
