package xor

// Text validates UTF-8 that arrives in pieces, cut anywhere. It finds the first
// byte that cannot continue valid text as soon as that byte is there. The zero
// value is ready for a new text.
type Text struct{ state uint8 }

// Write takes the next piece of the text and reports whether the text can still
// be valid. Once it cannot, it stays so.
func (t *Text) Write(p []byte) bool {
	if len(p) <= shortMax {
		t.state = walk(t.state, p)
	} else {
		t.state = longText(t.state, p)
	}
	return t.state != broken
}

// MaskWrite masks p in place as Mask does, all of it in any case, and takes what
// comes out as Write does.
func (t *Text) MaskWrite(p []byte, key uint32) (next uint32, ok bool) {
	next = rotate(key, len(p))
	if len(p) > shortMax {
		t.state = longMaskText(t.state, p, key, next)
		return next, t.state != broken
	}
	if bits := mask(p, p, key, next); bits&highBits != 0 || t.state != whole {
		t.state = walk(t.state, p)
	}
	return next, t.state != broken
}

// Whole reports whether the text is valid and does not end inside a character.
func (t *Text) Whole() bool { return t.state == whole }

// Valid reports whether p is valid UTF-8.
func Valid(p []byte) bool {
	var t Text
	return t.Write(p) && t.Whole()
}

// highBits are set in bytes that are not ASCII.
const highBits = 0x8080808080808080
