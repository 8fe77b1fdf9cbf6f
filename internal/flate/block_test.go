package flate

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A block without matches has a distance code all the same, for inflaters that want one.
func TestOneDistanceCode(t *testing.T) {
	var b block
	lits, _ := b.count([]byte("abcabcabc"), nil)
	require.Equal(t, 9, lits)
	b.plan()
	require.EqualValues(t, 1, b.lens[endOfBlock+1], "the one distance")
	require.Zero(t, b.distFreq[0], "nothing is counted for it")
}
