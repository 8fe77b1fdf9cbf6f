// The reading half: transport and inbound.

package websocket

import (
	"context"

	"github.com/seed86893212/websocket/internal/bufpool"
)

// A reader turns what its transport receives into events. Only the holder of
// the reader's role may use it.
type reader struct {
	t    transport
	bell bell
	role readerRole

	in  inbound
	buf input
}

func (r *reader) init(t transport, role Role, limit int64, buffered []byte) {
	r.t = t
	r.bell.ring, r.bell.ringAt = t.wakeRead, t.wakeReadAt
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

// next returns the next event in what has been received, eventMore if there is
// none. With stream, messages come in pieces.
func (r *reader) next(stream bool) event {
	n, ev := r.in.next(r.buf.bytes(), stream)
	r.buf.r += n // the buffer stays until the event has been used
	return ev
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

// fill waits for input. It returns an event if what came ended a message whose
// rest was read straight into its buffer. It returns errWoken if the bell rang.
func (r *reader) fill(ctx context.Context) (event, error) {
	r.spare()
	r.bell.watch(ctx)
	room := r.in.room()
	n, err := r.t.read(&r.buf, room)
	if err != nil || len(room) == 0 {
		return event{}, err
	}
	return r.in.filled(n), nil
}

// recv is fill without waiting, inside the transport's stand. It returns
// errAgain if there is nothing.
func (r *reader) recv() (event, error) {
	r.spare()
	room := r.in.room()
	n, err := r.t.recv(&r.buf, room)
	if err != nil || len(room) == 0 {
		return event{}, err
	}
	return r.in.filled(n), nil
}

// watch gets the bell ready for a wait inside the transport's stand.
func (r *reader) watch(ctx context.Context) {
	r.bell.watch(ctx)
	if r.t.probes() {
		r.bell.probe()
	}
}

// reuse takes the memory of a message back that has been handed out in a loop.
func (r *reader) reuse(ev event) {
	if ev.kept {
		bufpool.Put(ev.data)
	}
}

// free gives up every buffer. Nothing is read any more.
func (r *reader) free() {
	r.bell.unwatch()
	r.buf.free()
	r.in.join.buf, r.in.control = nil, nil
}

// lend makes the next message arrive in buf, unless it has begun to arrive. It
// reports whether it did.
func (r *reader) lend(buf []byte) bool {
	if cap(buf) == 0 || r.in.join.kind != 0 || r.in.join.buf != nil {
		return false
	}
	r.in.join.buf = buf[:0]
	return true
}

// takeBack ends a loan: what has arrived of a message that is not whole moves to
// memory of the reader's own.
func (r *reader) takeBack(partly bool) {
	if !partly || len(r.in.join.buf) == 0 {
		r.in.join.buf = nil
		return
	}
	r.in.join.buf = append([]byte(nil), r.in.join.buf...)
}
