// Messages inflated on their way in (RFC 7692, section 7.2.2).

package websocket

import (
	"math"

	"github.com/seed86893212/websocket/internal/bufpool"
	"github.com/seed86893212/websocket/internal/flate"
)

const (
	// inflateMin is the least room that is worth inflating into.
	inflateMin = 512
	// inflateChunk is how much of a stream is inflated at a time.
	inflateChunk = 8 << 10
)

// An inflation inflates what a connection receives. Between messages it holds the
// window at most, and that only with takeover.
type inflation struct {
	window  deflateWindow
	history *flate.Window   // with takeover, from the first message on
	z       *flate.Inflater // of the message under way, nil between messages
	size    int64           // bytes that the message has yielded
	rest    []byte          // its bytes that have come and have not been inflated
	stalled bool            // there may be more to come of them
	drops   bool            // nobody gets what comes
	out     []byte          // where the pieces of a stream stand
}

// newInflation returns nil if nothing was agreed on.
func newInflation(d deflation) *inflation {
	if d.receive.bits == 0 {
		return nil
	}
	return &inflation{window: d.receive}
}

// begin begins a message.
func (x *inflation) begin() {
	if x.window.takeover && x.history == nil {
		x.history = flate.NewWindow(int(x.window.bits))
	}
	x.z, x.size = flate.GetInflater(), 0
	x.z.Reset(x.history, int(x.window.bits))
}

// end ends a message. The piece of it that was handed out last stays.
func (x *inflation) end() {
	if x.z != nil {
		flate.PutInflater(x.z)
		x.z = nil
	}
	x.rest, x.stalled = nil, false
}

// spare gives up what the last message has left behind. No piece of it is in use.
func (x *inflation) spare() {
	if x.z == nil && x.out != nil {
		bufpool.Put(x.out)
		x.out = nil
	}
}

// fill inflates into the room that dst has, which is not none. last says that
// nothing of the message comes after rest. Not more than one byte beyond bound is
// ever inflated, if that is not 0.
func (x *inflation) fill(dst []byte, last bool, bound int64) ([]byte, *CloseError) {
	had := len(dst)
	room := cap(dst) - had
	room = x.within(room, bound)
	if last {
		x.z.Last()
	}
	dst, n, err := x.z.Inflate(dst, x.rest, room)
	x.rest = x.rest[n:]
	x.stalled = len(dst)-had == room
	if err == nil && last && !x.stalled {
		var done bool
		dst, done, err = x.z.End(dst, room-(len(dst)-had))
		x.stalled = !done
	}
	x.size += int64(len(dst) - had)
	switch {
	case bound > 0 && x.size > bound: // it came before any error
		return dst, errTooLong(bound)
	case err != nil:
		// The data of the message are not what its RSV1 says they are.
		return dst, failure(StatusInvalidFramePayloadData, "compressed message: "+err.Error(), nil)
	}
	return dst, nil
}

// within returns n, or what leads one byte beyond bound if that is less.
func (x *inflation) within(n int, bound int64) int {
	if left := bound - x.size; bound > 0 && left < int64(n) {
		return int(left + 1)
	}
	return n
}

// ahead returns for how many bytes a buffer with n of them makes room when it
// grows. That follows what has come: the buffer doubles, and what has come is
// taken to be a quarter of what it will be.
func (x *inflation) ahead(n int, bound int64) int {
	return min(x.within(max(n, 3*len(x.rest), inflateMin), bound), math.MaxInt/4)
}

// free gives everything up.
func (x *inflation) free() {
	x.end()
	x.spare()
	x.history = nil
}
