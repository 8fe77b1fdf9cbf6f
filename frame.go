// Frame headers, RFC 6455 section 5.2.

package websocket

import "encoding/binary"

// Role says which side of a connection an endpoint is. A client masks what it
// sends and a server does not (RFC 6455, section 5.1).
type Role uint8

// The roles. The zero Role is not valid.
const (
	RoleClient Role = 1 // opened the connection
	RoleServer Role = 2 // accepted it
)

// MessageType is the type of a data message (RFC 6455, section 5.6).
type MessageType uint8

// The types of messages. Their values are those of the opcodes.
const (
	MessageText   MessageType = 1 // UTF-8 text
	MessageBinary MessageType = 2 // bytes whose meaning is up to the application
)

// What may be added to a type of message that is sent.
const (
	typeCompressed   MessageType = 0x40
	typeUncompressed MessageType = 0x80
)

// Compressed returns t for sending a message that is to be compressed whatever its
// size, unless it is empty, even if that makes it larger, where compression was
// agreed on:
//
//	c.Write(ctx, websocket.MessageText.Compressed(), p)
//
// The result may be passed wherever the type of a message to be sent is asked for.
// It is never the type of a received message.
func (t MessageType) Compressed() MessageType { return t.kind() | typeCompressed }

// Uncompressed is like Compressed for a message that is not to be compressed: one
// that is compressed already, such as an image, or one with a secret beside text
// that an attacker chose, whom the compressed size would tell about the secret.
func (t MessageType) Uncompressed() MessageType { return t.kind() | typeUncompressed }

// kind returns t without what was added to it.
func (t MessageType) kind() MessageType { return t &^ (typeCompressed | typeUncompressed) }

// long returns t for a message that counts as long enough to be compressed.
func (t MessageType) long() MessageType { return t | typeCompressed }

// opcode returns the opcode of a message's first frame.
func (t MessageType) opcode() Opcode { return Opcode(t.kind()) }

// String returns "text" or "binary", with or without Compressed or Uncompressed,
// and "invalid message type" for anything else.
func (t MessageType) String() string {
	switch t.kind() {
	case MessageText:
		return "text"
	case MessageBinary:
		return "binary"
	}
	return "invalid message type"
}

func (t MessageType) valid() bool { return t.kind() == MessageText || t.kind() == MessageBinary }

// Opcode tells what a frame's payload means (RFC 6455, section 5.2).
type Opcode uint8

// The opcodes in use. 3 to 7 and 11 to 15 are reserved.
const (
	OpContinuation Opcode = 0
	OpText         Opcode = 1
	OpBinary       Opcode = 2
	OpClose        Opcode = 8
	OpPing         Opcode = 9
	OpPong         Opcode = 10
)

// Control reports whether op is the opcode of a control frame
// (RFC 6455, section 5.5).
func (op Opcode) Control() bool { return op&8 != 0 }

// Reserved reports whether op has no meaning in RFC 6455.
func (op Opcode) Reserved() bool { return op > OpBinary && op < OpClose || op > OpPong }

// maxControlPayload is the longest payload of a control frame:
// "All control frames MUST have a payload length of 125 bytes or less"
// (RFC 6455, section 5.5).
const maxControlPayload = 125

// maxHeader is the length of the longest frame header.
const maxHeader = 2 + 8 + 4

// A FrameHeader is everything of a frame before its payload (RFC 6455,
// section 5.2). It is for programs that work on frames themselves, such as
// proxies; Conn does all of this for you.
type FrameHeader struct {
	Final            bool // FIN: the last frame of a message
	RSV1, RSV2, RSV3 bool // reserved for extensions; permessage-deflate uses RSV1
	Opcode           Opcode
	Masked           bool
	MaskingKey       [4]byte // meaningful if Masked
	PayloadLength    int64   // bytes; never negative in a parsed header
}

// Append appends the wire form of h to dst and returns the result, using the
// shortest encoding of the length. A negative PayloadLength is taken as 0, and
// only the low four bits of Opcode are used.
func (h FrameHeader) Append(dst []byte) []byte {
	b0 := byte(h.Opcode & 0x0f)
	if h.Final {
		b0 |= 0x80
	}
	if h.RSV1 {
		b0 |= 0x40
	}
	if h.RSV2 {
		b0 |= 0x20
	}
	if h.RSV3 {
		b0 |= 0x10
	}
	var b1 byte
	if h.Masked {
		b1 = 0x80
	}
	dst = appendStart(dst, b0, b1, uint64(max(h.PayloadLength, 0)))
	if h.Masked {
		dst = append(dst, h.MaskingKey[:]...)
	}
	return dst
}

// appendStart appends a header up to the masking key: b0, then b1's MASK bit and the
// payload's length.
func appendStart(dst []byte, b0, b1 byte, n uint64) []byte {
	switch {
	case n <= 125:
		return append(dst, b0, b1|byte(n))
	case n <= 0xffff:
		return append(dst, b0, b1|126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, b0, b1|127), n)
}

// ParseFrameHeader parses the frame header at the front of b and returns it
// with the number of bytes it takes. If b is too short to hold all of it, n is
// 0 and there is no error. Beyond the layout it checks what holds for every
// endpoint and extension: no reserved opcode, the shortest encoding of the
// length, the length's top bit clear, control frames whole and at most 125
// bytes long. A reserved opcode, a fragmented control frame and the top bit are
// found in the byte that shows them, the others when the length is there. The
// error is a *CloseError with the code to fail the connection with.
func ParseFrameHeader(b []byte) (h FrameHeader, n int, err error) {
	h, n, ce := parseHeader(b)
	if ce != nil {
		return h, 0, ce
	}
	return h, n, nil
}

// parseHeader is ParseFrameHeader with a typed error.
func parseHeader(b []byte) (h FrameHeader, n int, err *CloseError) {
	if len(b) < 2 {
		return h, 0, checkFirst(b)
	}
	b0, b1 := b[0], b[1]
	h.Final = b0&0x80 != 0
	h.RSV1 = b0&0x40 != 0
	h.RSV2 = b0&0x20 != 0
	h.RSV3 = b0&0x10 != 0
	h.Opcode = Opcode(b0 & 0x0f)
	h.Masked = b1&0x80 != 0
	h.PayloadLength = int64(b1 & 0x7f)
	if err := h.checkOpcode(); err != nil {
		return h, 0, err
	}
	n = 2
	switch h.PayloadLength {
	case 126:
		if len(b) < 4 {
			return h, 0, nil
		}
		n = 4
		h.PayloadLength = int64(b[2])<<8 | int64(b[3])
		if h.PayloadLength <= 125 {
			return h, 0, errNotMinimal()
		}
	case 127:
		if len(b) < 10 {
			return h, 0, checkLengthBit(b[2:])
		}
		n = 10
		if err := checkLengthBit(b[2:]); err != nil {
			return h, 0, err
		}
		length := binary.BigEndian.Uint64(b[2:])
		if length <= 0xffff {
			return h, 0, errNotMinimal()
		}
		h.PayloadLength = int64(length)
	}
	if !h.Masked {
		return h, n, nil
	}
	if len(b) < n+4 {
		return h, 0, nil
	}
	h.MaskingKey = [4]byte(b[n:])
	return h, n + 4, nil
}

// checkFirst checks what there is of a header cut in its first two bytes.
func checkFirst(b []byte) *CloseError {
	if len(b) == 0 {
		return nil
	}
	h := FrameHeader{Final: b[0]&0x80 != 0, Opcode: Opcode(b[0] & 0x0f)}
	return h.checkOpcode()
}

// checkLengthBit checks what there is of a 64-bit length: "the most significant
// bit MUST be 0" (RFC 6455, section 5.2).
func checkLengthBit(b []byte) *CloseError {
	if len(b) > 0 && b[0]&0x80 != 0 {
		return failure(StatusProtocolError, "frame length has its most significant bit set", nil)
	}
	return nil
}

// errNotMinimal: "the minimal number of bytes MUST be used to encode the
// length" (RFC 6455, section 5.2).
func errNotMinimal() *CloseError {
	return failure(StatusProtocolError, "frame length is not encoded in the fewest bytes", nil)
}

// checkOpcode checks what the first two bytes of a header show. The length it
// sees is the 7-bit one, or 0 if it has not come yet.
func (h *FrameHeader) checkOpcode() *CloseError {
	// "If an unknown opcode is received, the receiving endpoint MUST _Fail the
	// WebSocket Connection_" (RFC 6455, section 5.2).
	if h.Opcode.Reserved() {
		return failure(StatusProtocolError, "frame with a reserved opcode", nil)
	}
	if !h.Opcode.Control() {
		return nil
	}
	// "All control frames MUST have a payload length of 125 bytes or less and
	// MUST NOT be fragmented" (RFC 6455, section 5.5).
	if !h.Final {
		return failure(StatusProtocolError, "fragmented control frame", nil)
	}
	if h.PayloadLength > maxControlPayload {
		return failure(StatusProtocolError, "control frame longer than 125 bytes", nil)
	}
	return nil
}
