package hist

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryValueIsInItsBucket(t *testing.T) {
	last := -1
	for _, v := range []uint64{0, 1, 63, 64, 127, 128, 129, 255, 256, 1000, 1 << 20, 1<<40 + 12345, 1<<63 - 1} {
		i := index(v)
		require.Less(t, i, buckets)
		require.GreaterOrEqual(t, i, last, "buckets follow each other")
		require.GreaterOrEqual(t, upper(i), v)
		require.LessOrEqual(t, float64(upper(i)), float64(v)*1.016+1)
		last = i
	}
	for i := range buckets - 2*(1<<sub) {
		require.Equal(t, i, index(upper(i)))
		require.Equal(t, i+1, index(upper(i)+1))
	}
}

func TestQuantilesOfRandomValues(t *testing.T) {
	var h Histogram
	r := rand.New(rand.NewPCG(1, 2))
	values := make([]int64, 10_000)
	for i := range values {
		values[i] = int64(r.ExpFloat64() * 50_000)
		h.Add(values[i])
	}
	slices.Sort(values)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
		want := float64(values[int(q*float64(len(values)))-1])
		require.InEpsilon(t, want, float64(h.Quantile(q)), 0.02)
	}
	require.Equal(t, values[len(values)-1], h.Max())
	require.Equal(t, h.Max(), h.Quantile(1))
	require.EqualValues(t, len(values), h.Count())
}

func TestEmptyAndNegative(t *testing.T) {
	var h Histogram
	require.Zero(t, h.Quantile(0.5))
	require.Zero(t, h.Mean())
	h.Add(-5)
	require.Zero(t, h.Max())
	require.EqualValues(t, 1, h.Count())
}
