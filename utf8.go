// Text that may be cut anywhere, RFC 6455 section 8.1. The kernels are in
// internal/xor.

package websocket

import "github.com/seed86893212/websocket/internal/xor"

// textCheck validates UTF-8 that arrives in pieces. It finds the first byte
// that cannot continue valid text as soon as that byte is there: "When an
// endpoint is to interpret a byte stream as UTF-8 but finds that the byte
// stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the
// WebSocket Connection_" (RFC 6455, section 8.1). The zero value is ready.
type textCheck struct{ xor.Text }

// write checks the next piece and reports whether the text can still be valid.
func (t *textCheck) write(p []byte) bool { return t.Write(p) }

// unmask unmasks the next piece in place and checks it in the same pass. It
// returns the key for the byte after it.
func (t *textCheck) unmask(p []byte, key uint32) (next uint32, ok bool) { return t.MaskWrite(p, key) }

// whole reports whether the text is valid and ends with a whole character.
func (t *textCheck) whole() bool { return t.Whole() }

// validText reports whether p is a whole valid text.
func validText(p []byte) bool { return xor.Valid(p) }

// unmaskText is validText for text that it unmasks, in place and in the same pass.
func unmaskText(p []byte, key uint32) bool { return xor.MaskValid(p, key) }
