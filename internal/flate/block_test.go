package flate

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A block without matches has a distance code all the same, for inflaters that want one.
func TestOneDistanceCode(t *testing.T) {
	var b block
	b.count(append(appendLiterals(nil, []byte("abcabcabc")), endOfBlock))
	require.EqualValues(t, 3, b.freq['a'])
	b.plan()
	require.EqualValues(t, 1, b.lens[endOfBlock+1], "the one distance")
	require.Zero(t, b.freq[firstDist], "nothing is counted for it")
}

// Codes that are made for the header as well take less with it.
func TestEvenCodes(t *testing.T) {
	var b block
	b.count(append(appendLiterals(nil, []byte("aaaaabbbbcccdddddddeeeeeefff00011111222223333444445566666777778888999")), endOfBlock))
	_, optimal := b.plan()
	b.even = true
	_, even := b.plan()
	require.Less(t, even, optimal)
}
