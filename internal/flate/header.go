package flate

// A header describes the codes of a dynamic block, RFC 1951, section 3.2.7.
type header struct {
	lits, dists int
	n           int                       // symbols
	sym         [numLits + numDists]uint8 // of the alphabet of code lengths
	extra       [numLits + numDists]uint8 // what follows each
	freq        [numLens]uint16
	lens        [numLens]uint8
	codes       [numLens]uint32
	hclen       int
}

// lenExtra has the extra bits of the symbols 16 to 18.
var lenExtra = [32]uint8{16: 2, 17: 3, 18: 7}

// plan prepares the header for code lengths lens, the first of which are for literals and lengths. It returns its bits.
func (h *header) plan(huff *huffman, lens []uint8, lits, dists int) int {
	h.lits, h.dists, h.n = lits, dists, 0
	clear(h.freq[:])
	for i := 0; i < len(lens); {
		run := 1
		for i+run < len(lens) && lens[i+run] == lens[i] {
			run++
		}
		h.runs(lens[i], run)
		i += run
	}
	total := 14 + huff.lengths(h.freq[:], h.lens[:], maxLenCode)
	for sym, bits := range lenExtra[:numLens] {
		total += int(h.freq[sym]) * int(bits)
	}
	assignCodes(h.codes[:], h.lens[:], &huff.count)
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
			h.add(18, uint8(min(run, 138)-11))
		}
		if run >= 3 {
			h.add(17, uint8(run-3))
			return
		}
	} else {
		h.add(length, 0)
		for run--; run >= 3; run -= min(run, 6) {
			h.add(16, uint8(min(run, 6)-3))
		}
	}
	for range run {
		h.add(length, 0)
	}
}

// add adds a symbol.
func (h *header) add(sym, extra uint8) {
	h.sym[h.n], h.extra[h.n] = sym, extra
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
	for i, sym := range h.sym[:h.n] {
		c := h.codes[sym]
		n := uint(c & 0xff)
		o.add(uint64(c>>8)|uint64(h.extra[i])<<(n&63), n+uint(lenExtra[sym]))
	}
}
