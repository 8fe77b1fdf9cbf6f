// Package bufpool keeps byte buffers by size class, for memory that is needed
// often and never long. Getting and putting do not allocate.
package bufpool

import (
	"math/bits"
	"sync"
	"unsafe"
)

const (
	minShift = 9  // the smallest class: 512 bytes
	maxShift = 20 // the largest: 1 MiB
)

// pools holds one pool for each power of two. An entry is the pointer to the
// buffer's first byte, so that no slice header is allocated for it.
var pools [maxShift - minShift + 1]sync.Pool

// Get returns an empty buffer with a capacity of at least n bytes. Its bytes
// are not cleared: whoever gets it must write before reading.
func Get(n int) []byte {
	class := classOf(n)
	if class >= len(pools) {
		return make([]byte, 0, n)
	}
	size := 1 << (class + minShift)
	if p, _ := pools[class].Get().(*byte); p != nil {
		return unsafe.Slice(p, size)[:0]
	}
	return make([]byte, 0, size)
}

// Put gives a buffer back. The caller must not use it, nor any slice of it,
// afterwards. A buffer that is not of a class, or is nil, is left to the garbage
// collector.
func Put(b []byte) {
	size := cap(b)
	if size < 1<<minShift || size > 1<<maxShift || size&(size-1) != 0 {
		return
	}
	pools[classOf(size)].Put(unsafe.SliceData(b))
}

// Grow returns a buffer that begins with b and has room for n more bytes at
// least. b must not be used any more: if it was too small it has been given
// back.
func Grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	bigger := append(Get(len(b)+n), b...)
	Put(b)
	return bigger
}

// classOf returns the index of the smallest class that holds n bytes, which may
// be beyond the last.
func classOf(n int) int {
	if n <= 1<<minShift {
		return 0
	}
	return bits.Len(uint(n-1)) - minShift
}
