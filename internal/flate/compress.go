package flate

import "sync"

// Levels of compression. Up to 3 the first match found is taken; but for messages up to 4 KiB that have a history, which finds them
// the most matches, level 3 looks for the longest, as levels 4 to 6 do for all. From 7 on all history is searched anew for each
// message, which takes some thirty times as long for a short one after a long history (make deflate).
const (
	BestSpeed       = 1
	DefaultLevel    = 3
	lastQuick       = 3
	lastCareful     = 6
	BestCompression = 9

	short = 4096 // the longest message that level 3 looks closely at
)

// An encoder is what compressing takes besides the window.
type encoder struct {
	text    text
	quick   quick
	careful careful // shares the array of the quick
	tokens  []token
	table   table // of a message without history
	block   block
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.careful.flat = &e.quick.flat
	return e
}}

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
	if w == nil {
		t.base, t.have = 0, 0
	} else {
		t.limit = min(t.limit, w.limit)
		t.base, t.have = w.next, min(w.have, t.limit)
	}
	table := e.tableFor(len(p), level)
	careful := level > lastQuick || level == lastQuick && w != nil && len(p) <= short
	e.block.thorough = level > lastCareful
	e.block.even = careful
	for from := 0; from < len(p); {
		end := min(from+maxStored, len(p))
		switch {
		case table == nil:
			c := chainPool.Get().(*chains)
			start := c.reset(t, from, end, min(level, BestCompression))
			e.tokens = c.read(e.tokens[:0], start)
			chainPool.Put(c)
		case careful:
			e.tokens = e.careful.read(e.tokens[:0], t, table, from, end)
		default:
			e.tokens = e.quick.read(e.tokens[:0], t, table, from, end)
		}
		if smaller && level <= lastCareful && len(p) < dynamicFrom && len(e.tokens) > len(p) {
			t.p = nil
			return false // no match, and no literal has less than eight bits in the fixed codes
		}
		e.block.write(o, p[from:end], e.tokens)
		from = end
	}
	if w != nil {
		w.add(p)
	}
	t.p, t.w = nil, nil
	return true
}

// tableFor returns the table for a message of n bytes: that of the window, if there is one, and none for the highest levels.
func (e *encoder) tableFor(n, level int) table {
	w := e.text.w
	switch {
	case level > lastCareful:
		return nil
	case w != nil:
		w.reserveTable(n)
		return w.table
	}
	e.table = e.table.emptied(n, maxPlaces)
	return e.table
}
