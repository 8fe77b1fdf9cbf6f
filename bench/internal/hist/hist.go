// Package hist counts durations in a histogram whose buckets are at most 1.6 %
// wide, so that a load generator can note every message's latency cheaply.
package hist

import "math/bits"

const (
	sub     = 6 // bits of precision
	buckets = (64 - sub) << sub
)

// A Histogram counts values from 0 up, in nanoseconds or any other unit. The
// zero value is empty.
type Histogram struct {
	counts [buckets]uint32
	n      uint64
	sum    float64
	max    int64
}

// Add counts v. Negative values count as 0.
func (h *Histogram) Add(v int64) {
	v = max(v, 0)
	h.counts[index(uint64(v))]++
	h.n++
	h.sum += float64(v)
	h.max = max(h.max, v)
}

// Count returns how many values there are.
func (h *Histogram) Count() uint64 { return h.n }

// Max returns the largest value, exactly.
func (h *Histogram) Max() int64 { return h.max }

// Mean returns the mean, exactly; 0 if there are no values.
func (h *Histogram) Mean() float64 {
	if h.n == 0 {
		return 0
	}
	return h.sum / float64(h.n)
}

// Quantile returns the value below or at which the share q of all values lies,
// rounded up to the end of its bucket; 0 if there are no values.
func (h *Histogram) Quantile(q float64) int64 {
	rank := max(uint64(q*float64(h.n)+0.5), 1)
	seen := uint64(0)
	for i, c := range h.counts {
		seen += uint64(c)
		if c > 0 && seen >= rank {
			return min(int64(upper(i)), h.max)
		}
	}
	return h.max
}

// index returns the bucket of v: v itself below 1<<(sub+1), and above that the
// exponent and the sub bits after the leading one.
func index(v uint64) int {
	if v < 1<<(sub+1) {
		return int(v)
	}
	shift := bits.Len64(v) - sub - 1
	return shift<<sub + int(v>>shift)
}

// upper returns the largest value of bucket i.
func upper(i int) uint64 {
	if i < 1<<(sub+1) {
		return uint64(i)
	}
	shift := i>>sub - 1
	return uint64(i-shift<<sub+1)<<shift - 1
}
