package xor

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slowly masks src into dst, a byte at a time, and returns the rotated key.
func slowly(dst, src []byte, key uint32) uint32 {
	for i, b := range src {
		dst[i] = b ^ byte(key)
		key = key>>8 | key<<24
	}
	return key
}

func random(n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(p)
	return p
}

// lengths are all short ones, and those around the powers of two.
func lengths() []int {
	all := []int{}
	for n := range 300 {
		all = append(all, n)
	}
	for _, n := range []int{512, 1024, 4096, 16384} {
		all = append(all, n-9, n-1, n, n+1, n+7)
	}
	return all
}

// CHECKLIST 33: every length, at every alignment; no byte beside them changes.
func TestMask(t *testing.T) {
	const key, margin = 0xa1b2c3d4, 64
	for _, n := range lengths() {
		for align := range margin {
			if n > 300 && align > 9 {
				break
			}
			p := random(n + 2*margin)
			want := random(n + 2*margin)
			next := slowly(want[align:align+n], want[align:align+n], key)
			require.Equal(t, next, Mask(p[align:align+n], key), "length %d at %d", n, align)
			require.True(t, string(want) == string(p), "length %d at %d", n, align)
		}
	}
}

func TestCopy(t *testing.T) {
	const key = 0x01020380
	for _, n := range lengths() {
		src := random(n + 8)
		for align := range 8 {
			dst := make([]byte, n+16)
			want := make([]byte, n+16)
			slowly(want[align:], src[align:align+n], key)
			Copy(dst[align:], src[align:align+n], key)
			require.True(t, string(want) == string(dst), "length %d at %d", n, align)
			require.True(t, string(random(n+8)) == string(src), "the source stays")

			Copy(src[align:align+n], src[align:align+n], key)
			require.True(t, string(want[align:align+n]) == string(src[align:align+n]), "in place, length %d at %d", n, align)
			Copy(src[align:align+n], src[align:align+n], key)
		}
	}
}

func TestCopyNeedsRoom(t *testing.T) {
	assert.Panics(t, func() { Copy(make([]byte, 3), make([]byte, 4), 1) })
}

// The rotated key goes on with the byte after.
func TestMaskInPieces(t *testing.T) {
	const key = 0x11223344
	for cut := range 100 {
		p, want := random(99), random(99)
		slowly(want, want, key)
		Mask(p[cut:], Mask(p[:cut], key))
		require.Equal(t, want, p, "cut at %d", cut)
	}
}

// The key's first byte is its lowest, on every machine.
func TestKeyOrder(t *testing.T) {
	p := make([]byte, 9)
	assert.Equal(t, uint32(0x01040302), Mask(p, 0x04030201))
	assert.Equal(t, []byte{1, 2, 3, 4, 1, 2, 3, 4, 1}, p)
}
