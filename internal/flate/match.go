package flate

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

const (
	reach    = 8  // bytes that must be there to look at any
	patience = 32 // how many bytes without a match are looked at one by one
)

// load64 returns eight bytes of b, the first lowest.
func load64(b []byte, i int) uint64 {
	return binary.LittleEndian.Uint64(b[i : i+8 : len(b)])
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

// room makes room behind tokens for those of n bytes, with the end of the block, and for what literals puts too much. It returns
// all of the room, and where what is free begins.
func room(tokens []token, n int) (all []token, k int) {
	k = len(tokens)
	tokens = slices.Grow(tokens, n+9)
	return tokens[:cap(tokens)], k
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
