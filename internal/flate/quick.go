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
	off   int // position of bytes[0]
	limit int // the farthest distance
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
	q.end = len(t.together(q.bytes[:0], from, end))
	done := q.end - (end - from) // what tokens have
	q.off = int(uint16(t.base) + uint16(from-done))
	k := len(tokens)
	tokens = slices.Grow(tokens, end-from+9) // with the end of the block, and room for what literals puts too much
	tokens = tokens[:cap(tokens)]
	for {
		at, dist, diff := q.search(done)
		if dist == 0 {
			q.heads = nil
			q.literals(tokens[k:], done, q.end)
			return append(tokens[:k+q.end-done], endOfBlock)
		}
		length, back := q.match(at, done, dist, diff)
		at -= back
		q.literals(tokens[k:], done, at)
		k += at - done
		done = at + length
		d := distToken(dist)
		for length > maxMatch {
			n := min(maxMatch, length-3) // a match has three bytes or more
			tokens[k], tokens[k+1] = lengthTokens[n-3], d
			k += 2
			length -= n
		}
		tokens[k], tokens[k+1] = lengthTokens[length-3], d
		k += 2
	}
}

// literals puts the bytes from i to end into tokens, and up to eight more: most runs are short, and eight at once take no longer
// than to find out how short.
func (q *quick) literals(tokens []token, i, end int) {
	for {
		x := q.load(i)
		t := (*[8]token)(tokens)
		t[0], t[1], t[2], t[3] = token(x&255), token(x>>8&255), token(x>>16&255), token(x>>24&255)
		t[4], t[5], t[6], t[7] = token(x>>32&255), token(x>>40&255), token(x>>48&255), token(x>>56)
		if i += 8; i >= end {
			return
		}
		tokens = tokens[8:]
	}
}

// search returns the first position from i on that has a match of six bytes or more, how far back that is, and in what the first eight
// bytes differ from those. It steps faster the longer it finds none. The distance is zero if there is none.
func (q *quick) search(from int) (at, dist int, diff uint64) {
	heads, shift, off := q.heads, q.shift, q.off
	i, last := from+lead, q.end-reach
	for stop := from + patience - 1; i <= last; stop = i {
		for stop = min(stop, last); i <= stop; i++ {
			x := q.load(i)
			h := hash(x, shift)
			pos := uint16(off + i)
			dist := int(pos - heads[h])
			heads[h] = pos
			// Where there is no history yet, the mask leads to any bytes: only when they look alike it is asked what they are.
			x ^= q.load(i - dist)
			if x<<(64-8*hashed) == 0 && uint(dist-1) < uint(min(i, q.limit)) {
				return i, dist, x
			}
		}
		i += (i - from) / patience
	}
	return q.end, 0, 0
}

// lead is how many bytes are passed over first. Behind a match they are seldom the beginning of the next, which is extended
// back to them if they are.
const lead = 2

// patience is how many bytes without a match are looked at one by one.
const patience = 32

// match returns the length of the match dist back for position i, which may be more than a match can have, and by how much it
// begins before i, but not before done. Of the positions in it only one is entered: that finds nearly all there is.
func (q *quick) match(i, done, dist int, diff uint64) (length, back int) {
	q.heads[hash(q.load(i+1), q.shift)] = uint16(q.off + i + 1)
	if diff != 0 {
		length = bits.TrailingZeros64(diff) >> 3
	} else {
		// Where the match ends is anyone's guess, a processor's as well: so there is no branch on it before it is long.
		length = q.alike(i+8, dist)
		length += q.alike(i+16, dist)&-(length>>3) + 8
		if length == 24 && i+length < q.end {
			length += common(q.bytes[i+length:q.end], q.bytes[i+length-dist:])
		}
	}
	if length = min(length, q.end-i); length > maxMatch {
		q.enter(i, i+length)
	}
	if i-dist >= 8 {
		back = bits.LeadingZeros64(q.load(i-8)^q.load(i-dist-8)) >> 3
		back = min(back, i-done)
	}
	return length + back, back
}

// enter enters some positions of a long match, or else nothing but its beginning would be found when the message comes again.
func (q *quick) enter(i, end int) {
	for i += 16; i+reach <= end; i += 16 {
		q.heads[hash(q.load(i), q.shift)] = uint16(q.off + i)
	}
}

// alike returns how many of the eight bytes from i on are as dist before.
func (q *quick) alike(i, dist int) int {
	return bits.TrailingZeros64(q.load(i)^q.load(i-dist)) >> 3
}
