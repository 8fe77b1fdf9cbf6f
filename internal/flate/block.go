package flate

import "encoding/binary"

// A seq is a run of literals and the match that follows it.
type seq struct {
	lits     uint16 // how many literals
	length   uint8  // of the match, less 3
	distCode uint8
	dist     uint16 // less 1
}

func newSeq(lits, length, dist int) seq {
	d := uint32(dist - 1)
	return seq{uint16(lits), uint8(length - 3), distSymbol(d), uint16(d)}
}

// A block chooses how a piece of text is written, and writes it.
type block struct {
	litFreq  [numLits]uint16
	distFreq [numDists]uint16
	litCode  [numLits]uint32 // a code's bits above, their number in the lowest 8
	distCode [numDists]uint32
	lens     [numLits + numDists]uint8
	header   header
	huffman  huffman
}

var fixedLitCode, fixedDistCode = fixedCodes()

func fixedCodes() (lits [numLits]uint32, dists [numDists]uint32) {
	var litLens [288]uint8
	var codes [288]uint32
	for i := range litLens {
		litLens[i] = fixedLitLen(i)
	}
	assignCodes(codes[:], litLens[:], &[32]int{7: 24, 8: 152, 9: 112})
	copy(lits[:], codes[:])
	var distLens [32]uint8
	for i := range distLens {
		distLens[i] = 5
	}
	assignCodes(codes[:], distLens[:], &[32]int{5: 32})
	copy(dists[:], codes[:])
	return lits, dists
}

// dynamicFrom is how long a text must be for codes of its own: their header takes some 40 bytes, and more time than the
// rest of a short message.
const dynamicFrom = 256

// write writes p, of at most 65535 bytes, as the shortest of the three types of block; seqs is p without the literals after the
// last match. If thorough, codes of its own are tried even for a short text.
func (b *block) write(o *bitWriter, p []byte, seqs []seq, thorough bool) {
	lits, extra := b.count(p, seqs)
	best, kind := extra+b.fixedBits(lits, len(seqs)), blockFixed
	if thorough || len(p) >= dynamicFrom {
		if dynamic := extra + b.plan(); dynamic < best {
			best, kind = dynamic, blockDynamic
		}
	}
	if stored := 8*len(p) + 32 + int(-(o.n+3)&7); stored <= best {
		best, kind = stored, blockStored
	}
	o.reserve(best/8 + 16)
	o.add(uint64(kind)<<1, 3)
	switch kind {
	case blockStored:
		o.align()
		o.out = binary.LittleEndian.AppendUint16(o.out, uint16(len(p)))
		o.out = binary.LittleEndian.AppendUint16(o.out, ^uint16(len(p)))
		o.out = append(o.out, p...)
	case blockFixed:
		b.symbols(o, p, seqs, &fixedLitCode, &fixedDistCode)
	case blockDynamic:
		b.header.write(o)
		b.symbols(o, p, seqs, &b.litCode, &b.distCode)
	}
}

// count counts the symbols, and returns how many are literals, and how many extra bits go with the others.
func (b *block) count(p []byte, seqs []seq) (lits, extra int) {
	clear(b.litFreq[:])
	clear(b.distFreq[:])
	b.litFreq[endOfBlock] = 1
	for _, s := range seqs {
		for _, c := range p[:s.lits] {
			b.litFreq[c]++
		}
		lits += int(s.lits)
		p = p[int(s.lits)+int(s.length)+3:]
		info := lengthInfo[s.length]
		b.litFreq[257+info&0xff]++
		b.distFreq[s.distCode]++
		extra += int(info>>8&0xff + distInfo[s.distCode]&0xff)
	}
	for _, c := range p {
		b.litFreq[c]++
	}
	return lits + len(p), extra
}

// fixedBits returns how many bits the symbols of a text with so many literals and matches take in the fixed codes,
// RFC 1951, section 3.2.6.
func (b *block) fixedBits(lits, matches int) int {
	total := 8*lits + (7+5)*matches + 7
	for _, n := range b.litFreq[144:endOfBlock] {
		total += int(n)
	}
	for _, n := range b.litFreq[280:] {
		total += int(n)
	}
	return total
}

// plan makes the codes of the block, and returns the bits that the header and all codes take.
func (b *block) plan() int {
	lits, dists := numLits, numDists
	for lits > 257 && b.litFreq[lits-1] == 0 {
		lits--
	}
	for dists > 1 && b.distFreq[dists-1] == 0 {
		dists--
	}
	if dists == 1 && b.distFreq[0] == 0 {
		b.distFreq[0] = 1 // one code at least, for old inflaters
		defer func() { b.distFreq[0] = 0 }()
	}
	total := b.huffman.lengths(b.litFreq[:lits], b.lens[:lits], maxCode)
	assignCodes(b.litCode[:lits], b.lens[:lits], &b.huffman.count)
	total += b.huffman.lengths(b.distFreq[:dists], b.lens[lits:lits+dists], maxCode)
	assignCodes(b.distCode[:dists], b.lens[lits:lits+dists], &b.huffman.count)
	return total + b.header.plan(&b.huffman, b.lens[:lits+dists], lits, dists)
}

// symbols writes p with the given codes, and the end of the block. There is room for all of it, and a word more.
func (b *block) symbols(o *bitWriter, p []byte, seqs []seq, litCode *[numLits]uint32, distCode *[numDists]uint32) {
	out, at := o.out[:cap(o.out)], len(o.out)
	acc, n := o.acc, o.n
	for k := 0; ; k++ {
		run := p
		if k < len(seqs) {
			run = p[:seqs[k].lits]
		}
		for len(run) >= 3 {
			c0, c1, c2 := litCode[run[0]], litCode[run[1]], litCode[run[2]]
			acc |= uint64(c0>>8) << (n & 63)
			n += uint(c0 & 0xff)
			acc |= uint64(c1>>8) << (n & 63)
			n += uint(c1 & 0xff)
			acc |= uint64(c2>>8) << (n & 63)
			n += uint(c2 & 0xff)
			binary.LittleEndian.PutUint64(out[at:], acc)
			at += int(n >> 3)
			acc >>= n &^ 7 & 63
			n &= 7
			run = run[3:]
		}
		for _, c := range run {
			c0 := litCode[c]
			acc |= uint64(c0>>8) << (n & 63)
			n += uint(c0 & 0xff)
		}
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
		if k == len(seqs) {
			break
		}
		s := seqs[k]
		p = p[int(s.lits)+int(s.length)+3:]
		info := lengthInfo[s.length]
		c := litCode[257+info&0xff]
		acc |= uint64(c>>8) << (n & 63)
		n += uint(c & 0xff)
		acc |= uint64(info>>16) << (n & 63)
		n += uint(info >> 8 & 0xff)
		c = distCode[s.distCode]
		acc |= uint64(c>>8) << (n & 63)
		n += uint(c & 0xff)
		acc |= uint64(uint32(s.dist)-distInfo[s.distCode]>>8) << (n & 63)
		n += uint(distInfo[s.distCode] & 0xff)
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
	}
	o.out, o.acc, o.n = out[:at], acc, n
	c := litCode[endOfBlock]
	o.add(uint64(c>>8), uint(c&0xff))
}
