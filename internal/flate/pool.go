package flate

import "sync"

// windows holds one pool for each size.
var windows [maxBits - minBits + 1]sync.Pool

// GetWindow returns an empty window of 1<<bits bytes from a pool, for a message that is compressed in fragments without
// context takeover.
func GetWindow(bits int) *Window {
	bits = min(max(bits, minBits), maxBits)
	if w, _ := windows[bits-minBits].Get().(*Window); w != nil {
		w.Reset()
		return w
	}
	return NewWindow(bits)
}

// PutWindow gives w back. It must not be used any more.
func PutWindow(w *Window) {
	for i := range windows {
		if w.limit == windowSize(minBits+i) {
			windows[i].Put(w)
		}
	}
}
