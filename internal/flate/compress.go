package flate

import "sync"

// Levels of compression. Up to 3 the first match found is taken; up to 6 the next byte may have a better one; from 7 on all
// history is searched anew for each message, which takes a hundred times as long for a short one after a long history.
const (
	BestSpeed       = 1
	DefaultLevel    = 3
	lastGreedy      = 3
	lastPatient     = 6
	BestCompression = 9
)

// An encoder is what compressing takes besides the window.
type encoder struct {
	text   text
	quick  quick
	tokens []token
	heads  []uint16
	block  block
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// AppendMessage appends p to dst, compressed as one message of permessage-deflate (RFC 7692, section 7.2.1). It ends in an empty
// stored block without its last four octets; the empty message is 0x00. Distances reach at most 1<<bits back, and not
// beyond what w remembers, which then remembers p as well. Without a window the message stands alone. Levels are 1 to
// 9; others count as the nearest. It appends at most len(p) + 5 bytes for each begun 65535 of p + 1.
func AppendMessage(dst, p []byte, w *Window, bits, level int) []byte {
	return AppendFragment(dst, p, w, bits, level, true)
}

// AppendSmaller is AppendMessage without a window for a message that may as well go as it is. If it would not get smaller,
// ok is false and dst is returned.
func AppendSmaller(dst, p []byte, bits, level int) (out []byte, ok bool) {
	o := bitWriter{dst, 0, 0}
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	if !e.compress(&o, p, nil, bits, level, true) {
		return dst, false
	}
	out = o.end()
	if len(out)-len(dst) >= len(p) {
		return dst, false
	}
	return out, true
}

// AppendFragment is AppendMessage for a piece of a message. All pieces but the last end in a whole empty stored block, so that each
// can be sent as it is. A piece refers to those before it only through w. Without context takeover that may be a
// Window that is Reset for each message.
func AppendFragment(dst, p []byte, w *Window, bits, level int, last bool) []byte {
	o := bitWriter{dst, 0, 0}
	if len(p) > 0 {
		e := encoders.Get().(*encoder)
		e.compress(&o, p, w, bits, level, false)
		encoders.Put(e)
	}
	out := o.end()
	if !last {
		out = append(out, 0x00, 0x00, 0xff, 0xff)
	}
	return out
}

// compress writes p as blocks. If it has to get smaller, compress gives up and returns false where it sees early that it will not.
func (e *encoder) compress(o *bitWriter, p []byte, w *Window, bits, level int, smaller bool) bool {
	t := &e.text
	t.p, t.w, t.limit = p, w, windowSize(bits)
	var heads []uint16
	if w == nil {
		t.base, t.have = 0, 0
	} else {
		t.limit = min(t.limit, w.limit)
		t.base, t.have = w.next, min(w.have, t.limit)
	}
	switch {
	case level > lastPatient:
	case w == nil:
		heads = e.freshHeads(len(p))
	default:
		w.reserveHeads(len(p))
		heads = w.heads
	}
	// History is worth copying if there is not too much of it.
	quick := level <= lastGreedy && t.have <= 4*len(p)
	for from := 0; from < len(p); {
		end := min(from+maxStored, len(p))
		switch {
		case quick:
			e.tokens = e.quick.read(e.tokens[:0], t, heads, from, end)
		case level <= lastPatient:
			e.tokens = t.read(e.tokens[:0], heads, from, end, level > lastGreedy)
		default:
			c := chainPool.Get().(*chains)
			start := c.reset(t, from, end, min(level, BestCompression))
			e.tokens = c.read(e.tokens[:0], start)
			chainPool.Put(c)
		}
		if smaller && level <= lastPatient && len(p) < dynamicFrom && len(e.tokens) > len(p) {
			t.p = nil
			return false // no match, and no literal has less than eight bits in the fixed codes
		}
		e.block.write(o, p[from:end], e.tokens, level > lastPatient)
		from = end
	}
	if w != nil {
		w.add(p)
	}
	t.p, t.w = nil, nil
	return true
}

// freshHeads returns an empty table for a message of n bytes without history.
func (e *encoder) freshHeads(n int) []uint16 {
	size := 256
	for size < n && size < 1<<13 {
		size *= 2
	}
	if cap(e.heads) < size {
		e.heads = make([]uint16, size)
	}
	heads := e.heads[:size]
	clear(heads)
	return heads
}
