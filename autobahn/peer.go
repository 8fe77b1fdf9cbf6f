// The peer under test, at the other end of a connection: frames out as asked,
// frames in as events, everything in the log.

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
	"unicode/utf8"
)

// maxMessage is the longest message that the runner reads.
const maxMessage = 64 << 20

// An event is something the peer did. Those of the first three kinds, and the
// time-outs that a case adds, are what a case is judged by.
type event struct {
	kind    eventKind
	payload []byte // of a message, ping, pong or close; the tag of a timeout
	binary  bool
	raw     []byte // of a message that came compressed
	err     error  // of a violation, or of the end
}

type eventKind string

const (
	gotMessage   eventKind = "message"
	gotPong      eventKind = "pong"
	timedOut     eventKind = "timeout"
	gotPing      eventKind = "ping"
	gotClose     eventKind = "close"
	gotViolation eventKind = "violation"
	gotEnd       eventKind = "end"
)

// A violation is a rule that the peer broke, and the status code that says so.
type violation struct {
	code int
	what string
}

func (v *violation) Error() string { return v.what }

// A peer is a connection past its handshake.
type peer struct {
	nc      net.Conn
	server  bool // the runner is the server, the peer the client
	log     *wirelog
	deflate *deflateState

	patience time.Duration // for what is written
	failed   error         // of a write: none comes after it

	mu    sync.Mutex
	queue []event
	bell  chan struct{} // rings when the queue is not empty
	done  chan struct{} // closed when the reading goroutine has ended
}

func newPeer(nc net.Conn, br *bufio.Reader, server bool, log *wirelog, agreed *deflateParams) *peer {
	p := &peer{nc: nc, server: server, log: log, bell: make(chan struct{}, 1), done: make(chan struct{})}
	if agreed != nil {
		p.deflate = newDeflateState(*agreed, server)
	}
	go func() {
		defer close(p.done)
		p.read(br)
	}()
	return p
}

func (p *peer) push(e event) {
	p.mu.Lock()
	p.queue = append(p.queue, e)
	p.mu.Unlock()
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

// next waits for an event; false means that none came in time.
func (p *peer) next(timeout <-chan time.Time) (event, bool) {
	for {
		p.mu.Lock()
		if len(p.queue) > 0 {
			e := p.queue[0]
			p.queue = p.queue[1:]
			p.mu.Unlock()
			return e, true
		}
		p.mu.Unlock()
		select {
		case <-p.bell:
		case <-timeout:
			return event{}, false
		}
	}
}

// write sends bytes, in chops if asked: each chop is a system call of its own.
// A peer that never reads does not hold it up for ever.
func (p *peer) write(b []byte, chop int, sync bool) error {
	if chop <= 0 {
		chop = max(1, len(b))
	}
	p.nc.SetWriteDeadline(time.Now().Add(p.patience))
	for len(b) > 0 && p.failed == nil {
		n := min(chop, len(b))
		p.log.sent(b[:n], sync)
		_, p.failed = p.nc.Write(b[:n])
		b = b[n:]
	}
	return p.failed
}

// send writes frames together.
func (p *peer) send(chop int, sync bool, frames ...frame) error {
	var b []byte
	for _, f := range frames {
		var key []byte
		b, key = f.appendTo(b, !p.server)
		p.log.sentFrame(f, key, chop, sync)
	}
	return p.write(b, chop, sync)
}

// read turns frames into events until the connection ends. After a violation
// the messages of the peer count no more, but its pongs and its close do. Behind
// its close there must be no data (section 5.5.1), not even a part of a frame.
func (p *peer) read(br *bufio.Reader) {
	var msg message
	for broken, closed := false, false; ; {
		h, payload, err := readFrame(br)
		if err != nil {
			if closed && (h != header{} || br.Buffered() > 0) {
				p.push(event{kind: gotViolation, err: &violation{1002, "a part of a frame after its close frame"}})
			}
			p.push(event{kind: gotEnd, err: err})
			return
		}
		p.log.receivedFrame(h, payload)
		var e event
		v := p.check(h)
		if v == nil && closed && !h.control() {
			v = &violation{1002, "a data frame after its close frame"}
		}
		closed = closed || h.op == opClose
		if v == nil && (!broken || h.control()) {
			e, v = msg.add(h, payload, p.deflate)
		}
		if v != nil {
			broken = true
			p.push(event{kind: gotViolation, err: v})
		}
		if e.kind != "" {
			p.push(e)
		}
	}
}

// check is what can be said of a frame by its header alone.
func (p *peer) check(h header) *violation {
	switch {
	case h.masked && !p.server:
		return &violation{1002, "a masked frame from a server"}
	case !h.masked && p.server:
		return &violation{1002, "an unmasked frame from a client"}
	case h.rsv != 0 && (h.rsv != 4 || p.deflate == nil || h.op != opText && h.op != opBinary):
		return &violation{1002, fmt.Sprintf("reserved bits %03b on opcode %d", h.rsv, h.op)}
	case h.long:
		return &violation{1002, "a length that is not in its shortest form"}
	case h.control() && (!h.fin || h.length > maxControl):
		return &violation{1002, "a control frame that is fragmented or too long"}
	case h.op > opBinary && h.op < opClose || h.op > opPong:
		return &violation{1002, fmt.Sprintf("reserved opcode %d", h.op)}
	}
	return nil
}

// A message is what has come of one in fragments.
type message struct {
	open       bool
	binary     bool
	compressed bool
	payload    []byte
}

// add takes a frame and returns the event it completes, if any.
func (m *message) add(h header, payload []byte, d *deflateState) (event, *violation) {
	switch {
	case h.op == opClose:
		return event{kind: gotClose, payload: payload}, closeProblem(payload)
	case h.op == opPing:
		return event{kind: gotPing, payload: payload}, nil
	case h.op == opPong:
		return event{kind: gotPong, payload: payload}, nil
	case h.op == opContinuation && !m.open:
		return event{}, &violation{1002, "a continuation of nothing"}
	case h.op != opContinuation && m.open:
		return event{}, &violation{1002, "a new message inside a fragmented one"}
	case h.op != opContinuation:
		*m = message{open: true, binary: h.op == opBinary, compressed: h.rsv == 4}
	}
	if m.payload == nil {
		m.payload = payload
	} else {
		m.payload = append(m.payload, payload...)
	}
	if len(m.payload) > maxMessage {
		return event{}, &violation{1009, "a message longer than any that was sent"}
	}
	if !h.fin {
		return event{}, nil
	}
	m.open = false
	var raw []byte
	if m.compressed {
		raw = m.payload
		out, err := d.in.decompress(m.payload, maxMessage)
		if err != nil {
			return event{}, &violation{1007, err.Error()}
		}
		m.payload = out
	}
	if !m.binary && !utf8.Valid(m.payload) {
		return event{}, &violation{1007, "a text message that is not UTF-8"}
	}
	return event{kind: gotMessage, payload: m.payload, raw: raw, binary: m.binary}, nil
}

// closeProblem is what is wrong with the form of a close payload. A code that
// must not be used is not: the verdict on the close says more about that.
func closeProblem(p []byte) *violation {
	if len(p) == 1 {
		return &violation{1002, "a close frame with a payload of one byte"}
	}
	if len(p) > 2 && !utf8.Valid(p[2:]) {
		return &violation{1007, "a close reason that is not UTF-8"}
	}
	return nil
}

func closeCode(p []byte) (code int, reason string, ok bool) {
	if len(p) < 2 {
		return 0, "", false
	}
	return int(binary.BigEndian.Uint16(p)), string(p[2:]), true
}

// readFrame reads a frame, whatever it is.
func readFrame(br *bufio.Reader) (h header, payload []byte, err error) {
	var n int
	for want := 2; ; {
		b, err := br.Peek(want)
		if h, n = parseHeader(b); n > 0 {
			break
		}
		if err != nil {
			return h, nil, err
		}
		want++
	}
	_, _ = br.Discard(n) // it was just peeked
	if h.length > maxMessage {
		return h, nil, errors.New("the peer sent a frame longer than any that was sent to it")
	}
	payload, err = readPayload(br, int(h.length))
	if h.masked {
		xor(payload, h.key[:])
	}
	return h, payload, err
}

// readPayload believes a length only as far as bytes arrive.
func readPayload(r io.Reader, n int) ([]byte, error) {
	const trusted = 1 << 20
	p := make([]byte, min(n, trusted))
	for at := 0; ; {
		if _, err := io.ReadFull(r, p[at:]); err != nil {
			return nil, err
		}
		if at = len(p); at == n {
			return p, nil
		}
		p = append(p, make([]byte, min(n-at, at))...)
	}
}

// loggingConn notes in the log what is read.
type loggingConn struct {
	net.Conn
	log *wirelog
}

func (c loggingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.log.received(p[:n])
	}
	return n, err
}
