package main

import (
	"strconv"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// alignMin is from how many bytes on it pays to align the stores.
const alignMin = 256

// defineMask writes the masking kernels, all in one function, so that there is
// one call between Go and each of them. They work alike: the first and the last
// vector are loaded before everything else and stored after it, so that between
// them whole vectors suffice, at addresses that suit the processor. What they
// overlap they overwrite with the same bytes.
func defineMask(k *kernel) {
	k.function("maskVectors", "func(dst, src *byte, n int, key, next uint32, kind uint8)",
		"maskVectors masks n bytes of src into dst, which is src or apart from it. n is at least 64. next is\n"+
			"the key for the byte after the last. kind says which kernel to take.")
	m := masker{
		kernel: k,
		dst:    k.arg("dst"), src: k.arg("src"), n: k.arg("n"),
		word: k.arg("key"), next: k.arg("next"),
	}
	kind := k.Load(k.Param("kind"), k.GP8())
	k.CMPB(kind, operand.U8(1))
	k.JA(operand.LabelRef("avx512"))
	k.JE(operand.LabelRef("avx2"))

	k.Comment("SSE2")
	m.body(&vectors{
		size: 16, register: k.XMM,
		broadcast: func(word reg.Register, v reg.VecVirtual) {
			k.MOVD(word, v)
			k.PSHUFD(operand.U8(0), v, v)
		},
		load: func(from operand.Mem, key, v reg.VecVirtual) {
			k.MOVOU(from, v)
			k.PXOR(key, v)
		},
		store: func(v reg.VecVirtual, to operand.Mem) { k.MOVOU(v, to) },
		end:   func() {},
	})

	k.Comment("AVX2")
	k.Label("avx2")
	m.body(&vectors{
		size: 32, register: k.YMM,
		broadcast: func(word reg.Register, v reg.VecVirtual) {
			k.VMOVD(word, v.AsX())
			k.VPBROADCASTD(v.AsX(), v)
		},
		load:  func(from operand.Mem, key, v reg.VecVirtual) { k.VPXOR(from, key, v) },
		store: func(v reg.VecVirtual, to operand.Mem) { k.VMOVDQU(v, to) },
		end:   k.VZEROUPPER,
	})

	k.Comment("AVX-512")
	k.Label("avx512")
	m.body(&vectors{
		size: 64, register: k.ZMM,
		broadcast: func(word reg.Register, v reg.VecVirtual) { k.VPBROADCASTD(word, v) },
		load:      func(from operand.Mem, key, v reg.VecVirtual) { k.VPXORD(from, key, v) },
		store:     func(v reg.VecVirtual, to operand.Mem) { k.VMOVDQU64(v, to) },
		end:       k.VZEROUPPER,
	})
}

// vectors says what differs between the instruction sets.
type vectors struct {
	size      int
	register  func() reg.VecVirtual
	broadcast func(word reg.Register, v reg.VecVirtual)
	load      func(from operand.Mem, key, v reg.VecVirtual) // and mask
	store     func(v reg.VecVirtual, to operand.Mem)
	end       func()
}

// A masker is what the kernels begin with.
type masker struct {
	*kernel
	dst, src, n reg.Register
	word, next  reg.Register // keys
}

// body writes one of the kernels.
func (k *masker) body(v *vectors) {
	name := func(label string) string { return label + strconv.Itoa(8*v.size) }
	jump := func(label string) operand.LabelRef { return operand.LabelRef(name(label)) }
	four := operand.I32(4 * v.size)
	dst, src, n := k.dst, k.src, k.n

	k.Comment("The last vector. Counted from the end, next is its key.")
	key, first, last := v.register(), v.register(), v.register()
	v.broadcast(k.next, key)
	end := k.GP64()
	k.LEAQ(operand.Mem{Base: dst, Index: n, Scale: 1, Disp: -v.size}, end)
	v.load(operand.Mem{Base: src, Index: n, Scale: 1, Disp: -v.size}, key, last)

	k.Comment("The first vector.")
	v.broadcast(k.word, key)
	begin, step := k.GP64(), k.GP64()
	k.MOVQ(dst, begin)
	v.load(at(src, 0), key, first)

	k.Comment("Step over it, or to the next aligned address if there is enough to gain.")
	k.MOVQ(operand.I32(v.size), step)
	k.CMPQ(n, operand.I32(alignMin))
	k.JB(jump("stepped"))
	part := reg.RCX // the only register that a rotation can count by
	k.MOVQ(dst, part)
	k.ANDQ(operand.I8(v.size-1), part)
	k.SUBQ(part, step)
	k.Comment("The key goes along: its bytes turn by step mod 4.")
	k.MOVQ(step, part)
	k.SHLL(operand.U8(3), part.As32())
	k.RORL(reg.CL, k.word)
	v.broadcast(k.word, key)
	k.Label(name("stepped"))
	k.ADDQ(step, dst)
	k.ADDQ(step, src)
	k.SUBQ(step, n)

	k.Comment("Four vectors at a time. n is what is left, the last vector with it.")
	k.SUBQ(four, n)
	k.JBE(jump("singles"))
	k.Label(name("fours"))
	var block [4]reg.VecVirtual
	for i := range block {
		block[i] = v.register()
		v.load(at(src, i*v.size), key, block[i])
	}
	for i := range block {
		v.store(block[i], at(dst, i*v.size))
	}
	k.ADDQ(four, src)
	k.ADDQ(four, dst)
	k.SUBQ(four, n)
	k.JA(jump("fours"))

	k.Label(name("singles"))
	k.ADDQ(operand.I32(3*v.size), n)
	k.JLE(jump("ends"))
	k.Label(name("single"))
	v.load(at(src, 0), key, block[0])
	v.store(block[0], at(dst, 0))
	k.ADDQ(operand.I8(v.size), src)
	k.ADDQ(operand.I8(v.size), dst)
	k.SUBQ(operand.I8(v.size), n)
	k.JG(jump("single"))

	k.Label(name("ends"))
	v.store(first, at(begin, 0))
	v.store(last, at(end, 0))
	v.end()
	k.RET()
}
