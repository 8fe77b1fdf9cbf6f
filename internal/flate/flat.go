package flate

import (
	"encoding/binary"
	"math/bits"
)

// A flat is a text with its history before it, in one array, and the table that says where to look.
type flat struct {
	bytes [flatSize + reach]byte
	end   int // of the text
	off   int // position of bytes[0]
	limit int // the farthest distance
	table table
	shift uint // of the table
}

// flatSize is a power of two that has room for the longest history and the longest block.
const flatSize = 1 << (maxBits + 2)

// set takes t.p[from:end] and a table, until finish, and returns where the text begins.
func (f *flat) set(t *text, table table, from, end int) (start int) {
	f.limit, f.table, f.shift = t.limit, table, table.shift()
	f.end = len(t.together(f.bytes[:0], from, end))
	start = f.end - (end - from)
	f.off = int(uint16(t.base) + uint16(from-start))
	return start
}

// finish puts what follows done into tokens, of which there are k, with the end of the block.
func (f *flat) finish(tokens []token, k, done int) []token {
	f.table = nil
	f.literals(tokens[k:], done, f.end)
	return append(tokens[:k+f.end-done], endOfBlock)
}

// load returns eight bytes. The mask changes nothing but what has to be checked.
func (f *flat) load(i int) uint64 {
	i &= flatSize - 1
	return binary.LittleEndian.Uint64(f.bytes[i : i+reach])
}

// alike returns how many of the eight bytes from i on are as dist before.
func (f *flat) alike(i, dist int) int {
	return bits.TrailingZeros64(f.load(i)^f.load(i-dist)) >> 3
}

// before returns how many of the bytes before i, but not before done, are as dist before: eight at most.
func (f *flat) before(i, done, dist int) int {
	if i-dist < 8 {
		return 0
	}
	return min(bits.LeadingZeros64(f.load(i-8)^f.load(i-dist-8))>>3, i-done)
}

// literals puts the bytes from i to end into tokens, and up to eight more: most runs are short, and eight at once take no longer
// than to find out how short.
func (f *flat) literals(tokens []token, i, end int) {
	for {
		x := f.load(i)
		t := (*[8]token)(tokens)
		t[0], t[1], t[2], t[3] = token(x&255), token(x>>8&255), token(x>>16&255), token(x>>24&255)
		t[4], t[5], t[6], t[7] = token(x>>32&255), token(x>>40&255), token(x>>48&255), token(x>>56)
		if i += 8; i >= end {
			return
		}
		tokens = tokens[8:]
	}
}

// put puts the bytes from i to at into tokens, and a match there, which may be longer than one can be. It returns how many tokens
// that are.
func (f *flat) put(tokens []token, i, at, length, dist int) (n int) {
	f.literals(tokens, i, at)
	n = at - i
	d := distToken(dist)
	for ; length > maxMatch; n += 2 {
		part := min(maxMatch, length-3) // a match has three bytes or more
		tokens[n], tokens[n+1] = lengthTokens[part-3], d
		length -= part
	}
	tokens[n], tokens[n+1] = lengthTokens[length-3], d
	return n + 2
}
