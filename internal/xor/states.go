// The states of UTF-8 text, in portable Go.

package xor

import "encoding/binary"

// What text may go on with, by RFC 3629, section 4. A state is how far a word is
// shifted right to bring what follows from it to the bottom: see follow.
const (
	whole   = 6 * iota // a character may begin
	needs1             // one continuation byte, 80 to BF
	needs2             // two of them
	needs3             // three
	afterE0            // A0 to BF, then one: below are overlong forms
	afterED            // 80 to 9F, then one: above are surrogates
	afterF0            // 90 to BF, then two: below are overlong forms
	afterF4            // 80 to 8F, then two: above is the end of Unicode
	broken             // nothing can make it valid again
	states
)

// leads says for each state, except broken, after which first byte alone the
// text can go on in the same way. So the vector kernels are told where text was
// cut.
var leads = [states/6 - 1]uint8{0, 0xc2, 0xe1, 0xf1, 0xe0, 0xed, 0xf0, 0xf4}

// follow holds for each byte the states that it leads to: from state s to the
// lowest six bits of follow[b] >> s.
var follow = func() (table [256]uint64) {
	for b := range table {
		for s := uint64(0); s < states; s += 6 {
			table[b] |= after(s, byte(b)) << s
		}
	}
	return table
}()

// after returns the state to which b leads from state s.
func after(s uint64, b byte) uint64 {
	low, high := byte(0x80), byte(0xbf) // continuation bytes that fit
	then := uint64(broken)              // where they lead to
	switch s {
	case whole:
		return first(b)
	case needs1:
		then = whole
	case needs2:
		then = needs1
	case needs3:
		then = needs2
	case afterE0:
		low, then = 0xa0, needs1
	case afterED:
		high, then = 0x9f, needs1
	case afterF0:
		low, then = 0x90, needs2
	case afterF4:
		high, then = 0x8f, needs2
	}
	if b < low || b > high {
		return broken
	}
	return then
}

// first returns the state to which b leads as the first byte of a character.
func first(b byte) uint64 {
	switch {
	case b < 0x80:
		return whole
	case b < 0xc2: // a continuation byte, or an overlong form
		return broken
	case b < 0xe0:
		return needs1
	case b == 0xe0:
		return afterE0
	case b == 0xed:
		return afterED
	case b < 0xf0:
		return needs2
	case b == 0xf0:
		return afterF0
	case b < 0xf4:
		return needs3
	case b == 0xf4:
		return afterF4
	default:
		return broken
	}
}

// walk returns the state to which p leads from state s.
func walk(s uint8, p []byte) uint8 {
	state := uint64(s)
	for len(p) >= 16 {
		a, b := binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])
		if state == whole && (a|b)&highBits == 0 {
			p = p[16:]
			continue
		}
		for _, b := range p[:16] {
			state = follow[b] >> (state & 63)
		}
		state &= 63
		p = p[16:]
	}
	for _, b := range p {
		state = follow[b] >> (state & 63)
	}
	return uint8(state & 63)
}

// maskWalk masks p in place, and returns what walk returns for it. It goes
// piece by piece, so that what is checked is still in the cache.
func maskWalk(s uint8, p []byte, key uint32) uint8 {
	const piece = 4 << 10
	for len(p) > piece {
		Mask(p[:piece], key)
		s = walk(s, p[:piece])
		p = p[piece:]
	}
	Mask(p, key)
	return walk(s, p)
}

// ending returns the state at the end of p, of which a vector kernel has found
// that it can be text. p must not be empty.
func ending(p []byte) uint8 {
	if p[len(p)-1] < 0x80 {
		return whole
	}
	return endingOpen(p)
}

// endingOpen is ending for text that does not end with ASCII. Its last three
// bytes tell.
func endingOpen(p []byte) uint8 {
	for n := 1; n <= min(3, len(p)); n++ {
		if p[len(p)-n] >= 0xc0 {
			// A kernel looks at first bytes only when it sees what follows.
			return walk(whole, p[len(p)-n:])
		}
	}
	return whole // after the last byte of four
}
