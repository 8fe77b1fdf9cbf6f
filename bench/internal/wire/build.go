// Package wire builds what a load generator sends and takes apart what it
// receives. It is written anew, on purpose: a mistake of a library that is
// measured must not be made here too.
package wire

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
)

// The opcodes of RFC 6455, section 5.2.
const (
	Continuation = 0
	Text         = 1
	Binary       = 2
	Close        = 8
	Ping         = 9
	Pong         = 10
)

// rsv1 marks a compressed message (RFC 7692, section 6).
const rsv1 = 0x40

// AppendMasked appends a whole frame as a client sends it.
func AppendMasked(dst []byte, opcode byte, payload []byte, key uint32) []byte {
	dst = append(dst, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = binary.LittleEndian.AppendUint32(dst, key)
	for i, b := range payload {
		dst = append(dst, b^byte(key>>(8*(i&3))))
	}
	return dst
}

// A Kind says what payloads hold.
type Kind string

// The kinds of payloads.
const (
	KindBinary Kind = "binary" // random bytes
	KindText   Kind = "text"   // ASCII
	KindMixed  Kind = "mixed"  // text of one to four bytes per character
	KindJSON   Kind = "json"   // JSON of an API
)

// Opcode returns the opcode of messages of kind k.
func (k Kind) Opcode() byte {
	if k == KindBinary {
		return Binary
	}
	return Text
}

// mixed is cut into words for mixed text.
var mixed = strings.Fields("the quick brown Füchse spring über den løk; съешь ещё этих мягких французских булок, " +
	"да выпей чаю 私はガラスを食べられます それは私を傷つけません 我能吞下玻璃 😀 🚀 👩‍💻 ça va où naïve garçon 0123456789")

// Payload returns size bytes of kind k.
func Payload(k Kind, size int, r *rand.Rand) []byte {
	if k == KindJSON {
		return appendJSON(make([]byte, 0, size+16), size, r)
	}
	p := make([]byte, 0, size+16)
	for len(p) < size {
		switch k {
		case KindBinary:
			p = append(p, byte(r.Uint32()))
		case KindText:
			p = append(p, byte(' '+r.IntN(95)))
		case KindMixed:
			word := mixed[r.IntN(len(mixed))]
			if len(p)+len(word)+1 > size {
				word = strings.Repeat("x", size-len(p)-1)
			}
			p = append(append(p, word...), ' ')
		}
	}
	return p[:size]
}

// A Ring is a sequence of messages that repeats, and their frames back to back.
type Ring struct {
	Opcode   byte
	Payloads [][]byte
	Deflate  Deflate
	Frames   []byte // the frames of Payloads, and again as many as Run at the end
	Run      int    // how many frames lie contiguous from any place
	ends     []int  // where in Frames each of Payloads ends
}

// ringHistory is how much a ring has, of compressed messages, before it repeats:
// more than any window.
const ringHistory = 256 << 10

// NewRing makes different messages of size bytes, masked with random keys, of
// which run can be sent from anywhere in one piece. With d they are compressed,
// and must not be longer than its window.
func NewRing(k Kind, size, run int, d Deflate) *Ring {
	r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	n := max(2, min(64, 4<<20/(size+1)))
	var z *compressor
	if d.On() {
		n = max(n, ringHistory/(size+1))
		z = newCompressor()
	}
	ring := &Ring{Opcode: k.Opcode(), Run: run, Deflate: d}
	for range n {
		p := Payload(k, size, r)
		ring.Payloads = append(ring.Payloads, p)
		op := ring.Opcode
		if z != nil {
			p = z.message(p)
			op |= rsv1
		}
		ring.Frames = AppendMasked(ring.Frames, op, p, r.Uint32())
		ring.ends = append(ring.ends, len(ring.Frames))
	}
	for i := range run {
		at := ring.Start(i % n)
		ring.Frames = append(ring.Frames, ring.Frames[at:at+ring.Frame(i%n)]...)
	}
	return ring
}

// Start returns where in Frames that of message i begins.
func (r *Ring) Start(i int) int {
	if i == 0 {
		return 0
	}
	return r.ends[i-1]
}

// Frame returns how many bytes the frame of message i has.
func (r *Ring) Frame(i int) int { return r.ends[i] - r.Start(i) }

// Span returns how many bytes Frames has before it repeats.
func (r *Ring) Span() int { return r.ends[len(r.ends)-1] }
