package flate

import (
	"encoding/binary"
	"math/bits"
)

// A huffman computes code lengths. It holds only what the computation needs.
type huffman struct {
	nodes [numLits]uint32     // frequencies, then parents, then depths
	keys  [numLits + 1]uint32 // frequency<<9 | symbol
	spare [numLits]uint32
	count [32]int // the result: how many codes have so many bits
}

// lengths sets lens to the code lengths, of at most limit bits, of an optimal code for symbols that occur as often as
// freq says, but for the limit. It returns the bits that all symbols take. A single symbol has one bit.
func (f *huffman) lengths(freq []uint16, lens []uint8, limit int) (total int) {
	clear(lens)
	clear(f.count[:])
	n := 0
	var most uint16
	for sym, k := range freq {
		f.keys[n] = uint32(k)<<9 | uint32(sym)
		n += int((uint32(k) + 0xffff) >> 16) // without a branch: only symbols that occur stay
		most = max(most, k)
	}
	if n < 2 {
		for _, key := range f.keys[:n] {
			lens[key&511] = 1
			f.count[1] = 1
			total += int(key >> 9)
		}
		return total
	}
	keys := f.sort(n, most)
	f.depths(keys)
	shorten(&f.count, limit)
	k := 0
	for length := limit; length > 0; length-- {
		for range f.count[length] {
			lens[keys[k]&511] = uint8(length)
			total += int(keys[k]>>9) * length
			k++
		}
	}
	return total
}

// sort sorts n keys by frequency, rarest first.
func (f *huffman) sort(n int, most uint16) []uint32 {
	from, to := f.keys[:n], f.spare[:n]
	if n <= 24 {
		for i := 1; i < n; i++ {
			k, j := from[i], i
			for ; j > 0 && from[j-1] > k; j-- {
				from[j] = from[j-1]
			}
			from[j] = k
		}
		return from
	}
	for shift := 9; most > 0; most, shift = most>>8, shift+8 {
		buckets := int(most)
		if most > 255 {
			buckets = 255
		}
		var place [256]uint16
		for _, k := range from {
			place[k>>shift&255]++
		}
		at := uint16(0)
		for i := range place[:buckets+1] {
			place[i], at = at, at+place[i]
		}
		for _, k := range from {
			d := k >> shift & 255
			to[place[d]] = k
			place[d]++
		}
		from, to = to, from
	}
	return from
}

// depths finds how many of the sorted keys, two or more, have which depth in the tree of Huffman. The tree is built
// in place, as Moffat and Katajainen found: inner nodes take the places of the leaves that are used up.
func (f *huffman) depths(keys []uint32) {
	n := len(keys)
	a := f.nodes[:n]
	for i, k := range keys {
		a[i] = k >> 9
	}
	leaf, node := 0, 0
	pick := func(next int) uint32 {
		if leaf >= n || node < next && a[node] < a[leaf] {
			v := a[node]
			a[node] = uint32(next)
			node++
			return v
		}
		leaf++
		return a[leaf-1]
	}
	for next := range n - 1 {
		v := pick(next)
		a[next] = v + pick(next)
	}
	// Now a[i] is the parent of inner node i; the root is node n-2.
	a[n-2] = 0
	for i := n - 3; i >= 0; i-- {
		a[i] = a[a[i]] + 1
	}
	// At each depth, the places that inner nodes leave are leaves.
	places, k := 1, n-2
	for depth := 0; places > 0; depth++ {
		inner := 0
		for ; k >= 0 && int(a[k]) == depth; k-- {
			inner++
		}
		f.count[min(depth, 31)] += places - inner
		places = 2 * inner
	}
}

// shorten changes the counts so that no code is longer than limit and the code stays complete.
func shorten(count *[32]int, limit int) {
	over := 0
	for n := limit + 1; n < len(count); n++ {
		over += count[n]
		count[n] = 0
	}
	if over == 0 {
		return
	}
	count[limit] += over
	excess := -1 << limit // of the sum of 2^-length, in units of 2^-limit
	for n := 1; n <= limit; n++ {
		excess += count[n] << (limit - n)
	}
	for ; excess > 0; excess-- {
		n := limit - 1
		for count[n] == 0 {
			n--
		}
		count[n]--
		count[n+1] += 2
		count[limit]--
	}
}

// assignCodes makes the codes for lengths (RFC 1951, section 3.2.2), their bits reversed, above the length; count says how
// many codes have so many bits. Symbols that do not occur have none.
func assignCodes(codes []uint32, lens []uint8, count *[32]int) {
	var next [maxCode + 1]uint16
	code := 0
	for n := 1; n <= maxCode; n++ {
		next[n] = uint16(code)
		code = (code + count[n]) << 1
	}
	for sym := 0; sym < len(lens); sym++ {
		if sym+8 <= len(lens) && binary.LittleEndian.Uint64(lens[sym:]) == 0 {
			sym += 7
			continue
		}
		n := lens[sym]
		c := next[n&15] // no branch for a symbol that does not occur: its code is empty
		next[n&15]++
		codes[sym] = uint32(bits.Reverse16(c))>>(16-n&15)<<8 | uint32(n)
	}
}
