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

// firstByte returns the first byte of a frame, in which opCompressed is where RSV1
// belongs.
func firstByte(op Opcode, final bool) byte {
	if final {
		return byte(op) | 0x80
	}
	return byte(op)
}

const bitMasked = 0x80 // of a header's second byte

// appendHeader appends the header of an unmasked frame, for a server's payload
// that is sent from where it is.
func (s *sender) appendHeader(dst []byte, op Opcode, final bool, length int) []byte {
	return appendStart(dst, firstByte(op, final), 0, uint64(length))
}

// appendUnmasked is appendFrame for a server.
func (s *sender) appendUnmasked(dst []byte, op Opcode, final bool, p []byte) []byte {
	return append(s.appendHeader(dst, op, final, len(p)), p...)
}

// appendFrame appends a whole frame. p is not modified: a client's payload is
// masked on its way into dst (RFC 6455, section 5.3). For that, newKey returns a
// fresh masking key: "The masking key needs to be unpredictable; thus, the masking
// key MUST be derived from a strong source of entropy".
func (s *sender) appendFrame(dst []byte, op Opcode, final bool, p []byte, newKey func() uint32) []byte {
	if !s.masks {
		return s.appendUnmasked(dst, op, final, p)
	}
	key := newKey()
	dst = appendStart(dst, firstByte(op, final), bitMasked, uint64(len(p)))
	dst = binary.LittleEndian.AppendUint32(dst, key)
	at := len(dst)
	dst = slices.Grow(dst, len(p))[:at+len(p)]
	xor.Copy(dst[at:], p, key)
	return dst
}
