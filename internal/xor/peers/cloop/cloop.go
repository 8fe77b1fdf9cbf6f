// Package cloop masks with a plain C loop, as the compiler makes it for this
// machine.
package cloop

/*
#cgo CFLAGS: -O3 -march=native
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static void mask(uint8_t *p, size_t n, uint32_t key) {
	uint64_t k = (uint64_t)key << 32 | key, w;
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		memcpy(&w, p + i, 8);
		w ^= k;
		memcpy(p + i, &w, 8);
	}
	for (; i < n; i++)
		p[i] ^= (uint8_t)(key >> 8 * (i & 3));
}

// A call from Go costs more than a short payload: times are many in one.
static void maskTimes(uint8_t *p, size_t n, uint32_t key, size_t times) {
	while (times--) {
		mask(p, n, key);
		__asm__ volatile("" : : "r"(p) : "memory");
	}
}
*/
import "C"

import "unsafe"

// MaskTimes masks p in place, again and again.
func MaskTimes(p []byte, key uint32, times int) {
	C.maskTimes((*C.uint8_t)(unsafe.SliceData(p)), C.size_t(len(p)), C.uint32_t(key), C.size_t(times))
}
