// Bytes in, checked frames out.

package websocket

import (
	"encoding/binary"

	"github.com/seed86893212/websocket/internal/xor"
)

// A receiver takes the peer's bytes apart into frames, wherever they were cut,
// and refuses each frame that breaks a rule from its header alone. It keeps no
// payload: it unmasks in place what it is given.
type receiver struct {
	role     Role // of this side
	inflates bool // permessage-deflate was agreed on
	rsv1     bool // the current frame's RSV1
	final    bool // the current frame's FIN
	op       Opcode
	busy     bool   // between a frame's header and its end
	open     bool   // between a message's first frame and its last
	cut      uint8  // bytes in spill
	key      uint32 // masking key, rotated to the next byte
	left     int64  // bytes of the current payload still to come
	spill    [maxHeader]byte
}

// header consumes the next frame header at the front of b. It returns how many
// bytes it took; if the header goes on beyond b it took all of b, and busy is
// still false.
func (r *receiver) header(b []byte) (int, *CloseError) {
	if r.cut > 0 {
		return r.cutHeader(b)
	}
	h, n, err := parseHeader(b)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		r.cut = uint8(copy(r.spill[:], b))
		return len(b), nil
	}
	return n, r.begin(&h)
}

// shortHeader reads the header that nearly every frame has: whole at the front of
// b, of a message of one frame with fewer than 64 KiB, and as it should be. It
// returns the header's length, 0 for any other, and the payload's. The masking key
// is the header's last four bytes.
func shortHeader(b []byte, side Role) (op Opcode, n, length int) {
	if len(b) < 8 || b[0]-(0x80|byte(OpText)) > byte(OpBinary-OpText) {
		return 0, 0, 0
	}
	n, length = 2, int(b[1])
	if side == RoleServer {
		n, length = 6, length-bitMasked
	}
	if length == 126 {
		n, length = n+2, int(binary.BigEndian.Uint16(b[2:]))
		if length < 126 {
			return 0, 0, 0
		}
	} else if uint(length) > 125 { // masked by a server, not by a client, or more than 64 KiB
		return 0, 0, 0
	}
	return Opcode(b[0] & 0x0f), n, length
}

// cutHeader goes on with a header whose front came earlier.
func (r *receiver) cutHeader(b []byte) (int, *CloseError) {
	had := int(r.cut)
	have := had + copy(r.spill[had:], b)
	h, n, err := parseHeader(r.spill[:have])
	if err != nil {
		return 0, err
	}
	if n == 0 {
		r.cut = uint8(have)
		return len(b), nil
	}
	r.cut = 0
	return n - had, r.begin(&h)
}

// begin checks a whole header against what this connection agreed on and what
// came before, and makes its frame the current one.
func (r *receiver) begin(h *FrameHeader) *CloseError {
	// RSV1, RSV2, RSV3 "MUST be 0 unless an extension is negotiated that
	// defines meanings for non-zero values" (RFC 6455, section 5.2).
	// permessage-deflate defines RSV1 for the first frame of a data message alone
	// (RFC 7692, sections 6 and 6.1).
	rsv1 := r.inflates && !h.Opcode.Control() && h.Opcode != OpContinuation
	if h.RSV1 && !rsv1 || h.RSV2 || h.RSV3 {
		return failure(StatusProtocolError, "frame with a reserved bit set", nil)
	}
	if h.Masked != (r.role == RoleServer) {
		if h.Masked {
			// "A client MUST close a connection if it detects a masked frame"
			// (RFC 6455, section 5.1).
			return failure(StatusProtocolError, "masked frame from a server", nil)
		}
		// "The server MUST close the connection upon receiving a frame that is
		// not masked" (RFC 6455, section 5.1).
		return failure(StatusProtocolError, "frame from a client is not masked", nil)
	}
	if !h.Opcode.Control() {
		// RFC 6455, section 5.4: a message is one frame with its opcode and
		// then continuation frames; two messages are never interleaved.
		if h.Opcode == OpContinuation && !r.open {
			return failure(StatusProtocolError, "continuation frame without a message", nil)
		}
		if h.Opcode != OpContinuation && r.open {
			return failure(StatusProtocolError, "new message before the last one ended", nil)
		}
		r.open = !h.Final
	}
	r.busy = true
	r.op, r.final, r.rsv1 = h.Opcode, h.Final, h.RSV1
	r.left = h.PayloadLength
	r.key = maskingKey(h.MaskingKey)
	return nil
}

// payload takes what b holds of the current frame's payload, unmasks it in
// place and returns it. In the same pass it is checked as the next piece of
// text, unless that is nil; ok reports whether the text can still be valid.
func (r *receiver) payload(b []byte, text *textCheck) (p []byte, ok bool) {
	if int64(len(b)) > r.left {
		b = b[:r.left:r.left] // appending to it must not touch the next frame
	}
	r.left -= int64(len(b))
	return b, r.unmask(b, text)
}

// unmask unmasks b in place and checks it as the next piece of text, unless that
// is nil. It reports whether the text can still be valid.
func (r *receiver) unmask(b []byte, text *textCheck) (ok bool) {
	ok = true
	switch masked := r.role == RoleServer; {
	case masked && text != nil:
		r.key, ok = text.unmask(b, r.key)
	case masked:
		r.key = xor.Mask(b, r.key)
	case text != nil:
		ok = text.write(b)
	}
	return ok
}
