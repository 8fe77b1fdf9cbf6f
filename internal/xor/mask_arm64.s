//go:build !purego

#include "textflag.h"

// func maskNEON(dst, src *byte, n int, key, next uint32)
//
// The last 64 bytes are loaded before everything else and stored after it, so
// that whole vectors suffice. What they overlap they overwrite with the same
// bytes. Counted from the end, next is their key.
TEXT ·maskNEON(SB), NOSPLIT, $0-32
	MOVD  dst+0(FP), R0
	MOVD  src+8(FP), R1
	MOVD  n+16(FP), R2
	MOVWU key+24(FP), R3
	MOVWU next+28(FP), R4
	VDUP  R3, V16.S4
	VDUP  R4, V17.S4

	SUB  $64, R2
	ADD  R2, R0, R5
	ADD  R2, R1, R6
	VLD1 (R6), [V4.B16, V5.B16, V6.B16, V7.B16]
	VEOR V17.B16, V4.B16, V4.B16
	VEOR V17.B16, V5.B16, V5.B16
	VEOR V17.B16, V6.B16, V6.B16
	VEOR V17.B16, V7.B16, V7.B16

	// R2 counts what is left before the last 64 bytes.
fours:
	VLD1.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16]
	VEOR   V16.B16, V0.B16, V0.B16
	VEOR   V16.B16, V1.B16, V1.B16
	VEOR   V16.B16, V2.B16, V2.B16
	VEOR   V16.B16, V3.B16, V3.B16
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	SUBS   $64, R2
	BGT    fours

	VST1 [V4.B16, V5.B16, V6.B16, V7.B16], (R5)
	RET
