// An inflater that tells how far back a stream reaches (RFC 1951): the one
// thing that compress/flate does not say, and that window bits are about.

package main

import "errors"

var errInflate = errors.New("not a DEFLATE stream")

// A reach is what measuring a message gave.
type reach struct {
	history []byte // everything inflated so far, as far as it may be needed
	longest int    // the longest distance of a back reference
}

// bitReader takes bits from the low end of each byte. Past the end it sets
// over, and gives zeros.
type bitReader struct {
	p    []byte
	pos  int // in bits
	over bool
}

func (b *bitReader) bits(n int) int {
	v := 0
	for i := range n {
		at := b.pos >> 3
		if at >= len(b.p) {
			b.over = true
			return 0
		}
		v |= int(b.p[at]>>(b.pos&7)&1) << i
		b.pos++
	}
	return v
}

// A huffman is a code in canonical form: how many symbols have each length,
// and the symbols in order.
type huffman struct {
	count   [16]int
	symbols []int
}

func newHuffman(lengths []int) *huffman {
	h := &huffman{}
	for _, n := range lengths {
		h.count[n]++
	}
	h.count[0] = 0
	var next [16]int
	for i := 1; i < 15; i++ {
		next[i+1] = next[i] + h.count[i]
	}
	h.symbols = make([]int, len(lengths))
	for symbol, n := range lengths {
		if n != 0 {
			h.symbols[next[n]] = symbol
			next[n]++
		}
	}
	return h
}

func (h *huffman) symbol(b *bitReader) (int, error) {
	code, first, index := 0, 0, 0
	for n := 1; n < 16 && !b.over; n++ {
		code |= b.bits(1)
		if code-h.count[n] < first {
			return h.symbols[index+code-first], nil
		}
		index += h.count[n]
		first = (first + h.count[n]) << 1
		code <<= 1
	}
	return 0, errInflate
}

// The tables of RFC 1951, section 3.2.5.
var (
	lengthBase    = []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra   = []int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distanceBase  = []int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distanceExtra = []int{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	lengthOrder   = []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

// measure inflates one message and returns it.
func (r *reach) measure(payload []byte) ([]byte, error) {
	b := &bitReader{p: append(payload[:len(payload):len(payload)], 0, 0, 0xff, 0xff)}
	start := len(r.history)
	for final := false; !final && b.pos>>3 < len(b.p); {
		final = b.bits(1) == 1
		var err error
		switch b.bits(2) {
		case 0:
			err = r.stored(b)
		case 1:
			err = r.compressed(b, fixedLiterals(), newHuffman(repeat(5, 30)))
		case 2:
			var lit, dist *huffman
			if lit, dist, err = dynamicCodes(b); err == nil {
				err = r.compressed(b, lit, dist)
			}
		default:
			err = errInflate
		}
		if err != nil {
			return nil, err
		}
	}
	out := append([]byte(nil), r.history[start:]...)
	if over := len(r.history) - 1<<maxWindow; over > 0 {
		r.history = append(r.history[:0], r.history[over:]...)
	}
	return out, nil
}

func repeat(v, n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func fixedLiterals() *huffman {
	lengths := append(repeat(8, 144), repeat(9, 112)...)
	lengths = append(lengths, repeat(7, 24)...)
	return newHuffman(append(lengths, repeat(8, 8)...))
}

func (r *reach) stored(b *bitReader) error {
	b.pos = (b.pos + 7) &^ 7
	n, inverse := b.bits(16), b.bits(16)
	at := b.pos >> 3
	if b.over || n != inverse^0xffff || at+n > len(b.p) {
		return errInflate
	}
	r.history = append(r.history, b.p[at:at+n]...)
	b.pos += 8 * n
	return nil
}

func dynamicCodes(b *bitReader) (lit, dist *huffman, err error) {
	nlit, ndist, ncode := b.bits(5)+257, b.bits(5)+1, b.bits(4)+4
	lengths := make([]int, 19)
	for _, at := range lengthOrder[:ncode] {
		lengths[at] = b.bits(3)
	}
	code := newHuffman(lengths)
	lengths = lengths[:0]
	for len(lengths) < nlit+ndist {
		symbol, err := code.symbol(b)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case symbol < 16:
			lengths = append(lengths, symbol)
		case symbol == 16 && len(lengths) > 0:
			lengths = append(lengths, repeat(lengths[len(lengths)-1], 3+b.bits(2))...)
		case symbol == 17:
			lengths = append(lengths, repeat(0, 3+b.bits(3))...)
		case symbol == 18:
			lengths = append(lengths, repeat(0, 11+b.bits(7))...)
		default:
			return nil, nil, errInflate
		}
	}
	if len(lengths) != nlit+ndist || b.over {
		return nil, nil, errInflate
	}
	return newHuffman(lengths[:nlit]), newHuffman(lengths[nlit:]), nil
}

// compressed reads the symbols of a block.
func (r *reach) compressed(b *bitReader, lit, dist *huffman) error {
	for {
		symbol, err := lit.symbol(b)
		switch {
		case err != nil:
			return err
		case symbol < 256:
			r.history = append(r.history, byte(symbol))
			continue
		case symbol == 256:
			return nil
		case symbol > 285:
			return errInflate
		}
		length := lengthBase[symbol-257] + b.bits(lengthExtra[symbol-257])
		symbol, err = dist.symbol(b)
		if err != nil || symbol > 29 {
			return errInflate
		}
		distance := distanceBase[symbol] + b.bits(distanceExtra[symbol])
		if b.over || distance > len(r.history) {
			return errInflate
		}
		r.longest = max(r.longest, distance)
		for range length {
			r.history = append(r.history, r.history[len(r.history)-distance])
		}
	}
}
