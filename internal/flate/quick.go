package flate

import "math/bits"

// A quick reads text into tokens. It takes the first match it finds.
type quick struct {
	flat
	factor uint64 // for hash
	mask   uint64 // of the bytes that are hashed
}

// read appends the tokens of t.p[from:end].
func (q *quick) read(tokens []token, t *text, table table, from, end int) []token {
	q.factor, q.mask = hashFactor, 1<<(8*hashed)-1
	if t.w == nil && len(t.p) > short {
		q.factor, q.mask = hashFactorLong, 1<<(8*hashedLong)-1
	}
	done := q.set(t, table, from, end) // what tokens have
	tokens, k := room(tokens, end-from)
	for {
		at, dist, diff := q.search(done)
		if dist == 0 {
			return q.finish(tokens, k, done)
		}
		length, back := q.match(at, done, dist, diff)
		at -= back
		k += q.put(tokens[k:], done, at, length, dist)
		done = at + length
	}
}

// search returns the first position that has a match of as many bytes as are hashed, how far back that is, and in what the first
// eight bytes differ from those. It steps faster the longer it finds none. The distance is zero if there is none.
func (q *quick) search(from int) (at, dist int, diff uint64) {
	table, factor, mask, shift, off := q.table, q.factor, q.mask, q.shift, q.off
	i, last := from+lead, q.end-reach
	for stop := from + patience - 1; i <= last; stop = i {
		for stop = min(stop, last); i <= stop; i++ {
			x := q.load(i)
			pos := uint16(off + i)
			dist := int(pos - table.enter(x, factor, shift, pos))
			// Where there is no history yet, the mask leads to any bytes: only when they look alike it is asked what they are.
			x ^= q.load(i - dist)
			if x&mask == 0 && uint(dist-1) < uint(min(i, q.limit)) {
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

// match returns the length of the match dist back for position i, which may be more than a match can have, and by how much it
// begins before i, but not before done. Of the positions in it only one is entered: that finds nearly all there is.
func (q *quick) match(i, done, dist int, diff uint64) (length, back int) {
	q.table.enter(q.load(i+1), q.factor, q.shift, uint16(q.off+i+1))
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
	back = q.before(i, done, dist)
	return length + back, back
}

// enter enters some positions of a long match, or else nothing but its beginning would be found when the message comes again.
func (q *quick) enter(i, end int) {
	for i += 16; i+reach <= end; i += 16 {
		q.table.enter(q.load(i), q.factor, q.shift, uint16(q.off+i))
	}
}
