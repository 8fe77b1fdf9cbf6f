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
	k := 1
	for ; k < len(tokens); k += 2 {
		s, t := tokens[k-1], tokens[k]
		c, d := codes[s&symMask], codes[t&symMask]
		acc |= c.with(s) << (n & 63)
		n += c.all()
		acc |= d.with(t) << (n & 63)
		n += d.all()
		binary.LittleEndian.PutUint64(out[at:at+8:at+8], acc)
		at += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
	}
	o.out, o.acc, o.n = out[:at], acc, n
	if k == len(tokens) {
		c := codes[tokens[k-1]&symMask]
		o.add(c.with(tokens[k-1]), c.all())
	}
}

// align appends zero bits up to a whole byte.
func (o *bitWriter) align() {
	if o.n > 0 {
		o.add(0, 8-o.n)
	}
}

// end returns all, with the header of the empty stored block that ends a message.
func (o *bitWriter) end() []byte {
	o.reserve(8)
	o.add(blockStored<<1, 3)
	o.align()
	return o.out
}
