// Text that may be cut anywhere, RFC 6455 section 8.1.

package websocket

import "unicode/utf8"

// textCheck validates UTF-8 that arrives in pieces. It finds the first byte
// that cannot continue valid text as soon as that byte is there: "When an
// endpoint is to interpret a byte stream as UTF-8 but finds that the byte
// stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the
// WebSocket Connection_" (RFC 6455, section 8.1). The zero value is ready.
type textCheck struct {
	need   uint8 // continuation bytes that the current character still needs
	lo, hi uint8 // the range of the next of them
}

// write checks the next piece and reports whether the text can still be valid.
func (t *textCheck) write(p []byte) bool {
	for t.need > 0 && len(p) > 0 {
		if !t.step(p[0]) {
			return false
		}
		p = p[1:]
	}
	cut := len(p) - tail(p)
	if !utf8.Valid(p[:cut]) {
		return false
	}
	for _, b := range p[cut:] {
		if !t.step(b) {
			return false
		}
	}
	return true
}

// whole reports whether the text so far ends with a whole character, and
// makes t ready for the next text.
func (t *textCheck) whole() bool {
	whole := t.need == 0
	*t = textCheck{}
	return whole
}

// tail returns how many bytes at the end of p begin a character of which more
// may follow: at most three.
func tail(p []byte) int {
	for n := 1; n <= 3 && n <= len(p); n++ {
		b := p[len(p)-n]
		switch {
		case b < 0x80:
			return 0
		case b >= 0xc0: // a first byte: is its character longer than n?
			if b >= 0xf0 || b >= 0xe0 && n < 3 || n < 2 {
				return n
			}
			return 0
		}
	}
	return 0
}

// step checks one byte, by the table of RFC 3629, section 4.
func (t *textCheck) step(b byte) bool {
	if t.need > 0 {
		if b < t.lo || b > t.hi {
			return false
		}
		t.need--
		t.lo, t.hi = 0x80, 0xbf
		return true
	}
	t.lo, t.hi = 0x80, 0xbf
	switch {
	case b < 0x80:
		return true
	case b < 0xc2: // a continuation byte, or an overlong form
		return false
	case b < 0xe0:
		t.need = 1
	case b < 0xf0:
		t.need = 2
		if b == 0xe0 {
			t.lo = 0xa0 // below are overlong forms
		} else if b == 0xed {
			t.hi = 0x9f // above are surrogates
		}
	case b < 0xf5:
		t.need = 3
		if b == 0xf0 {
			t.lo = 0x90 // below are overlong forms
		} else if b == 0xf4 {
			t.hi = 0x8f // above is the end of Unicode
		}
	default:
		return false
	}
	return true
}
