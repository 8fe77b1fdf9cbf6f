package flate

import (
	"encoding/binary"
)

// A block chooses how a piece of text is written, and writes it.
type block struct {
	even     bool // code lengths are evened out to shorten the header
	thorough bool // codes of its own are tried even for a short text

	freq    [symMask + 1]uint16
	codes   [symMask + 1]code
	lens    codeLengths
	header  header
	huffman huffman
}

// fixedCodes are the codes of RFC 1951, section 3.2.6.
var fixedCodes = func() (codes [symMask + 1]code) {
	var symbols [firstDist]uint16
	var lens [firstDist]uint8
	for i := range symbols {
		symbols[i] = uint16(i)
		lens[i] = fixedLitLen(i)
	}
	assignCodes(codes[:], symbols[:], lens[:], extraBits[:], &[32]int{7: 24, 8: 152, 9: 112})
	for i := range lens {
		lens[i] = 5
	}
	assignCodes(codes[firstDist:], symbols[:32], lens[:], extraBits[firstDist:], &[32]int{5: 32})
	return codes
}()

// dynamicFrom is how long a text must be for codes of its own: their header takes some 40 bytes, and more time than the
// rest of a short message.
const dynamicFrom = 256

// write writes p, of at most 65535 bytes, as the shortest of the three types of block; tokens are what p is made of, with the
// end of the block.
func (b *block) write(o *bitWriter, p []byte, tokens []token) {
	if !b.thorough && len(p) < dynamicFrom {
		o.reserve(len(p) + len(p)/8 + 16) // no token takes more than nine bits for a byte
		before := *o
		o.add(blockFixed<<1, 3)
		o.symbols(tokens, &fixedCodes)
		if 8*(len(o.out)-len(before.out))+int(o.n-before.n) >= storedBits(&before, p) {
			*o = before
			writeStored(o, p)
		}
		return
	}
	b.count(tokens)
	fixed, dynamic := b.plan()
	best := min(fixed, dynamic)
	if storedBits(o, p) <= best+3 {
		writeStored(o, p)
		return
	}
	o.reserve(best/8 + 16)
	if fixed <= dynamic {
		o.add(blockFixed<<1, 3)
		o.symbols(tokens, &fixedCodes)
	} else {
		o.add(blockDynamic<<1, 3)
		b.header.write(o)
		o.symbols(tokens, &b.codes)
	}
}

// storedBits returns how many bits p takes in a stored block.
func storedBits(o *bitWriter, p []byte) int {
	return 3 + int(-(o.n+3)&7) + 32 + 8*len(p)
}

func writeStored(o *bitWriter, p []byte) {
	o.reserve(len(p) + 16)
	o.add(blockStored<<1, 3)
	o.align()
	o.out = binary.LittleEndian.AppendUint16(o.out, uint16(len(p)))
	o.out = binary.LittleEndian.AppendUint16(o.out, ^uint16(len(p)))
	o.out = append(o.out, p...)
}

// count counts the symbols.
func (b *block) count(tokens []token) {
	clear(b.freq[:])
	for _, t := range tokens {
		b.freq[t&symMask]++
	}
}

// plan makes the codes of the block, and returns the bits that the tokens take in the fixed codes, and in these with the header.
func (b *block) plan() (fixed, dynamic int) {
	lits, dists := numLits, numDists
	for lits > 257 && b.freq[lits-1] == 0 {
		lits--
	}
	freq, codes := b.freq[firstDist:], b.codes[firstDist:]
	for dists > 1 && freq[dists-1] == 0 {
		dists--
	}
	h := &b.huffman
	litLens, distLens := b.lens[:lits], b.lens[lits:lits+dists]
	h.collect(b.freq[:firstDist])
	if b.even {
		h.even()
	}
	h.lengths(litLens, maxCode)
	h.codes(b.codes[:], litLens, extraBits[:])
	fixed, dynamic = h.cost(b.freq[:], fixedCodes[:]), h.cost(b.freq[:], b.codes[:])
	h.collect(freq[:32])
	if b.even {
		h.even()
	}
	h.lengths(distLens, maxCode)
	if h.n == 0 {
		distLens[0] = 1 // one code at least, for old inflaters
	}
	h.codes(codes, distLens, extraBits[firstDist:])
	fixed += h.cost(freq, fixedCodes[firstDist:])
	dynamic += h.cost(freq, codes)
	return fixed, dynamic + b.header.plan(h, &b.lens, lits, dists)
}
