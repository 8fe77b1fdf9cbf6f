package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
