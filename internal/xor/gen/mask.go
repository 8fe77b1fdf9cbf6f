package main

import (
	"strconv"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// wideMin is how many bytes must be exceeded for AVX-512 to pay. It holds twice
// as many bytes back for the end, and where cores store 32 bytes per cycle it
// has nothing to set against that.
const wideMin = 4 << 10

// What the Go variable kind says, as far as the kernels ask.
const (
	kindAVX2   = 1
	kindAVX512 = 2
)

// defineMask writes the masking kernels. Each function has all of them, so that
// there is one call between Go and each, with few arguments: what is stored to
// the stack for a call is missing to the payload, because stores are what
// masking is bound by.
func defineMask(k *kernel) {
	const rest = " n is more than 64."
	k.function("maskVectors", "func(p *byte, n int, key uint32)", "maskVectors masks n bytes at p in place."+rest)
	p := k.arg("p")
	k.masking(p, p)
	k.function("copyVectors", "func(dst, src *byte, n int, key uint32)",
		"copyVectors masks n bytes of src into dst, which is src or apart from it."+rest)
	dst, src := k.arg("dst"), k.arg("src")
	k.masking(dst, src)
}

// masking writes the rest of a function. It works inwards from both ends, by
// vectors that may overlap in the middle: those that overlap are loaded before
// any of them is stored, and so store the same bytes twice.
func (k *kernel) masking(dst, src reg.Register) {
	m := masker{kernel: k, dst: dst, src: src, n: k.arg("n"), front: k.arg("key"), back: k.GP32()}
	kind := operand.Mem{Symbol: operand.Symbol{Name: "·kind"}, Base: reg.StaticBase}

	k.Comment("Counted from the end, the key is turned by n mod 4 bytes.")
	k.MOVL(m.front, m.back)
	k.MOVL(m.n.(reg.GPVirtual).As32(), reg.ECX)
	k.SHLL(operand.U8(3), reg.ECX)
	k.RORL(reg.CL, m.back)
	k.CMPB(kind, operand.U8(kindAVX2))
	k.JB(operand.LabelRef("sse2"))

	k.Comment("AVX2")
	avx2 := &vectors{
		size: 32, register: k.YMM,
		broadcast: func(word reg.Register, v reg.VecVirtual) {
			k.VMOVD(word, v.AsX())
			k.VPBROADCASTD(v.AsX(), v)
		},
		load:  func(from operand.Mem, key, v reg.VecVirtual) { k.VPXOR(from, key, v) },
		store: func(v reg.VecVirtual, to operand.Mem) { k.VMOVDQU(v, to) },
		end:   k.VZEROUPPER,
	}
	front, back := m.keys(avx2)
	m.straight(avx2, 2, front, back)
	m.straight(avx2, 4, front, back)
	k.CMPQ(m.n, operand.I32(wideMin))
	k.JBE(operand.LabelRef("long256"))
	k.CMPB(kind, operand.U8(kindAVX512))
	k.JE(operand.LabelRef("avx512"))
	k.Label("long256")
	m.loop(avx2, front, back)

	k.Comment("AVX-512")
	k.Label("avx512")
	avx512 := &vectors{
		size: 64, register: k.ZMM,
		broadcast: func(word reg.Register, v reg.VecVirtual) { k.VPBROADCASTD(word, v) },
		load:      func(from operand.Mem, key, v reg.VecVirtual) { k.VPXORD(from, key, v) },
		store:     func(v reg.VecVirtual, to operand.Mem) { k.VMOVDQU64(v, to) },
		end:       k.VZEROUPPER,
	}
	front, back = m.keys(avx512)
	m.loop(avx512, front, back)

	k.Comment("SSE2")
	k.Label("sse2")
	sse2 := &vectors{
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
	}
	front, back = m.keys(sse2)
	m.straight(sse2, 4, front, back)
	m.loop(sse2, front, back)
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
	dst, src, n reg.Register // dst and src may be one register
	front, back reg.Register // keys, counted from the first and from the last byte
}

// keys returns vectors of the keys.
func (k *masker) keys(v *vectors) (front, back reg.VecVirtual) {
	front, back = v.register(), v.register()
	v.broadcast(k.front, front)
	v.broadcast(k.back, back)
	return front, back
}

// straight masks, and returns, if half as many vectors at each end are enough.
func (k *masker) straight(v *vectors, half int, front, back reg.VecVirtual) {
	most := 2 * half * v.size
	more := "more" + strconv.Itoa(most) + "by" + strconv.Itoa(8*v.size)
	k.Comment("Up to " + strconv.Itoa(most) + " bytes.")
	k.CMPQ(k.n, operand.I32(most))
	k.JA(operand.LabelRef(more))
	block := make([]reg.VecVirtual, 2*half)
	for i := range block {
		block[i] = v.register()
		if i < half {
			v.load(at(k.src, i*v.size), front, block[i])
		} else {
			v.load(k.tail(k.src, (i-2*half)*v.size), back, block[i])
		}
	}
	for i := range block {
		if i < half {
			v.store(block[i], at(k.dst, i*v.size))
		} else {
			v.store(block[i], k.tail(k.dst, (i-2*half)*v.size))
		}
	}
	v.end()
	k.RET()
	k.Label(more)
}

// loop masks more than eight vectors, and returns. The last four are loaded
// before everything else and stored after it.
func (k *masker) loop(v *vectors, front, back reg.VecVirtual) {
	name := func(label string) string { return label + strconv.Itoa(8*v.size) }
	dst, src := k.dst, k.src
	var last [4]reg.VecVirtual
	for i := range last {
		last[i] = v.register()
		v.load(k.tail(src, (i-4)*v.size), back, last[i])
	}
	end := k.GP64()
	k.LEAQ(k.tail(dst, -4*v.size), end)

	k.Comment("Unless it is aligned: the first vector, and the one at the next aligned address.")
	k.MOVQ(dst, reg.RCX) // rotations count by this register only
	k.ANDQ(operand.I8(v.size-1), reg.RCX)
	k.JE(operand.LabelRef(name("fours")))
	step := k.GP64()
	k.MOVQ(operand.I32(v.size), step)
	k.SUBQ(reg.RCX, step)
	first, second := v.register(), v.register()
	v.load(at(src, 0), front, first)
	k.Comment("The key goes along: it turns by step mod 4 bytes.")
	k.MOVQ(step, reg.RCX)
	k.SHLL(operand.U8(3), reg.ECX)
	k.RORL(reg.CL, k.front)
	v.broadcast(k.front, front)
	v.load(operand.Mem{Base: src, Index: step, Scale: 1}, front, second)
	v.store(first, at(dst, 0))
	v.store(second, operand.Mem{Base: dst, Index: step, Scale: 1})
	k.ADDQ(operand.I8(v.size), step)
	k.ADDQ(step, dst)
	if src != dst {
		k.ADDQ(step, src)
	}

	k.Label(name("fours"))
	for i := range 4 {
		one := v.register()
		v.load(at(src, i*v.size), front, one)
		v.store(one, at(dst, i*v.size))
	}
	four := operand.I32(4 * v.size)
	if src != dst {
		k.ADDQ(four, src)
	}
	k.ADDQ(four, dst)
	k.CMPQ(dst, end)
	k.JB(operand.LabelRef(name("fours")))

	for i := range last {
		v.store(last[i], at(end, i*v.size))
	}
	v.end()
	k.RET()
}

// tail returns the memory at a negative offset from the end of what begins at
// base.
func (k *masker) tail(base reg.Register, offset int) operand.Mem {
	return operand.Mem{Base: base, Index: k.n, Scale: 1, Disp: offset}
}
