package main

import (
	"bytes"
	"encoding/binary"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
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

// A checker512 writes the parts of an AVX-512 text kernel.
type checker512 struct {
	*kernel
	beforeUpper, beforeLower, upper reg.VecVirtual // tables, repeated for six bits of index
	last3                           reg.VecVirtual
	threeBytes, fourBytes, highBit  reg.VecVirtual
	wrong                           reg.VecVirtual // what has been found
	before                          reg.VecVirtual // the vector before the current
	open                            reg.VecVirtual // not zero where before leaves a character open
}

func text512(k *kernel, d data, masked bool) {
	p, n := k.arg("p"), k.arg("n")
	key := k.ZMM()
	var word reg.Register
	if masked {
		word = k.arg("key")
		k.VPBROADCASTD(word, key)
	}
	c := checker512{kernel: k}
	for _, constant := range []struct {
		to   *reg.VecVirtual
		from operand.Mem
	}{
		{&c.beforeUpper, d.beforeUpper},
		{&c.beforeLower, d.beforeLower},
		{&c.upper, d.upper},
		{&c.last3, d.last3},
		{&c.threeBytes, d.threeBytes},
		{&c.fourBytes, d.fourBytes},
		{&c.highBit, d.highBit},
	} {
		*constant.to = k.ZMM()
		k.VMOVDQU64(constant.from, *constant.to)
	}
	c.wrong, c.before, c.open = k.ZMM(), k.ZMM(), k.ZMM()
	k.VPXORD(c.wrong, c.wrong, c.wrong)
	lead := k.GP64()
	k.Load(k.Param("lead"), lead.As8())
	if masked {
		c.align(p, n, word, lead, key)
	}

	k.Comment("The byte before the first is lead.")
	last := k.GP64()
	k.MOVQ(lead, last)
	k.SHLQ(operand.U8(56), last)
	k.VPBROADCASTQ(last, c.before)
	k.VMOVDQA64(c.before, c.open)
	k.Label("begun")

	var block [4]reg.VecVirtual
	for i := range block {
		block[i] = k.ZMM()
	}
	// take loads the vectors of a block, and masks them.
	take := func(count int) {
		for i, v := range block[:count] {
			if masked {
				k.VPXORD(at(p, i*64), key, v)
			} else {
				k.VMOVDQU64(at(p, i*64), v)
			}
		}
		if masked {
			for i, v := range block[:count] {
				k.VMOVDQU64(v, at(p, i*64))
			}
		}
	}

	k.Comment("Four vectors at a time.")
	k.SUBQ(operand.I32(256), n)
	k.JB(operand.LabelRef("singles"))
	k.Label("fours")
	take(4)
	bits := k.ZMM()
	k.VMOVDQA64(block[0], bits)
	k.VPTERNLOGD(operand.U8(anyOf), block[1], block[2], bits)
	k.VPORD(block[3], bits, bits)
	c.branchUnlessASCII(bits, "mixedFours")
	k.VMOVDQA64(block[3], c.before)
	k.Label("nextFours")
	k.ADDQ(operand.I32(256), p)
	k.SUBQ(operand.I32(256), n)
	k.JAE(operand.LabelRef("fours"))

	k.Label("singles")
	k.ADDQ(operand.I32(256-64), n)
	k.JL(operand.LabelRef("rest"))
	k.Label("single")
	take(1)
	c.branchUnlessASCII(block[0], "mixedSingle")
	k.VMOVDQA64(block[0], c.before)
	k.Label("nextSingle")
	k.ADDQ(operand.I8(64), p)
	k.SUBQ(operand.I8(64), n)
	k.JGE(operand.LabelRef("single"))

	k.Comment("The rest is less than a vector.")
	k.Label("rest")
	k.ADDQ(operand.I8(64), n)
	k.JZ(operand.LabelRef("done"))
	some, lanes := k.GP64(), k.K()
	k.MOVQ(operand.I32(-1), some)
	k.BZHIQ(n, some, some)
	k.KMOVQ(some, lanes)
	k.VMOVDQU8_Z(at(p, 0), lanes, block[0])
	if masked {
		k.VPXORD(key, block[0], block[0])
		k.VMOVDQU8(block[0], lanes, at(p, 0))
	}
	k.Comment("What seems wrong after the end does not count.")
	k.VPXORD(c.open, c.open, c.open)
	c.check(block[0], c.open)
	k.VMOVDQU8_Z(c.open, lanes, c.open)
	k.VPORD(c.open, c.wrong, c.wrong)

	k.Label("done")
	found := k.K()
	k.VPTESTMB(c.wrong, c.wrong, found)
	k.KORTESTQ(found, found)
	ok := k.GP8()
	k.SETEQ(ok)
	k.Store(ok, k.ReturnIndex(0))
	k.VZEROUPPER()
	k.RET()

	k.Comment("Four vectors that are not ASCII alone.")
	k.Label("mixedFours")
	for _, v := range block {
		c.check(v, c.wrong)
		k.VMOVDQA64(v, c.before)
	}
	k.VPSUBUSB(c.last3, c.before, c.open)
	k.JMP(operand.LabelRef("nextFours"))

	k.Comment("One vector that is not ASCII alone.")
	k.Label("mixedSingle")
	c.check(block[0], c.wrong)
	k.VMOVDQA64(block[0], c.before)
	k.VPSUBUSB(c.last3, c.before, c.open)
	k.JMP(operand.LabelRef("nextSingle"))
}

// align begins with the aligned vector around p, and jumps to begun, if there is
// enough text for stores to aligned addresses to pay. What comes before p is
// neither loaded nor stored.
func (c *checker512) align(p, n, word, lead reg.Register, key reg.VecVirtual) {
	c.CMPQ(n, operand.I32(alignTextMin))
	c.JB(operand.LabelRef("aligned"))
	ahead := reg.RCX // how far p is from an aligned address
	c.MOVQ(p, ahead)
	c.ANDQ(operand.I8(63), ahead)
	c.JZ(operand.LabelRef("aligned"))
	c.SUBQ(ahead, p)
	c.ADDQ(ahead, n)

	c.Comment("The lanes of the text, and the one before them for lead.")
	lanes, leadLane := c.K(), c.K()
	some, one := c.GP64(), c.GP64()
	c.MOVQ(operand.I32(-1), some)
	c.SHLQ(reg.CL, some)
	c.KMOVQ(some, lanes)
	c.MOVQ(some, one)
	c.SHRQ(operand.U8(1), one)
	c.ANDNQ(one, some, one)
	c.KMOVQ(one, leadLane)

	c.Comment("The key goes back by as many bytes.")
	c.SHLL(operand.U8(3), ahead.As32())
	c.ROLL(reg.CL, word)
	c.VPBROADCASTD(word, key)

	v := c.ZMM()
	c.VMOVDQU8_Z(at(p, 0), lanes, v)
	c.VPXORD(key, v, v)
	c.VMOVDQU8(v, lanes, at(p, 0))
	c.VMOVDQU8_Z(v, lanes, v)
	c.VPBROADCASTB(lead.(reg.GPVirtual).As32(), leadLane, v)
	c.VPXORD(c.before, c.before, c.before)
	c.check(v, c.wrong)
	c.VMOVDQA64(v, c.before)
	c.VPSUBUSB(c.last3, c.before, c.open)
	c.ADDQ(operand.I8(64), p)
	c.SUBQ(operand.I8(64), n)
	c.JMP(operand.LabelRef("begun"))
	c.Label("aligned")
}

// branchUnlessASCII branches if v has a high bit. ASCII must not follow an open
// character, and leaves none open.
func (c *checker512) branchUnlessASCII(v reg.VecVirtual, label string) {
	high := c.K()
	c.VPTESTMB(c.highBit, v, high)
	c.KORTESTQ(high, high)
	c.JNE(operand.LabelRef(label))
	c.VPORD(c.open, c.wrong, c.wrong)
	c.VPXORD(c.open, c.open, c.open)
}

// check adds to wrong what is wrong with the bytes of v, which follow
// c.before.
func (c *checker512) check(v, wrong reg.VecVirtual) {
	joint := c.ZMM()
	c.VALIGNQ(operand.U8(6), c.before, v, joint) // the vector 16 bytes before v
	var prior [4]reg.VecVirtual                  // the vectors one, two and three bytes before v
	for i := 1; i <= 3; i++ {
		prior[i] = c.ZMM()
		c.VPALIGNR(operand.U8(16-i), joint, v, prior[i])
	}
	// VPERMB looks at six bits of the index and the tables repeat every four:
	// so no bits need to be cut away.
	a, b, d := c.ZMM(), c.ZMM(), c.ZMM()
	c.VPSRLW(operand.U8(4), prior[1], a)
	c.VPERMB(c.beforeUpper, a, a)
	c.VPERMB(c.beforeLower, prior[1], b)
	c.VPSRLW(operand.U8(4), v, d)
	c.VPERMB(c.upper, d, d)
	c.VPTERNLOGD(operand.U8(allOf), a, b, d)
	c.VPSUBUSB(c.threeBytes, prior[2], prior[2])
	c.VPSUBUSB(c.fourBytes, prior[3], prior[3])
	c.VPTERNLOGD(operand.U8(eitherOf), c.highBit, prior[3], prior[2])
	// twoContinue and highBit are the same bit.
	c.VPTERNLOGD(operand.U8(orDiffer), prior[2], d, wrong)
}

// A checker256 writes the parts of an AVX2 text kernel. There are only sixteen
// registers: constants that are not needed in one stay in memory.
type checker256 struct {
	*kernel
	beforeUpper, beforeLower, upper       reg.VecVirtual // tables
	half                                  reg.VecVirtual // the lower half of each byte
	last3, threeBytes, fourBytes, highBit operand.Mem
	wrong                                 reg.VecVirtual // what has been found
	before                                reg.VecVirtual // the vector before the current
	open                                  reg.VecVirtual // not zero where before leaves a character open
}

func text256(k *kernel, d data, masked bool) {
	p, n := k.arg("p"), k.arg("n")
	key := k.YMM()
	if masked {
		word := k.arg("key")
		k.VMOVD(word, key.AsX())
		k.VPBROADCASTD(key.AsX(), key)
	}
	c := checker256{
		kernel: k,
		last3:  d.last3, threeBytes: d.threeBytes, fourBytes: d.fourBytes, highBit: d.highBit,
		beforeUpper: k.YMM(), beforeLower: k.YMM(), upper: k.YMM(), half: k.YMM(),
		wrong: k.YMM(), before: k.YMM(), open: k.YMM(),
	}
	k.VMOVDQU(d.beforeUpper, c.beforeUpper)
	k.VMOVDQU(d.beforeLower, c.beforeLower)
	k.VMOVDQU(d.upper, c.upper)
	k.VMOVDQU(d.half, c.half)
	k.VPXOR(c.wrong, c.wrong, c.wrong)

	k.Comment("The byte before the first is lead.")
	lead := k.GP64()
	k.Load(k.Param("lead"), lead.As8())
	k.SHLQ(operand.U8(56), lead)
	k.VMOVQ(lead, c.before.AsX())
	k.VPBROADCASTQ(c.before.AsX(), c.before)
	k.VMOVDQA(c.before, c.open)

	// take loads vectors, and masks them.
	take := func(block []reg.VecVirtual) {
		for i, v := range block {
			if masked {
				k.VPXOR(at(p, i*32), key, v)
				k.VMOVDQU(v, at(p, i*32))
			} else {
				k.VMOVDQU(at(p, i*32), v)
			}
		}
	}

	k.Comment("Four vectors at a time.")
	k.SUBQ(operand.I32(128), n)
	k.JB(operand.LabelRef("singles"))
	k.Label("fours")
	block := []reg.VecVirtual{k.YMM(), k.YMM(), k.YMM(), k.YMM()}
	take(block)
	bits := k.YMM()
	k.VPOR(block[0], block[1], bits)
	k.VPOR(block[2], bits, bits)
	k.VPOR(block[3], bits, bits)
	c.branchUnlessASCII(bits, "mixedFours")
	k.VMOVDQA(block[3], c.before)
	k.Label("nextFours")
	k.ADDQ(operand.I32(128), p)
	k.SUBQ(operand.I32(128), n)
	k.JAE(operand.LabelRef("fours"))

	k.Label("singles")
	k.ADDQ(operand.I32(128-32), n)
	k.JL(operand.LabelRef("done"))
	k.Label("single")
	one := k.YMM()
	take([]reg.VecVirtual{one})
	c.branchUnlessASCII(one, "mixedSingle")
	k.VMOVDQA(one, c.before)
	k.Label("nextSingle")
	k.ADDQ(operand.I8(32), p)
	k.SUBQ(operand.I8(32), n)
	k.JGE(operand.LabelRef("single"))

	k.Label("done")
	k.VPTEST(c.wrong, c.wrong)
	ok := k.GP8()
	k.SETEQ(ok)
	k.Store(ok, k.ReturnIndex(0))
	k.VZEROUPPER()
	k.RET()

	k.Comment("Four vectors that are not ASCII alone. They are masked by now.")
	k.Label("mixedFours")
	v := k.YMM()
	for i := range block {
		k.VMOVDQU(at(p, i*32), v)
		c.check(v)
	}
	k.VPSUBUSB(c.last3, c.before, c.open)
	k.JMP(operand.LabelRef("nextFours"))

	k.Comment("One vector that is not ASCII alone.")
	k.Label("mixedSingle")
	c.check(one)
	k.VPSUBUSB(c.last3, c.before, c.open)
	k.JMP(operand.LabelRef("nextSingle"))
}

// branchUnlessASCII branches if v has a high bit. ASCII must not follow an open
// character, and leaves none open.
func (c *checker256) branchUnlessASCII(v reg.VecVirtual, label string) {
	c.VPTEST(c.highBit, v)
	c.JNE(operand.LabelRef(label))
	c.VPOR(c.open, c.wrong, c.wrong)
	c.VPXOR(c.open, c.open, c.open)
}

// check adds to c.wrong what is wrong with the bytes of v, which follow
// c.before, and makes v the next c.before.
func (c *checker256) check(v reg.VecVirtual) {
	// VPALIGNR works on each half of a vector on its own: give it the sixteen
	// bytes before each.
	joint := c.YMM()
	c.VPERM2I128(operand.U8(0x21), v, c.before, joint)
	prior, a, b := c.YMM(), c.YMM(), c.YMM()
	c.VPALIGNR(operand.U8(15), joint, v, prior) // the vector one byte before v
	c.VPSRLW(operand.U8(4), prior, a)
	c.VPAND(c.half, a, a)
	c.VPSHUFB(a, c.beforeUpper, a)
	c.VPAND(c.half, prior, prior)
	c.VPSHUFB(prior, c.beforeLower, prior)
	c.VPAND(prior, a, a)
	c.VPSRLW(operand.U8(4), v, b)
	c.VPAND(c.half, b, b)
	c.VPSHUFB(b, c.upper, b)
	c.VPAND(b, a, a)
	c.VPALIGNR(operand.U8(14), joint, v, prior) // two bytes before
	c.VPSUBUSB(c.threeBytes, prior, prior)
	c.VPALIGNR(operand.U8(13), joint, v, joint) // three bytes before
	c.VPSUBUSB(c.fourBytes, joint, joint)
	c.VPOR(joint, prior, prior)
	c.VPAND(c.highBit, prior, prior)
	// twoContinue and highBit are the same bit.
	c.VPXOR(prior, a, a)
	c.VPOR(a, c.wrong, c.wrong)
	c.VMOVDQA(v, c.before)
}
