package main

import (
	"bytes"
	"encoding/binary"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
)

// The text kernels find what is wrong with UTF-8 by the lookup algorithm of
// John Keiser and Daniel Lemire, "Validating UTF-8 In Less Than One Instruction
// Per Byte" (2020): whatever can be wrong with a byte and the one before it is a
// bit in each of three tables, by the upper and the lower half of the byte
// before and the upper half of the byte. The bits that all three have in common
// are wrong. What remains is whether a byte must be the second or third
// continuation of a character that began two or three bytes before.
const (
	tooShort    = 1 << iota                        // a first byte, and no continuation after it
	tooLong                                        // ASCII, and a continuation after it
	overlong3                                      // E0, and less than A0
	tooLarge                                       // F4 and more than 8F, or F5 and above
	surrogate                                      // ED and more than 9F
	overlong2                                      // C0 or C1
	overlong4                                      // F0 and less than 90; also F5 and above with 80 to 8F
	twoContinue                                    // continuation after continuation: right if it must be one
	carry       = tooShort | tooLong | twoContinue // whatever the lower half is
)

var (
	beforeUpper = [16]byte{
		0x0: tooLong, tooLong, tooLong, tooLong, tooLong, tooLong, tooLong, tooLong,
		0x8: twoContinue, twoContinue, twoContinue, twoContinue,
		0xc: tooShort | overlong2,
		0xd: tooShort,
		0xe: tooShort | overlong3 | surrogate,
		0xf: tooShort | tooLarge | overlong4,
	}
	beforeLower = [16]byte{
		0x0: carry | overlong2 | overlong3 | overlong4,
		0x1: carry | overlong2,
		0x2: carry, carry,
		0x4: carry | tooLarge,
		0x5: carry | tooLarge | overlong4, carry | tooLarge | overlong4, carry | tooLarge | overlong4,
		0x8: carry | tooLarge | overlong4, carry | tooLarge | overlong4, carry | tooLarge | overlong4, carry | tooLarge | overlong4,
		0xc: carry | tooLarge | overlong4,
		0xd: carry | tooLarge | overlong4 | surrogate,
		0xe: carry | tooLarge | overlong4, carry | tooLarge | overlong4,
	}
	upper = [16]byte{
		0x0: tooShort, tooShort, tooShort, tooShort, tooShort, tooShort, tooShort, tooShort,
		0x8: tooLong | overlong2 | twoContinue | overlong3 | overlong4,
		0x9: tooLong | overlong2 | twoContinue | overlong3 | tooLarge,
		0xa: tooLong | overlong2 | twoContinue | surrogate | tooLarge,
		0xb: tooLong | overlong2 | twoContinue | surrogate | tooLarge,
		0xc: tooShort, tooShort, tooShort, tooShort,
	}
)

// alignTextMin is from how many bytes on it pays to align the stores.
const alignTextMin = 2048

const (
	highBit = 0x80

	// Subtracted with saturation, they leave the high bit in first bytes of at
	// least three and of four bytes.
	threeBytes = 0xe0 - highBit
	fourBytes  = 0xf0 - highBit
)

// Truth tables of VPTERNLOG: its result for the three operands' bits 000 to
// 111.
const (
	allOf    = 0x80 // a & b & c
	anyOf    = 0xfe // a | b | c
	eitherOf = 0xa8 // (a | b) & c
	orDiffer = 0xf6 // a | (b ^ c)
)

// last3 is the greatest value of each byte of a vector that leaves no character
// open at its end: its last bytes must not begin more than there is room for.
func last3(size int) []byte {
	limits := make([]byte, size)
	for i := range limits {
		limits[i] = 0xff
	}
	copy(limits[size-3:], []byte{0xf0 - 1, 0xe0 - 1, 0xc0 - 1})
	return limits
}

func defineText(k *kernel) {
	const rest = " It tells whether text can go on so,\n" +
		"as far as p shows it; a character may be open at the end. lead is the first byte of a character of\n" +
		"which all else is still to come, or 0. It needs "
	const wide, narrow = "AVX512BW, AVX512VBMI, BMI1 and BMI2.", "AVX2. n is a multiple of 32."
	d := k.constants("text512", 64)
	k.function("maskTextAVX512", "func(p *byte, n int, key uint32, lead uint8) bool",
		"maskTextAVX512 masks n bytes at p in place and checks them as text."+rest+wide)
	text512(k, d, true)
	k.function("textAVX512", "func(p *byte, n int, lead uint8) bool",
		"textAVX512 checks n bytes at p as text."+rest+wide)
	text512(k, d, false)

	d = k.constants("text256", 32)
	k.function("maskTextAVX2", "func(p *byte, n int, key uint32, lead uint8) bool",
		"maskTextAVX2 masks n bytes at p in place and checks them as text."+rest+narrow)
	text256(k, d, true)
	k.function("textAVX2", "func(p *byte, n int, lead uint8) bool",
		"textAVX2 checks n bytes at p as text."+rest+narrow)
	text256(k, d, false)
}

// data says where the tables and constants are, each as long as a vector.
type data struct {
	beforeUpper, beforeLower, upper             operand.Mem
	last3, threeBytes, fourBytes, highBit, half operand.Mem
}

// constants writes down the data for vectors of a size.
func (k *kernel) constants(name string, size int) data {
	var d data
	global := k.StaticGlobal(name)
	k.DataAttributes(attr.RODATA | attr.NOPTR)
	offset := 0
	for _, c := range []struct {
		to    *operand.Mem
		bytes []byte // repeated as often as there is room
	}{
		{&d.beforeUpper, beforeUpper[:]},
		{&d.beforeLower, beforeLower[:]},
		{&d.upper, upper[:]},
		{&d.last3, last3(size)},
		{&d.threeBytes, []byte{threeBytes}},
		{&d.fourBytes, []byte{fourBytes}},
		{&d.highBit, []byte{highBit}},
		{&d.half, []byte{0x0f}},
	} {
		*c.to = global.Offset(offset)
		vector := bytes.Repeat(c.bytes, size/len(c.bytes))
		for i := 0; i < size; i += 8 {
			k.AddDatum(offset+i, operand.U64(binary.LittleEndian.Uint64(vector[i:])))
		}
		offset += size
	}
	return d
}
