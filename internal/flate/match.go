package flate

import (
	"encoding/binary"
	"math/bits"
)

// hashed is how many bytes of a text the tables look at, and reach how many must be there.
const (
	hashed = 6
	reach  = 8
)

// load64 returns eight bytes of b, the first lowest.
func load64(b []byte, i int) uint64 {
	return binary.LittleEndian.Uint64(b[i : i+8 : len(b)])
}

// hash maps the first bytes of x to an index into a table, as hashShift says.
func hash(x uint64, shift uint) uint32 {
	return uint32(x << (64 - 8*hashed) * 0x9e3779b97f4a7c15 >> (shift & 63))
}

// hashShift returns the shift for a table of size entries, a power of two.
func hashShift(size int) uint {
	return uint(65 - bits.Len(uint(size)))
}

// common returns how many bytes a and b have in common at their beginning.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)>>3
		}
	}
	for ; i < n && a[i] == b[i]; i++ {
	}
	return i
}

// A text is a message and the history before it.
type text struct {
	p     []byte
	w     *Window // may be nil
	base  uint32  // position of p[0]
	have  int     // bytes of history
	limit int     // the farthest distance
}

// together appends p[from:end] to dst, after the history that matches may reach.
func (t *text) together(dst []byte, from, end int) []byte {
	if old := min(t.have, t.limit-from); old > 0 {
		first := t.w.last(old, 0)
		dst = append(dst, first...)
		if len(first) < old {
			dst = append(dst, t.w.last(old, len(first))...)
		}
	}
	return append(dst, t.p[max(0, from-t.limit):end]...)
}

// before returns by how many bytes p[i:] and what lies dist before it can be extended back, to no further than p[from].
func (t *text) before(i, from, dist int) int {
	n := 0
	if dist <= i {
		p, q := t.p[from:i], t.p[:i-dist]
		for n < min(len(p), len(q)) && p[len(p)-1-n] == q[len(q)-1-n] {
			n++
		}
		if n < len(q) {
			return n
		}
	}
	for i-n > from && dist+n < t.have+i {
		k := i - n - 1
		if w := t.w; w.ring[int(w.next-uint32(dist-k))&(len(w.ring)-1)] != t.p[k] {
			break
		}
		n++
	}
	return n
}

// read reads p[from:end] into tokens, with the end of the block, with heads as in a Window. It takes the first match it finds, or, if patient, looks whether the
// next byte begins a longer one.
func (t *text) read(tokens []token, heads []uint16, from, end int, patient bool) []token {
	shift := hashShift(len(heads))
	p := t.p[:end]
	done := from // what tokens have
	for i := from; ; i = done {
		i, dist := t.next(p, heads, shift, i)
		if dist == 0 {
			return append(appendLiterals(tokens, t.p[done:end]), endOfBlock)
		}
		length := t.length(i, min(end, i+maxMatch), dist)
		if patient {
			i, length, dist = t.better(p, heads, shift, i, length, dist)
		}
		back := t.before(i, done, dist)
		i -= back
		length = min(length+back, maxMatch)
		tokens = appendMatch(tokens, t.p[done:i], length, dist)
		done = i + length
		switch {
		case patient:
			for k := i + back + 2; k < min(done, end-reach+1); k++ {
				t.remember(p, heads, shift, k)
			}
		case done-1+reach <= end: // always as many: a loop would cost more than it finds
			t.remember(p, heads, shift, i+back+1)
		}
	}
}

// remember enters a position into heads.
func (t *text) remember(p []byte, heads []uint16, shift uint, i int) {
	heads[hash(load64(p, i), shift)] = uint16(t.base + uint32(i))
}

// better returns a longer match that begins at one of the bytes after i, or else the one that it is given.
func (t *text) better(p []byte, heads []uint16, shift uint, i, length, dist int) (at, n, back int) {
	for length < 32 && i+1+reach <= len(p) {
		_, d := t.next(p[:i+1+reach], heads, shift, i+1)
		if d == 0 {
			break
		}
		n := t.length(i+1, min(len(p), i+1+maxMatch), d)
		if n <= length {
			break
		}
		i, length, dist = i+1, n, d
	}
	return i, length, dist
}

// next returns the first position from i on that has a match of five bytes or more, and how far back that is. It steps
// faster the longer it finds none. The distance is zero at the end.
func (t *text) next(p []byte, heads []uint16, shift uint, i int) (at, dist int) {
	if t.have > 0 {
		return t.nextBefore(p, heads, shift, i)
	}
	limit := t.limit
	for from := i; i+reach <= len(p); i += 1 + (i-from)>>5 {
		x := load64(p, i)
		h := hash(x, shift)
		dist := int(uint16(i) - heads[h])
		heads[h] = uint16(i)
		if uint(dist-1) < uint(min(i, limit)) && (load64(p, i-dist)^x)<<24 == 0 {
			return i, dist
		}
	}
	return i, 0
}

// nextBefore is next where there is history.
func (t *text) nextBefore(p []byte, heads []uint16, shift uint, i int) (at, dist int) {
	base, have, limit, ring := t.base, t.have, t.limit, t.w.ring
	for from := i; i+reach <= len(p); i += 1 + (i-from)>>5 {
		x := load64(p, i)
		h := hash(x, shift)
		dist := int(uint16(base) + uint16(i) - heads[h])
		heads[h] = uint16(base) + uint16(i)
		if uint(dist-1) >= uint(min(have+i, limit)) {
			continue
		}
		if dist <= i {
			if (load64(p, i-dist)^x)<<24 == 0 {
				return i, dist
			}
			continue
		}
		// What does not lie together in the ring is passed over.
		k := int(base+uint32(i-dist)) & (len(ring) - 1)
		if k+8 <= len(ring) && dist-i >= 8 && (load64(ring, k)^x)<<24 == 0 {
			return i, dist
		}
	}
	return i, 0
}

// length returns the length of the match dist back for p[i:end].
func (t *text) length(i, end, dist int) int {
	if dist <= i {
		return common(t.p[i:end], t.p[i-dist:])
	}
	before := dist - i
	from := t.w.last(before, 0)
	n := common(t.p[i:end], from)
	if n == len(from) {
		if n < before {
			n += common(t.p[i+n:end], t.w.last(before, n))
		}
		if n == before {
			n += common(t.p[i+n:end], t.p)
		}
	}
	return n
}
