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

// symbols appends the codes and extra bits of tokens. There is room for all of them, and a word more. Two tokens take no more than
// 48 bits, since there is a length before each distance, and four seldom more than a word.
func (o *bitWriter) symbols(tokens []token, codes *[symMask + 1]code) {
	out, acc, n, at := o.out[:cap(o.out)], o.acc, o.n, len(o.out)
	k := 0
	for ; k+4 <= len(tokens); k += 4 {
		four := (*[4]token)(tokens[k : k+4 : len(tokens)])
		c, d := codes[four[0]&symMask], codes[four[1]&symMask]
		two := c.with(four[0]) | d.with(four[1])<<(c.all()&63)
		acc |= two << (n & 63)
		n += c.all() + d.all()
		c, d = codes[four[2]&symMask], codes[four[3]&symMask]
		two = c.with(four[2]) | d.with(four[3])<<(c.all()&63)
		more := c.all() + d.all()
		if n+more > 63 {
			binary.LittleEndian.PutUint64(out[at:at+8:at+8], acc)
			at += int(n >> 3)
			acc >>= n &^ 7 & 63
			n &= 7
		}
		acc |= two << (n & 63)
		n += more
		binary.LittleEndian.PutUint64(out[at:at+8:at+8], acc)
		at += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
	}
	o.out, o.acc, o.n = out[:at], acc, n
	for _, t := range tokens[k:] {
		c := codes[t&symMask]
		o.add(c.with(t), c.all())
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
