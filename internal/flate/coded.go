package flate

// A coded collects the symbols that have a code, in their order, as a dynamic header tells of them.
type coded struct {
	count   [maxCode + 1]uint16 // by the length of their codes
	symbols [numLits + numDists + 1]codedSymbol
	used    int
	last    uint8 // the length told last
}

// A codedSymbol has the length of its code in its lowest four bits, then how many codes of that length come before
// it, and from bit 16 on the symbol.
type codedSymbol uint32

func (c *coded) reset() {
	clear(c.count[:])
	c.used, c.last = 0, 0
}

// add notes that the code of a symbol has n bits. None means that there is no code.
func (c *coded) add(sym int, n uint8) {
	before := c.count[n&15]
	c.count[n&15] = before + 1
	c.symbols[c.used] = codedSymbol(sym)<<16 | codedSymbol(before)<<4 | codedSymbol(n)
	c.used += int(n+15) >> 4 // without a branch
	c.last = n
}

// set is reset, and add for the lengths of few symbols, below 8.
func (c *coded) set(lens []uint8) {
	used, counts := 0, uint64(0) // those of each length in a byte
	for sym, n := range lens {
		c.symbols[used] = codedSymbol(sym)<<16 | codedSymbol(counts>>(8*n&63)&0xff)<<4 | codedSymbol(n)
		counts += 1 << (8 * n & 63)
		used += int(n+15) >> 4
	}
	c.reset()
	c.used = used
	for n := range 8 {
		c.count[n] = uint16(counts >> (8 * n) & 0xff)
	}
}

func (c *coded) all() []codedSymbol {
	return c.symbols[:c.used]
}

// split returns the symbols below first, which count then counts, and those from it on, less first, and counted by themselves.
func (c *coded) split(first int) (below, above []codedSymbol, count [maxCode + 1]uint16) {
	k := c.used
	for k > 0 && int(c.symbols[k-1]>>16) >= first {
		k--
	}
	below, above = c.symbols[:k], c.symbols[k:c.used]
	for i, s := range above {
		n := s & 15
		above[i] = (s>>16-codedSymbol(first))<<16 | codedSymbol(count[n])<<4 | n
		count[n]++
		c.count[n]--
	}
	return below, above, count
}

// endsBlocks reports whether there is a code for the end of the block.
func endsBlocks(lits []codedSymbol) bool {
	k := len(lits)
	for k > 0 && lits[k-1]>>16 > endOfBlock {
		k--
	}
	return k > 0 && lits[k-1]>>16 == endOfBlock
}
