// Messages in, frames out.

package websocket

import (
	"encoding/binary"
	"slices"

	"github.com/seed86893212/websocket/internal/xor"
)

// A sender builds frames the way its role must.
type sender struct {
	masks bool // "a client MUST mask all frames that it sends to the server" (RFC 6455, section 5.1)
}

// opCompressed is set in the opcode of a frame that begins a compressed message.
// It becomes RSV1, the "Per-Message Compressed" bit (RFC 7692, section 6).
const opCompressed Opcode = 0x40

// header returns the header of an unmasked frame.
func header(op Opcode, final bool, length int) FrameHeader {
	return FrameHeader{Final: final, RSV1: op&opCompressed != 0, Opcode: op &^ opCompressed, PayloadLength: int64(length)}
}

// appendHeader appends the header of an unmasked frame, for a server's payload
// that is sent from where it is.
func (s *sender) appendHeader(dst []byte, op Opcode, final bool, length int) []byte {
	return header(op, final, length).Append(dst)
}

// appendFrame appends a whole frame. p is not modified: a client's payload is
// masked on its way into dst (RFC 6455, section 5.3). For that, newKey returns a
// fresh masking key: "The masking key needs to be unpredictable; thus, the masking
// key MUST be derived from a strong source of entropy".
func (s *sender) appendFrame(dst []byte, op Opcode, final bool, p []byte, newKey func() uint32) []byte {
	h := header(op, final, len(p))
	if !s.masks {
		return append(h.Append(dst), p...)
	}
	key := newKey()
	h.Masked = true
	binary.LittleEndian.PutUint32(h.MaskingKey[:], key)
	dst = h.Append(dst)
	at := len(dst)
	dst = slices.Grow(dst, len(p))[:at+len(p)]
	xor.Copy(dst[at:], p, key)
	return dst
}
