package flate

import (
	"encoding/binary"
	"slices"
)

// A bitWriter appends bits to bytes, the first lowest (RFC 1951, section 3.1.1).
type bitWriter struct {
	out []byte
	acc uint64 // bits that fill no byte yet
	n   uint   // how many, fewer than 8
}

// reserve makes room for n more bytes.
func (o *bitWriter) reserve(n int) {
	o.out = slices.Grow(o.out, n)
}

// add appends n bits, at most 56. There must be room for eight bytes.
func (o *bitWriter) add(v uint64, n uint) {
	o.acc |= v << (o.n & 63)
	o.n += n
	end := len(o.out)
	out := o.out[:end+8]
	binary.LittleEndian.PutUint64(out[end:], o.acc)
	o.out = out[:end+int(o.n>>3)]
	o.acc >>= o.n &^ 7 & 63
	o.n &= 7
}

// symbols appends the codes and extra bits of tokens. There is room for all of them, and a word more.
func (o *bitWriter) symbols(tokens []token, codes *[symMask + 1]code) {
	out, acc, n, at := o.out[:cap(o.out)], o.acc, o.n, len(o.out)
	k := 0
	for ; k+1 < len(tokens); k += 2 {
		s, t := tokens[k], tokens[k+1]
		c, d := &codes[s&symMask], &codes[t&symMask]
		v := uint64(c.bits) | uint64(s>>9)<<(c.n&63)
		w := uint64(d.bits) | uint64(t>>9)<<(d.n&63)
		acc |= (v | w<<(c.all&63)) << (n & 63)
		n += uint(c.all) + uint(d.all)
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
	}
	o.out, o.acc, o.n = out[:at], acc, n
	if k < len(tokens) {
		c := &codes[tokens[k]&symMask]
		o.add(uint64(c.bits)|uint64(tokens[k]>>9)<<(c.n&63), uint(c.all))
	}
}

// align appends zero bits up to a whole byte.
func (o *bitWriter) align() {
	if o.n > 0 {
		o.add(0, 8-o.n)
	}
}
