package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// An Echo checks that a server sends a Ring back, message after message. It
// accepts any fragmentation. Of compressed messages it inflates some.
type Echo struct {
	// Control, if set, is called with each control frame, whose payload is valid
	// meanwhile; it may end the Echo with an error. Without it pings and pongs are
	// passed over, and a close frame is an error.
	Control func(opcode byte, payload []byte) error
	Wire    uint64 // bytes of data frames' payloads that have come

	ring *Ring
	next int // index of the message that is awaited
	at   int // how much of it has come

	header  [10]byte
	have    int // bytes of header
	left    int // payload bytes to come of the frame
	opcode  byte
	held    []byte // payload of a control frame, for Control
	control bool
	final   bool
	first   bool // the next data frame begins a message

	compressed bool // the message that is awaited is
	inflated   bool // and it will be inflated
	z          inflater
}

// Reset makes e await ring from message next on.
func (e *Echo) Reset(ring *Ring, next int) {
	z := inflater{takeover: ring.Deflate.Takeover, window: 1 << ring.Deflate.Bits, all: ring.Deflate.Takeover && next%checkedOf == 0}
	*e = Echo{Control: e.Control, ring: ring, next: next % len(ring.Payloads), first: true, z: z}
}

var (
	errMasked   = errors.New("a masked or extended frame")
	errContent  = errors.New("the echo differs from the message")
	errClosed   = errors.New("the server sent a close frame")
	errSequence = errors.New("a frame with the wrong opcode")
)

// Feed takes p in and returns how many messages it completes.
func (e *Echo) Feed(p []byte) (done int, err error) {
	for len(p) > 0 {
		if e.left == 0 {
			n, complete, err := e.head(p)
			if err != nil {
				return done, err
			}
			p = p[n:]
			if !complete {
				break
			}
		}
		if e.left > 0 {
			n := min(e.left, len(p))
			if err := e.payload(p[:n]); err != nil {
				return done, err
			}
			p = p[n:]
			if e.left > 0 {
				break
			}
		}
		if e.control {
			if err := e.finish(); err != nil {
				return done, err
			}
		} else if e.final {
			if err := e.end(); err != nil {
				return done, err
			}
			e.at = 0
			e.first = true
			e.next = (e.next + 1) % len(e.ring.Payloads)
			done++
		}
	}
	return done, nil
}

// head takes in a header, or what there is of it.
func (e *Echo) head(p []byte) (n int, complete bool, err error) {
	for {
		need := 2
		if e.have >= 2 {
			need = 2 + int(extra(e.header[1]))
		}
		if e.have == need {
			break
		}
		if n == len(p) {
			return n, false, nil
		}
		m := copy(e.header[e.have:need], p[n:])
		e.have += m
		n += m
	}
	e.have = 0
	return n, true, e.begin()
}

// begin takes a whole header apart.
func (e *Echo) begin() error {
	b0, b1 := e.header[0], e.header[1]
	compressed := b0&rsv1 != 0
	if compressed && e.ring.Deflate.On() && e.first && b0&15 < Close {
		b0 &^= rsv1
	}
	if b0&0x70 != 0 || b1&0x80 != 0 {
		return errMasked
	}
	switch extra(b1) {
	case 0:
		e.left = int(b1)
	case 2:
		e.left = int(binary.BigEndian.Uint16(e.header[2:]))
	default:
		e.left = int(binary.BigEndian.Uint64(e.header[2:]))
	}
	opcode := b0 & 15
	e.final = b0&0x80 != 0
	e.control = opcode >= Close
	e.opcode = opcode
	switch {
	case opcode == Close && e.Control == nil:
		return errClosed
	case e.control:
		return nil
	case e.first && opcode != e.ring.Opcode, !e.first && opcode != Continuation:
		return errSequence
	}
	if e.first && compressed {
		e.compressed, e.inflated = true, e.z.wants()
	}
	e.first = false
	return nil
}

// end checks the message that has come.
func (e *Echo) end() error {
	want := e.ring.Payloads[e.next]
	if e.compressed {
		e.compressed = false
		if !e.inflated {
			return nil
		}
		return e.z.check(want)
	}
	if e.at != len(want) {
		return fmt.Errorf("a message of %d bytes: %w", e.at, errContent)
	}
	return nil
}

func (e *Echo) payload(p []byte) error {
	e.left -= len(p)
	if e.control {
		if e.Control != nil {
			e.held = append(e.held, p...)
		}
		return nil
	}
	e.Wire += uint64(len(p))
	if e.compressed {
		if e.inflated {
			e.z.raw = append(e.z.raw, p...)
		}
		return nil
	}
	want := e.ring.Payloads[e.next][e.at:]
	if len(p) > len(want) || !bytes.Equal(p, want[:len(p)]) {
		return errContent
	}
	e.at += len(p)
	return nil
}

// finish hands out a whole control frame.
func (e *Echo) finish() error {
	if e.Control == nil {
		return nil
	}
	held := e.held
	e.held = nil
	return e.Control(e.opcode, held)
}

// extra returns how many bytes of length follow the second byte of a header.
func extra(b1 byte) byte {
	switch b1 & 0x7f {
	case 126:
		return 2
	case 127:
		return 8
	}
	return 0
}
