// Frames as bytes (RFC 6455, section 5.2): a writer that may break every rule,
// and a parser that only reports what it sees.

package main

import (
	"encoding/binary"
	"math/rand/v2"
)

// The opcodes of section 5.2.
const (
	opContinuation byte = 0
	opText         byte = 1
	opBinary       byte = 2
	opClose        byte = 8
	opPing         byte = 9
	opPong         byte = 10
)

// maxControl is the longest payload of a control frame (section 5.5).
const maxControl = 125

// A frame as it is to be written. The zero value of every field but op is what
// a final frame of a correct endpoint has.
type frame struct {
	op      byte
	more    bool // FIN is 0
	rsv     byte // RSV1 is 4, RSV2 is 2, RSV3 is 1
	payload []byte

	// How the rules on length and mask are broken, if at all.
	lengthBytes int    // 2 or 8: use this form of length even if a shorter would do
	declared    uint64 // if not 0, announce this length instead of the payload's
	flipMask    bool   // mask when one must not, and do not when one must
	zeroKey     bool   // mask with a key of zeros, which is legal
}

func textFrame(s string) frame       { return frame{op: opText, payload: []byte(s)} }
func pingFrame(s string) frame       { return frame{op: opPing, payload: []byte(s)} }
func closeFrame(p []byte) frame      { return frame{op: opClose, payload: p} }
func (f frame) fragment() frame      { f.more = true; return f }
func (f frame) withRSV(r byte) frame { f.rsv = r; return f }

// closePayload is a status code and a reason as in section 5.5.1.
func closePayload(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// appendTo writes the frame behind dst and says which masking key it used; nil
// if none.
func (f frame) appendTo(dst []byte, masked bool) (out, key []byte) {
	b0 := f.rsv<<4 | f.op
	if !f.more {
		b0 |= 0x80
	}
	masked = masked != f.flipMask
	var b1 byte
	if masked {
		b1 = 0x80
	}
	n := uint64(len(f.payload))
	if f.declared != 0 {
		n = f.declared
	}
	switch {
	case f.lengthBytes == 8 || f.lengthBytes == 0 && n > 0xffff:
		dst = append(dst, b0, b1|127)
		dst = binary.BigEndian.AppendUint64(dst, n)
	case f.lengthBytes == 2 || n > maxControl:
		dst = append(dst, b0, b1|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, b0, b1|byte(n))
	}
	if !masked {
		return append(dst, f.payload...), nil
	}
	key = make([]byte, 4)
	if !f.zeroKey {
		binary.LittleEndian.PutUint32(key, rand.Uint32()|1<<16)
	}
	dst = append(dst, key...)
	start := len(dst)
	dst = append(dst, f.payload...)
	xor(dst[start:], key)
	return dst, key
}

// A header as it was read.
type header struct {
	fin    bool
	rsv    byte
	op     byte
	masked bool
	key    [4]byte
	length uint64
	long   bool // the length was not in its shortest form
}

func (h header) control() bool { return h.op >= 8 }

// parseHeader reads a header from the start of b and says how many bytes it
// took; 0 means that more are needed.
func parseHeader(b []byte) (h header, n int) {
	if len(b) < 2 {
		return h, 0
	}
	h.fin = b[0]&0x80 != 0
	h.rsv = b[0] >> 4 & 7
	h.op = b[0] & 15
	h.masked = b[1]&0x80 != 0
	h.length = uint64(b[1] & 0x7f)
	n = 2
	switch h.length {
	case 126:
		if len(b) < 4 {
			return h, 0
		}
		h.length, n = uint64(binary.BigEndian.Uint16(b[2:])), 4
		h.long = h.length < 126
	case 127:
		if len(b) < 10 {
			return h, 0
		}
		h.length, n = binary.BigEndian.Uint64(b[2:]), 10
		h.long = h.length < 1<<16
	}
	if h.masked {
		if len(b) < n+4 {
			return h, 0
		}
		copy(h.key[:], b[n:])
		n += 4
	}
	return h, n
}

// xor masks or unmasks p with a key (section 5.3), eight bytes at a time.
func xor(p, key []byte) {
	k := uint64(binary.LittleEndian.Uint32(key))
	k |= k << 32
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^k)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= key[i&3]
	}
}
