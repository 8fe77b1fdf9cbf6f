package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// alignMin is from how many bytes on it pays to align the stores.
const alignMin = 256

// defineMask writes the masking kernels. Both work alike: the first and the
// last vector are loaded before everything else and stored after it, so that
// between them whole vectors suffice, at addresses that suit the processor.
// What they overlap they overwrite with the same bytes.
func defineMask(k *kernel) {
	const signature = "func(dst, src *byte, n int, key, next uint32)"
	const doc = "%s masks n bytes of src into dst, which is src or apart from it. n is at least %d.\n" +
		"next is the key for the byte after the last. It needs %s."
	k.function("maskAVX512", signature, fmt.Sprintf(doc, "maskAVX512", 64, "AVX512F"))
	maskBody(k, &vectors{
		size: 64, register: k.ZMM,
		move: k.VMOVDQU64, xor: k.VPXORD,
	})
	k.function("maskAVX2", signature, fmt.Sprintf(doc, "maskAVX2", 32, "AVX2"))
	maskBody(k, &vectors{
		size: 32, register: k.YMM,
		move:        func(ops ...operand.Op) { k.VMOVDQU(ops[0], ops[1]) },
		xor:         func(ops ...operand.Op) { k.VPXOR(ops[0], ops[1], ops[2]) },
		fromGeneral: true,
	})
}

// vectors says what differs between the instruction sets.
type vectors struct {
	size        int
	register    func() reg.VecVirtual
	move, xor   func(ops ...operand.Op)
	fromGeneral bool // a general register must go through a vector register to be broadcast
}

// broadcast fills a vector register with a 32-bit word.
func (v *vectors) broadcast(k *kernel, word reg.Register, to reg.VecVirtual) {
	if v.fromGeneral {
		k.VMOVD(word, to.AsX())
		k.VPBROADCASTD(to.AsX(), to)
		return
	}
	k.VPBROADCASTD(word, to)
}

func maskBody(k *kernel, v *vectors) {
	dst, src, n := k.arg("dst"), k.arg("src"), k.arg("n")
	word, next := k.arg("key"), k.arg("next")

	k.Comment("The last vector. Counted from the end, next is its key.")
	key, first, last := v.register(), v.register(), v.register()
	v.broadcast(k, next, key)
	end := k.GP64()
	k.LEAQ(operand.Mem{Base: dst, Index: n, Scale: 1, Disp: -v.size}, end)
	v.xor(operand.Mem{Base: src, Index: n, Scale: 1, Disp: -v.size}, key, last)

	k.Comment("The first vector.")
	v.broadcast(k, word, key)
	begin, step := k.GP64(), k.GP64()
	k.MOVQ(dst, begin)
	v.xor(at(src, 0), key, first)

	k.Comment("Step over it, or to the next aligned address if there is enough to gain.")
	k.MOVQ(operand.I32(v.size), step)
	k.CMPQ(n, operand.I32(alignMin))
	k.JB(operand.LabelRef("stepped"))
	part := reg.RCX // the only register that a rotation can count by
	k.MOVQ(dst, part)
	k.ANDQ(operand.I8(v.size-1), part)
	k.SUBQ(part, step)
	k.Comment("The key goes along: its bytes turn by step mod 4.")
	k.MOVQ(step, part)
	k.SHLL(operand.U8(3), part.As32())
	k.RORL(reg.CL, word)
	v.broadcast(k, word, key)
	k.Label("stepped")
	k.ADDQ(step, dst)
	k.ADDQ(step, src)
	k.SUBQ(step, n)

	k.Comment("Four vectors at a time. n is what is left, the last vector with it.")
	k.SUBQ(operand.I32(4*v.size), n)
	k.JBE(operand.LabelRef("singles"))
	k.Label("fours")
	var block [4]reg.VecVirtual
	for i := range block {
		block[i] = v.register()
		v.xor(at(src, i*v.size), key, block[i])
	}
	for i := range block {
		v.move(block[i], at(dst, i*v.size))
	}
	k.ADDQ(operand.I32(4*v.size), src)
	k.ADDQ(operand.I32(4*v.size), dst)
	k.SUBQ(operand.I32(4*v.size), n)
	k.JA(operand.LabelRef("fours"))

	k.Label("singles")
	k.ADDQ(operand.I32(3*v.size), n)
	k.JLE(operand.LabelRef("ends"))
	k.Label("single")
	v.xor(at(src, 0), key, block[0])
	v.move(block[0], at(dst, 0))
	k.ADDQ(operand.I8(v.size), src)
	k.ADDQ(operand.I8(v.size), dst)
	k.SUBQ(operand.I8(v.size), n)
	k.JG(operand.LabelRef("single"))

	k.Label("ends")
	v.move(first, at(begin, 0))
	v.move(last, at(end, 0))
	k.VZEROUPPER()
	k.RET()
}
