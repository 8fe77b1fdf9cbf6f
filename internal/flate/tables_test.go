package flate

import (
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomLens returns the lengths of a complete code for n of so many symbols: one symbol after another is split in two.
func randomLens(r *rand.Rand, n, symbols int) []uint8 {
	leaves := []uint8{0}
	deep := r.IntN(2) == 0
	for len(leaves) < n {
		i := r.IntN(len(leaves))
		if deep { // the longer ones more often
			i = max(i, r.IntN(len(leaves)))
		}
		if leaves[i] == maxCode {
			continue
		}
		leaves[i]++
		leaves = append(leaves, leaves[i])
	}
	lens := make([]uint8, symbols)
	for i, sym := range r.Perm(symbols)[:n] {
		lens[sym] = leaves[i]
	}
	return lens
}

// Whatever follows a code, its entry is found, in tables of any size.
func TestTables(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		var c coded
		meaning, root, table := litMeaning[:], litRoot, make([]uint32, litSize)
		if r.IntN(2) == 0 {
			meaning, root, table = distMeaning[:], distRoot, make([]uint32, distSize)
		}
		for i := range table {
			table[i] = entryInvalid
		}
		lens := randomLens(r, 2+r.IntN(len(meaning)-1), len(meaning))
		for sym, n := range lens {
			c.add(sym, n)
		}
		mask, ok := buildTable(table, root, c.all(), &c.count, meaning)
		require.True(t, ok)
		next := uint16(0) // RFC 1951, section 3.2.2, with codes from the highest bit down
		for n := uint8(1); n <= maxCode; n++ {
			for sym, m := range lens {
				if m != n {
					continue
				}
				for rest := range uint16(1) << (maxCode - n) {
					acc := uint64(bits.Reverse16(next | rest<<1))
					e := table[acc&mask]
					if e&entrySub != 0 {
						e = table[e>>16+uint32(acc>>root)&(1<<(e>>8&15)-1)]
					}
					if want := meaning[sym] + uint32(n)*(1+1<<8); e != want {
						require.Equal(t, want, e, "symbol %d of %v", sym, lens)
					}
				}
				next += 1 << (16 - n)
			}
		}
	}
}

// A code with too few codes is refused, one with too many as well, and one with a single code of one bit is not.
func TestIncompleteCodes(t *testing.T) {
	for _, test := range []struct {
		lens []uint8
		ok   bool
	}{
		{[]uint8{}, true},
		{[]uint8{1}, true},
		{[]uint8{1, 1}, true},
		{[]uint8{2}, false},
		{[]uint8{1, 2}, false},
		{[]uint8{1, 1, 1}, false},
		{[]uint8{1, 1, 2}, false},
		{[]uint8{1, 2, 2}, true},
		{[]uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, false},
		{[]uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15}, true},
	} {
		var c coded
		for sym, n := range test.lens {
			c.add(sym, n)
		}
		_, ok := buildTable(make([]uint32, distSize), distRoot, c.all(), &c.count, distMeaning[:])
		require.Equal(t, test.ok, ok, "%v", test.lens)
	}
}
