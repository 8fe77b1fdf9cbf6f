package flate

import "math/bits"

// A decoding table is looked up with the next bits of the input: the first 1<<root entries with as many as root
// of them, further ones, for codes longer than root, with those that follow. Where no code is that long, root is the
// length of the longest: a short message has short codes, and a table that is filled soon.
//
// An entry has the bits to take, extra bits included, in its lowest 6, the code's own bits in the 4 from bit 8
// on, and what it means above: a literal, the base of a length or distance, or the index of a subtable.
const (
	entryLiteral = 1 << 31
	entryOther   = 1 << 15 // none of literal, length, distance
	entrySub     = 1 << 14 // a subtable
	entryEnd     = 1 << 13 // the end of the block
	entryInvalid = entryOther | 1
)

// Sizes of the tables. No complete code of 288 symbols needs more than 1334 entries, none of 32 more than 402.
const (
	litRoot  = 10
	distRoot = 8
	lenRoot  = 7
	litSize  = 1536
	distSize = 512
)

type (
	litTable  = [litSize]uint32
	distTable = [distSize]uint32
)

// What the symbols mean, as entries for codes of no bits.
var (
	litMeaning  = litMeanings()
	distMeaning = distMeanings()
	lenMeaning  = lenMeanings()
)

// The tables of the fixed codes, RFC 1951, section 3.2.6.
var (
	fixedLits, fixedLitMask   = fixedLitTable()
	fixedDists, fixedDistMask = fixedDistTable()
)

func litMeanings() (m [288]uint32) {
	for i := range m {
		switch {
		case i < endOfBlock:
			m[i] = entryLiteral | uint32(i)<<16
		case i == endOfBlock:
			m[i] = entryOther | entryEnd
		case i < numLits:
			m[i] = uint32(lengthBase(i-257))<<16 | uint32(lengthExtra(i-257))
		default:
			m[i] = entryOther
		}
	}
	return m
}

func distMeanings() (m [32]uint32) {
	for i := range m {
		m[i] = entryOther
		if i < numDists {
			m[i] = uint32(distBase(i))<<16 | uint32(distExtra(i))
		}
	}
	return m
}

// lenMeanings has how often a code length comes in the lower half of what it means, and the length in the upper. That
// of symbol 16 is the one before.
func lenMeanings() (m [numLens]uint32) {
	for i := range m {
		m[i] = uint32(i)<<24 | 1<<16
	}
	m[16] = entryOther | 3<<16 | 2
	m[17] = 3<<16 | 3
	m[18] = 11<<16 | 7
	return m
}

func fixedLitTable() (t *litTable, mask uint64) {
	var c coded
	for i := range 288 {
		c.add(i, fixedLitLen(i))
	}
	t = new(litTable)
	mask, _ = buildTable(t[:], litRoot, c.all(), &c.count, litMeaning[:])
	return t, mask
}

func fixedDistTable() (t *distTable, mask uint64) {
	var c coded
	for i := range 32 {
		c.add(i, 5)
	}
	t = new(distTable)
	mask, _ = buildTable(t[:], distRoot, c.all(), &c.count, distMeaning[:])
	return t, mask
}

// fixedLitLen returns the bits of a symbol in the fixed code.
func fixedLitLen(sym int) uint8 {
	switch {
	case sym < 144:
		return 8
	case sym < 256:
		return 9
	case sym < 280:
		return 7
	default:
		return 8
	}
}

// buildTable fills a decoding table for the code with the given symbols. It is looked up with root bits, or with as many as
// the longest code has if those are fewer: mask is for that. It reports whether the code is complete; one with a single
// symbol of one bit, or none at all, counts as such.
func buildTable(table []uint32, root int, symbols []codedSymbol, count *[maxCode + 1]uint16, meaning []uint32) (mask uint64, ok bool) {
	var first [maxCode + 1]uint16
	var sorted [numLits + 4]uint16 // by length
	share, at := 0, uint16(0)      // of all codes of 15 bits
	for n := 1; n <= maxCode; n++ {
		first[n] = at
		at += count[n]
		share += int(count[n]) << (maxCode - n)
	}
	if share != 1<<maxCode {
		return 1, len(symbols) == int(count[1]) && len(symbols) < 2 && buildDegenerate(table, symbols, meaning)
	}
	shortest, longest := 1, maxCode
	for count[shortest] == 0 {
		shortest++
	}
	for count[longest] == 0 {
		longest--
	}
	for _, s := range symbols {
		sorted[first[s&15]+uint16(s)>>4] = uint16(s >> 16)
	}
	root = min(root, longest)
	next, k := uint(0), 0 // the code at hand, from the highest of 16 bits down
	for n := shortest; n <= root; n++ {
		if n > shortest {
			copy(table[1<<(n-1):1<<n], table[:1<<(n-1)])
		}
		same := sorted[k : k+int(count[n])]
		next = place(table, same, next, uint(n), meaning)
		k += len(same)
	}
	ok = true
	if longest > root {
		ok = buildSubtables(table, root, sorted[k:len(symbols)], uint32(bits.Reverse16(uint16(next))), count, meaning)
	}
	return 1<<root - 1, ok
}

// place enters symbols with codes of n bits, of which code is the first, and returns the code after them.
func place(table []uint32, symbols []uint16, code, n uint, meaning []uint32) (next uint) {
	own, step := uint32(n)*(1+1<<8), uint(1)<<(16-n)
	if n <= 8 {
		for _, sym := range symbols {
			table[bits.Reverse8(uint8(code>>8))] = meaning[sym] + own
			code += step
		}
		return code
	}
	for _, sym := range symbols {
		table[bits.Reverse16(uint16(code))] = meaning[sym] + own
		code += step
	}
	return code
}

// nextCode returns the code that follows one of n bits, both with their bits reversed, and zero after the last.
func nextCode(code uint32, n int) uint32 {
	top := bits.Len32(^code&(1<<n-1)) - 1
	if top < 0 {
		return 0
	}
	return code&(1<<top-1) | 1<<top
}

// buildDegenerate fills a table of two entries for a code of at most one symbol.
func buildDegenerate(table []uint32, symbols []codedSymbol, meaning []uint32) bool {
	table[0], table[1] = entryInvalid, entryInvalid
	for _, s := range symbols {
		table[0] = meaning[s>>16] + 1 + 1<<8
	}
	return true
}

// buildSubtables adds the symbols whose codes are longer than root, which are sorted by it; code is the first of them.
func buildSubtables(table []uint32, root int, sorted []uint16, code uint32, count *[maxCode + 1]uint16, meaning []uint32) bool {
	n := root + 1
	end := 1 << root // of the table as it is
	base, width := 0, 0
	prefix := ^uint32(0)
	for _, sym := range sorted {
		for count[n] == 0 {
			n++
		}
		if p := code & (1<<root - 1); p != prefix {
			prefix = p
			width = n - root
			for room := 1<<width - int(count[n]); room > 0 && root+width < maxCode; {
				width++
				room = room<<1 - int(count[root+width])
			}
			base, end = end, end+1<<width
			if end > len(table) {
				return false
			}
			table[prefix] = uint32(base)<<16 | entryOther | entrySub | uint32(width)<<8 | uint32(root)
		}
		for i := int(code >> root); i < 1<<width; i += 1 << (n - root) {
			table[base+i] = meaning[sym] + uint32(n)*(1+1<<8)
		}
		code = nextCode(code, n)
		count[n]--
	}
	return true
}
