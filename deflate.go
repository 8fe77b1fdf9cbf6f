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
	// history is the window, with takeover, from the first message on. It goes
	// with the writer's lock, under which the order of the frames is decided.
	history *flate.Window
}

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

	// What refers to a window is compressed when its frame is added, since the
	// peer's window sees messages in the order in which they are sent. z is nil
	// for everything else.
	z      *deflater
	window *flate.Window // of a fragment; nil for z's history
	says   []byte        // what p says, if that is compressed already and only has to enter the window
}

// seal returns what the frame is to have, having compressed what refers to a
// window. That frame has to be sent from now on: what follows may refer to it. The
// caller holds the writer's lock.
func (pc *parcel) seal() (Opcode, []byte) {
	z := pc.z
	if z == nil {
		return pc.op, pc.p
	}
	window := pc.window
	if window == nil {
		if z.history == nil {
			z.history = flate.NewWindow(int(z.window.bits))
		}
		window = z.history
	}
	if pc.says != nil {
		window.Add(pc.says)
		return pc.op, pc.p
	}
	pc.p = flate.AppendFragment(z.room(pc.p), pc.p, window, int(z.window.bits), z.level, !pc.more)
	pc.pooled = true
	return pc.op, pc.p
}

// open takes back what pack did, for a message whose place in the order is not
// known yet.
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
