// Masking in portable Go, eight bytes at a time.

package xor

import "encoding/binary"

// shortMax is the longest payload that is masked where it is called, before a
// vector kernel pays.
const shortMax = 64

// mask masks src into dst, which is as long. next is the key for the byte after
// src, and so for the byte any multiple of four before it.
//
// Up to shortMax bytes it goes inwards from both ends, by words that may overlap
// in the middle: all are loaded before the first is stored, so that dst and src
// may be the same. It returns these words, masked and or'ed together: the bits
// that any byte of a short payload has.
func mask(dst, src []byte, key, next uint32) (bits uint64) {
	n := len(src)
	if len(dst) != n {
		return 0
	}
	le := binary.LittleEndian
	front, back := twice(key), twice(next)
	switch {
	case n > shortMax:
		long(dst, src, key, next)
	case n > 32:
		a, b, c, d := le.Uint64(src)^front, le.Uint64(src[8:])^front, le.Uint64(src[16:])^front, le.Uint64(src[24:])^front
		e, f, g, h := le.Uint64(src[n-32:])^back, le.Uint64(src[n-24:])^back, le.Uint64(src[n-16:])^back, le.Uint64(src[n-8:])^back
		le.PutUint64(dst, a)
		le.PutUint64(dst[8:], b)
		le.PutUint64(dst[16:], c)
		le.PutUint64(dst[24:], d)
		le.PutUint64(dst[n-32:], e)
		le.PutUint64(dst[n-24:], f)
		le.PutUint64(dst[n-16:], g)
		le.PutUint64(dst[n-8:], h)
		bits = a | b | c | d | e | f | g | h
	case n > 16:
		a, b, c, d := le.Uint64(src)^front, le.Uint64(src[8:])^front, le.Uint64(src[n-16:])^back, le.Uint64(src[n-8:])^back
		le.PutUint64(dst, a)
		le.PutUint64(dst[8:], b)
		le.PutUint64(dst[n-16:], c)
		le.PutUint64(dst[n-8:], d)
		bits = a | b | c | d
	case n >= 8:
		a, b := le.Uint64(src)^front, le.Uint64(src[n-8:])^back
		le.PutUint64(dst, a)
		le.PutUint64(dst[n-8:], b)
		bits = a | b
	case n >= 4:
		a, b := le.Uint32(src)^key, le.Uint32(src[n-4:])^next
		le.PutUint32(dst, a)
		le.PutUint32(dst[n-4:], b)
		bits = uint64(a | b)
	default:
		for i, b := range src {
			dst[i] = b ^ byte(key)
			bits |= uint64(dst[i])
			key >>= 8
		}
	}
	return bits
}

// words masks src, which is longer than shortMax, into dst, which is as long.
func words(dst, src []byte, key, next uint32) {
	k := twice(key)
	le := binary.LittleEndian
	for len(src) > shortMax && len(dst) >= len(src) {
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
	mask(dst, src, key, next)
}
