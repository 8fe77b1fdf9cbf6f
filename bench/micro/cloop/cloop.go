//go:build cgo

// Package cloop is what a C compiler makes of the plainest loops.
package cloop

/*
#cgo CFLAGS: -O3
#cgo amd64 CFLAGS: -march=native
#include <stddef.h>
#include <stdint.h>
#include <string.h>
static void mask(unsigned char *p, size_t n, uint32_t key, size_t times) {
	uint64_t k = (uint64_t)key << 32 | key, w;
	for (size_t t = 0; t < times; t++) {
		size_t i = 0;
		for (; i + 8 <= n; i += 8) {
			memcpy(&w, p + i, 8);
			w ^= k;
			memcpy(p + i, &w, 8);
		}
		for (; i < n; i++)
			p[i] ^= key >> 8 * (i & 3);
		__asm__ volatile("" ::: "memory");
	}
}
*/
import "C"

import "unsafe"

// Available tells that there is a C compiler's loop.
const Available = true

// Mask masks p many times, so that the way from Go to C costs nothing.
func Mask(p []byte, key uint32, times int) {
	C.mask((*C.uchar)(unsafe.Pointer(&p[0])), C.size_t(len(p)), C.uint32_t(key), C.size_t(times))
}
