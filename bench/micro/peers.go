package micro

import (
	_ "unsafe" // for go:linkname

	_ "github.com/coder/websocket"
	_ "github.com/gorilla/websocket"
	_ "github.com/lxzan/gws"
)

// The masking of libraries that keep it to themselves.

//go:linkname gorillaMask github.com/gorilla/websocket.maskBytes
func gorillaMask(key [4]byte, pos int, b []byte) int

//go:linkname coderMask github.com/coder/websocket.mask
func coderMask(b []byte, key uint32) uint32

//go:linkname gwsMask github.com/lxzan/gws/internal.MaskXOR
func gwsMask(b []byte, key []byte)
