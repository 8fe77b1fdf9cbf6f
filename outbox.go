// The order, the bounds and the bookkeeping of what is to be written.

package websocket

// pongRoom bounds the pongs that wait to be written, in bytes. Beyond it only
// the latest ping is answered, as RFC 6455, section 5.5.3 allows.
const pongRoom = 4 << 10

// pingRoom is the room for pings, in bytes, in a queue that has none for
// messages.
const pingRoom = 4 << 10

// An outbox holds what has been accepted and not yet written. Bytes are known
// by their position in everything that was ever added, so that whoever added
// some can tell how far they have got.
type outbox struct {
	buf   []byte // frames in order, written up to off
	off   int
	ref   []byte // a payload that is written from where it is: it stands in
	refAt int    // buf's bytes before index refAt
	lent  int    // bytes that a write under way is reading
	held  []byte // whole messages that wait for an open one to end
	added int64  // bytes ever added
	pongs int    // bytes of pongs since the last time that none was waiting
	toGo  int64  // position up to which pongs wait, or a little more
	pings int    // bytes of pings since the box was empty
	ping  []byte // the latest ping that had no room for its pong
	late  bool   // ping is to be answered
}

// pending returns the number of bytes not yet written, held ones left out.
func (o *outbox) pending() int { return len(o.buf) - o.off + len(o.ref) }

// size returns the number of bytes accepted and not yet written.
func (o *outbox) size() int64 { return int64(o.pending() + len(o.held)) }

// written returns the position up to which everything has been written.
func (o *outbox) written() int64 { return o.added - int64(o.pending()) }

// set makes buf, which is o.buf with something appended, the new o.buf.
func (o *outbox) set(buf []byte) {
	o.added += int64(len(buf) - len(o.buf))
	o.buf = buf
}

// refer adds p without copying it. There is room for one such payload; false
// means that it is taken. p must stay as it is until it is written or detached.
func (o *outbox) refer(p []byte) bool {
	if len(o.ref) > 0 {
		return false
	}
	o.ref, o.refAt = p, len(o.buf)
	o.added += int64(len(p))
	return true
}

// detach replaces what is left of the payload given to refer by a copy. No
// write may be under way.
func (o *outbox) detach() {
	if len(o.ref) > 0 {
		o.ref = append([]byte(nil), o.ref...)
	}
}

// lend returns the next bytes to write, at most limit, in one or two pieces.
// Until done is called with the number of them that were written they must not
// change.
func (o *outbox) lend(limit int) (p, q []byte) {
	p, q = o.lendAll()
	p = p[:min(len(p), limit)]
	q = q[:min(len(q), limit-len(p))]
	o.lent = len(p) + len(q)
	return p, q
}

// lendAll is lend without a limit.
func (o *outbox) lendAll() (p, q []byte) {
	if len(o.ref) == 0 {
		p = o.buf[o.off:]
	} else {
		p, q = o.buf[o.off:o.refAt], o.ref
	}
	o.lent = len(p) + len(q)
	return p, q
}

// done ends a write of n of the bytes lent.
func (o *outbox) done(n int) {
	o.lent = 0
	if len(o.ref) > 0 {
		own := min(n, o.refAt-o.off)
		o.off += own
		o.ref = o.ref[n-own:]
	} else {
		o.off += n
	}
	if len(o.ref) == 0 {
		o.ref = nil
	}
	o.rewind()
}

// rewind starts again at the front of the buffer if all has been written.
func (o *outbox) rewind() {
	if o.pending() == 0 {
		o.buf, o.off, o.pongs, o.pings = o.buf[:0], 0, 0, 0
	}
}

// drop lets go of everything that has not been written, and that counts as if
// it had never been added. No write may be under way.
func (o *outbox) drop() { *o = outbox{added: o.written()} }

// compact moves the unwritten bytes to the front of the buffer once most of it
// has been written. No write may be under way.
func (o *outbox) compact() {
	if o.lent > 0 || o.off < 4<<10 || o.off < len(o.buf)/2 {
		return
	}
	n := copy(o.buf, o.buf[o.off:])
	o.buf = o.buf[:n]
	o.refAt -= o.off
	o.off = 0
}

// moveTo moves what is not written to another buffer, which is empty. A write
// under way goes on reading the old one.
func (o *outbox) moveTo(buf []byte) {
	o.buf = append(buf, o.buf[o.off:]...)
	o.refAt -= o.off
	o.off = 0
}

// remove takes back the bytes from position from to position to, if none of
// them has been written or lent. The positions after them move down.
func (o *outbox) remove(from, to int64) bool {
	if from < o.written()+int64(o.lent) {
		return false
	}
	i := o.off + int(from-o.written()) // as if all of it were in buf
	n := int(to - from)
	o.added -= int64(n)
	if to <= o.toGo {
		o.toGo -= int64(n)
	}
	if len(o.ref) > 0 && i+n > o.refAt {
		if i <= o.refAt { // its header and the payload itself
			n -= len(o.ref)
			o.ref = nil
		} else {
			i -= len(o.ref)
		}
	} else if len(o.ref) > 0 {
		o.refAt -= n
	}
	o.buf = append(o.buf[:i], o.buf[i+n:]...)
	o.rewind()
	return true
}

// hold keeps a whole message back until the open one has ended.
func (o *outbox) hold(frames []byte) { o.held = frames }

// release adds what was held back.
func (o *outbox) release() {
	if len(o.held) > 0 {
		o.set(append(o.buf, o.held...))
	}
	o.held = nil
}

// pongFits reports whether a pong may be added now, and counts it. If not, its
// ping is kept to be answered later, in place of an earlier one kept so.
func (o *outbox) pongFits(payload []byte) bool {
	if o.countPong(payload) {
		o.late = false
		return true
	}
	o.ping = append(o.ping[:0], payload...)
	o.late = true
	return false
}

// pingFits reports whether a ping may be added behind whatever waits.
func (o *outbox) pingFits(payload []byte) bool {
	fits := o.pings < pingRoom
	o.pings += len(payload) + maxHeader
	return fits
}

// latePing returns the ping that is still to be answered, once there is room
// for its pong, which is counted.
func (o *outbox) latePing() ([]byte, bool) {
	if !o.late || !o.countPong(o.ping) {
		return nil, false
	}
	o.late = false
	return o.ping, true
}

// countPong counts a pong that is about to be added, if there is room for it.
func (o *outbox) countPong(payload []byte) bool {
	if o.written() >= o.toGo {
		o.pongs = 0
	}
	if o.pongs >= pongRoom {
		return false
	}
	n := len(payload) + maxHeader
	o.pongs += n
	o.toGo = o.added + int64(n)
	return true
}
