package websocket

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/flate"
)

// newInflatingFeed is newFeed where permessage-deflate was agreed on.
func newInflatingFeed(t testing.TB, role Role, limit int64, w way, window deflateWindow) *feed {
	f := newFeed(t, role, limit, w)
	f.in.z = newInflation(deflation{receive: window})
	f.in.rx.inflates = true
	return f
}

// compressedTranscripts are what a server may send once permessage-deflate was
// agreed on, and what is found in it. The windows are kept.
var compressedTranscripts = []struct {
	name, wire string
	want       []string
}{
	// The examples of RFC 7692, section 7.2.3.
	{"RFC7692_7_2_3_1_OneBlock", "c1 07 f248cdc9c90700", []string{`text "Hello"`}},
	{"RFC7692_7_2_3_1_Fragments", "41 03 f248cd 80 04 c9c90700", []string{`text "Hello"`}},
	{"RFC7692_7_2_3_2_Takeover", "c1 07 f248cdc9c90700 c1 05 f200110000", []string{`text "Hello"`, `text "Hello"`}},
	{"RFC7692_7_2_3_3_StoredBlock", "c1 0b 000500faff48656c6c6f00", []string{`text "Hello"`}},
	{"RFC7692_7_2_3_4_BFINAL", "c1 08 f348cdc9c9070000", []string{`text "Hello"`}},
	{"RFC7692_7_2_3_5_TwoBlocks", "c1 0d f248050000 00ffff cac9c90700", []string{`text "Hello"`}},

	// Section 7.2.3.6, and other empty messages. CHECKLIST 18.
	{"RFC7692_7_2_3_6_Empty", "c1 01 00 c2 01 00", []string{`text ""`, `binary ""`}},
	{"empty fixed block", "c1 02 0200", []string{`text ""`}},
	{"no bytes at all", "c1 00", []string{`text ""`}},
	{"empty fragments", "41 00 00 00 00 01 00 80 00", []string{`text ""`}},

	// A message may begin compressed or not, each for itself, and what is not
	// does not enter the window. CHECKLIST 17.
	{"RFC7692_6_Plain", "81 05 48656c6c6f c1 07 f248cdc9c90700 82 02 0001 c1 05 f200110000", []string{`text "Hello"`, `text "Hello"`, `binary "\x00\x01"`, `text "Hello"`}},
	{"RFC7692_6_1_ControlBetween", "41 03 f248cd 89 02 6869 00 01 c9 8a 00 80 03 c90700", []string{`ping "hi"`, `pong ""`, `text "Hello"`}},
	{"bytes and empty fragments", "41 00 00 01 f2 00 00 00 05 48cdc9c907 80 01 00", []string{`text "Hello"`}},

	// Several blocks, with and without a tail, with BFINAL within. CHECKLIST 18.
	{"with its tail", "c1 0b f248cdc9c90700 0000ffff c1 07 f248cdc9c90700", []string{`text "Hello"`, `text "Hello"`}},
	{"two empty blocks", "c1 0c f248cdc9c90700 0000ffff 00", []string{`text "Hello"`}},
	{"BFINAL and more", "c1 0f f348cdc9c90700 f348cdc9c90700 00", []string{`text "HelloHello"`}},
	{"BFINAL without padding", "c1 07 f348cdc9c90700", []string{`text "Hello"`}},

	// Section 7.2.2: what cannot be inflated.
	{"RFC7692_7_2_2_NoBlock", "c1 01 06", []string{"fail 1007 compressed message: corrupt deflate data"}},
	{"RFC7692_7_2_2_StoredLength", "c1 0b 000500faf048656c6c6f00", []string{"fail 1007 compressed message: corrupt deflate data"}},
	{"RFC7692_7_2_2_CutShort", "c1 05 f248cdc9c9", []string{"fail 1007 compressed message: deflate data ends within a block"}},
	{"RFC7692_7_2_2_CutInStored", "c1 07 000500faff4865", []string{"fail 1007 compressed message: deflate data ends within a block"}},
	{"RFC7692_7_2_2_TooFarBack", "c1 05 f200110000", []string{"fail 1007 compressed message: deflate distance too far back"}},
	{"RFC7692_7_2_2_Rubbish", "c1 0b f248cdc9c90700 deadbeef", []string{"fail 1007 compressed message: corrupt deflate data"}},

	// Text is checked once it is inflated, and only then. CHECKLIST 12.
	{"RFC6455_8_1_Inflated", "c1 09 000300fcffe282ac00", []string{`text "€"`}},
	{"RFC6455_8_1_InflatedFragments", "41 07 000300fcffe282 80 02 ac00", []string{`text "€"`}},
	{"RFC6455_8_1_InflatedBad", "c1 08 000200fdffc32800", []string{"fail 1007 text message is not valid UTF-8"}},
	{"RFC6455_8_1_InflatedCutShort", "c1 08 000200fdffe28200", []string{"fail 1007 text message is not valid UTF-8"}},
	{"RFC6455_8_1_InflatedBadBeforeCorrupt", "c1 16 727474fc0f7c00000000000000000000000000000000", []string{"fail 1007 text message is not valid UTF-8"}},
	{"RFC6455_8_1_InflatedBadBeforeTooFarBack", "c1 18 727474fc0f2c000000000000000000000000000000000000", []string{"fail 1007 text message is not valid UTF-8"}},
	{"RFC6455_8_1_InflatedBinary", "c2 08 000200fdffc32800", []string{`binary "\xc3("`}},

	// Sections 6 and 6.1: RSV1 is for the first frame of a data message alone.
	// CHECKLIST 7.
	{"RFC7692_6_1_Continuation", "41 03 f248cd c0 04 c9c90700", []string{"fail 1002 frame with a reserved bit set"}},
	{"RFC7692_6_1_PlainContinuation", "01 01 61 c0 01 61", []string{"fail 1002 frame with a reserved bit set"}},
	{"RFC7692_6_1_Ping", "c9 00", []string{"fail 1002 frame with a reserved bit set"}},
	{"RFC7692_6_1_Pong", "ca 00", []string{"fail 1002 frame with a reserved bit set"}},
	{"RFC7692_6_1_Close", "c8 00", []string{"fail 1002 frame with a reserved bit set"}},
	{"RFC6455_5_2_RSV2", "a1 00", []string{"fail 1002 frame with a reserved bit set"}},
	{"RFC6455_5_2_RSV3", "91 00", []string{"fail 1002 frame with a reserved bit set"}},
	{"RFC6455_5_2_RSV1AndRSV2", "e1 00", []string{"fail 1002 frame with a reserved bit set"}},
}

// CHECKLIST 10 and 18: as TestTranscripts, compressed.
func TestCompressedTranscripts(t *testing.T) {
	for _, tt := range compressedTranscripts {
		t.Run(tt.name, func(t *testing.T) {
			for _, role := range []Role{RoleClient, RoleServer} {
				b := wire(tt.wire)
				if role == RoleServer {
					b = maskFrames(b)
				}
				window := deflateWindow{bits: 15, takeover: true}
				single := newInflatingFeed(t, role, 0, way{}, window)
				for i := range b {
					single.write(b[i : i+1])
				}
				require.Equal(t, tt.want, single.found, "byte by byte")
				for _, way := range allWays {
					everySplit(b, func(pieces ...[]byte) {
						f := newInflatingFeed(t, role, DefaultMaxMessageSize, way, window)
						for _, p := range pieces {
							f.write(p)
							requireWhole(t, single, f, way)
						}
						require.Equal(t, tt.want, f.found, "%s, %d pieces", way, len(pieces))
						if !f.ended {
							assert.Nil(t, f.in.z.z, "no inflater is held between messages")
						}
						f.in.z.free()
					})
				}
			}
		})
	}
}

// CHECKLIST 7: without the extension RSV1 is refused. Without takeover a message
// cannot refer to the one before, and no distance is longer than the window.
func TestRFC7692_7_WhatWasAgreed(t *testing.T) {
	f := newFeed(t, RoleClient, 0, way{})
	f.write(wire("c1 07 f248cdc9c90700"))
	assert.Equal(t, []string{"fail 1002 frame with a reserved bit set"}, f.found)

	f = newInflatingFeed(t, RoleClient, 0, way{}, deflateWindow{bits: 15})
	f.write(wire("c1 07 f248cdc9c90700 c1 05 f200110000"))
	assert.Equal(t, []string{`text "Hello"`, "fail 1007 compressed message: deflate distance too far back"}, f.found)

	p := append(bytes.Repeat([]byte{0}, 300), bytes.Repeat([]byte("x"), 10)...)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		p[i] = byte(rnd.Uint32())
	}
	p = append(p, p[:20]...) // 310 bytes back
	for bits, fails := range map[uint8]bool{8: true, 9: false, 15: false} {
		f = newInflatingFeed(t, RoleClient, 0, way{}, deflateWindow{bits: bits})
		frame := append(wire("c2 7e 0000"), flate.AppendMessage(nil, p, nil, 15, 9)...)
		frame[2], frame[3] = byte((len(frame)-4)>>8), byte(len(frame)-4)
		f.write(frame)
		assert.Equal(t, fails, f.ended, "%d bits: %q", bits, f.found)
	}
}

// packed returns a compressed message in one frame of a server.
func packed(op Opcode, p []byte, final bool) []byte {
	z := flate.AppendMessage(nil, p, nil, 15, 1)
	b := FrameHeader{Final: final, RSV1: true, Opcode: op, PayloadLength: int64(len(z))}.Append(nil)
	return append(b, z...)
}

// CHECKLIST 3: the limit holds for what is inflated, whatever the frames.
func TestInflatedLimit(t *testing.T) {
	for _, tc := range []struct {
		size  int
		limit int64
		fails bool
	}{
		{1000, 1000, false},
		{1001, 1000, true},
		{1, 1, false},
		{2, 1, true},
		{100 << 10, 100 << 10, false},
		{100<<10 + 1, 100 << 10, true},
		{2 << 20, 64 << 10, true},
		{1 << 20, 0, false},
		{1 << 20, math.MaxInt64, false},
		{0, math.MaxInt64, false},
	} {
		b := packed(OpBinary, make([]byte, tc.size), true)
		for _, w := range allWays {
			f := newInflatingFeed(t, RoleClient, tc.limit, w, deflateWindow{bits: 15})
			f.write(b)
			if tc.fails {
				assert.Equal(t, []string{fmt.Sprintf("fail 1009 message longer than %d bytes", tc.limit)}, f.found, "%s, %d bytes", w, tc.size)
			} else {
				assert.Equal(t, []string{describe("binary", make([]byte, tc.size))}, f.found, "%s, %d bytes", w, tc.size)
			}
			f.in.z.free()
		}
	}
	// What cannot be compressed is longer when it is, but not by much.
	random := make([]byte, 5000)
	rand.NewChaCha8([32]byte{}).Read(random)
	f := newInflatingFeed(t, RoleClient, 5000, way{}, deflateWindow{bits: 15})
	b := packed(OpBinary, random, true)
	require.Greater(t, len(b), 5004)
	f.write(b)
	assert.Equal(t, []string{describe("binary", random)}, f.found)
	f.write(wire("c2 7f 0000000000020000"))
	assert.Equal(t, "fail 1009 message longer than 5000 bytes", f.found[1], "from the header")

	// What is too long is so whatever comes after it, and however it was cut.
	b = wire("c2 0a 000300fcff 616161 06 00") // a block that there cannot be
	everySplit(b, func(pieces ...[]byte) {
		for _, w := range allWays {
			f := newInflatingFeed(t, RoleClient, 2, w, deflateWindow{bits: 15})
			for _, p := range pieces {
				f.write(p)
			}
			assert.Equal(t, []string{"fail 1009 message longer than 2 bytes"}, f.found, w.String())
			f.in.z.free()
		}
	})

	// CHECKLIST 4: bytes that inflate to nothing have an end too.
	f = newInflatingFeed(t, RoleClient, 1000, way{}, deflateWindow{bits: 15})
	f.write(wire("42 00"))
	for range 10000 {
		f.write(wire("00 7e 00ff " + strings.Repeat("000000ffff", 51)))
	}
	assert.Equal(t, []string{"fail 1009 message longer than 1000 bytes"}, f.found)
}

// A message within the limit may be longer on the wire, if its compressor was flushed
// often.
func TestOftenFlushed(t *testing.T) {
	for _, every := range []int{1, 2, 8, 64} {
		text := []byte(sampleText(20_000))
		var b bytes.Buffer
		z, err := stdflate.NewWriter(&b, stdflate.HuffmanOnly)
		require.NoError(t, err)
		for piece := range slices.Chunk(text, every) {
			_, err = z.Write(piece)
			require.NoError(t, err)
			require.NoError(t, z.Flush())
		}
		body := b.Bytes()[:b.Len()-4]
		require.Greater(t, len(body)*2, len(text))
		frame := append(FrameHeader{Final: true, RSV1: true, Opcode: OpText, PayloadLength: int64(len(body))}.Append(nil), body...)
		for limit, want := range map[int]string{
			len(text):     describe("text", text),
			len(text) - 1: fmt.Sprintf("fail 1009 message longer than %d bytes", len(text)-1),
		} {
			f := newInflatingFeed(t, RoleClient, int64(limit), way{}, deflateWindow{bits: 15})
			f.write(frame)
			assert.Equal(t, []string{want}, f.found, "flushed every %d bytes: %d", every, len(body))
			f.in.z.free()
		}
	}
}

// CHECKLIST 3: a bomb is found before it has cost memory.
func TestInflationBomb(t *testing.T) {
	var bomb bytes.Buffer
	z, err := stdflate.NewWriter(&bomb, 9)
	require.NoError(t, err)
	_, err = z.Write(make([]byte, 32<<20))
	require.NoError(t, err)
	require.NoError(t, z.Flush())
	b := FrameHeader{Final: true, RSV1: true, Opcode: OpBinary, PayloadLength: int64(bomb.Len())}.Append(nil)
	b = append(b, bomb.Bytes()...)
	for _, w := range []way{{}, {pooled: true, direct: true}, {stream: true}} {
		in := inbound{rx: receiver{role: RoleClient, inflates: true}, grow: growOwned}
		in.z = newInflation(deflation{receive: deflateWindow{bits: 15}})
		in.join.limit = 256 << 10
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rest := bytes.Clone(b)
		var ev event
		got := 0
		for ev.kind != eventFail {
			rest = rest[in.next(rest, w.stream, &ev):]
			require.NotEqual(t, eventMore, ev.kind)
			if ev.kind != eventFail {
				got += len(ev.data)
			}
		}
		runtime.ReadMemStats(&after)
		assert.Equal(t, StatusMessageTooBig, ev.close.Code)
		assert.ErrorIs(t, ev.close, ErrMessageTooBig)
		assert.LessOrEqual(t, got, 256<<10)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(len(b)+2<<20), w.String())
		in.z.free()
	}
}

// CHECKLIST 2: a message that was large only when inflated earns no room for the next.
func TestInflatedMessageEarnsNoRoom(t *testing.T) {
	in := inbound{rx: receiver{role: RoleClient, inflates: true}, grow: growOwned}
	in.z = newInflation(deflation{receive: deflateWindow{bits: 15}})
	var ev event
	b := packed(OpBinary, make([]byte, 1<<20), true)
	require.Equal(t, len(b), in.next(b, false, &ev))
	require.Equal(t, eventMessage, ev.kind)
	require.Len(t, ev.data, 1<<20)
	b = append(FrameHeader{Final: true, Opcode: OpBinary, PayloadLength: 1 << 20}.Append(nil), 'a')
	require.Equal(t, len(b), in.next(b, false, &ev))
	require.Equal(t, eventMore, ev.kind)
	assert.Equal(t, 1, cap(in.join.buf))
}

// A stream of any length takes the same little memory, however it was compressed.
func TestInflatedStreamIsBounded(t *testing.T) {
	b := packed(OpBinary, make([]byte, 8<<20), true)
	in := inbound{rx: receiver{role: RoleClient, inflates: true}, grow: growOwned}
	in.z = newInflation(deflation{receive: deflateWindow{bits: 15}})
	var ev event
	total, pieces := 0, 0
	for !ev.final {
		b = b[in.next(b, true, &ev):]
		require.NotEqual(t, eventMore, ev.kind)
		require.NotEqual(t, eventFail, ev.kind)
		require.LessOrEqual(t, len(ev.data), inflateChunk)
		total += len(ev.data)
		pieces++
	}
	assert.Equal(t, 8<<20, total)
	assert.GreaterOrEqual(t, pieces, 8<<20/inflateChunk)
	assert.Nil(t, in.z.z)
	assert.Empty(t, b)
	in.next(nil, true, &ev)
	assert.Nil(t, in.z.out, "nothing is held between messages")
}

// FuzzInflated: whatever comes, a whole input is the same as its pieces, in all
// ways, and nothing longer than the limit comes out.
func FuzzInflated(f *testing.F) {
	for _, tt := range compressedTranscripts {
		f.Add(wire(tt.wire), uint16(3), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint16, takeover bool) {
		const limit = 2000
		window := deflateWindow{bits: 9, takeover: takeover}
		single := newInflatingFeed(t, RoleClient, limit, way{}, window)
		for i := range b {
			single.write(b[i : i+1])
		}
		for _, w := range allWays {
			one := newInflatingFeed(t, RoleClient, limit, w, window)
			one.write(b)
			two := newInflatingFeed(t, RoleClient, limit, w, window)
			at := int(cut) % (len(b) + 1)
			two.write(b[:at])
			two.write(b[at:])
			require.Equal(t, single.found, one.found, "%s, whole", w)
			require.Equal(t, single.found, two.found, "%s, cut at %d", w, at)
			one.in.z.free()
			two.in.z.free()
		}
		single.in.z.free()
	})
}
