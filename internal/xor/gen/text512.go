package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
