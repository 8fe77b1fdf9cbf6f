package flate

import "math/bits"

// noLength ends code lengths: it is none.
const noLength = 255

// codeLengths are the code lengths of a block, an end, and room to look at eight at once.
type codeLengths [numLits + numDists + 9]uint8

// A header describes the codes of a dynamic block, RFC 1951, section 3.2.7.
type header struct {
	lits, dists int
	n           int                           // symbols
	tokens      [numLits + numDists + 2]token // of the alphabet of code lengths
	freq        [32]uint16
	lens        [numLens]uint8
	codes       [symMask + 1]code
	hclen       int
}

// lenExtra has the extra bits of the symbols 16 to 18.
var lenExtra = [32]uint8{16: 2, 17: 3, 18: 7}

// plan prepares the header for the first of all code lengths, of which lits are for literals and lengths. It returns its bits.
func (h *header) plan(huff *huffman, all *codeLengths, lits, dists int) int {
	h.lits, h.dists, h.n = lits, dists, 0
	clear(h.freq[:])
	lens := all[:lits+dists]
	all[len(lens)] = noLength
	for i := 0; i < len(lens); {
		run := 8
		if diff := load64(all[:], i) ^ load64(all[:], i+1); diff != 0 {
			run = bits.TrailingZeros64(diff) >> 3
		} else {
			run += common(lens[i+9:], lens[i+8:])
		}
		h.runs(lens[i], run+1)
		i += run + 1
	}
	huff.collect(h.freq[:numLens+1])
	huff.lengths(h.lens[:], maxLenCode)
	huff.codes(h.codes[:], h.lens[:], lenExtra[:])
	total := 14 + huff.cost(h.freq[:], h.codes[:])
	h.hclen = numLens
	for h.hclen > 4 && h.lens[lenOrder[h.hclen-1]] == 0 {
		h.hclen--
	}
	return total + 3*h.hclen
}

// runs adds a run of equal code lengths.
func (h *header) runs(length uint8, run int) {
	if run > 2 {
		run = h.long(length, run)
	}
	// One or two are anyone's guess, a processor's as well: so there is no branch on it.
	two := h.tokens[h.n : h.n+2]
	two[0], two[1] = token(length), token(length)
	h.n += run
	h.freq[length&31] += uint16(run)
}

// long adds a run of three or more but for its end, and returns how many are left: fewer than three.
func (h *header) long(length uint8, run int) int {
	if length == 0 {
		for ; run >= 11; run -= min(run, 138) {
			h.add(18, min(run, 138)-11)
		}
		if run >= 3 {
			h.add(17, run-3)
			run = 0
		}
		return run
	}
	h.add(length, 0)
	for run--; run >= 3; run -= min(run, 6) {
		h.add(16, min(run, 6)-3)
	}
	return run
}

// add adds a symbol.
func (h *header) add(sym uint8, extra int) {
	h.tokens[h.n] = token(sym) | token(extra)<<9
	h.n++
	h.freq[sym&31]++
}

// write writes the header.
func (h *header) write(o *bitWriter) {
	o.reserve(h.n*2 + 32)
	o.add(uint64(h.lits-257)|uint64(h.dists-1)<<5|uint64(h.hclen-4)<<10, 14)
	for _, sym := range lenOrder[:h.hclen] {
		o.add(uint64(h.lens[sym]), 3)
	}
	o.symbols(h.tokens[:h.n], &h.codes)
}
