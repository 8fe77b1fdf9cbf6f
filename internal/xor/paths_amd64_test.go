//go:build !purego

package xor

import "testing"

// onEveryPath runs test once with each kind of kernel that this machine has.
func onEveryPath(t *testing.T, test func(t *testing.T)) {
	best := kind
	defer func() { kind = best }()
	for i, name := range []string{"SSE2", "AVX2", "AVX-512"} {
		t.Run(name, func(t *testing.T) {
			if kind = uint8(i); kind > best {
				t.Skip("not on this machine")
			}
			test(t)
		})
	}
}
