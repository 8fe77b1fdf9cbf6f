package websocket

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// maskSlowly is RFC 6455, section 5.3, word for word.
func maskSlowly(p []byte, key [4]byte, pos int) []byte {
	out := make([]byte, len(p))
	for i := range p {
		out[i] = p[i] ^ key[(pos+i)%4]
	}
	return out
}

// The example of RFC 6455, section 5.7.
func TestRFC6455_5_7_MaskExample(t *testing.T) {
	p := wire("7f 9f 4d 51 58")
	assert.Equal(t, 1, Mask(p, [4]byte{0x37, 0xfa, 0x21, 0x3d}, 0))
	assert.Equal(t, "Hello", string(p))
}

func TestRFC6455_5_3_EveryLengthAndPosition(t *testing.T) {
	key := [4]byte{0x80, 0x01, 0xfe, 0x37}
	random := make([]byte, 300)
	rand.NewChaCha8([32]byte{}).Read(random)
	for n := range len(random) - 2 {
		for pos := range 9 {
			p := append([]byte(nil), random[:n+2]...)
			end := Mask(p[1:n+1], key, pos)
			require.Equal(t, maskSlowly(random[1:n+1], key, pos), p[1:n+1], "length %d at %d", n, pos)
			require.Equal(t, [2]byte{random[0], random[n+1]}, [2]byte{p[0], p[n+1]}, "the neighbors stay")
			require.Equal(t, (pos+n)%4, end)
		}
	}
}

// Only the position modulo four matters, negative ones included, so that a sum
// that has overflowed does no harm.
func TestRFC6455_5_3_PositionModuloFour(t *testing.T) {
	key := [4]byte{1, 2, 3, 4}
	for pos, same := range map[int]int{-1: 3, -2: 2, -4: 0, math.MaxInt: 3, math.MinInt: 0, math.MinInt + 1: 1} {
		p, want := []byte("0123456"), []byte("0123456")
		wantEnd := Mask(want, key, same)
		assert.Equal(t, wantEnd, Mask(p, key, pos), "at %d", pos)
		assert.Equal(t, want, p, "at %d", pos)
	}
}

// A payload may be masked in any pieces, and masking twice gives it back.
func FuzzMask(f *testing.F) {
	f.Add([]byte("Hello, world"), uint32(0x37fa213d), uint16(3), uint16(5), uint8(0))
	f.Add(make([]byte, 200), uint32(1), uint16(64), uint16(129), uint8(3))
	f.Fuzz(func(t *testing.T, p []byte, k uint32, cut1, cut2 uint16, start uint8) {
		key := [4]byte{byte(k >> 24), byte(k >> 16), byte(k >> 8), byte(k)}
		a, b := int(cut1)%(len(p)+1), int(cut2)%(len(p)+1)
		a, b = min(a, b), max(a, b)
		want := maskSlowly(p, key, int(start))
		got := append([]byte(nil), p...)
		pos := Mask(got[:a], key, int(start))
		pos = Mask(got[a:b], key, pos)
		pos = Mask(got[b:], key, pos)
		require.Equal(t, (int(start)+len(p))%4, pos)
		require.Equal(t, string(want), string(got))
		Mask(got, key, int(start))
		require.Equal(t, string(p), string(got))
	})
}
