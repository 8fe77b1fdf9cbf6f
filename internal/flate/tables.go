package flate

import (
	"encoding/binary"
	"math/bits"
)

// A decoding table is looked up with the next bits of the input: the first 1<<root entries with as many as root
// of them, further ones, for codes longer than root, with those that follow.
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
	fixedLits  = fixedLitTable()
	fixedDists = fixedDistTable()
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

func lenMeanings() (m [numLens]uint32) {
	for i := range m {
		m[i] = uint32(i) << 16
	}
	return m
}

func fixedLitTable() *litTable {
	var lens [288]uint8
	for i := range lens {
		lens[i] = fixedLitLen(i)
	}
	t := new(litTable)
	buildTable(t[:], litRoot, lens[:], litMeaning[:])
	return t
}

func fixedDistTable() *distTable {
	var lens [32]uint8
	for i := range lens {
		lens[i] = 5
	}
	t := new(distTable)
	buildTable(t[:], distRoot, lens[:], distMeaning[:])
	return t
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

// buildTable fills a decoding table for the code with the given lengths. It reports whether the code is complete; one
// with a single symbol of one bit, or none at all, counts as such.
func buildTable(table []uint32, root int, lens []uint8, meaning []uint32) bool {
	var count, first [maxCode + 1]int
	var symbols, sorted [numLits + 4]uint16 // those that have a code: in order, and by length
	used := 0
	for sym := 0; sym < len(lens); sym++ {
		if sym+8 <= len(lens) && binary.LittleEndian.Uint64(lens[sym:]) == 0 {
			sym += 7
			continue
		}
		n := lens[sym] & 15
		count[n]++
		symbols[used] = uint16(sym)
		used += int(n+15) >> 4 // without a branch
	}
	left, at := 1, 0
	for n := 1; n <= maxCode; n++ {
		first[n] = at
		at += count[n]
		left = left<<1 - count[n]
		if left < 0 {
			return false
		}
	}
	if left > 0 {
		return used == count[1] && buildDegenerate(table, root, lens, meaning)
	}
	for _, sym := range symbols[:used] {
		at := &first[lens[sym]&15]
		sorted[*at] = sym
		*at++
	}
	n := 1
	for count[n] == 0 {
		n++
	}
	next, k := uint16(0), 0 // the code at hand, from the highest bit down
	for doubled := false; n <= root; n++ {
		if doubled {
			copy(table[1<<(n-1):1<<n], table[:1<<(n-1)])
		}
		doubled = true
		for _, sym := range sorted[k : k+count[n]] {
			table[bits.Reverse16(next)] = meaning[sym] + uint32(n)*(1+1<<8)
			next += 1 << (16 - n)
		}
		k += count[n]
	}
	if k < used {
		return buildSubtables(table, root, sorted[k:used], uint32(bits.Reverse16(next)), &count, meaning)
	}
	return true
}

// nextCode returns the code that follows one of n bits, both with their bits reversed, and zero after the last.
func nextCode(code uint32, n int) uint32 {
	top := bits.Len32(^code&(1<<n-1)) - 1
	if top < 0 {
		return 0
	}
	return code&(1<<top-1) | 1<<top
}

// buildDegenerate fills a table for a code of at most one symbol.
func buildDegenerate(table []uint32, root int, lens []uint8, meaning []uint32) bool {
	for i := range 1 << root {
		table[i] = entryInvalid
	}
	for sym, n := range lens {
		if n == 1 {
			for i := 0; i < 1<<root; i += 2 {
				table[i] = meaning[sym] + 1 + 1<<8
			}
		}
	}
	return true
}

// buildSubtables adds the symbols whose codes are longer than root, which are sorted by it; code is the first of them.
func buildSubtables(table []uint32, root int, sorted []uint16, code uint32, count *[maxCode + 1]int, meaning []uint32) bool {
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
			for room := 1<<width - count[n]; room > 0 && root+width < maxCode; {
				width++
				room = room<<1 - count[root+width]
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
