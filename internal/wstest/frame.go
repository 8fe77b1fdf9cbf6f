// Frames, built and taken apart without the library under test.

package wstest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Opcodes (RFC 6455, section 5.2).
const (
	Continuation = 0x0
	Text         = 0x1
	Binary       = 0x2
	Close        = 0x8
	Ping         = 0x9
	Pong         = 0xA
)

// A Frame is a frame of RFC 6455, section 5.2, right or wrong: what it says of
// itself need not be true.
type Frame struct {
	Part    bool  // FIN is clear: more fragments follow
	RSV     uint8 // the reserved bits: 4 is RSV1, 2 is RSV2, 1 is RSV3
	Opcode  uint8
	Mask    *[4]byte // nil: not masked
	Payload []byte   // before masking

	// Wide encodes the length in 2 or 8 bytes even if fewer would do. 0 means
	// as few as possible.
	Wide int
	// Declare, if not 0, is the length in the header, whatever Payload has.
	Declare uint64
}

// TextFrame returns a whole text message.
func TextFrame(s string) Frame { return Frame{Opcode: Text, Payload: []byte(s)} }

// BinaryFrame returns a whole binary message.
func BinaryFrame(p []byte) Frame { return Frame{Opcode: Binary, Payload: p} }

// PingFrame returns a ping.
func PingFrame(s string) Frame { return Frame{Opcode: Ping, Payload: []byte(s)} }

// PongFrame returns a pong.
func PongFrame(s string) Frame { return Frame{Opcode: Pong, Payload: []byte(s)} }

// CloseFrame returns a close frame; with code 0 one without a body.
func CloseFrame(code uint16, reason string) Frame {
	if code == 0 {
		return Frame{Opcode: Close, Payload: []byte(reason)}
	}
	return Frame{Opcode: Close, Payload: append([]byte{byte(code >> 8), byte(code)}, reason...)}
}

// Masked returns f as a client sends it, with a key that is always the same.
func (f Frame) Masked() Frame { return f.MaskedWith([4]byte{0x37, 0xfa, 0x21, 0x3d}) }

// MaskedWith is Masked with a key.
func (f Frame) MaskedWith(key [4]byte) Frame {
	f.Mask = &key
	return f
}

// Append appends the bytes of f on the wire.
func (f Frame) Append(dst []byte) []byte {
	first := f.RSV<<4 | f.Opcode
	if !f.Part {
		first |= 0x80
	}
	length := uint64(len(f.Payload))
	if f.Declare != 0 {
		length = f.Declare
	}
	var masked byte
	if f.Mask != nil {
		masked = 0x80
	}
	switch {
	case f.Wide == 8 || length > 0xffff:
		dst = binary.BigEndian.AppendUint64(append(dst, first, masked|127), length)
	case f.Wide == 2 || length > 125:
		dst = binary.BigEndian.AppendUint16(append(dst, first, masked|126), uint16(length))
	default:
		dst = append(dst, first, masked|byte(length))
	}
	if f.Mask == nil {
		return append(dst, f.Payload...)
	}
	dst = append(dst, f.Mask[:]...)
	for i, b := range f.Payload {
		dst = append(dst, b^f.Mask[i%4])
	}
	return dst
}

// Wire returns the bytes of the frames one after the other.
func Wire(frames ...Frame) []byte {
	var b []byte
	for _, f := range frames {
		b = f.Append(b)
	}
	return b
}

// ReadFrame reads one frame and unmasks it. Wide and Declare are set only where
// the length did not take the shortest form. A frame that is cut is
// io.ErrUnexpectedEOF, the end between frames io.EOF.
func ReadFrame(r io.Reader) (Frame, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return Frame{}, err
	}
	f := Frame{Part: head[0]&0x80 == 0, RSV: head[0] >> 4 & 7, Opcode: head[0] & 15}
	masked, length := head[1]&0x80 != 0, uint64(head[1]&0x7f)
	if wide := map[uint64]int{126: 2, 127: 8}[length]; wide > 0 {
		clear(head[:])
		if _, err := io.ReadFull(r, head[8-wide:]); err != nil {
			return f, cut(err)
		}
		length = binary.BigEndian.Uint64(head[:])
		if wide == 2 && length <= 125 || wide == 8 && length <= 0xffff {
			f.Wide = wide
		}
	}
	if masked {
		f.Mask = new([4]byte)
		if _, err := io.ReadFull(r, f.Mask[:]); err != nil {
			return f, cut(err)
		}
	}
	if length > 1<<30 {
		return f, fmt.Errorf("wstest: a frame that declares %d bytes", length)
	}
	var err error
	if f.Payload, err = io.ReadAll(io.LimitReader(r, int64(length))); err != nil {
		return f, err
	}
	if f.Mask != nil {
		for i := range f.Payload {
			f.Payload[i] ^= f.Mask[i%4]
		}
	}
	if uint64(len(f.Payload)) < length {
		f.Declare = length
		return f, io.ErrUnexpectedEOF
	}
	return f, nil
}

// cut is the error of a frame that ends before it should.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// String describes f for a person.
func (f Frame) String() string {
	names := map[uint8]string{
		Continuation: "continuation", Text: "text", Binary: "binary", Close: "close", Ping: "ping", Pong: "pong",
	}
	s := names[f.Opcode]
	if s == "" {
		s = fmt.Sprintf("opcode %d", f.Opcode)
	}
	if f.Part {
		s += ", not final"
	}
	if f.RSV != 0 {
		s += fmt.Sprintf(", RSV %03b", f.RSV)
	}
	if f.Mask != nil {
		s += ", masked"
	}
	if f.Wide != 0 {
		s += fmt.Sprintf(", length in %d bytes", f.Wide)
	}
	if f.Declare != 0 {
		s += fmt.Sprintf(", declares %d bytes", f.Declare)
	}
	if len(f.Payload) > 200 {
		return s + fmt.Sprintf(", %q... (%d bytes)", f.Payload[:200], len(f.Payload))
	}
	return s + fmt.Sprintf(", %q", f.Payload)
}

// Hex returns the bytes of a hex string, in which white space means nothing. It
// panics if s is not hex.
func Hex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic("wstest: " + err.Error())
	}
	return b
}
