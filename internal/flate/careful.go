package flate

import "math/bits"

// A careful reads text into tokens. It knows the last four positions that begin alike, and takes the longest match of these, unless the
// next byte begins a longer one.
type careful struct{ *flat }

// enough is how long a match is that is not tried to be bettered.
const enough = 32

// read appends the tokens of t.p[from:end].
func (c *careful) read(tokens []token, t *text, table table, from, end int) []token {
	done := c.set(t, table, from, end) // what tokens have
	tokens, k := room(tokens, end-from)
	for {
		at, length, dist := c.search(done)
		if dist == 0 {
			return c.finish(tokens, k, done)
		}
		entered := at + 1
		for ; length < enough && at+1+reach <= c.end; at++ {
			n, d := c.longest(at+1, length)
			entered = at + 2
			if d == 0 {
				break
			}
			length, dist = n, d
		}
		c.enter(entered, at, at+length)
		back := c.before(at, done, dist)
		at -= back
		k += c.put(tokens[k:], done, at, length+back, dist)
		done = at + length + back
	}
}

// enter enters positions of the match from at to end, from i on: every second, and of a long match fewer, lest it push out what is
// not in it.
func (c *careful) enter(i, at, end int) {
	for last := min(end, c.end-reach+1); i < last; i += 2 {
		c.table.enterFour(c.load(i), c.shift, uint16(c.off+i))
		if i > at+enough {
			i += 14
		}
	}
}

// search returns the first position that has a match, and the longest there. It steps faster the longer it finds none. The distance
// is zero if there is none.
func (c *careful) search(from int) (at, length, dist int) {
	i, last := from, c.end-reach
	for stop := from + patience - 1; i <= last; stop = i {
		for stop = min(stop, last); i <= stop; i++ {
			if length, dist = c.longest(i, hashed-1); dist != 0 {
				return i, length, dist
			}
		}
		i += (i - from) / patience
	}
	return c.end, 0, 0
}

// longest enters position i, and returns the longest match for it that is longer than length. That may be longer than one can be
// written. The distance is zero if there is none.
func (c *careful) longest(i, length int) (longest, dist int) {
	f := c.flat
	x := f.load(i)
	pos := uint16(f.off + i)
	farthest := uint(min(i, f.limit))
	for four := f.table.enterFour(x, f.shift, pos); four != 0; four >>= 16 {
		d := int(pos - uint16(four))
		// Where there is no history yet, the mask leads to any bytes: only when they look alike it is asked what they are.
		n := bits.TrailingZeros64(x^f.load(i-d)) >> 3
		if n <= length && n < 8 || uint(d-1) >= farthest {
			continue
		}
		if n == 8 {
			n += common(f.bytes[i+8:f.end], f.bytes[i+8-d:])
		}
		if n > length {
			length, dist = n, d
		}
	}
	return length, dist
}
