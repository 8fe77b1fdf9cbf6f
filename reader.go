// The reading half: transport and inbound.

package websocket

import (
	"context"
	"sync"

	"github.com/seed86893212/websocket/internal/bufpool"
)

// A reader turns what its transport receives into events. Only the holder of
// the reader's role may use it.
type reader struct {
	bell // with the transport
	role readerRole

	buf    input
	in     *inbound   // nil while there is nothing but whole messages
	z      *inflation // nil unless permessage-deflate was agreed on
	limit  int64      // of the messages that begin, 0 for none
	side   Role
	loops  bool  // messages are handed out in a loop, which gives their memory back
	lent   bool  // the current message arrives in its reader's buffer
	earned uint8 // in's, while there is none
	got    int32 // bytes in what room returned that in does not know of yet
}

// Inbounds come from a pool. A connection needs one only while something has
// arrived in part, so that an idle one costs nothing.
var inbounds = sync.Pool{New: func() any { return new(inbound) }}

func (r *reader) init(t transport, side Role, limit int64, deflate deflation, buffered []byte) {
	r.t, r.side, r.limit = t, side, limit
	r.z = newInflation(deflate)
	if len(buffered) > 0 {
		r.buf.fill(len(buffered))
		r.buf.w = copy(r.buf.buf, buffered)
	}
}

// load returns in, which it makes if there is none.
func (r *reader) load() *inbound {
	if r.in == nil {
		in := inbounds.Get().(*inbound)
		in.rx.role, in.rx.inflates = r.side, r.z != nil
		in.join.limit, in.z, in.earned = r.limit, r.z, r.earned
		r.in = in
		r.grow(r.loops)
	}
	return r.in
}

// dropRest says that no message is handed out any more: none need be inflated.
func (r *reader) dropRest() {
	if r.z != nil {
		r.z.drops = true
	}
}

// shelve gives in up if nothing has arrived in part.
func (r *reader) shelve() {
	if in := r.in; in != nil && in.idle() {
		if in.z != nil {
			in.z.spare()
		}
		r.drop()
	}
}

// drop gives in up, and what has arrived in part.
func (r *reader) drop() {
	r.earned = r.in.earned
	*r.in = inbound{}
	inbounds.Put(r.in)
	r.in = nil
}

// grow says whether messages are handed out in a loop.
func (r *reader) grow(loops bool) {
	r.loops = loops
	switch {
	case r.in == nil:
	case loops:
		r.in.grow = bufpool.Grow
	default:
		r.in.grow = growOwned
	}
}

// limitTo changes the limit of the messages that begin from now on.
func (r *reader) limitTo(n int64) {
	r.limit = n
	if r.in != nil {
		r.in.join.limit = n
	}
}

// growOwned grows a buffer that its reader will own.
func growOwned(b []byte, n int) []byte {
	bigger := make([]byte, len(b), len(b)+n)
	copy(bigger, b)
	return bigger
}

// next makes ev the next event in what has been received, eventMore if there is
// none. With stream, messages come in pieces. The input's buffer stays until the
// event has been used. If a message may arrive in its reader's buffer, ev.data is
// that.
func (r *reader) next(stream bool, ev *event) {
	switch {
	case r.dry():
		ev.kind, ev.kept = eventMore, false
	case stream || !r.whole(ev):
		r.nextPart(stream, ev)
	}
}

// dry reports whether there is nothing at all to hand out.
func (r *reader) dry() bool { return r.in == nil && r.buf.empty() }

// whole is next for what nearly always comes: see takeWhole. False says that it has
// done nothing.
func (r *reader) whole(ev *event) bool {
	c := r.buf.chunk
	if r.in != nil || c == nil || c.r == c.w {
		return false
	}
	n := takeWhole(c.buf[c.r:c.w], r.side, r.limit, ev)
	c.r += n
	return n > 0
}

// nextPart is next for what may be cut, or not quite as it should be.
func (r *reader) nextPart(stream bool, ev *event) {
	in := r.load()
	if r.lent && in.join.kind == 0 && in.join.buf == nil {
		in.join.buf = ev.data[:0]
	}
	if n := r.got; n > 0 {
		r.got = 0
		if in.filled(int(n), ev); ev.kind != eventMore {
			return
		}
	}
	n := in.next(r.buf.bytes(), stream, ev)
	if n > 0 {
		r.buf.r += n
	}
}

// part returns how ev ends the connection: see partWith.
func (r *reader) part(ev *event) parting { return partWith(ev, r.side) }

// more reports whether a whole further frame seems to have been received.
func (r *reader) more() bool {
	if r.buf.empty() || r.in != nil && !r.in.idle() {
		return false
	}
	return pending(r.buf.bytes())
}

// spare gives up what holds nothing any more. It is called before waiting, when no
// event is in use.
func (r *reader) spare() {
	if r.in != nil {
		r.shelve()
	}
	if r.buf.empty() {
		r.buf.free()
	}
}

// roomMax bounds how much is received at one go: a pipe may hand over any amount.
const roomMax = 1 << 30

// room returns where the next bytes may be read to straight away, if there is such
// a place.
func (r *reader) room() []byte {
	if r.in == nil {
		return nil
	}
	room := r.in.room()
	return room[:min(len(room), roomMax)]
}

// ready gets ready for a wait for input, and returns where the input may go, for
// took.
func (r *reader) ready(ctx context.Context) (room []byte) {
	r.spare()
	r.bell.watch(ctx)
	return r.room()
}

// took notes that n bytes have been received. If there was room for them, the
// inbound is told as the next event is asked for.
func (r *reader) took(n int, room []byte) {
	if len(room) > 0 {
		r.got = int32(n)
	}
}

// recv receives without waiting, inside the transport's stand, and reports whether
// there was something.
func (r *reader) recv() (some bool, err error) {
	r.spare()
	if r.in == nil {
		n, err := r.t.recv(&r.buf, nil)
		return n > 0, err
	}
	room := r.room()
	n, err := r.t.recv(&r.buf, room)
	if n > 0 {
		r.took(n, room)
	}
	return n > 0, err
}

// watch gets the bell ready for a wait inside the transport's stand. Unless ends says
// so, ctx never ends.
func (r *reader) watch(ctx context.Context, ends bool) {
	if ends || r.watched != nil {
		r.bell.watch(ctx)
	}
	if !r.probed && r.t.probes() {
		r.bell.probe()
	}
}

// reuse takes the memory of a message back that was kept for a loop, which has handed
// it out. Few are, so that who calls it looks first, and saves the call.
func (r *reader) reuse(ev *event) { bufpool.Put(ev.data) }

// free gives up every buffer. Nothing is read any more.
func (r *reader) free() {
	r.bell.unwatch()
	r.buf.free()
	if r.in != nil {
		r.drop()
	}
	if r.z != nil {
		r.z.free()
	}
}

// lend says that the next message may arrive in buf, which next is given, unless it
// has begun to arrive.
func (r *reader) lend(buf []byte) {
	r.lent = cap(buf) > 0 && (r.in == nil || r.in.join.kind == 0 && r.in.join.buf == nil)
}

// takeBack ends a loan, and reports whether there was one. What has arrived of a
// message that is not whole moves to memory of the reader's own.
func (r *reader) takeBack(partly bool) (lent bool) {
	if !r.lent {
		return false
	}
	r.lent = false
	switch in := r.in; {
	case in == nil:
	case !partly || len(in.join.buf) == 0:
		in.join.buf = nil
	default:
		in.join.buf = append([]byte(nil), in.join.buf...)
	}
	return true
}
