// The reading half: transport and inbound.

package websocket

import (
	"context"

	"github.com/seed86893212/websocket/internal/bufpool"
)

// A reader turns what its transport receives into events. Only the holder of
// the reader's role may use it.
type reader struct {
	bell // with the transport
	role readerRole

	in   inbound
	buf  input
	lent bool // the current message arrives in its reader's buffer
	got  int  // bytes in what room returned that the inbound does not know of yet
}

func (r *reader) init(t transport, role Role, limit int64, deflate deflation, buffered []byte) {
	r.t = t
	r.in.z = newInflation(deflate)
	r.in.rx.inflates = r.in.z != nil
	r.in.rx.role = role
	r.in.join.limit = limit
	r.in.grow = growOwned
	if len(buffered) > 0 {
		r.buf.w = copy(r.buf.fill(len(buffered)), buffered)
	}
}

// growOwned grows a buffer that its reader will own.
func growOwned(b []byte, n int) []byte {
	bigger := make([]byte, len(b), len(b)+n)
	copy(bigger, b)
	return bigger
}

// next makes ev the next event in what has been received, eventMore if there is
// none. With stream, messages come in pieces.
func (r *reader) next(stream bool, ev *event) {
	if n := r.got; n > 0 {
		r.got = 0
		if r.in.filled(n, ev); ev.kind != eventMore {
			return
		}
	}
	// The buffer stays until the event has been used.
	r.buf.r += r.in.next(r.buf.bytes(), stream, ev)
}

// more reports whether a whole further frame seems to have been received.
func (r *reader) more() bool {
	b := r.buf.bytes()
	return len(b) > 0 && r.in.pending(b)
}

// spare gives up the input buffer if everything in it has been used. It is
// called before waiting, when no event is in use.
func (r *reader) spare() {
	if r.buf.buf != nil && r.buf.r == r.buf.w {
		r.buf.free()
	}
}

// ready gets ready for a wait for input, and returns where the input may go, for
// took.
func (r *reader) ready(ctx context.Context) (room []byte) {
	r.spare()
	r.bell.watch(ctx)
	return r.in.room()
}

// took notes that n bytes have been received. If there was room for them, the
// inbound is told as the next event is asked for.
func (r *reader) took(n int, room []byte) {
	if len(room) > 0 {
		r.got = n
	}
}

// recv receives without waiting, inside the transport's stand. It returns
// errAgain if there is nothing.
func (r *reader) recv() error {
	r.spare()
	room := r.in.room()
	n, err := r.t.recv(&r.buf, room)
	if err == nil {
		r.took(n, room)
	}
	return err
}

// watch gets the bell ready for a wait inside the transport's stand.
func (r *reader) watch(ctx context.Context) {
	r.bell.watch(ctx)
	if r.t.probes() {
		r.bell.probe()
	}
}

// reuse takes the memory of a message back that has been handed out in a loop.
func (r *reader) reuse(ev *event) {
	if ev.kept {
		bufpool.Put(ev.data)
	}
}

// free gives up every buffer. Nothing is read any more.
func (r *reader) free() {
	r.bell.unwatch()
	r.buf.free()
	r.in.join.buf, r.in.control = nil, nil
	if r.in.z != nil {
		r.in.z.free()
	}
}

// lend makes the next message arrive in buf, unless it has begun to arrive.
func (r *reader) lend(buf []byte) {
	r.lent = cap(buf) > 0 && r.in.join.kind == 0 && r.in.join.buf == nil
	if r.lent {
		r.in.join.buf = buf[:0]
	}
}

// takeBack ends a loan, and reports whether there was one. What has arrived of a
// message that is not whole moves to memory of the reader's own.
func (r *reader) takeBack(partly bool) (lent bool) {
	if !r.lent {
		return false
	}
	r.lent = false
	if !partly || len(r.in.join.buf) == 0 {
		r.in.join.buf = nil
		return true
	}
	r.in.join.buf = append([]byte(nil), r.in.join.buf...)
	return true
}
