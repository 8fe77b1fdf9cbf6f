// One side of a connection: an inbound and an outbound half that share no memory.

package websocket

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/seed86893212/websocket/internal/bufpool"
	"github.com/seed86893212/websocket/internal/xor"
)

// eventKind says what the inbound half found in the peer's bytes.
type eventKind uint8

const (
	eventMore    eventKind = iota // everything was taken in and more is needed
	eventMessage                  // a whole message
	eventStart                    // a message began (streaming)
	eventChunk                    // a piece of a message (streaming)
	eventPing                     // a ping: a pong is due
	eventPong                     // a pong
	eventClose                    // the peer's close frame
	eventFail                     // the connection must be failed
	eventDrain                    // the send queue has drained (told by the driver)
	eventWait                     // there is nothing to receive (told by the link)
	eventLost                     // the transport has failed (told by the link)
)

// An event is one thing the peer did. data lies in the bytes that were given
// in, or in the message's own buffer, and is valid until more bytes are. Events
// are filled in where their reader wants them, which is a good deal cheaper than
// handing them through from function to function.
type event struct {
	kind  eventKind
	final bool // a chunk is its message's last
	kept  bool // data is the message's own buffer, which the receiver of the event now owns
	typ   MessageType
	data  []byte
	close *CloseError // of eventClose, what the peer sent; of eventFail, the failure
	lost  error       // of eventLost
}

// fail makes ev a failure of the connection.
func (ev *event) fail(err *CloseError) {
	ev.kind, ev.close = eventFail, err
}

// directMin is how much of a message must have arrived before its rest is read
// straight into its buffer.
const directMin = 4 << 10

// earnedMax bounds the room that a message gets because of the one before, as a
// power of two.
const earnedMax = 20

// The inbound half turns the peer's bytes into events. It takes no part in
// what has to be answered: it says so, and whoever drives it tells the outbound
// half.
type inbound struct {
	rx      receiver
	join    joiner
	control *cut       // front of a control payload that was cut, or nil
	z       *inflation // nil unless permessage-deflate was agreed on
	earned  uint8      // the peer's last large message had at most 1<<earned bytes: see ahead

	// grow returns buf with room for n more bytes at least.
	grow func(buf []byte, n int) []byte
}

// A cut is what there is of a control frame's payload that came in pieces.
type cut struct {
	n     int
	bytes [maxControlPayload]byte
}

func (c *cut) add(p []byte) { c.n += copy(c.bytes[c.n:], p) }

// next takes bytes from the front of b, which it may modify, and returns how
// many it took; ev becomes what it found. Only with eventMore it has taken all
// of them. With stream, data messages come in pieces as they arrive and are not
// kept.
func (in *inbound) next(b []byte, stream bool, ev *event) int {
	if !stream && in.idle() {
		if n := takeWhole(b, in.rx.role, in.join.limit, ev); n > 0 {
			return n
		}
	}
	ev.kind, ev.final, ev.kept = eventMore, false, false
	n := 0
	if in.z != nil {
		in.z.spare()
	}
	for {
		if stream && in.join.kind != 0 && !in.join.announced {
			in.join.announced = true
			ev.kind, ev.typ = eventStart, in.join.kind
			return n
		}
		if stream && len(in.join.buf) > 0 {
			ev.kind, ev.typ, ev.data, ev.kept = eventChunk, in.join.kind, in.join.buf, true
			in.join.buf = nil
			return n
		}
		if in.join.packed && in.z.stalled {
			if in.inflate(stream, ev); ev.kind != eventMore {
				return n
			}
			continue
		}
		if !in.rx.busy {
			if n == len(b) {
				return n
			}
			took, err := in.rx.header(b[n:])
			n += took
			if err == nil && in.rx.busy {
				err = in.begin()
			}
			if err != nil {
				ev.fail(err)
				return n
			}
			continue
		}
		if n == len(b) && in.rx.left > 0 {
			return n
		}
		p, ok := in.rx.payload(b[n:], in.check())
		n += len(p)
		if !ok {
			ev.fail(errText())
			return n
		}
		if in.piece(p, stream, ev); ev.kind != eventMore {
			return n
		}
	}
}

// takeWhole is next, between messages, for what nearly always comes: a whole
// message of one frame of fewer than 64 KiB, all of it here and as it should be.
// For anything else it returns 0 and has done nothing. It needs no inbound.
func takeWhole(b []byte, side Role, limit int64, ev *event) int {
	op, head, length := shortHeader(b, side)
	if head == 0 || length > len(b)-head || limit > 0 && int64(length) > limit {
		return 0
	}
	p := b[head : head+length : head+length] // appending to it must not touch the next frame
	ok := true
	switch {
	case side == RoleServer && op == OpText:
		ok = unmaskText(p, binary.LittleEndian.Uint32(b[head-4:]))
	case side == RoleServer:
		xor.Mask(p, binary.LittleEndian.Uint32(b[head-4:]))
	case op == OpText:
		ok = validText(p)
	}
	if !ok {
		ev.fail(errText())
		return head + length
	}
	ev.kind, ev.typ, ev.data, ev.final, ev.kept = eventMessage, MessageType(op), p, true, false
	return head + length
}

// begin applies to a frame, from its header, what does not depend on the frame
// alone.
func (in *inbound) begin() *CloseError {
	if in.rx.op.Control() {
		return in.join.control()
	}
	if in.rx.rsv1 {
		in.z.begin()
	}
	return in.join.data(in.rx.op, in.rx.left, in.rx.rsv1)
}

// check returns what checks the payload of the current frame, or nil.
func (in *inbound) check() *textCheck {
	if in.rx.op.Control() {
		return nil
	}
	return in.join.check()
}

// piece handles an unmasked and checked piece of the current payload.
func (in *inbound) piece(p []byte, stream bool, ev *event) {
	ended := in.rx.left == 0
	switch {
	case in.rx.op.Control():
		in.controlPiece(p, ev)
		return
	case in.join.packed:
		in.z.rest = p
		in.inflate(stream, ev)
		return
	case stream:
		ev.kind, ev.typ, ev.data = eventChunk, in.join.kind, p
	case ended && in.rx.final && len(in.join.buf) == 0:
		ev.kind, ev.typ, ev.data = eventMessage, in.join.kind, p
	default:
		in.keep(p)
	}
	if ended {
		in.endFrame(ev)
	}
}

// inflate inflates what there is to inflate of a compressed message: all of it, or
// with stream as much as makes a piece. The limit holds before memory is spent.
func (in *inbound) inflate(stream bool, ev *event) {
	x, j := in.z, &in.join
	if x.drops {
		x.stalled, j.text = false, textCheck{}
		if in.rx.left == 0 {
			in.endInflated(stream, ev)
		}
		return
	}
	buf := j.buf
	if stream {
		if x.out == nil {
			x.out = bufpool.Get(inflateChunk)
		}
		buf = x.out[:0]
	}
	for {
		if free := cap(buf) - len(buf); !stream && free < inflateMin {
			if more := x.ahead(len(buf), j.bound); more > free {
				buf = in.grow(buf, more)
			}
		}
		had := len(buf)
		var err *CloseError
		buf, err = x.fill(buf, in.rx.left == 0 && in.rx.final, j.bound)
		if j.kind == MessageText && !j.text.write(buf[had:]) {
			err = errText() // it came before any other
		}
		if err != nil {
			ev.fail(err)
			return
		}
		if stream || !x.stalled {
			break
		}
	}
	if !stream {
		j.buf = buf
	} else if len(buf) > 0 {
		ev.kind, ev.typ, ev.data = eventChunk, j.kind, buf
	}
	if in.rx.left == 0 && !x.stalled {
		in.endInflated(stream, ev)
	}
}

// endInflated is endFrame for a compressed message.
func (in *inbound) endInflated(stream bool, ev *event) {
	if in.rx.final {
		in.z.end()
		if stream && ev.kind == eventMore { // an empty piece ends it
			ev.kind, ev.typ, ev.data = eventChunk, in.join.kind, nil
		}
	}
	in.endFrame(ev)
}

// endFrame ends a data frame and, if it is the message's last, the message. ev
// is what the frame's last piece made, eventMore if the message's buffer has all
// of it.
func (in *inbound) endFrame(ev *event) {
	in.rx.busy = false
	if !in.rx.final {
		return
	}
	if ev.kind == eventMore {
		ev.kind, ev.typ, ev.data, ev.kept = eventMessage, in.join.kind, in.join.buf, true
		if !in.join.packed { // much may come of little
			in.earned = uint8(min(bits.Len(uint(len(ev.data))), earnedMax))
		}
	}
	// A message that is handed out from elsewhere leaves a lent buffer behind.
	buf := in.join.buf
	if err := in.join.end(); err != nil {
		ev.fail(err)
		return
	}
	if !ev.kept {
		in.join.buf = buf
	}
	ev.final = true
}

// keep adds a piece to the message's buffer. The buffer grows with the bytes
// that arrived, never with those a header announced.
func (in *inbound) keep(p []byte) {
	if need := len(p); cap(in.join.buf)-len(in.join.buf) < need {
		in.join.buf = in.grow(in.join.buf, need+in.ahead())
	}
	in.join.buf = append(in.join.buf, p...)
}

// ahead returns for how many bytes still to come the message's buffer makes
// room when it grows: those of the current frame, or as many as there are when
// more frames follow, since a message in many small ones would otherwise be
// copied for each; but at most three times as many as there are, or until it is
// about as long as the one before, all of which has come. To move a message from
// buffer to buffer costs as much as to receive it.
func (in *inbound) ahead() int {
	have := int64(len(in.join.buf))
	more := in.rx.left
	if !in.rx.final {
		more = max(more, have)
		if in.join.bound > 0 {
			more = min(more, in.join.bound-in.join.size+in.rx.left)
		}
	}
	most := 3 * have
	if in.earned > 0 {
		most = max(most, 1<<in.earned-have)
	}
	return int(min(more, most, math.MaxInt/4))
}

// room returns where the next bytes may be read to straight away, because they
// can only be the rest of a large frame; or nil. The bytes are then reported to
// filled instead of being given to next.
func (in *inbound) room() []byte {
	if !in.rx.busy || in.rx.op.Control() || in.join.announced || in.join.packed ||
		in.rx.left < directMin || len(in.join.buf) < directMin {
		return nil
	}
	if cap(in.join.buf)-len(in.join.buf) < directMin {
		in.join.buf = in.grow(in.join.buf, in.ahead())
	}
	free := in.join.buf[len(in.join.buf):cap(in.join.buf)]
	return free[:min(int64(len(free)), in.rx.left)]
}

// filled takes in n bytes that were read into what room returned.
func (in *inbound) filled(n int, ev *event) {
	ev.kind, ev.final, ev.kept = eventMore, false, false
	at := len(in.join.buf)
	in.join.buf = in.join.buf[:at+n]
	if _, ok := in.rx.payload(in.join.buf[at:], in.check()); !ok {
		ev.fail(errText())
	} else if in.rx.left == 0 {
		in.endFrame(ev)
	}
}

// controlPiece handles a piece of a control frame's payload.
func (in *inbound) controlPiece(p []byte, ev *event) {
	if in.rx.left > 0 {
		if in.control == nil {
			in.control = new(cut)
		}
		in.control.add(p)
		return
	}
	if in.control != nil {
		in.control.add(p)
		p, in.control = in.control.bytes[:in.control.n], nil
	}
	in.rx.busy = false
	switch in.rx.op {
	case OpPing:
		ev.kind, ev.data = eventPing, p
		return
	case OpPong:
		ev.kind, ev.data = eventPong, p
		return
	}
	code, reason, err := parseClose(p)
	if err != nil {
		ev.fail(err)
		return
	}
	ev.kind, ev.close = eventClose, &CloseError{Code: code, Reason: reason, Remote: true}
}

// A parting is how the connection ends, once the peer's close frame or a
// failure has been found.
type parting struct {
	cause  *CloseError
	code   StatusCode // of the close frame, if none has been sent yet
	reason string
	half   bool // half-close first: the peer may still be sending
	linger bool // then receive, and drop, until the peer closes
}

// partWith returns how an eventClose or eventFail ends the connection, on this side
// of it. This is the one door through which it fails.
func partWith(ev *event, side Role) parting {
	if ev.kind == eventClose {
		return parting{
			cause: ev.close,
			// "When sending a Close frame in response, the endpoint typically
			// echos the status code it received" (RFC 6455, section 5.5.1).
			code: ev.close.Code,
			// "the server MUST close the underlying TCP connection immediately;
			// the client SHOULD wait for the server to close" (section 7.1.1).
			linger: side == RoleClient,
		}
	}
	// Section 7.1.7. Closing with input unread would reset the connection, and
	// the peer might never see the close frame.
	return parting{cause: ev.close, code: ev.close.Code, reason: ev.close.Reason, half: true, linger: true}
}

// idle reports whether the peer is between two messages and two frames, so that
// nothing need be known of what it sent.
func (in *inbound) idle() bool {
	return !in.rx.busy && in.rx.cut == 0 && in.join.kind == 0
}

// pending reports whether b, between two frames, begins with what looks like a
// whole further frame. It is a hint only.
func pending(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	length, n := int(b[1]&0x7f), 2
	switch {
	case length == 126 && len(b) >= 4:
		length, n = int(b[2])<<8|int(b[3]), 4
	case length > 125:
		return false // as good as never whole
	}
	if b[1]&0x80 != 0 {
		n += 4
	}
	return len(b) >= n+length
}

// The outbound half builds the frames of this side. After the close frame it
// builds none: "The application MUST NOT send any more data frames after
// sending a Close frame" (RFC 6455, section 5.5.1).
type outbound struct {
	sender
	closed bool // the close frame has been built
}

// appendClose appends the one close frame there will be. The code and reason
// are those of checkClose.
func (o *outbound) appendClose(dst []byte, code StatusCode, reason string, newKey func() uint32) []byte {
	if o.closed {
		return dst
	}
	o.closed = true
	body, err := AppendClosePayload(make([]byte, 0, maxControlPayload), code, reason)
	if err != nil {
		body, _ = AppendClosePayload(body[:0], StatusInternalError, "")
	}
	return o.appendFrame(dst, OpClose, true, body, newKey)
}
