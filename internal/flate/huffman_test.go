package flate

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Without a limit in the way no code is shorter than that of Huffman: the sum of the weights of all inner nodes.
func TestHuffmanIsOptimal(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var f huffman
	for range 2000 {
		freq := make([]uint16, firstDist)
		var weights []int
		n := 2 + r.IntN(numLits-2)
		most := 1 + r.IntN(200)
		for _, sym := range r.Perm(numLits)[:n] {
			freq[sym] = uint16(1 + r.IntN(most))
			weights = append(weights, int(freq[sym]))
		}
		want := 0
		for len(weights) > 1 {
			slices.Sort(weights)
			weights[1] += weights[0]
			weights = weights[1:]
			want += weights[0]
		}
		lens := make([]uint8, numLits)
		f.collect(freq)
		f.lengths(lens, maxCode)
		codes := make([]code, numLits)
		f.codes(codes, lens, make([]uint8, numLits))
		require.Equal(t, want, f.cost(freq, codes))
	}
}

// Neighbours that occur about as often get the same code length, others keep theirs.
func TestHuffmanEven(t *testing.T) {
	freq := []uint16{
		9, 5, 4, 8, 3, // four or more that are near the first
		0,
		30, 35, 36, 25, // the third is not
		20, 21, 0, 22, 23, // nor are these together
		65535, 65535, 65530, 65535, 0,
	}
	var f huffman
	f.collect(freq)
	f.even()
	var got []uint16
	for i, key := range f.keys[:f.n] {
		require.Equal(t, f.used[i], uint16(key&511))
		got = append(got, uint16(key>>9))
	}
	require.Equal(t, []uint16{7, 7, 7, 7, 3, 30, 35, 36, 25, 20, 21, 22, 23, 65534, 65534, 65534, 65534}, got)
}

// With a limit the code is still complete, and no symbol that occurs goes without.
func TestHuffmanLimit(t *testing.T) {
	var f huffman
	freq := make([]uint16, 24)
	for i := range freq {
		freq[i] = uint16(1 << min(i, 15))
	}
	for _, limit := range []int{5, maxLenCode, maxCode} {
		lens := make([]uint8, len(freq))
		f.collect(freq)
		f.lengths(lens, limit)
		sum := 0
		for _, n := range lens {
			require.NotZero(t, n)
			require.LessOrEqual(t, int(n), limit)
			sum += 1 << (limit - int(n))
		}
		require.Equal(t, 1<<limit, sum)
	}
}
