package flate

import "encoding/binary"

// fastRoom is the room that fast wants for one turn: three literals, a match, and what is copied beyond it.
const fastRoom = 3 + maxMatch + 32

// fast inflates symbols while there is plenty of input and of room in dst before end. The output of this call begins
// at start, also of what came before an error.
func (z *Inflater) fast(dst []byte, start, end int) (out []byte, err error) {
	src, lits, mask := z.src, z.lits, z.litMask
	acc, n, from := z.filled()
	buf, at, last := dst[:end], len(dst), end-fastRoom
	for at <= last && from+8 <= len(src) {
		e := lits[acc&mask] // before acc is filled, so that neither waits for the other
		acc, n, from = fill(acc, n, src, from)
		if e&entryLiteral != 0 {
			acc >>= e & 63
			n -= uint(e)
			buf[at] = byte(e >> 16)
			at++
			if e = lits[acc&mask]; e&entryLiteral != 0 {
				acc >>= e & 63
				n -= uint(e)
				buf[at] = byte(e >> 16)
				at++
				if e = lits[acc&mask]; e&entryLiteral != 0 {
					acc >>= e & 63
					n -= uint(e)
					buf[at] = byte(e >> 16)
					at++
					continue
				}
			}
			if from+8 > len(src) {
				break
			}
			acc, n, from = fill(acc, n, src, from)
		}
		if e&entrySub != 0 {
			e = lits[e>>16+uint32(acc>>litRoot)&(1<<(e>>8&15)-1)]
			if e&entryLiteral != 0 {
				acc >>= e & 63
				n -= uint(e)
				buf[at] = byte(e >> 16)
				at++
				continue
			}
		}
		if e&entryOther != 0 {
			break // what is rare, like the end of the block, is left to symbol
		}
		length := value(e, acc)
		acc, n = acc>>(e&63), n-uint(e)
		e = distEntry(z.dists, z.distMask, acc)
		dist := value(e, acc)
		acc, n = acc>>(e&63), n-uint(e)
		if e&entryOther != 0 {
			return buf[:at], ErrCorrupt
		}
		if dist >= 16 && dist <= min(z.limit, at-start) {
			at = copyApart(buf, at, dist, length)
		} else if at, err = z.copyMatch(buf, start, at, dist, length); err != nil {
			return buf[:at], err
		}
	}
	z.giveBack(src, from, acc, n&63)
	return buf[:at], nil
}

// filled returns acc and n after a fill, and how much of src that has taken.
func (z *Inflater) filled() (acc uint64, n uint, from int) {
	if len(z.src) < 8 {
		return z.acc, z.n, 0
	}
	return fill(z.acc, z.n, z.src, 0)
}

// fill adds whole bytes of src to acc, until it has 56 bits or more. Only the lowest six bits of n count in fast. All 64 bits of acc
// are then those of the input, also those that n does not count: when the longest match has been taken, 48 bits, enough are left
// to look a symbol up.
func fill(acc uint64, n uint, src []byte, from int) (uint64, uint, int) {
	return acc | load64(src, from)<<(n&63), n | 56, from + int(63-n&63)>>3
}

// copyApart copies a match, and up to 31 bytes more, from 16 bytes or more before it.
func copyApart(buf []byte, at, dist, length int) (end int) {
	end = at + length
	for {
		to, from := buf[at:at+32:at+32], buf[at-dist:at-dist+32:at-dist+32]
		*(*[16]byte)(to) = *(*[16]byte)(from)
		*(*[16]byte)(to[16:]) = *(*[16]byte)(from[16:])
		if at += 32; at >= end {
			return end
		}
	}
}

// giveBack keeps what is left of acc, and of src after from; whole bytes go back to src.
func (z *Inflater) giveBack(src []byte, from int, acc uint64, n uint) {
	back := min(n>>3, uint(from))
	z.src = src[from-int(back):]
	z.n = n - 8*back
	z.acc = acc & (1<<(z.n&63) - 1)
}

// copyMatch copies a match to buf[at:], after which there is room for two words, and returns where it ends, at if it
// cannot be.
func (z *Inflater) copyMatch(buf []byte, start, at, dist, length int) (end int, err error) {
	end = at + length
	if dist > min(z.limit, at-start) {
		if dist > min(z.limit, z.window.have+at-start) {
			return at, ErrTooFarBack
		}
		for before := dist - (at - start); before > 0 && length > 0; before = dist - (at - start) {
			n := copy(buf[at:at+length], z.window.last(before, 0))
			at += n
			length -= n
		}
		if length == 0 {
			return end, nil
		}
	}
	switch {
	case dist < 16 && length > 16:
		for from := at - dist; at < end; { // what there is to repeat is twice as long each time
			at += copy(buf[at:end], buf[from:at])
		}
		return end, nil
	case dist < 8:
		for i := range length {
			buf[at+i] = buf[at+i-dist]
		}
		return end, nil
	}
	to, from := buf[at:at+length+16], buf[at-dist:]
	binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(from))
	binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(from[8:]))
	for i := 16; i < length; i += 8 {
		binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(from[i:]))
	}
	return end, nil
}
