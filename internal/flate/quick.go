package flate

import (
	"math/bits"
	"slices"
)

// A quick reads text into tokens, with its history before it in the same bytes. It takes the first match it finds.
type quick struct {
	own   []byte   // history and text, unless text is the caller's
	text  []byte   // all of it
	next  int      // what of it is to be read next
	buf   []byte   // text up to the end of the block
	heads []uint16 // as in a Window
	shift uint
	off   uint16 // position of buf[0]
	limit int    // the farthest distance
}

// reset prepares for t. History is copied before the text.
func (q *quick) reset(t *text, heads []uint16) {
	q.heads, q.shift, q.limit = heads, hashShift(len(heads)), t.limit
	q.off = uint16(t.base) - uint16(t.have)
	q.next = t.have
	if t.have == 0 {
		q.text = t.p
		return
	}
	q.own = slices.Grow(q.own[:0], t.have+len(t.p))
	q.own = append(q.own, t.w.last(t.have, 0)...)
	if len(q.own) < t.have {
		q.own = append(q.own, t.w.last(t.have, len(q.own))...)
	}
	q.own = append(q.own, t.p...)
	q.text = q.own
}

// forget lets go of what is not q's own.
func (q *quick) forget() {
	q.text, q.buf, q.heads = nil, nil, nil
}

// read appends the tokens of the next n bytes.
func (q *quick) read(tokens []token, n int) []token {
	i := q.next
	q.next += n
	q.buf = q.text[:q.next]
	k := len(tokens)
	tokens = slices.Grow(tokens, n+1)[:k+n+1]
	for {
		at, dist := q.search(tokens[k:], i)
		k += at - i
		if dist == 0 {
			return append(appendLiterals(tokens[:k], q.buf[at:]), endOfBlock)
		}
		length, back := q.match(at, i, dist)
		k -= back
		tokens[k], tokens[k+1] = lengthTokens[length-3], distToken(dist)
		k += 2
		i = at + length - back
	}
}

// search returns the first position from i on that has a match of five bytes or more, and how far back that is. It steps
// faster the longer it finds none. The distance is zero at the end. What it passes goes to tokens.
func (q *quick) search(tokens []token, from int) (at, dist int) {
	buf, heads, shift, off := q.buf, q.heads, q.shift, q.off
	i := from
	for i+reach <= len(buf) {
		x := load64(buf, i)
		h := hash(x, shift)
		pos := off + uint16(i)
		dist := int(pos - heads[h])
		heads[h] = pos
		if uint(dist-1) < uint(i) && (x^load64(buf, i-dist))<<24 == 0 && dist <= q.limit {
			return i, dist
		}
		tokens[i-from] = token(x & 0xff)
		i++
		if i-from >= patience {
			i = q.pass(tokens, from, i)
		}
	}
	return i, 0
}

// patience is how many bytes without a match are looked at one by one.
const patience = 32

// pass passes over some bytes from i on, the more the longer there was no match.
func (q *quick) pass(tokens []token, from, i int) int {
	for range min((i-from)/patience, len(q.buf)-i) {
		tokens[i-from] = token(q.buf[i])
		i++
	}
	return i
}

// match returns the length of the match dist back for position i, and by how much it begins before i, but not before done.
func (q *quick) match(i, done, dist int) (length, back int) {
	buf := q.buf
	if diff := load64(buf, i) ^ load64(buf, i-dist); diff != 0 {
		length = bits.TrailingZeros64(diff) >> 3
	} else {
		length = 8 + common(buf[i+8:min(len(buf), i+maxMatch)], buf[i+8-dist:])
	}
	end := i + length
	if end-1+reach <= len(buf) {
		q.enter(i + 2)
		q.enter(i + 4)
		q.enter(end - 2)
	}
	if i-dist >= 8 {
		back = bits.LeadingZeros64(load64(buf, i-8)^load64(buf, i-dist-8)) >> 3
		back = min(back, i-done, maxMatch-length)
	}
	return length + back, back
}

// enter enters a position into heads.
func (q *quick) enter(i int) {
	q.heads[hash(load64(q.buf, i), q.shift)] = q.off + uint16(i)
}
