package flate

import (
	"math"
	"math/bits"
)

// A table says where text was seen, by a hash of its first bytes: it is a power of two of places, each with a position modulo 1<<16. A
// quick keeps the last position in the place for its hash; a careful keeps the last four in four places together, the latest
// first. Both can go on with what the other has left, since a position is never more than a hint: a quick finds one of the four.
type table []uint16

// How many bytes of the text are hashed. In a long message that stands alone a quick looks for longer matches: fewer take less
// time, and shorter ones, most of them far back, save next to nothing. With a history it cannot: that is hashed as a careful does.
const (
	hashed     = 5
	hashedLong = 6
)

// Sizes of a table.
const (
	minPlaces  = 256
	maxPlaces  = 1 << 13 // of one for a message without history
	keptPlaces = 1 << 12 // of one that is kept between messages
)

// emptied returns an empty table with a place for each of n positions, or most places if those are fewer. It makes use of the memory
// of t.
func (t table) emptied(n, most int) table {
	places := minPlaces
	for places < n && places < most {
		places *= 2
	}
	if cap(t) < places {
		return make(table, places)
	}
	t = t[:places]
	clear(t)
	return t
}

// shift returns the shift that leaves hash as many bits as an index of t has.
func (t table) shift() uint {
	return uint(65 - bits.Len(uint(len(t))))
}

// Factors for hash: the bytes that do not count are beyond the top of the product.
const (
	hashFactor     = 0x9e3779b97f4a7c15 << (64 - 8*hashed) & math.MaxUint64
	hashFactorLong = 0x9e3779b97f4a7c15 << (64 - 8*hashedLong) & math.MaxUint64
)

// hash returns the place of what begins with x.
func hash(x, factor uint64, shift uint) uint32 {
	return uint32(x * factor >> (shift & 63))
}

// enter makes pos the last position in the place for x, and returns the one before.
func (t table) enter(x, factor uint64, shift uint, pos uint16) (before uint16) {
	h := hash(x, factor, shift)
	before = t[h]
	t[h] = pos
	return before
}

// enterFour makes pos the latest of the four positions for x, and returns the four before, the latest lowest.
func (t table) enterFour(x uint64, shift uint, pos uint16) (before uint64) {
	h := hash(x, hashFactor, shift) &^ 3
	p := (*[4]uint16)(t[h:])
	before = uint64(p[0]) | uint64(p[1])<<16 | uint64(p[2])<<32 | uint64(p[3])<<48
	now := before<<16 | uint64(pos)
	p[0], p[1], p[2], p[3] = uint16(now), uint16(now>>16), uint16(now>>32), uint16(now>>48)
	return before
}
