package flate

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// A quick reads text into tokens, with its history before it in one array. It takes the first match it finds.
type quick struct {
	bytes [quickSize + reach]byte // history and text
	end   int                     // of the text
	heads []uint16                // as in a Window
	shift uint
	off   uint16 // position of bytes[0]
	limit int    // the farthest distance
}

// quickSize is a power of two that has room for the longest history and the longest block.
const quickSize = 1 << (maxBits + 2)

// load returns eight bytes. The mask changes nothing but what has to be checked.
func (q *quick) load(i int) uint64 {
	i &= quickSize - 1
	return binary.LittleEndian.Uint64(q.bytes[i : i+reach])
}

// read appends the tokens of t.p[from:end].
func (q *quick) read(tokens []token, t *text, heads []uint16, from, end int) []token {
	q.heads, q.shift, q.limit = heads, hashShift(len(heads)), t.limit
	buf := t.together(q.bytes[:0], from, end)
	q.end = len(buf)
	i := q.end - (end - from)
	q.off = uint16(t.base) + uint16(from-i)
	k, n := len(tokens), end-from+1
	tokens = slices.Grow(tokens, n)[:k+n]
	for {
		at, dist := q.search(tokens[k:], i)
		k += at - i
		if dist == 0 {
			q.heads = nil
			return append(appendLiterals(tokens[:k], buf[at:]), endOfBlock)
		}
		length, back := q.match(at, i, dist)
		k -= back
		tokens[k], tokens[k+1] = lengthTokens[length-3], distToken(dist)
		k += 2
		i = at + length - back
	}
}

// search returns the first position from i on that has a match of six bytes or more, and how far back that is. It steps
// faster the longer it finds none. The distance is zero at the end. What it passes goes to tokens.
func (q *quick) search(tokens []token, from int) (at, dist int) {
	heads, shift, off := q.heads, q.shift, q.off
	i, last := from, q.end-reach
	if from+lead <= last {
		for k, c := range q.bytes[from : from+lead] {
			tokens[k] = token(c)
		}
		i += lead
	}
	for stop := from + patience - 1; i <= last; stop = i {
		for stop = min(stop, last); i <= stop; i++ {
			x := q.load(i)
			h := hash(x, shift)
			pos := off + uint16(i)
			dist := int(pos - heads[h])
			heads[h] = pos
			// Where there is no history yet, the mask leads to any bytes: only when they look alike it is asked what they are.
			if (x^q.load(i-dist))<<(64-8*hashed) == 0 && uint(dist-1) < uint(min(i, q.limit)) {
				return i, dist
			}
			tokens[i-from] = token(x & 0xff)
		}
		i = q.pass(tokens, from, i)
	}
	return i, 0
}

// lead is how many bytes are passed over first. Behind a match they are seldom the beginning of the next, which is extended
// back to them if they are: so room is left for them in the longest match.
const lead = 2

// patience is how many bytes without a match are looked at one by one.
const patience = 32

// pass passes over some bytes from i on, the more the longer there was no match.
func (q *quick) pass(tokens []token, from, i int) int {
	for range min((i-from)/patience, q.end-i) {
		tokens[i-from] = token(q.bytes[i])
		i++
	}
	return i
}

// match returns the length of the match dist back for position i, and by how much it begins before i, but not before done.
// Of the positions in it only one is entered: that finds nearly all there is.
func (q *quick) match(i, done, dist int) (length, back int) {
	q.heads[hash(q.load(i+1), q.shift)] = q.off + uint16(i+1)
	if diff := q.load(i) ^ q.load(i-dist); diff != 0 {
		length = bits.TrailingZeros64(diff) >> 3
	} else if diff := q.load(i+8) ^ q.load(i+8-dist); diff != 0 {
		length = 8 + bits.TrailingZeros64(diff)>>3
	} else if length = 16; i+length < q.end {
		length += common(q.bytes[i+16:min(q.end, i+maxMatch-lead)], q.bytes[i+16-dist:])
	}
	length = min(length, q.end-i)
	if i-dist >= 8 {
		back = bits.LeadingZeros64(q.load(i-8)^q.load(i-dist-8)) >> 3
		back = min(back, i-done, maxMatch-length)
	}
	return length + back, back
}
