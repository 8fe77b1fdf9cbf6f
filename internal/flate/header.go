package flate

// A header describes the codes of a dynamic block, RFC 1951, section 3.2.7.
type header struct {
	lits, dists int
	n           int                       // symbols
	tokens      [numLits + numDists]token // of the alphabet of code lengths
	freq        [numLens + 1]uint16
	lens        [numLens]uint8
	codes       [symMask + 1]code
	hclen       int
}

// lenExtra has the extra bits of the symbols 16 to 18.
var lenExtra = [32]uint8{16: 2, 17: 3, 18: 7}

// plan prepares the header for code lengths lens, the first of which are for literals and lengths. It returns its bits.
func (h *header) plan(huff *huffman, lens []uint8, lits, dists int) int {
	h.lits, h.dists, h.n = lits, dists, 0
	clear(h.freq[:])
	for i := 0; i < len(lens); {
		run := 1 + common(lens[i+1:], lens[i:])
		h.runs(lens[i], run)
		i += run
	}
	huff.lengths(h.freq[:], h.lens[:], maxLenCode)
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
	if length == 0 {
		for ; run >= 11; run -= min(run, 138) {
			h.add(18, min(run, 138)-11)
		}
		if run >= 3 {
			h.add(17, run-3)
			return
		}
	} else {
		h.add(length, 0)
		for run--; run >= 3; run -= min(run, 6) {
			h.add(16, min(run, 6)-3)
		}
	}
	for range run {
		h.add(length, 0)
	}
}

// add adds a symbol.
func (h *header) add(sym uint8, extra int) {
	h.tokens[h.n] = token(sym) | token(extra)<<9
	h.n++
	h.freq[sym]++
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
