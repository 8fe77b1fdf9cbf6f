//go:build !purego

#include "textflag.h"

// The lookup algorithm of John Keiser and Daniel Lemire, as it is described in
// gen/text.go, which also says what each bit of the tables means.

// By the upper half of the byte before.
DATA beforeUpper<>+0(SB)/8, $0x0202020202020202
DATA beforeUpper<>+8(SB)/8, $0x4915012180808080
GLOBL beforeUpper<>(SB), RODATA|NOPTR, $16

// By the lower half of the byte before.
DATA beforeLower<>+0(SB)/8, $0xcbcbcb8b8383a3e7
DATA beforeLower<>+8(SB)/8, $0xcbcbdbcbcbcbcbcb
GLOBL beforeLower<>(SB), RODATA|NOPTR, $16

// By the upper half of the byte.
DATA upper<>+0(SB)/8, $0x0101010101010101
DATA upper<>+8(SB)/8, $0x01010101babaaee6
GLOBL upper<>(SB), RODATA|NOPTR, $16

// The greatest bytes that leave no character open at the end of a vector.
DATA last3<>+0(SB)/8, $0xffffffffffffffff
DATA last3<>+8(SB)/8, $0xbfdfefffffffffff
GLOBL last3<>(SB), RODATA|NOPTR, $16

// What each register keeps.
#define AT     R0
#define LEFT   R1
#define KEY    V16
#define UPPER1 V17 // beforeUpper
#define LOWER1 V18 // beforeLower
#define UPPER  V19
#define LAST3  V20
#define LOW    V21 // 0x0f, the lower half of each byte
#define THREE  V22 // 0x60, what a first byte of three has more than a high bit
#define FOUR   V23 // 0x70, the same for four
#define HIGH   V24 // 0x80
#define WRONG  V25 // what has been found
#define BEFORE V26 // the vector before the current
#define OPEN   V27 // not zero where BEFORE leaves a character open

// BEGIN sets the registers, but for AT, LEFT and KEY. lead is in R3.
#define BEGIN \
	MOVD  $beforeUpper<>(SB), R4    \
	VLD1  (R4), [UPPER1.B16]        \
	MOVD  $beforeLower<>(SB), R4    \
	VLD1  (R4), [LOWER1.B16]        \
	MOVD  $upper<>(SB), R4          \
	VLD1  (R4), [UPPER.B16]         \
	MOVD  $last3<>(SB), R4          \
	VLD1  (R4), [LAST3.B16]         \
	VMOVI $0x0f, LOW.B16            \
	VMOVI $0x60, THREE.B16          \
	VMOVI $0x70, FOUR.B16           \
	VMOVI $0x80, HIGH.B16           \
	VEOR  WRONG.B16, WRONG.B16, WRONG.B16    \
	VEOR  BEFORE.B16, BEFORE.B16, BEFORE.B16 \
	VMOV  R3, BEFORE.B[15]          \
	VORR  BEFORE.B16, BEFORE.B16, OPEN.B16

// CHECK adds to WRONG what is wrong with the bytes of v, which follow those of
// before: V4, V5 and V6 are the bytes one, two and three before. Those with a
// saturated difference from 0x60 or 0x70 above 0x7f begin characters of three or
// four.
#define CHECK(v, before) \
	VEXT  $15, v.B16, before.B16, V4.B16 \
	VEXT  $14, v.B16, before.B16, V5.B16 \
	VEXT  $13, v.B16, before.B16, V6.B16 \
	VUSHR $4, V4.B16, V7.B16             \
	VTBL  V7.B16, [UPPER1.B16], V7.B16   \
	VAND  LOW.B16, V4.B16, V4.B16        \
	VTBL  V4.B16, [LOWER1.B16], V4.B16   \
	VAND  V4.B16, V7.B16, V7.B16         \
	VUSHR $4, v.B16, V4.B16              \
	VTBL  V4.B16, [UPPER.B16], V4.B16    \
	VAND  V4.B16, V7.B16, V7.B16         \
	VUMAX THREE.B16, V5.B16, V5.B16      \
	VSUB  THREE.B16, V5.B16, V5.B16      \
	VUMAX FOUR.B16, V6.B16, V6.B16       \
	VSUB  FOUR.B16, V6.B16, V6.B16       \
	VORR  V6.B16, V5.B16, V5.B16         \
	VAND  HIGH.B16, V5.B16, V5.B16       \
	VEOR  V5.B16, V7.B16, V7.B16         \
	VORR  V7.B16, WRONG.B16, WRONG.B16

// ANY sets R4 to something else than zero if v has a bit that mask has.
#define ANY(v, mask) \
	VAND v.B16, mask.B16, V7.B16 \
	VMOV V7.D[0], R4             \
	VMOV V7.D[1], R5             \
	ORR  R5, R4

// SEEN sets R4 to zero if V0 to V3 are ASCII alone.
#define SEEN \
	VORR V0.B16, V1.B16, V4.B16 \
	VORR V2.B16, V3.B16, V5.B16 \
	VORR V4.B16, V5.B16, V4.B16 \
	ANY(V4, HIGH)

// ASCII is what to do then: it must not follow an open character, and leaves
// none open.
#define ASCII \
	VORR OPEN.B16, WRONG.B16, WRONG.B16 \
	VEOR OPEN.B16, OPEN.B16, OPEN.B16

// MIXED is what to do otherwise.
#define MIXED \
	CHECK(V0, BEFORE)                         \
	CHECK(V1, V0)                             \
	CHECK(V2, V1)                             \
	CHECK(V3, V2)                             \
	VUMAX LAST3.B16, V3.B16, OPEN.B16         \
	VSUB  LAST3.B16, OPEN.B16, OPEN.B16

// func maskTextNEON(p *byte, n int, key uint32, lead uint8) bool
TEXT ·maskTextNEON(SB), NOSPLIT, $0-25
	MOVD  p+0(FP), AT
	MOVD  n+8(FP), LEFT
	MOVWU key+16(FP), R2
	MOVBU lead+20(FP), R3
	VDUP  R2, KEY.S4
	BEGIN

fours:
	VLD1   (AT), [V0.B16, V1.B16, V2.B16, V3.B16]
	VEOR   KEY.B16, V0.B16, V0.B16
	VEOR   KEY.B16, V1.B16, V1.B16
	VEOR   KEY.B16, V2.B16, V2.B16
	VEOR   KEY.B16, V3.B16, V3.B16
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(AT)
	SEEN
	CBZ    R4, ascii
	MIXED
	B      next

ascii:
	ASCII

next:
	VORR V3.B16, V3.B16, BEFORE.B16
	SUBS $64, LEFT
	BGT  fours

	ANY(WRONG, WRONG)
	CMP  $0, R4
	CSET EQ, R4
	MOVB R4, ret+24(FP)
	RET

// func textNEON(p *byte, n int, lead uint8) bool
TEXT ·textNEON(SB), NOSPLIT, $0-25
	MOVD  p+0(FP), AT
	MOVD  n+8(FP), LEFT
	MOVBU lead+16(FP), R3
	BEGIN

fours:
	VLD1.P 64(AT), [V0.B16, V1.B16, V2.B16, V3.B16]
	SEEN
	CBZ    R4, ascii
	MIXED
	B      next

ascii:
	ASCII

next:
	VORR V3.B16, V3.B16, BEFORE.B16
	SUBS $64, LEFT
	BGT  fours

	ANY(WRONG, WRONG)
	CMP  $0, R4
	CSET EQ, R4
	MOVB R4, ret+24(FP)
	RET
