package websocket

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wire turns hex digits into bytes. Spaces do not count, and "00*5" stands for
// five such bytes.
func wire(digits string) []byte {
	b := []byte{}
	for _, word := range strings.Fields(digits) {
		word, times, _ := strings.Cut(word, "*")
		n := 1
		if times != "" {
			if _, err := fmt.Sscan(times, &n); err != nil {
				panic(err)
			}
		}
		piece, err := hex.DecodeString(word)
		if err != nil {
			panic(err)
		}
		b = append(b, bytes.Repeat(piece, n)...)
	}
	return b
}

// headerTable holds headers that are well formed.
var headerTable = []struct {
	name   string
	wire   string
	header FrameHeader
}{
	{"empty text", "81 00", FrameHeader{Final: true, Opcode: OpText}},
	{"text of 5", "81 05", FrameHeader{Final: true, Opcode: OpText, PayloadLength: 5}},
	{"begin of a text", "01 03", FrameHeader{Opcode: OpText, PayloadLength: 3}},
	{"end of a text", "80 02", FrameHeader{Final: true, Opcode: OpContinuation, PayloadLength: 2}},
	{"middle", "00 7d", FrameHeader{Opcode: OpContinuation, PayloadLength: 125}},
	{"masked", "82 85 37fa213d", FrameHeader{Final: true, Opcode: OpBinary, Masked: true, MaskingKey: [4]byte{0x37, 0xfa, 0x21, 0x3d}, PayloadLength: 5}},
	{"RSV1", "c1 00", FrameHeader{Final: true, RSV1: true, Opcode: OpText}},
	{"RSV2", "a1 00", FrameHeader{Final: true, RSV2: true, Opcode: OpText}},
	{"RSV3", "91 00", FrameHeader{Final: true, RSV3: true, Opcode: OpText}},
	{"close", "88 02", FrameHeader{Final: true, Opcode: OpClose, PayloadLength: 2}},
	{"ping of 125", "89 7d", FrameHeader{Final: true, Opcode: OpPing, PayloadLength: 125}},
	{"pong", "8a 00", FrameHeader{Final: true, Opcode: OpPong}},
	{"126", "82 7e 007e", FrameHeader{Final: true, Opcode: OpBinary, PayloadLength: 126}},
	{"256", "82 7e 0100", FrameHeader{Final: true, Opcode: OpBinary, PayloadLength: 256}},
	{"65535", "82 7e ffff", FrameHeader{Final: true, Opcode: OpBinary, PayloadLength: 65535}},
	{"65536", "82 7f 0000000000010000", FrameHeader{Final: true, Opcode: OpBinary, PayloadLength: 65536}},
	{"1 GiB", "82 7f 0000000040000000", FrameHeader{Final: true, Opcode: OpBinary, PayloadLength: 1 << 30}},
	{"4 GiB", "82 7f 0000000100000000", FrameHeader{Final: true, Opcode: OpBinary, PayloadLength: 1 << 32}},
	{"the longest", "82 ff 7fffffffffffffff 01020304", FrameHeader{Final: true, Opcode: OpBinary, Masked: true, MaskingKey: [4]byte{1, 2, 3, 4}, PayloadLength: math.MaxInt64}},
}

// CHECKLIST 10: every truncation of every header asks for more, and nothing
// behind it is looked at.
func TestRFC6455_5_2_Header(t *testing.T) {
	for _, tt := range headerTable {
		t.Run(tt.name, func(t *testing.T) {
			b := wire(tt.wire)
			assert.Equal(t, b, tt.header.Append(nil))
			assert.Equal(t, append([]byte("before"), b...), tt.header.Append([]byte("before")))
			for cut := range b {
				_, n, err := ParseFrameHeader(b[:cut:cut])
				require.NoError(t, err, "cut at %d", cut)
				require.Zero(t, n, "cut at %d", cut)
			}
			for _, behind := range []string{"", "00", "ff*20"} {
				h, n, err := ParseFrameHeader(append(wire(tt.wire), wire(behind)...))
				require.NoError(t, err)
				assert.Equal(t, len(b), n)
				assert.Equal(t, tt.header, h)
			}
		})
	}
}

// CHECKLIST 1, 9: each is refused with 1002, at the byte that shows it and not
// before, whether or not it is masked.
func TestRFC6455_5_2_HeaderRefused(t *testing.T) {
	tests := []struct {
		name   string
		wire   string
		at     int // how many bytes show it
		reason string
	}{
		{"reserved opcode 3", "83 00", 1, "frame with a reserved opcode"},
		{"reserved opcode 4", "04 00", 1, "frame with a reserved opcode"},
		{"reserved opcode 5", "85 00", 1, "frame with a reserved opcode"},
		{"reserved opcode 6", "86 00", 1, "frame with a reserved opcode"},
		{"reserved opcode 7", "87 7e 0100", 1, "frame with a reserved opcode"},
		{"reserved opcode 11", "8b 00", 1, "frame with a reserved opcode"},
		{"reserved opcode 12", "8c 00", 1, "frame with a reserved opcode"},
		{"reserved opcode 13", "8d 00", 1, "frame with a reserved opcode"},
		{"reserved opcode 14", "0e 00", 1, "frame with a reserved opcode"},
		{"reserved opcode 15", "8f 00", 1, "frame with a reserved opcode"},
		{"close in fragments", "08 00", 1, "fragmented control frame"},
		{"ping in fragments", "09 00", 1, "fragmented control frame"},
		{"pong in fragments", "0a 00", 1, "fragmented control frame"},
		{"close of 126", "88 7e 007e", 2, "control frame longer than 125 bytes"},
		{"ping of 126", "89 7e 007e", 2, "control frame longer than 125 bytes"},
		{"pong of 65536", "8a 7f 0000000000010000", 2, "control frame longer than 125 bytes"},
		{"0 in two bytes", "82 7e 0000", 4, "frame length is not encoded in the fewest bytes"},
		{"125 in two bytes", "82 7e 007d", 4, "frame length is not encoded in the fewest bytes"},
		{"0 in eight bytes", "82 7f 00*8", 10, "frame length is not encoded in the fewest bytes"},
		{"65535 in eight bytes", "82 7f 000000000000ffff", 10, "frame length is not encoded in the fewest bytes"},
		{"top bit alone", "82 7f 8000000000000000", 3, "frame length has its most significant bit set"},
		{"all bits", "81 7f ff*8", 3, "frame length has its most significant bit set"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, masked := range []bool{false, true} {
				b := wire(tt.wire)
				if masked {
					b[1] |= 0x80
					b = append(b, 1, 2, 3, 4)
				}
				for n := range len(b) + 1 {
					_, took, err := ParseFrameHeader(b[:n:n])
					assert.Zero(t, took)
					if n < tt.at {
						assert.NoError(t, err, "after %d bytes", n)
						continue
					}
					var ce *CloseError
					require.ErrorAs(t, err, &ce, "after %d bytes", n)
					assert.Equal(t, StatusProtocolError, ce.Code)
					assert.Equal(t, tt.reason, ce.Reason)
					assert.False(t, ce.Remote)
				}
			}
		})
	}
}

func TestRFC6455_5_2_AppendTakesWhatItIsGiven(t *testing.T) {
	assert.Equal(t, wire("82 00"), FrameHeader{Final: true, Opcode: OpBinary, PayloadLength: -1}.Append(nil), "a negative length is 0")
	assert.Equal(t, wire("02 00"), FrameHeader{Opcode: 0xf2}.Append(nil), "four bits of the opcode")
	assert.Equal(t, wire("02 00"), FrameHeader{Opcode: OpBinary, MaskingKey: [4]byte{1, 2, 3, 4}}.Append(nil), "no key if not masked")
}

func TestRFC6455_5_2_Opcodes(t *testing.T) {
	for op := range Opcode(16) {
		reserved := op >= 3 && op <= 7 || op >= 11
		assert.Equal(t, reserved, op.Reserved(), "opcode %d", op)
		assert.Equal(t, op >= 8, op.Control(), "opcode %d", op)
	}
	assert.Equal(t, "text", MessageText.String())
	assert.Equal(t, "binary", MessageBinary.String())
	assert.Equal(t, "invalid message type", MessageType(0).String())
	for typ := range MessageType(16) {
		assert.Equal(t, typ == 1 || typ == 2, typ.valid(), "type %d", typ)
	}
}

func TestFrameHeaderDoesNotAllocate(t *testing.T) {
	b := wire("82 fe 0100 01020304")
	out := make([]byte, 0, maxHeader)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		h, _, _ := ParseFrameHeader(b)
		out = h.Append(out[:0])
	}))
}

// Parsing never panics, takes no more than there is, and what it accepts is
// what Append writes; a cut header asks for more or fails as the whole one.
func FuzzFrameHeader(f *testing.F) {
	for _, tt := range headerTable {
		f.Add(wire(tt.wire))
	}
	f.Add(wire("83 00"))
	f.Add(wire("82 7f ff*8"))
	f.Add(wire("89 fe 007e 00*4"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseFrameHeader(b)
		if err == nil && n > 0 {
			require.LessOrEqual(t, n, min(len(b), maxHeader))
			require.Equal(t, b[:n], h.Append(nil))
			require.GreaterOrEqual(t, h.PayloadLength, int64(0))
		} else {
			require.Zero(t, n)
			require.True(t, err != nil || len(b) < maxHeader)
		}
		failed := error(nil)
		for cut := range min(len(b), maxHeader) + 1 {
			_, took, cutErr := ParseFrameHeader(b[:cut:cut])
			if failed != nil {
				require.Equal(t, failed, cutErr)
			}
			failed = cutErr
			if cutErr == nil && took > 0 {
				require.Equal(t, n, took)
			}
		}
		require.Equal(t, err, failed)
	})
}

func BenchmarkFrameHeader(b *testing.B) {
	for _, length := range []int64{5, 500, 70000} {
		h := FrameHeader{Final: true, Opcode: OpBinary, Masked: true, PayloadLength: length}
		encoded := h.Append(nil)
		b.Run(fmt.Sprintf("append/%d", length), func(b *testing.B) {
			out := make([]byte, 0, maxHeader)
			for b.Loop() {
				out = h.Append(out[:0])
			}
		})
		b.Run(fmt.Sprintf("parse/%d", length), func(b *testing.B) {
			for b.Loop() {
				_, _, _ = parseHeader(encoded)
			}
		})
	}
}
