//go:build !purego

package xor

import "testing"

// onEveryPath runs test with the kernels and without.
func onEveryPath(t *testing.T, test func(t *testing.T)) {
	t.Run("NEON", test)
	portable = true
	defer func() { portable = false }()
	t.Run("portable", test)
}
