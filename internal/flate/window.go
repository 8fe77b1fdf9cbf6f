package flate

// Sizes of a window's memory.
const (
	minBits = 8
	maxBits = 15
	minRing = 256
)

// A Window is the history that one direction of a connection keeps between messages: the last 1<<bits bytes of
// the messages compressed, or inflated, with it (RFC 7692, section 7.2). Messages sent uncompressed are not
// part of it. A Window serves either compressing or inflating, one call at a time. The zero Window is not usable;
// the nil Window means no context takeover.
type Window struct {
	ring  []byte // position n is at n modulo len(ring), a power of two
	table table  // of the history; compressing only
	next  uint32 // position of the next byte, counted from the first, modulo 1<<32
	have  int    // bytes of history in ring
	limit int    // the most bytes ring may hold
}

// NewWindow returns an empty window of 1<<bits bytes. Bits beyond 8 and 15 count as 8 and 15.
func NewWindow(bits int) *Window {
	return &Window{limit: windowSize(bits)}
}

// windowSize returns 1<<bits, with bits held in what RFC 7692, section 7.1.2 allows.
func windowSize(bits int) int {
	return 1 << min(max(bits, minBits), maxBits)
}

// Size returns the bytes of memory that w holds. That of a nil window is zero.
func (w *Window) Size() int {
	if w == nil {
		return 0
	}
	return cap(w.ring) + 2*cap(w.table)
}

// Reset forgets all history and keeps the memory.
func (w *Window) Reset() {
	w.next, w.have = 0, 0
	clear(w.table)
}

// Add makes p the newest of the history without compressing it: for a message that was compressed without this window and
// is sent all the same.
func (w *Window) Add(p []byte) {
	w.reserveTable(len(p))
	w.add(p)
}

// reserve makes room for n more bytes. The ring doubles until it has its full size, and only then wraps.
func (w *Window) reserve(n int) {
	if len(w.ring) == w.limit || w.have+n <= len(w.ring) {
		return
	}
	size := max(len(w.ring), minRing)
	for size < w.limit && size < w.have+n {
		size *= 2
	}
	ring := make([]byte, size)
	copy(ring, w.ring[:w.have])
	w.ring = ring
}

// add makes p the newest of the history.
func (w *Window) add(p []byte) {
	w.reserve(len(p))
	if drop := len(p) - w.limit; drop > 0 {
		p = p[drop:]
		w.next += uint32(drop)
	}
	at := int(w.next) & (len(w.ring) - 1)
	if n := copy(w.ring[at:], p); n < len(p) {
		copy(w.ring, p[n:])
	}
	w.next += uint32(len(p))
	w.have = min(w.have+len(p), w.limit)
}

// last returns the history's last n bytes from the k-th on, as far as they lie together in the ring.
func (w *Window) last(n, k int) []byte {
	at := int(w.next-uint32(n)+uint32(k)) & (len(w.ring) - 1)
	return w.ring[at:min(at+n-k, len(w.ring))]
}

// reserveTable makes room for n more bytes and their hashes.
func (w *Window) reserveTable(n int) {
	w.reserve(n)
	size := min(len(w.ring)/2, keptPlaces)
	if len(w.table) == size {
		return
	}
	w.table = make(table, size)
	shift := w.table.shift()
	first := w.next - uint32(w.have)
	for i := range w.have {
		if k := int(first+uint32(i)) & (len(w.ring) - 1); k+reach <= len(w.ring) {
			w.table.enterFour(load64(w.ring, k), shift, uint16(first+uint32(i)))
		}
	}
}
