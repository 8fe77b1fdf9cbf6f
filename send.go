// Messages in, frames out.

package websocket

import (
	"encoding/binary"
	"slices"

	"github.com/seed86893212/websocket/internal/xor"
)

// A sender builds frames the way its role must.
type sender struct {
	role Role
	// newKey returns a fresh masking key: "The masking key needs to be
	// unpredictable; thus, the masking key MUST be derived from a strong source
	// of entropy" (RFC 6455, section 5.3). Only a client needs it.
	newKey func() uint32
}

// appendHeader appends the header of an unmasked frame, for a server's payload
// that is sent from where it is.
func (s *sender) appendHeader(dst []byte, op Opcode, final bool, length int) []byte {
	return FrameHeader{Final: final, Opcode: op, PayloadLength: int64(length)}.Append(dst)
}

// appendFrame appends a whole frame. p is not modified: a client's payload is
// masked on its way into dst (RFC 6455, section 5.3).
func (s *sender) appendFrame(dst []byte, op Opcode, final bool, p []byte) []byte {
	h := FrameHeader{Final: final, Opcode: op, PayloadLength: int64(len(p))}
	if s.role == RoleServer {
		return append(h.Append(dst), p...)
	}
	key := s.newKey()
	h.Masked = true
	binary.LittleEndian.PutUint32(h.MaskingKey[:], key)
	dst = h.Append(dst)
	at := len(dst)
	dst = slices.Grow(dst, len(p))[:at+len(p)]
	xor.Copy(dst[at:], p, key)
	return dst
}
