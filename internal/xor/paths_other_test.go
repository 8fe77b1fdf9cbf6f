//go:build purego || !(amd64 || arm64)

package xor

import "testing"

// onEveryPath runs test with the only kind of kernel that there is.
func onEveryPath(t *testing.T, test func(t *testing.T)) { test(t) }
