// Messages compressed on their way out (RFC 7692, section 7.2.1).

package websocket

import (
	"github.com/seed86893212/websocket/internal/bufpool"
	"github.com/seed86893212/websocket/internal/flate"
)

// A deflater compresses what a connection sends. A nil deflater compresses
// nothing.
type deflater struct {
	window    deflateWindow
	level     int
	threshold int
}

// longSeal is from how many bytes on it takes long to compress a message, as others
// see it who want the writer's lock.
const longSeal = 4 << 10

// newDeflater returns nil if nothing was agreed on, or nothing is wanted.
func newDeflater(d deflation) *deflater {
	if d.send.bits == 0 || d.level < 0 {
		return nil
	}
	return &deflater{window: d.send, level: int(d.level), threshold: d.threshold}
}

// wants reports whether a message is compressed.
func (z *deflater) wants(t MessageType, size int) bool {
	if z == nil || size == 0 || t&typeUncompressed != 0 {
		return false
	}
	return t&typeCompressed != 0 || size >= z.threshold
}

// pack makes a parcel of a whole message. shared are the compressed forms of a
// prepared one, nil for others.
func (z *deflater) pack(t MessageType, p []byte, shared *flate.Shared) parcel {
	pc := parcel{op: t.opcode(), p: p}
	if !z.wants(t, len(p)) {
		return pc
	}
	if z.window.takeover {
		pc.op |= opCompressed
		pc.z = z
		if shared != nil {
			pc.p, pc.says = shared.Message(p, int(z.window.bits), z.level), p
		}
		return pc
	}
	return z.alone(pc, t&typeCompressed != 0, shared)
}

// alone compresses a message to which no other refers. So what would not get
// smaller stays as it is, unless the caller wants it compressed all the same: RSV1
// tells for each message whether it is (RFC 7692, section 6).
func (z *deflater) alone(pc parcel, insist bool, shared *flate.Shared) parcel {
	p, bits := pc.p, int(z.window.bits)
	smaller := true
	switch {
	case shared != nil:
		pc.p = shared.Message(p, bits, z.level)
		smaller = len(pc.p) < len(p)
	case insist:
		pc.p, pc.pooled = flate.AppendMessage(z.room(p), p, nil, bits, z.level), true
	default:
		pc.p, smaller = flate.AppendSmaller(z.room(p), p, bits, z.level)
		pc.pooled = true
	}
	if smaller || insist {
		pc.op |= opCompressed
		return pc
	}
	pc.free()
	pc.p, pc.pooled = p, false
	return pc
}

// history returns an empty window for what the connection sends.
func (z *deflater) history() *flate.Window { return flate.NewWindow(int(z.window.bits)) }

// room returns a buffer with room for p compressed, however bad.
func (z *deflater) room(p []byte) []byte {
	return bufpool.Get(len(p) + len(p)>>10 + 64)
}

// A parcel is a payload on its way into a frame.
type parcel struct {
	op     Opcode // with opCompressed if it begins a compressed message
	p      []byte
	pooled bool // p is to be given back
	inside bool // it is part of a message in fragments
	more   bool // which goes on after it

	// What refers to a window is compressed when it is its turn to be sent, since
	// the peer's window sees messages in that order. z is nil for everything else.
	z      *deflater
	window *flate.Window // of a fragment; nil for that of the connection
	says   []byte        // what p says, if that is compressed already and only has to enter the window
}

// long reports whether it takes long to seal.
func (pc *parcel) long() bool { return pc.says == nil && len(pc.p) >= longSeal }

// seal compresses what refers to a window, which is history if it has none of its own.
// Its frame has to be sent from now on: what follows may refer to it.
func (pc *parcel) seal(history *flate.Window) {
	z, window := pc.z, pc.window
	if window == nil {
		window = history
	}
	if pc.says != nil {
		window.Add(pc.says)
		return
	}
	pc.p = flate.AppendFragment(z.room(pc.p), pc.p, window, int(z.window.bits), z.level, !pc.more)
	pc.pooled = true
}

// open takes back what pack did, for a message whose place in the order is not
// known yet, or that would have to wait for it.
func (pc *parcel) open() {
	if pc.says != nil {
		pc.p = pc.says
	}
	if pc.z != nil {
		pc.op &^= opCompressed
		pc.z = nil
	}
}

// free gives back what the parcel has from a pool, once p is not in use any more.
func (pc *parcel) free() {
	if pc.pooled {
		bufpool.Put(pc.p)
	}
}
