package flate

import (
	"math"
	"math/bits"
)

// A huffman computes code lengths. It holds only what the computation needs.
type huffman struct {
	nodes [numLits + 2]uint32 // the weights of inner nodes
	below [numLits + 2]uint16 // the first inner node among, or after, their children
	keys  [numLits + 2]uint32 // frequency<<9 | symbol
	spare [numLits + 2]uint32
	used  [numLits + 1]uint16 // the symbols that occur
	n     int                 // how many
	most  uint16              // how often the most frequent occurs
	count [32]int             // the result: how many codes have so many bits
}

// collect takes the symbols that occur, and how often. freq ends at a multiple of four.
func (f *huffman) collect(freq []uint16) {
	n := 0
	var most uint16
	for base := 0; base < len(freq); base += 4 {
		four := freq[base : base+4 : len(freq)]
		if four[0]|four[1]|four[2]|four[3] == 0 {
			continue // most of a text's alphabet
		}
		for i, k := range four {
			f.keys[n] = uint32(k)<<9 | uint32(base+i)
			f.used[n] = uint16(base + i)
			n += int((uint32(k) + 0xffff) >> 16) // without a branch: only symbols that occur stay
			most = max(most, k)
		}
	}
	f.n, f.most = n, most
}

// lengths sets lens to the code lengths, of at most limit bits, of an optimal code for the symbols that were collected, but for
// the limit. A single symbol has one bit. lens ends after the last symbol.
func (f *huffman) lengths(lens []uint8, limit int) {
	clear(lens)
	clear(f.count[:])
	if f.n < 2 {
		for _, sym := range f.used[:f.n] {
			lens[sym] = 1
			f.count[1] = 1
		}
		return
	}
	keys := f.sort(f.n, f.most)
	f.depths(keys)
	shorten(&f.count, limit)
	k := 0
	for length := limit; length > 0; length-- {
		for _, key := range keys[k : k+f.count[length]] {
			lens[key&511] = uint8(length)
		}
		k += f.count[length]
	}
}

// even takes neighbours that occur about as often for equally frequent. Their codes get a little longer, and the header of a block
// shorter by more than that, as a rule: equal lengths in a row take little there.
func (f *huffman) even() {
	const near, few = 5, 4
	keys := f.keys[:f.n]
	for i := 0; i < len(keys); {
		first, sum := keys[i], uint32(0)
		j := i
		for ; j < len(keys) && keys[j]&511 == first&511+uint32(j-i) && keys[j]>>9+near-first>>9 <= 2*near; j++ {
			sum += keys[j] >> 9
		}
		if n := uint32(j - i); n >= few {
			for k := range keys[i:j] {
				keys[i+k] = (sum+n/2)/n<<9 | keys[i+k]&511
			}
		}
		i = j
	}
}

// codes makes the codes for the lengths that were found.
func (f *huffman) codes(codes []code, lens, extra []uint8) {
	assignCodes(codes, f.used[:f.n], lens, extra, &f.count)
}

// cost returns how many bits the symbols take, that occur as often as freq says.
func (f *huffman) cost(freq []uint16, codes []code) (total int) {
	for _, sym := range f.used[:f.n] {
		total += int(freq[sym]) * int(codes[sym].all())
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

// depths finds how many of the sorted keys, two or more, have which depth in the tree of Huffman. Inner nodes come up in the
// order of their weights, so two queues are enough. Which of them has the lighter node is anyone's guess, a
// processor's as well: so there is no branch on it.
func (f *huffman) depths(keys []uint32) {
	n := len(keys)
	leaves := keys[:n+2]
	leaves[n], leaves[n+1] = math.MaxUint32, math.MaxUint32
	nodes, below := &f.nodes, &f.below
	leaf, node := 0, 0
	for next := range n - 1 {
		nodes[next], nodes[next+1] = math.MaxInt32, math.MaxInt32
		a, b := leaves[leaf]>>9, leaves[leaf+1]>>9
		c, d := nodes[node], nodes[node+1]
		twoLeaves := ^uint32(int32(c-b) >> 31) // all ones if both are no heavier than the first inner node
		twoNodes := uint32(int32(d-a) >> 31)   // all ones if both are lighter than the first leaf
		nodes[next] = a&^twoNodes + b&twoLeaves + c&^twoLeaves + d&twoNodes
		below[next] = uint16(node)
		more := int(int32(twoNodes - twoLeaves))
		leaf += 1 + more
		node += 1 - more
	}
	// The root is node n-2. Below the nodes from lo to hi of one depth are, in the same order, those from below[lo] to lo, and
	// leaves in the places that are left.
	places := 1
	for depth, lo, hi := 0, n-2, n-1; places > 0; depth++ {
		f.count[depth&31] = places - (hi - lo)
		places = 2 * (hi - lo)
		lo, hi = int(below[lo]), lo
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

// A code is what a symbol is written as: its bits, of which the first is the lowest, from bit 16 on how many, and from
// bit 24 on how many with the extra bits.
type code uint32

func newCode(bits uint16, n, extra uint8) code {
	return code(bits) | code(n)<<16 | code(n+extra)<<24
}

// with returns the bits of c, and the extra bits of t after them.
func (c code) with(t token) uint64 { return uint64(uint16(c)) | uint64(t>>9)<<(c>>16&63) }

// all returns how many bits there are in all.
func (c code) all() uint { return uint(c >> 24) }

// assignCodes makes the codes of symbols, in ascending order, for their lengths (RFC 1951, section 3.2.2). count says how many
// codes have so many bits.
func assignCodes(codes []code, symbols []uint16, lens, extra []uint8, count *[32]int) {
	var next [maxCode + 1]uint16
	first := 0
	for n := 1; n <= maxCode; n++ {
		next[n] = uint16(first)
		first = (first + count[n]) << 1
	}
	for _, sym := range symbols {
		n := lens[sym]
		c := next[n&15]
		next[n&15]++
		codes[sym] = newCode(bits.Reverse16(c)>>(16-n&15), n, extra[sym])
	}
}
