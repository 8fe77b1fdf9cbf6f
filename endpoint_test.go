package websocket

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/bufpool"
)

// A way is one of the ways to drive an inbound half.
type way struct {
	stream bool // messages in pieces
	direct bool // what room offers is used
	pooled bool // buffers come from bufpool
}

func (w way) String() string {
	return fmt.Sprintf("stream %v, direct %v, pooled %v", w.stream, w.direct, w.pooled)
}

var allWays = []way{{}, {direct: true}, {direct: true, pooled: true}, {stream: true}, {stream: true, direct: true}}

// A feed drives an inbound half as a connection does and notes what it finds,
// one line for each event. The pieces of a stream are joined, so that all ways
// must find the same. Whatever memory is not the feed's any more is spoiled.
type feed struct {
	t      testing.TB
	in     inbound
	way    way
	found  []string
	after  []int // bytes written before each of them was found
	wrote  int
	ended  bool // failed
	begun  bool // a stream
	joined []byte
	copied int // bytes that growing has copied
}

func newFeed(t testing.TB, role Role, limit int64, w way) *feed {
	f := &feed{t: t, way: w}
	f.in.rx.role, f.in.join.limit = role, limit
	f.in.grow = func(b []byte, n int) []byte {
		f.copied += len(b)
		if n <= 0 || cap(b)-len(b) >= n {
			t.Fatalf("grows by %d a buffer with room for %d", n, cap(b)-len(b))
		}
		if w.pooled {
			return bufpool.Grow(b, n)
		}
		return growOwned(b, n)
	}
	return f
}

// write gives in one piece of the peer's bytes.
func (f *feed) write(p []byte) {
	f.wrote += len(p)
	for len(p) > 0 && !f.ended {
		if room := f.in.room(); len(room) > 0 && f.way.direct {
			if f.way.stream && f.in.join.announced {
				f.t.Fatal("room for a stream")
			}
			n := copy(room, p)
			p = p[n:]
			var ev event
			f.in.filled(n, &ev)
			f.take(ev)
			continue
		}
		f.next(append([]byte(nil), p...))
		return
	}
}

// next lets the inbound half take in all of p.
func (f *feed) next(p []byte) {
	mine := p
	for idle := 0; !f.ended; {
		var ev event
		n := f.in.next(p, f.way.stream, &ev)
		if n < 0 || n > len(p) || ev.kind == eventMore && n != len(p) {
			f.t.Fatalf("took %d of %d bytes with event %d", n, len(p), ev.kind)
		}
		if idle++; n > 0 || ev.kind == eventChunk && len(ev.data) > 0 {
			idle = 0
		}
		if idle > 4 {
			f.t.Fatal("goes round in circles")
		}
		p = p[n:]
		if ev.kind == eventMore {
			break
		}
		f.take(ev)
	}
	for i := range mine {
		mine[i] = 0xee
	}
}

// take notes an event.
func (f *feed) take(ev event) {
	line := ""
	switch ev.kind {
	case eventMore:
		return
	case eventMessage:
		if f.way.stream || !ev.final {
			f.t.Fatalf("a whole message in a stream, or not final: %v", ev.final)
		}
		line = describe(ev.typ.String(), ev.data)
	case eventStart:
		if !f.way.stream || f.begun || len(ev.data) > 0 {
			f.t.Fatal("a second start")
		}
		f.begun = true
		return
	case eventChunk:
		if !f.begun {
			f.t.Fatal("a chunk before the start")
		}
		f.joined = append(f.joined, ev.data...)
		if ev.final {
			line = describe(ev.typ.String(), f.joined)
			f.begun, f.joined = false, nil
		}
	case eventPing:
		line = describe("ping", ev.data)
	case eventPong:
		line = describe("pong", ev.data)
	case eventClose:
		if !ev.close.Remote || ev.close.failed {
			f.t.Fatalf("not the peer's: %v", ev.close)
		}
		line = fmt.Sprintf("close %d %q", ev.close.Code, ev.close.Reason)
	case eventFail:
		f.ended = true
		line = fmt.Sprintf("fail %d %s", ev.close.Code, ev.close.Reason)
	default:
		f.t.Fatalf("event %d", ev.kind)
	}
	for i := range ev.data {
		ev.data[i] = 0xdd
	}
	if ev.kept && !f.ended {
		if len(f.in.join.buf) > 0 {
			f.t.Fatal("the buffer is still in use")
		}
		if f.way.pooled {
			bufpool.Put(ev.data)
		}
	}
	if line != "" {
		f.found = append(f.found, line)
		f.after = append(f.after, f.wrote)
	}
}

// describe gives a kind and its bytes, shortened if there are many.
func describe(kind string, p []byte) string {
	if len(p) > 200 {
		return fmt.Sprintf("%s %d bytes %08x", kind, len(p), crc32.ChecksumIEEE(p))
	}
	return fmt.Sprintf("%s %q", kind, p)
}

// everySplit gives try all ways to cut b in two, b whole, and b byte by byte.
func everySplit(b []byte, try func(pieces ...[]byte)) {
	try(b)
	single := make([][]byte, len(b))
	for i := range b {
		single[i] = b[i : i+1]
		if i > 0 {
			try(b[:i], b[i:])
		}
	}
	if len(b) > 0 {
		try(single...)
	}
}

// maskFrames turns the frames of a server into those of a client, with a
// different key for each.
func maskFrames(b []byte) []byte {
	out := []byte{}
	for key := byte(0x37); len(b) > 0; key += 0x4b {
		h, n, err := ParseFrameHeader(b)
		if err != nil || n == 0 {
			panic("not whole frames")
		}
		h.Masked, h.MaskingKey = true, [4]byte{key, key + 3, key ^ 0xff, key << 1}
		end := min(n+int(min(h.PayloadLength, math.MaxInt32-20)), len(b))
		p := append([]byte(nil), b[n:end]...)
		Mask(p, h.MaskingKey, 0)
		out = append(h.Append(out), p...)
		b = b[end:]
	}
	return out
}

// transcripts are what a server may send, and what is found in it.
var transcripts = []struct {
	name, wire string
	want       []string
}{
	// The examples of RFC 6455, section 5.7, as a server sends them.
	{"RFC6455_5_7_Text", "81 05 48656c6c6f", []string{`text "Hello"`}},
	{"RFC6455_5_7_Fragments", "01 03 48656c 80 02 6c6f", []string{`text "Hello"`}},
	{"RFC6455_5_7_Ping", "89 05 48656c6c6f", []string{`ping "Hello"`}},
	{"RFC6455_5_7_Pong", "8a 05 48656c6c6f", []string{`pong "Hello"`}},
	{"RFC6455_5_7_256Bytes", "82 7e 0100 61*256", []string{describe("binary", bytes.Repeat([]byte("a"), 256))}},

	// CHECKLIST 10: many frames, and frames without bytes.
	{"empty", "81 00 82 00", []string{`text ""`, `binary ""`}},
	{"empty fragments", "01 00 00 00 00 00 80 00", []string{`text ""`}},
	{"empty among others", "02 00 00 01 61 00 00 80 01 62 82 00", []string{`binary "ab"`, `binary ""`}},
	{"empty first and last", "01 00 00 03 e282ac 80 00", []string{`text "€"`}},
	{"many", strings.Repeat("81 01 78 ", 20), slicesRepeat(`text "x"`, 20)},
	{"RFC6455_5_4_ControlBetweenFragments", "01 01 61 89 02 6869 00 01 62 8a 00 80 01 63", []string{`ping "hi"`, `pong ""`, `text "abc"`}},
	{"RFC6455_5_4_CharacterOverFragments", "01 01 e2 89 00 00 01 82 80 01 ac", []string{`ping ""`, `text "€"`}},
	{"binary is not checked", "82 02 fffe 02 01 80 80 01 c0", []string{`binary "\xff\xfe"`, `binary "\x80\xc0"`}},
	{"ping of 125", "89 7d 70*125", []string{describe("ping", bytes.Repeat([]byte("p"), 125))}}, // CHECKLIST 11
	{"ping of any bytes", "89 04 00ff80c3", []string{`ping "\x00\xff\x80\xc3"`}},

	// RFC 6455, section 5.5.1. CHECKLIST 13.
	{"RFC6455_5_5_1_Close", "88 05 03e8 627965", []string{`close 1000 "bye"`}},
	{"RFC6455_5_5_1_CloseEmpty", "88 00", []string{`close 1005 ""`}},
	{"RFC6455_5_5_1_CloseOneByte", "88 01 03", []string{"fail 1002 close frame with a body of one byte"}},
	{"RFC6455_5_5_1_CloseReservedCode", "88 02 03ed", []string{"fail 1002 close frame with an invalid status code"}},
	{"RFC6455_5_5_1_CloseNotText", "88 04 03e8 c328", []string{"fail 1007 close frame whose reason is not valid UTF-8"}},
	{"RFC6455_5_5_1_CloseInMessage", "01 01 61 88 02 03e9", []string{`close 1001 ""`}},
	{"RFC6455_5_5_1_CloseAfterMessage", "81 01 61 88 7d 0bb8 72*123", []string{`text "a"`, `close 3000 "` + strings.Repeat("r", 123) + `"`}},

	// RFC 6455, section 8.1. CHECKLIST 12.
	{"RFC6455_8_1_TextCutShort", "81 02 61e2", []string{"fail 1007 text message is not valid UTF-8"}},
	{"RFC6455_8_1_FragmentsCutShort", "01 01 e2 80 01 82", []string{"fail 1007 text message is not valid UTF-8"}},
	{"RFC6455_8_1_CutShortAndEmpty", "01 01 e2 80 00", []string{"fail 1007 text message is not valid UTF-8"}},
	{"RFC6455_8_1_AfterGoodOnes", "81 02 c3a9 01 01 c3 80 01 28", []string{`text "é"`, "fail 1007 text message is not valid UTF-8"}},
}

func slicesRepeat(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

// CHECKLIST 10: every transcript, masked and not, at every split point, in all
// ways, gives the same; and every truncation gives exactly what was whole in it,
// not a byte earlier and not a byte later.
func TestTranscripts(t *testing.T) {
	for _, tt := range transcripts {
		t.Run(tt.name, func(t *testing.T) {
			for _, role := range []Role{RoleClient, RoleServer} {
				b := wire(tt.wire)
				if role == RoleServer {
					b = maskFrames(b)
				}
				single := newFeed(t, role, 0, way{})
				for i := range b {
					single.write(b[i : i+1])
				}
				require.Equal(t, tt.want, single.found, "byte by byte")
				for _, way := range allWays {
					everySplit(b, func(pieces ...[]byte) {
						f := newFeed(t, role, DefaultMaxMessageSize, way)
						for _, p := range pieces {
							f.write(p)
							requireWhole(t, single, f, way)
						}
						require.Equal(t, tt.want, f.found, "%s, %d pieces", way, len(pieces))
					})
				}
			}
		})
	}
}

// requireWhole holds what f has found so far against what its bytes hold, as
// single, who was fed byte by byte, tells.
func requireWhole(t testing.TB, single, f *feed, w way) {
	whole := 0
	for whole < len(single.after) && single.after[whole] <= f.wrote {
		whole++
	}
	if strings.Join(single.found[:whole], "\n") != strings.Join(f.found, "\n") {
		t.Fatalf("%s: in %d bytes found %q, want %q", w, f.wrote, f.found, single.found[:whole])
	}
}

// The masked examples of RFC 6455, section 5.7, with its own key, and those too
// long for a table.
func TestRFC6455_5_7_Examples(t *testing.T) {
	f := newFeed(t, RoleServer, DefaultMaxMessageSize, way{})
	f.write(wire("81 85 37fa213d 7f9f4d5158"))
	f.write(wire("8a 85 37fa213d 7f9f4d5158"))
	assert.Equal(t, []string{`text "Hello"`, `pong "Hello"`}, f.found)

	f = newFeed(t, RoleClient, DefaultMaxMessageSize, way{})
	f.write(wire("82 7f 0000000000010000 62*65536"))
	assert.Equal(t, []string{describe("binary", bytes.Repeat([]byte("b"), 65536))}, f.found)
}

// largeTranscript holds messages whose rest is read straight into their buffer.
func largeTranscript() []byte {
	text := []byte(strings.Repeat("größer als man denkt: 世界 😀. ", 500))
	var b []byte
	add := func(final bool, op Opcode, p []byte) {
		b = FrameHeader{Final: final, Opcode: op, PayloadLength: int64(len(p))}.Append(b)
		b = append(b, p...)
	}
	add(true, OpText, text)
	add(false, OpText, text[:9001])
	add(true, OpPing, []byte("among"))
	add(false, OpContinuation, text[9001:9003])
	add(false, OpContinuation, nil)
	add(true, OpContinuation, text[9003:])
	add(true, OpBinary, bytes.Repeat([]byte{0xff, 0x80}, 4097))
	add(true, OpClose, nil)
	return b
}

func TestLargeTranscript(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, role := range []Role{RoleClient, RoleServer} {
		b := largeTranscript()
		if role == RoleServer {
			b = maskFrames(b)
		}
		single := newFeed(t, role, DefaultMaxMessageSize, way{})
		for i := range b {
			single.write(b[i : i+1])
		}
		require.Len(t, single.found, 5)
		require.Equal(t, `ping "among"`, single.found[1])
		require.Equal(t, single.found[0], single.found[2], "the same text")
		for _, w := range allWays {
			for cut := 1; cut < len(b); cut += 211 {
				f := newFeed(t, role, DefaultMaxMessageSize, w)
				f.write(b[:cut])
				requireWhole(t, single, f, w)
				f.write(b[cut:])
				require.Equal(t, single.found, f.found, "%s cut at %d", w, cut)
			}
			for _, most := range []int{2, 100, 5000, 20000} {
				for range 5 {
					f := newFeed(t, role, DefaultMaxMessageSize, w)
					for rest := b; len(rest) > 0; {
						n := min(1+rnd.IntN(most), len(rest))
						f.write(rest[:n])
						rest = rest[n:]
						requireWhole(t, single, f, w)
					}
					require.Equal(t, single.found, f.found, "%s", w)
				}
			}
		}
	}
}

// The way of reading may change while a message arrives: nothing is lost.
func TestStreamBegunInTheMiddle(t *testing.T) {
	b := wire("01 03 616263 89 00 00 03 646566 80 03 676869 82 01 7a")
	for from := range b {
		f := newFeed(t, RoleClient, DefaultMaxMessageSize, way{})
		f.write(b[:from])
		f.way.stream = true
		f.write(b[from:])
		require.Equal(t, []string{`ping ""`, `text "abcdefghi"`, `binary "z"`}, f.found, "from %d on", from)
	}
}

// A buffer that was lent for the message is used if it has room, and left alone
// for a message that needs none.
func TestLentBuffer(t *testing.T) {
	for _, size := range []int{1, 4, 9, 100} {
		f := newFeed(t, RoleClient, DefaultMaxMessageSize, way{})
		lent := make([]byte, 0, size)
		f.in.join.buf = lent
		var ev event
		n := f.in.next(wire("01 03 616263"), false, &ev)
		require.Equal(t, 5, n)
		require.Equal(t, eventMore, ev.kind)
		n = f.in.next(wire("80 06 646566676869"), false, &ev)
		require.Equal(t, 8, n)
		require.True(t, ev.kept)
		require.Equal(t, "abcdefghi", string(ev.data))
		require.Equal(t, size >= 9, &ev.data[0] == &lent[:1][0], "size %d", size)

		f.in.join.buf = lent
		f.in.next(wire("81 01 61"), false, &ev)
		require.False(t, ev.kept)
		require.Equal(t, "a", string(ev.data))
		require.Equal(t, size, cap(f.in.join.buf), "still lent")
	}
}

// CHECKLIST 2: memory follows the bytes received, not those declared.
func TestMemoryFollowsBytesReceived(t *testing.T) {
	for _, w := range []way{{}, {direct: true}, {direct: true, pooled: true}, {stream: true, direct: true}} {
		for _, header := range []string{"82 7f 0000000040000000", "02 7f 0000000040000000", "82 7f 7f ff*7"} {
			f := newFeed(t, RoleClient, 0, w)
			f.write(wire(header))
			require.Zero(t, cap(f.in.join.buf), "%s: nothing has come", w)
			got := 0
			for _, n := range []int{1, 1, 10, 100, 1000, 4000, 4096, 4096, 10000, 65536, 3, 1 << 20} {
				f.write(make([]byte, n))
				got += n
				most := 4 * got
				if w.pooled {
					most = max(512, 2*most) // a class holds up to twice as much
				}
				if w.stream {
					most = 0
				}
				require.LessOrEqual(t, cap(f.in.join.buf), most, "%s: after %d bytes", w, got)
				if room := f.in.room(); !w.stream && got >= directMin {
					require.GreaterOrEqual(t, len(room), directMin)
				} else if w.stream {
					require.Nil(t, room)
				}
				require.LessOrEqual(t, cap(f.in.join.buf), most, "%s: after %d bytes, with room", w, got)
			}
			require.Empty(t, f.found)
		}
	}
}

// CHECKLIST 2, 4: who has sent a large message gets room for the next at once, as
// much as the last had, and a megabyte at most.
func TestRoomIsEarned(t *testing.T) {
	const size = 100_000
	header := func(n int) []byte {
		return FrameHeader{Final: true, Opcode: OpBinary, PayloadLength: int64(n)}.Append(nil)
	}
	for _, w := range []way{{}, {direct: true}, {direct: true, pooled: true}} {
		f := newFeed(t, RoleClient, 0, w)
		send := func(n int) (copied int) {
			had := f.copied
			f.write(header(n))
			for left := n; left > 0; left -= min(left, 5000) {
				f.write(make([]byte, min(left, 5000)))
			}
			return f.copied - had
		}
		require.Positive(t, send(size))
		require.Zero(t, send(size), "%s", w)
		require.Zero(t, send(size/2), "%s", w)
		require.Positive(t, send(2*size), "%s: it counts what came last", w)
		require.Len(t, f.found, 4)
	}
	for sent, next := range map[int]int{100: 128, 5000: 8 << 10, size: 128 << 10, 1 << 20: 1 << 20, 5 << 20: 1 << 20} {
		f := newFeed(t, RoleClient, 0, way{})
		f.write(header(sent))
		f.write(make([]byte, sent/2))
		f.write(make([]byte, sent-sent/2))
		require.Len(t, f.found, 1)
		f.write(header(1 << 30))
		require.Zero(t, cap(f.in.join.buf), "nothing has come")
		f.write(make([]byte, 1))
		require.InDelta(t, next, cap(f.in.join.buf), 1, "after %d bytes", sent)
	}
}

// A connection that waits between two messages has no inbound, and still knows.
func TestEarnedRoomOutlivesTheInbound(t *testing.T) {
	var r reader
	r.init(nil, RoleClient, 0, deflation{}, nil)
	give := func(p []byte) (ev event) {
		r.buf.fill(chunkSize)
		r.buf.w = copy(r.buf.buf, p)
		r.next(false, &ev)
		return ev
	}
	piece := append(FrameHeader{Final: true, Opcode: OpBinary, PayloadLength: 20_000}.Append(nil), make([]byte, 10_000)...)
	for _, room := range []int{10_000, 20_000} {
		require.Equal(t, eventMore, give(piece).kind)
		require.Equal(t, room, cap(r.in.join.buf))
		require.Equal(t, eventMessage, give(make([]byte, 10_000)).kind)
		r.spare()
		require.Nil(t, r.in)
	}
}

// What room offers never reaches beyond the frame, and is never for a control
// frame.
func TestRoom(t *testing.T) {
	f := newFeed(t, RoleClient, 0, way{})
	assert.Nil(t, f.in.room(), "no frame has begun")
	f.write(wire("02 7e 3000"))
	assert.Nil(t, f.in.room(), "little has come")
	f.write(make([]byte, directMin-1))
	assert.Nil(t, f.in.room(), "little has come")
	f.write(make([]byte, 1))
	room := f.in.room()
	require.Len(t, room, 0x3000-directMin)
	var ev event
	f.in.filled(0x1000, &ev)
	require.Equal(t, eventMore, ev.kind)
	require.Len(t, f.in.room(), directMin)
	f.in.filled(1, &ev)
	require.Equal(t, eventMore, ev.kind)
	assert.Nil(t, f.in.room(), "little is to come")
	f.write(make([]byte, directMin-1))
	f.write(wire("89 04 61"))
	assert.Nil(t, f.in.room(), "a ping is under way")
	f.write(wire("626364 80 7e 2000"))
	require.Len(t, f.in.room(), 0x2000)
	f.in.filled(0x2000, &ev)
	require.Equal(t, eventMessage, ev.kind)
	assert.Nil(t, f.in.room())
	assert.Equal(t, []string{`ping "abcd"`}, f.found)
}

// CHECKLIST 33: how much a buffer grows by is an int on every machine.
func TestAheadFitsAnInt(t *testing.T) {
	var in inbound
	in.rx.left, in.rx.final = math.MaxInt64, true
	assert.Zero(t, in.ahead())
	in.join.buf = make([]byte, 1000)
	assert.Equal(t, 3000, in.ahead())
	in.rx.left = 7
	assert.Equal(t, 7, in.ahead())
	in.rx.final = false
	assert.Equal(t, 1000, in.ahead(), "as many as there are")
	in.join.bound, in.join.size = 2000, 1500
	assert.Equal(t, 507, in.ahead(), "no more than the limit allows")
}

// CHECKLIST 4: joining a message in many fragments takes linear time, a flood of
// tiny ones too.
func TestFragmentsAreJoinedInLinearTime(t *testing.T) {
	for size, fragments := range map[int]int{8: 20000, 100: 2000, 5000: 150, 40000: 20} {
		header := FrameHeader{Opcode: OpBinary, PayloadLength: int64(size)}
		b := append(header.Append(nil), make([]byte, size)...)
		header.Opcode = OpContinuation
		next := append(header.Append(nil), make([]byte, size)...)
		for _, w := range allWays {
			f := newFeed(t, RoleClient, DefaultMaxMessageSize, w)
			f.write(b)
			for range fragments {
				f.write(next)
				require.LessOrEqual(t, cap(f.in.join.buf), max(512, 8*len(f.in.join.buf)))
			}
			f.write(wire("80 00"))
			require.Equal(t, []string{describe("binary", make([]byte, size*(fragments+1)))}, f.found)
			assert.Less(t, f.copied, 4*size*fragments, "%s", w)
		}
	}
}

func TestPending(t *testing.T) {
	for digits, want := range map[string]bool{
		"": false, "81": false, "81 00": true, "81 02 61": false, "81 02 6162": true, "81 02 6162 81": true,
		"89 00": true, "82 7e 0100 00*255": false, "82 7e 0100 00*256": true, "82 7f 7f ff*7 00": false,
	} {
		assert.Equal(t, want, pending(wire(digits)), "%s", digits)
	}
}

// more is not misled by what looks like a frame and is the rest of one.
func TestMoreKnowsWhereFramesBegin(t *testing.T) {
	var r reader
	r.init(nil, RoleClient, 0, deflation{}, wire("81 00 81 02 61"))
	var ev event
	r.next(false, &ev)
	require.Equal(t, eventMessage, ev.kind)
	assert.False(t, r.more(), "not whole")
	r.next(false, &ev)
	require.Equal(t, eventMore, ev.kind)
	for _, digits := range []string{"62 81", "00 81 00"} { // a payload goes on, then a header
		r.buf.free()
		r.buf.fill(chunkSize)
		r.buf.w = copy(r.buf.buf, wire(digits))
		assert.False(t, r.more(), "%s", digits)
		r.next(false, &ev)
		require.Equal(t, eventMessage, ev.kind)
		if digits == "62 81" {
			r.next(false, &ev)
			require.Equal(t, eventMore, ev.kind)
		}
	}
	assert.True(t, r.more())
}

func TestInboundDoesNotAllocate(t *testing.T) {
	in := inbound{grow: growOwned}
	in.rx.role, in.join.limit = RoleServer, DefaultMaxMessageSize
	frame := maskFrames(wire("81 7e 0080 61*128"))
	b := make([]byte, len(frame))
	var ev event
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		copy(b, frame)
		if in.next(b, false, &ev); ev.kind != eventMessage {
			t.Error("no message")
		}
	}))
}

// Whole input equals split input: the same events and the same failure, at cuts
// of the fuzzer's choice, in all ways, and as early as byte by byte.
func FuzzInbound(f *testing.F) {
	for _, tt := range transcripts {
		f.Add(wire(tt.wire), []byte{1, 3}, byte(0))
		f.Add(maskFrames(wire(tt.wire)), []byte{2}, byte(1))
	}
	f.Add(largeTranscript(), []byte{200, 255, 255, 7}, byte(2))
	f.Add(wire("82 7f ff*8"), []byte{1}, byte(4))
	f.Fuzz(func(t *testing.T, b, cuts []byte, flags byte) {
		role := RoleClient + Role(flags&1)
		limit := []int64{0, 16, DefaultMaxMessageSize}[int(flags>>1)%3]
		single := newFeed(t, role, limit, way{})
		for i := range b {
			single.write(b[i : i+1])
		}
		for _, w := range allWays {
			f := newFeed(t, role, limit, w)
			rest := b
			for i := 0; len(rest) > 0; i++ {
				n := len(rest)
				if i < len(cuts) {
					n = min(int(cuts[i])*int(cuts[i])/16+1, n)
				}
				f.write(rest[:n])
				rest = rest[n:]
				requireWhole(t, single, f, w)
			}
			require.Equal(t, single.found, f.found, "%s", w)
		}
	})
}

// The outbound half.

// RFC 6455, section 5.7, the other way round.
func TestRFC6455_5_7_Frames(t *testing.T) {
	client, server := sender{masks: true}, sender{}
	key := func() uint32 { return maskingKey([4]byte{0x37, 0xfa, 0x21, 0x3d}) }
	hello := []byte("Hello")
	assert.Equal(t, wire("81 05 48656c6c6f"), server.appendFrame(nil, OpText, true, hello, key))
	assert.Equal(t, wire("00 81 85 37fa213d 7f9f4d5158"), client.appendFrame(wire("00"), OpText, true, hello, key))
	assert.Equal(t, wire("01 03 48656c"), server.appendFrame(nil, OpText, false, hello[:3], key))
	assert.Equal(t, wire("80 02 6c6f"), server.appendFrame(nil, OpContinuation, true, hello[3:], key))
	assert.Equal(t, wire("89 05 48656c6c6f"), server.appendFrame(nil, OpPing, true, hello, key))
	assert.Equal(t, wire("8a 85 37fa213d 7f9f4d5158"), client.appendFrame(nil, OpPong, true, hello, key))
	assert.Equal(t, wire("82 7e 0100"), server.appendHeader(nil, OpBinary, true, 256))
	assert.Equal(t, wire("82 7f 0000000000010000"), server.appendHeader(nil, OpBinary, true, 65536))
	assert.Equal(t, "Hello", string(hello), "the payload is not modified")
}

// RFC 6455, section 5.3: a fresh key for every frame.
func TestRFC6455_5_3_FreshKeys(t *testing.T) {
	keys := uint32(0)
	next := func() uint32 { keys++; return keys }
	client := sender{masks: true}
	for i := range byte(5) {
		frame := client.appendFrame(nil, OpBinary, true, nil, next)
		assert.Equal(t, append(wire("82 80"), i+1, 0, 0, 0), frame)
	}
	server := sender{} // needs none
	assert.Equal(t, wire("82 00"), server.appendFrame(nil, OpBinary, true, nil, nil))
}

// What one side builds the other side finds.
func TestBothHalves(t *testing.T) {
	for _, role := range []Role{RoleClient, RoleServer} {
		out := outbound{sender: sender{masks: role == RoleClient}}
		in := newFeed(t, 3-role, DefaultMaxMessageSize, way{})
		want := []string{}
		for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 100000} {
			p := bytes.Repeat([]byte{byte(n), 0xff}, n)[:n]
			in.write(out.appendFrame(nil, OpBinary, true, p, newMaskingKey))
			want = append(want, describe("binary", p))
		}
		in.write(out.appendFrame(nil, OpPing, true, []byte("p"), newMaskingKey))
		in.write(out.appendClose(nil, StatusGoingAway, "tired", newMaskingKey))
		want = append(want, `ping "p"`, `close 1001 "tired"`)
		assert.Equal(t, want, in.found)
	}
}

// RFC 6455, section 5.5.1: one close frame, whatever was asked for.
func TestRFC6455_5_5_1_OneClose(t *testing.T) {
	for want, ask := range map[string]struct {
		code   StatusCode
		reason string
	}{
		"88 00":            {StatusNoStatusReceived, ""},
		"88 02 03e8":       {StatusNormalClosure, ""},
		"88 05 03e8627965": {StatusNormalClosure, "bye"},
		"88 02 03f3":       {StatusAbnormalClosure, "never on the wire"},
	} {
		var out outbound
		assert.Equal(t, append([]byte("x"), wire(want)...), out.appendClose([]byte("x"), ask.code, ask.reason, nil))
		assert.True(t, out.closed)
		assert.Equal(t, []byte("x"), out.appendClose([]byte("x"), StatusGoingAway, "", nil), "no second one")
	}
}
