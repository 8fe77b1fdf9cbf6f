package flate

import "sync"

// chains finds the longest matches: it links all positions whose first bytes hash alike, the latest first. All of a
// text's history is entered anew for each message, so that a connection need not keep the links.
type chains struct {
	buf    []byte               // history and text
	heads  table                // the latest positions
	prev   [1 << maxBits]uint16 // by position, modulo the largest window: the one before with that hash
	shift  uint
	limit  int // the farthest distance
	depth  int // how many positions are tried
	enough int // a match that long is not tried to be bettered
}

// chainHashed is how many bytes a chain has in common: fewer than hashed, since there are more to choose from.
const chainHashed = 4

var chainPool = sync.Pool{New: func() any { return new(chains) }}

// reset prepares for t.p[from:end] and returns where it begins in buf: before it is the history, as far as matches may reach.
func (c *chains) reset(t *text, from, end, level int) (start int) {
	c.limit = t.limit
	c.depth, c.enough = 8<<(2*(level-7)), 32<<(level-7)
	c.buf = t.together(c.buf[:0], from, end)
	c.heads = c.heads.emptied(len(c.buf), 1<<maxBits)
	c.shift = c.heads.shift()
	start = len(c.buf) - (end - from)
	for i := range min(start, len(c.buf)-reach+1) {
		c.enter(i)
	}
	return start
}

// enter links position i, and returns the latest before it that looks alike.
func (c *chains) enter(i int) uint16 {
	h := uint32(load64(c.buf, i)<<(64-8*chainHashed)*0x9e3779b97f4a7c15>>(c.shift&63)) & uint32(len(c.heads)-1)
	last := c.heads[h]
	c.heads[h] = uint16(i)
	c.prev[i&(1<<maxBits-1)] = last
	return last
}

// longest returns the longest match for position i that is longer than length, and zero if there is none.
func (c *chains) longest(i int, last uint16, length int) (best, dist int) {
	p := c.buf
	end := min(len(p), i+maxMatch)
	farthest := min(i, c.limit)
	for depth, before := c.depth, 0; depth > 0; depth-- {
		d := int(uint16(i) - last)
		if d <= before || d > farthest {
			break
		}
		before = d
		if i+length < end && p[i-d+length] == p[i+length] {
			if n := common(p[i:end], p[i-d:]); n > length && (n > minMatch || n == minMatch && d <= nearMatch) {
				length, best, dist = n, n, d
				if n >= c.enough {
					break
				}
			}
		}
		last = c.prev[(i-d)&(1<<maxBits-1)]
	}
	return best, dist
}

// read reads the text from start on into tokens, with the end of the block. It takes a match unless the next byte begins a longer one.
func (c *chains) read(tokens []token, start int) []token {
	done := start
	stop := len(c.buf) - reach + 1
	length, dist := 0, 0 // the match for the byte before
	for i := start; i < stop; i++ {
		n, d := 0, 0
		if last := c.enter(i); length < c.enough {
			n, d = c.longest(i, last, max(length, minMatch-1))
		}
		if length > 0 && n == 0 {
			at := i - 1
			tokens = appendMatch(tokens, c.buf[done:at], length, dist)
			done = at + length
			for i++; i < min(done, stop); i++ {
				c.enter(i)
			}
			i--
		}
		length, dist = n, d
	}
	if length > 0 {
		tokens = appendMatch(tokens, c.buf[done:stop-1], length, dist)
		done = stop - 1 + length
	}
	return append(appendLiterals(tokens, c.buf[done:]), endOfBlock)
}
