// Messages in pieces: MessageReader and MessageWriter.

package websocket

import (
	"context"
	"errors"
	"io"
	"unsafe"

	"github.com/seed86893212/websocket/internal/bufpool"
	"github.com/seed86893212/websocket/internal/flate"
)

var (
	errStaleReader  = errors.New("websocket: a later read has discarded the rest of this message")
	errWriterClosed = errors.New("websocket: write to a message that has ended")
)

// A MessageReader reads one message as it arrives, in constant memory. It comes
// from Conn.Reader. It is for one goroutine at a time. The next read on the
// connection discards what it has not read.
type MessageReader struct {
	l      *blocking
	ctx    context.Context
	serial uint32
	rest   []byte // received and not yet read; lies in the link's buffers
	final  bool   // nothing comes after rest
	err    error  // sticks
}

// SetContext makes ctx the context of the following calls, in place of the one
// given to Conn.Reader. Reading goes on where it was also after the old context
// has ended.
func (r *MessageReader) SetContext(ctx context.Context) { r.ctx = ctx }

// Read reads some of the message into p and returns io.EOF after its end. If the
// reader's context ends first, Read returns the context's error, and can be
// repeated after SetContext. Text is checked as it arrives: at the first bad
// byte the connection fails with an error that matches ErrInvalidText. After a
// later read has been started on the connection Read returns an error. Errors of
// the connection are those of Conn.Read.
func (r *MessageReader) Read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	if err := r.l.take(r.ctx); err != nil {
		return 0, err
	}
	defer r.l.give()
	switch {
	case r.final && len(r.rest) == 0:
		r.err = io.EOF
		return 0, r.err
	case r.l.isClosed(): // the buffers have been given up
		r.rest = nil
		return 0, r.l.afterEnd()
	case r.serial != r.l.serial:
		r.rest, r.err = nil, errStaleReader
		return 0, r.err
	}
	for len(r.rest) == 0 {
		if r.final { // an empty piece ended it
			r.err = io.EOF
			return 0, r.err
		}
		var ev event
		if err := r.l.next(r.ctx, &ev); err != nil {
			return 0, err
		}
		if ev.kind == eventChunk {
			r.rest, r.final = ev.data, ev.final
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// writerSize is how much a MessageWriter collects before it sends a fragment.
const writerSize = 4 << 10

// A MessageWriter writes one message in fragments (RFC 6455, section 5.4). It
// comes from Conn.Writer and must be closed: until then it holds up every other
// data message of the connection, though not control frames and not Close. It
// is for one goroutine at a time.
type MessageWriter struct {
	l      *blocking
	ctx    context.Context
	typ    MessageType
	op     Opcode        // of the next frame
	agreed *deflater     // the connection's
	z      *deflater     // nil if the message is not compressed, or not begun
	window *flate.Window // of the message, without takeover
	size   int           // bytes written
	buf    []byte        // written and not yet sent
	text   textCheck
	err    error // sticks
}

func newMessageWriter(ctx context.Context, l *blocking, t MessageType, z *deflater) (*MessageWriter, error) {
	open := !l.isClosed()
	if err := l.wr.begin(ctx); err != nil {
		return nil, l.writeError(err, open)
	}
	return &MessageWriter{l: l, ctx: ctx, typ: t, op: t.opcode(), agreed: z}, nil
}

// SetContext makes ctx the context of the following calls, in place of the one
// given to Conn.Writer. Writing goes on where it was also after the old context
// has ended.
func (w *MessageWriter) SetContext(ctx context.Context) { w.ctx = ctx }

// Write adds p to the message. p is not modified and may be reused. Small pieces
// are collected, so an error may show only later; Flush sends them. Text may be
// cut anywhere between calls, but a piece that makes it invalid UTF-8 is refused
// with ErrInvalidText before anything of it is sent, and the message can go on
// without it. If the context ends first, Write returns how many bytes have become
// part of the message and the context's error, and writing can go on after
// SetContext. Other errors are those of Conn.Write.
func (w *MessageWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.ctx == nil {
		return 0, errNilContext
	}
	text := w.text
	checked := w.typ.kind() == MessageText && !w.l.wr.set.skipOutgoingTextCheck
	if checked && !text.write(p) {
		return 0, ErrInvalidText
	}
	n, err := w.add(p)
	w.size += n
	switch {
	case !checked:
	case n == len(p):
		w.text = text
	default:
		w.text.write(p[:n])
	}
	return n, err
}

// add collects p, and sends a fragment each time there is enough for one.
func (w *MessageWriter) add(p []byte) (n int, err error) {
	for n < len(p) {
		if len(w.buf) == 0 && len(p)-n >= writerSize {
			accepted, err := w.fragment(p[n:], false)
			if accepted {
				n = len(p)
			}
			return n, err
		}
		if w.buf == nil {
			w.buf = bufpool.Get(writerSize)
		}
		k := min(len(p)-n, writerSize-len(w.buf))
		w.buf = append(w.buf, p[n:n+k]...)
		n += k
		if len(w.buf) == writerSize {
			if err := w.Flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// WriteString is Write for a string.
func (w *MessageWriter) WriteString(s string) (int, error) { return w.Write(stringBytes(s)) }

// stringBytes returns the bytes of s, which must not be modified.
func stringBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// Flush sends what has been written so far as a fragment, for a peer that reads
// the message as it arrives. Errors are those of Write.
func (w *MessageWriter) Flush() error {
	if w.err != nil {
		return w.err
	}
	if len(w.buf) == 0 {
		return nil
	}
	return w.send(false)
}

// send sends what has been collected.
func (w *MessageWriter) send(final bool) error {
	accepted, err := w.fragment(w.buf, final)
	if accepted {
		w.buf = w.buf[:0]
	}
	if final && (accepted || w.ctx != nil && err != w.ctx.Err()) {
		w.finish()
	}
	return err
}

// fragment sends p as a fragment. A message of more than one counts as long when
// it comes to whether it is compressed.
func (w *MessageWriter) fragment(p []byte, final bool) (accepted bool, err error) {
	pc := parcel{op: w.op, p: p}
	switch first := w.op != OpContinuation; {
	case first && final:
		pc = w.agreed.pack(w.typ, p, nil)
	case first && w.agreed.wants(w.typ.long(), len(p)):
		w.z = w.agreed
		if w.window == nil && !w.z.window.takeover {
			w.window = flate.GetWindow(int(w.z.window.bits))
		}
		pc.op |= opCompressed
		fallthrough
	default:
		pc.z, pc.window = w.z, w.window
	}
	pc.inside, pc.more = true, !final
	accepted, err = w.l.write(toWaitWith(w.ctx, &w.l.link), pc.op, p, &pc)
	pc.free()
	if accepted {
		w.op, w.z = OpContinuation, pc.z
	}
	return accepted, err
}

// finish lets the other messages go on.
func (w *MessageWriter) finish() {
	bufpool.Put(w.buf)
	if w.window != nil {
		flate.PutWindow(w.window)
		w.window = nil
	}
	w.buf, w.err = nil, errWriterClosed
	w.l.wr.end()
}

// Close ends the message. If the context ends before that could be sent, Close
// returns the context's error and can be repeated after SetContext. A text
// message that ends inside a character is ErrInvalidText: nothing is sent of it
// if nothing has been, otherwise the connection is closed with
// StatusInternalError, since the peer is left with half a message. Under an
// Engine whose queue is full, Close returns ErrSendLimit if nothing of the message
// has been sent, and nothing will be; the end of any other has room of its own.
// Closing twice is an error and does nothing.
func (w *MessageWriter) Close() error {
	if w.err != nil {
		return w.err
	}
	if !w.text.whole() {
		if w.op == OpContinuation { // first, so that nobody's message follows half of this one
			_ = w.l.close(StatusInternalError, "a text message ended inside a character")
		}
		w.finish()
		return ErrInvalidText
	}
	err := w.send(true)
	if w.err == errWriterClosed && err == w.ctx.Err() {
		err = nil // its first byte has been sent, so the rest will be
	}
	if err == nil {
		w.l.wr.set.sent(w.typ.kind(), w.size)
	}
	return err
}
