package flate

import "math/bits"

// The alphabets of RFC 1951, section 3.2.
const (
	minMatch   = 4   // the shortest match looked for; the format allows 3
	nearMatch  = 128 // how far one that short may be, lest it cost more than its bytes
	maxMatch   = 258
	maxStored  = 65535
	endOfBlock = 256
	numLits    = 286
	numDists   = 30
	numLens    = 19 // code lengths, section 3.2.7
	maxCode    = 15 // bits of the longest code
	maxLenCode = 7  // bits of the longest code of code lengths
)

// Types of blocks, section 3.2.3.
const (
	blockStored  = 0
	blockFixed   = 1
	blockDynamic = 2
)

// lenOrder is the order in which the code lengths for code lengths are sent, section 3.2.7.
var lenOrder = [numLens]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// lengthSymbol returns the symbol less 257 of a match's length less 3.
func lengthSymbol(n int) int {
	if n == maxMatch-3 {
		return 28
	}
	if n < 8 {
		return n
	}
	extra := bits.Len(uint(n)) - 3
	return 4*extra + n>>extra
}

// lengthExtra returns the extra bits of a length symbol less 257.
func lengthExtra(code int) int {
	if code < 8 || code == 28 {
		return 0
	}
	return code/4 - 1
}

// lengthBase returns the shortest match of a length symbol less 257.
func lengthBase(code int) int {
	if code < 8 {
		return 3 + code
	}
	if code == 28 {
		return maxMatch
	}
	return 3 + (4+code%4)<<lengthExtra(code)
}

// distExtra returns the extra bits of a distance symbol.
func distExtra(code int) int {
	return max(code/2-1, 0)
}

// distBase returns the shortest distance of a distance symbol.
func distBase(code int) int {
	if code < 2 {
		return 1 + code
	}
	return 1 + (2+code%2)<<distExtra(code)
}
