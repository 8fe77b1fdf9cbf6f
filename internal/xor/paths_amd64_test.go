//go:build !purego

package xor

import "testing"

// onEveryPath runs test once with each kind of kernel that this machine has.
func onEveryPath(t *testing.T, test func(t *testing.T)) {
	had2, had512 := haveAVX2, haveAVX512
	defer func() { haveAVX2, haveAVX512 = had2, had512 }()
	for _, path := range []struct {
		name         string
		can          bool
		avx2, avx512 bool
	}{
		{"AVX-512", had512, true, true},
		{"AVX2", had2, true, false},
		{"portable", true, false, false},
	} {
		haveAVX2, haveAVX512 = path.avx2, path.avx512
		t.Run(path.name, func(t *testing.T) {
			if !path.can {
				t.Skip("not on this machine")
			}
			test(t)
		})
	}
}
