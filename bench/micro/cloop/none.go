//go:build !cgo

package cloop

// Available tells that there is no C compiler's loop.
const Available = false

// Mask does nothing.
func Mask([]byte, uint32, int) {}
