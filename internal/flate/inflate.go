package flate

import (
	"errors"
	"math"
	"sync"
)

// What is wrong with a compressed message.
var (
	ErrCorrupt    = errors.New("corrupt deflate data")
	ErrTooFarBack = errors.New("deflate distance too far back")
	ErrIncomplete = errors.New("deflate data ends within a block")
)

// What an Inflater expects next.
const (
	atHeader    = iota // the three bits that begin a block
	atStored           // LEN and NLEN of a stored block
	inStored           // its bytes
	atDynamic          // HLIT, HDIST and HCLEN
	inLenLens          // the code lengths for code lengths
	inLens             // the code lengths
	inBlock            // the symbols of a block
	inMatch            // the rest of a match
	afterFailed        // nothing: the message is bad
)

// An Inflater inflates one message at a time, from pieces cut anywhere. The zero Inflater is usable after Reset.
type Inflater struct {
	acc   uint64 // input that is not used up yet, lowest bit first; zero beyond n
	n     uint   // bits in acc
	src   []byte // input of this call after acc
	state int
	final bool // the block has BFINAL set
	last  bool // there is no input but that of the next call
	err   error

	window *Window
	limit  int // the farthest distance
	rest   int // bytes left of a stored block or a match
	dist   int // the distance of that match

	lits     *litTable
	dists    *distTable
	litMask  uint64 // of the bits that lits is looked up with
	distMask uint64

	hlit, hdist, hclen int       // of a dynamic header
	at                 int       // code lengths read so far
	lens               [32]uint8 // of the codes for code lengths
	coded              coded
	ownLits            litTable
	ownDists           distTable
	own                Window // without takeover
}

var inflaters = sync.Pool{New: func() any { return new(Inflater) }}

// GetInflater returns an Inflater of the pool, to be Reset.
func GetInflater() *Inflater {
	return inflaters.Get().(*Inflater)
}

// PutInflater gives z back to the pool. It must not be used any more.
func PutInflater(z *Inflater) {
	z.window, z.src = nil, nil
	inflaters.Put(z)
}

// Reset begins a message. Without a window it is inflated on its own. Distances may reach 1<<bits back, and not beyond
// what w remembers.
func (z *Inflater) Reset(w *Window, bits int) {
	z.acc, z.n, z.src = 0, 0, nil
	z.state, z.final, z.last, z.err = atHeader, false, false, nil
	z.limit = windowSize(bits)
	if w == nil {
		w = &z.own
		w.limit = z.limit
		w.next, w.have = 0, 0
		w.ring = w.ring[:min(cap(w.ring), w.limit)]
	}
	z.window = w
	z.limit = min(z.limit, w.limit)
}

// Last says that the message ends with what Inflate is given next. Then nothing of it need be remembered if it stands
// alone.
func (z *Inflater) Last() { z.last = true }

// Inflate inflates src, the next piece of the message, and appends at most room bytes to dst. It returns dst, how
// many bytes of src it took, and whether the message is bad. If it appended room bytes there may be more to
// come: call it again with the rest of src, even if that is empty. After an error it returns only that.
func (z *Inflater) Inflate(dst, src []byte, room int) (out []byte, taken int, err error) {
	if z.state == afterFailed {
		return dst, 0, z.err
	}
	z.src = src
	start := len(dst)
	room = min(max(room, 0), math.MaxInt-start)
	dst, err = z.run(dst, start, room)
	taken = len(src) - len(z.src)
	z.src = nil
	if err != nil {
		z.state, z.err = afterFailed, err
		return dst, taken, err
	}
	if all := z.last && len(dst)-start < room; len(dst) > start && (!all || z.window != &z.own) {
		z.window.add(dst[start:])
	}
	return dst, taken, nil
}

// End ends the message after its last piece, as if with the 00 00 ff ff that RFC 7692, section 7.2.2 appends to it. It
// appends what is still to come to dst, at most room bytes; done is false if there may be more, which the next call of
// End goes on with.
//
// The message must end in the header of a stored block, whose lengths are what was cut off. One that ends after a whole
// block, at a byte boundary, is good as well: no octet of its text is in doubt, and other endpoints take it. So a
// message may end with a block that has BFINAL set, may still have its tail, or may be no bytes at all. What follows
// a block with BFINAL set must be more blocks (RFC 7692, section 7.2.1); they have the same history.
func (z *Inflater) End(dst []byte, room int) (out []byte, done bool, err error) {
	start := len(dst)
	dst, _, err = z.Inflate(dst, nil, room)
	if err != nil {
		return dst, false, err
	}
	switch {
	case (z.state == atStored || z.state == atHeader) && z.n == 0:
		return dst, true, nil
	case len(dst)-start >= room:
		return dst, false, nil
	}
	z.state, z.err = afterFailed, ErrIncomplete
	return dst, false, ErrIncomplete
}

// run inflates until the input or the room is used up. The output of this call begins at start.
func (z *Inflater) run(dst []byte, start, room int) ([]byte, error) {
	for {
		more, err := false, error(nil)
		switch z.state {
		case atHeader:
			more, err = z.header()
		case atStored:
			more, err = z.storedHeader()
		case inStored:
			dst, more = z.stored(dst, start+room)
		case atDynamic:
			more, err = z.dynamicHeader()
		case inLenLens:
			more, err = z.lenLens()
		case inLens:
			more, err = z.codeLens()
		case inMatch:
			dst, more = z.match(dst, start, start+room)
		case inBlock:
			dst, more, err = z.block(dst, start, room)
		}
		if err != nil || !more {
			return dst, err
		}
	}
}

// need reports whether acc has n bits, at most 48, and fills it as far as the input goes.
func (z *Inflater) need(n uint) bool {
	if z.n < n {
		z.acc, z.n, z.src = refill(z.acc, z.n, z.src)
	}
	return z.n >= n
}

// refill adds whole bytes of src to acc, which has n bits, fewer than 56: as many as there is room for. One bit of acc stays
// free, since n must not be 64.
func refill(acc uint64, n uint, src []byte) (uint64, uint, []byte) {
	took := (63 - n) >> 3
	if len(src) >= 8 {
		acc |= load64(src, 0) << (n & 63)
		n += took * 8
		return acc & (1<<(n&63) - 1), n, src[took:]
	}
	took = min(took, uint(len(src)))
	for i, b := range src[:took] {
		acc |= uint64(b) << ((n + uint(i)*8) & 63)
	}
	return acc, n + took*8, src[took:]
}

// take uses up n bits of acc.
func (z *Inflater) take(n uint) uint {
	v := z.acc & (1<<n - 1)
	z.acc >>= n
	z.n -= n
	return uint(v)
}

// header reads the beginning of a block, RFC 1951, section 3.2.3.
func (z *Inflater) header() (more bool, err error) {
	if !z.need(3) {
		return false, nil
	}
	z.final = z.take(1) == 1
	switch z.take(2) {
	case blockStored:
		z.take(z.n & 7)
		z.state = atStored
	case blockFixed:
		z.lits, z.litMask, z.dists, z.distMask = fixedLits, fixedLitMask, fixedDists, fixedDistMask
		z.state = inBlock
	case blockDynamic:
		z.state = atDynamic
	default:
		return false, ErrCorrupt
	}
	return true, nil
}

// blockEnded goes on to the next block. One after BFINAL begins at a byte boundary: RFC 7692, section 7.2.1.
func (z *Inflater) blockEnded() {
	if z.final {
		z.take(z.n & 7)
	}
	z.state = atHeader
}

// storedHeader reads the lengths of a stored block.
func (z *Inflater) storedHeader() (more bool, err error) {
	if !z.need(32) {
		return false, nil
	}
	n, not := z.take(16), z.take(16)
	if n != not^0xffff {
		return false, ErrCorrupt
	}
	z.rest = int(n)
	z.state = inStored
	return true, nil
}

// stored copies the bytes of a stored block, until dst is end bytes long.
func (z *Inflater) stored(dst []byte, end int) (out []byte, more bool) {
	for z.rest > 0 && z.n > 0 && len(dst) < end {
		dst = append(dst, byte(z.take(8)))
		z.rest--
	}
	if n := min(z.rest, len(z.src), end-len(dst)); n > 0 && z.n == 0 {
		dst = append(dst, z.src[:n]...)
		z.src = z.src[n:]
		z.rest -= n
	}
	if z.rest > 0 {
		return dst, false
	}
	z.blockEnded()
	return dst, true
}

// dynamicHeader reads the sizes of a block's codes, RFC 1951, section 3.2.7.
func (z *Inflater) dynamicHeader() (more bool, err error) {
	if !z.need(14) {
		return false, nil
	}
	z.hlit = int(z.take(5)) + 257
	z.hdist = int(z.take(5)) + 1
	z.hclen = int(z.take(4)) + 4
	if z.hlit > numLits || z.hdist > numDists {
		return false, ErrCorrupt
	}
	z.at = 0
	clear(z.lens[:])
	z.state = inLenLens
	return true, nil
}

// lenLens reads the code that the code lengths are in.
func (z *Inflater) lenLens() (more bool, err error) {
	for z.at < z.hclen {
		if !z.need(3) {
			return false, nil
		}
		next := lenOrder[z.at:min(z.at+int(z.n/3), z.hclen)]
		acc := z.acc
		for _, sym := range next {
			z.lens[sym&31] = uint8(acc & 7)
			acc >>= 3
		}
		z.acc = acc
		z.n -= uint(3 * len(next))
		z.at += len(next)
	}
	z.coded.set(z.lens[:numLens])
	// The table stands where that of the distances will be.
	mask, ok := buildTable(z.ownDists[:], lenRoot, z.coded.all(), &z.coded.count, lenMeaning[:])
	if !ok || z.ownDists[mask] == entryInvalid {
		return false, ErrCorrupt
	}
	z.distMask = mask
	z.coded.reset()
	z.at = 0
	z.state = inLens
	return true, nil
}

// codeLens reads the code lengths and builds the tables.
func (z *Inflater) codeLens() (more bool, err error) {
	if more, err = z.readLens(); !more || err != nil {
		return false, err
	}
	lits, dists, distCount := z.coded.split(z.hlit)
	litMask, ok := buildTable(z.ownLits[:], litRoot, lits, &z.coded.count, litMeaning[:])
	distMask, okDists := buildTable(z.ownDists[:], distRoot, dists, &distCount, distMeaning[:])
	if !ok || !okDists || !endsBlocks(lits) {
		return false, ErrCorrupt
	}
	z.litMask, z.distMask = litMask, distMask
	z.lits, z.dists = &z.ownLits, &z.ownDists
	z.state = inBlock
	return true, nil
}

// readLens reads code lengths, and reports whether it has them all.
func (z *Inflater) readLens() (all bool, err error) {
	src, acc, n, at, end, mask := z.src, z.acc, z.n, z.at, z.hlit+z.hdist, z.distMask
	c := &z.coded
	for at < end {
		if n < maxLenCode+7 {
			acc, n, src = refill(acc, n, src)
		}
		e := z.ownDists[acc&mask]
		if uint(e&63) > n {
			break
		}
		v := value(e, acc)
		repeat := v & 0xff
		if at+repeat > end {
			return false, ErrCorrupt
		}
		if e&entryOther == 0 {
			c.add(at, uint8(v>>8)) // only lengths of none are repeated, and those are not kept
		} else {
			if at == 0 {
				return false, ErrCorrupt
			}
			for i := range repeat {
				c.add(at+i, c.last)
			}
		}
		at += repeat
		acc >>= e & 63
		n -= uint(e & 63)
	}
	z.src, z.acc, z.n, z.at = src, acc, n, at
	return at == end, nil
}

// block inflates the symbols of a block. The room in dst grows with what came, and never beyond room.
func (z *Inflater) block(dst []byte, start, room int) (out []byte, more bool, err error) {
	for z.state == inBlock {
		if len(dst)-start >= room {
			return dst, false, nil
		}
		if free := cap(dst) - len(dst); free < fastRoom && free < room-(len(dst)-start) {
			dst = grow(dst, len(z.src), start+room)
		}
		end := start + min(room, cap(dst)-start)
		if dst, err = z.fast(dst, start, end); err != nil {
			return dst, false, err
		}
		if dst, more, err = z.symbol(dst, start, start+room); !more || err != nil {
			return dst, false, err
		}
	}
	return dst, true, nil
}

// grow makes room in dst for more output, until it is end bytes long, when n bytes of input are left.
func grow(dst []byte, n, end int) []byte {
	more := min(max(len(dst), 4*n, 2*fastRoom), end-len(dst))
	grown := make([]byte, len(dst), len(dst)+more)
	copy(grown, dst)
	return grown
}

// symbol inflates literals, as far as there is room for them, and the symbol after them, where the input or the room is
// short.
func (z *Inflater) symbol(dst []byte, start, end int) (out []byte, more bool, err error) {
	z.need(48)
	e, n := z.litEntry()
	for e&entryLiteral != 0 && n <= z.n {
		z.take(n)
		dst = append(dst, byte(e>>16))
		if z.n < maxCode {
			z.need(maxCode)
		}
		if len(z.src) >= 8 || len(dst) == end || len(dst) == cap(dst) {
			return dst, true, nil
		}
		e, n = z.litEntry()
	}
	if !z.need(48) && n > z.n { // with its extra bits, a length has more than a literal
		return dst, false, nil
	}
	if e&entryOther != 0 {
		if e&entryEnd == 0 {
			return dst, false, ErrCorrupt
		}
		z.take(n)
		z.blockEnded()
		return dst, true, nil
	}
	acc := z.acc >> n
	f := distEntry(z.dists, z.distMask, acc)
	m := uint(f & 63)
	if n+m > z.n {
		return dst, false, nil
	}
	if f&entryOther != 0 {
		return dst, false, ErrCorrupt
	}
	z.rest = value(e, z.acc)
	z.dist = value(f, acc)
	z.take(n)
	z.take(m)
	if z.dist > min(z.limit, z.window.have+len(dst)-start) {
		return dst, false, ErrTooFarBack
	}
	dst, more = z.match(dst, start, end)
	return dst, more, nil
}

// litEntry returns the entry of the literal or length that acc begins with, and the bits that it takes.
func (z *Inflater) litEntry() (e uint32, n uint) {
	e = z.lits[z.acc&z.litMask]
	if e&entrySub != 0 {
		e = z.lits[e>>16+uint32(z.acc>>litRoot)&(1<<(e>>8&15)-1)]
	}
	return e, uint(e & 63)
}

// distEntry returns the entry of the distance that acc begins with.
func distEntry(dists *distTable, mask, acc uint64) uint32 {
	e := dists[acc&mask]
	if e&entrySub != 0 {
		e = dists[e>>16+uint32(acc>>distRoot)&(1<<(e>>8&15)-1)]
	}
	return e
}

// value returns the length or distance of an entry, with the extra bits that follow its code in acc. The two bits above
// the code's own are clear in such entries, so a mask of six saves the processor one.
func value(e uint32, acc uint64) int {
	return int(e>>16) + int(acc&(1<<(e&63)-1)>>(e>>8&63))
}

// match copies what is left of a match, until dst is end bytes long.
func (z *Inflater) match(dst []byte, start, end int) (out []byte, more bool) {
	n := min(z.rest, end-len(dst))
	z.rest -= n
	for before := z.dist - (len(dst) - start); before > 0 && n > 0; before = z.dist - (len(dst) - start) {
		from := z.window.last(before, 0)
		from = from[:min(n, len(from))]
		n -= len(from)
		dst = append(dst, from...)
	}
	for repeats := len(dst) - z.dist; n > 0; {
		from := dst[repeats:min(repeats+n, len(dst))] // twice as much each time
		n -= len(from)
		dst = append(dst, from...)
	}
	if z.rest > 0 {
		z.state = inMatch
		return dst, false
	}
	z.state = inBlock
	return dst, true
}
