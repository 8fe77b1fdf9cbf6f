package flate_test

import (
	"bytes"
	stdflate "compress/flate"
	"encoding/hex"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/flate"
)

// endings are messages, and what becomes of them.
var endings = []struct {
	name, hex, text string
	err             error
}{
	// RFC 7692, section 7.2.3: the examples.
	{name: "one block", hex: "f248cdc9c90700", text: "Hello"},
	{name: "a block without compression", hex: "000500faff48656c6c6f00", text: "Hello"},
	{name: "a final block", hex: "f348cdc9c9070000", text: "Hello"},
	{name: "two blocks", hex: "f248050000 00ffff cac9c90700", text: "Hello"},
	{name: "an empty message", hex: "00", text: ""},
	// Section 7.2.1: "The next DEFLATE block follows the padded data if any."
	{name: "a block after a final block", hex: "f348cdc9c90700 f248cdc9c90700", text: "HelloHello"},
	{name: "a final block that does not end at a byte boundary, and padding", hex: "f348cdc9c90700 f348cdc9c90700", text: "HelloHello"},
	{name: "a final stored block", hex: "010500faff48656c6c6f00", text: "Hello"},
	// Ends that are not the one prescribed, but leave no octet in doubt.
	{name: "nothing after a final block", hex: "f348cdc9c90700", text: "Hello"},
	{name: "the tail left on", hex: "f248cdc9c907000000ffff", text: "Hello"},
	{name: "a stored block and no more", hex: "000500faff48656c6c6f", text: "Hello"},
	{name: "no bytes at all", hex: "", text: ""},
	// Bad ends.
	{name: "cut in a block", hex: "f248cdc9", err: flate.ErrIncomplete},
	{name: "cut before the end of a block", hex: "f248cdc9c9", err: flate.ErrIncomplete},
	{name: "cut in the lengths of a stored block", hex: "000500fa", err: flate.ErrIncomplete},
	{name: "cut in a stored block", hex: "000500faff48656c6c", err: flate.ErrIncomplete},
	{name: "cut in the tail left on", hex: "f248cdc9c907000000ff", err: flate.ErrIncomplete},
	{name: "cut in a dynamic header", hex: "04c0", err: flate.ErrIncomplete},
	{name: "garbage after the end", hex: "f248cdc9c90700 01", err: flate.ErrIncomplete},
	{name: "garbage after a final block", hex: "f348cdc9c90700 07", err: flate.ErrCorrupt},
	// Bad blocks.
	{name: "a block of the reserved type", hex: "06", err: flate.ErrCorrupt},
	{name: "lengths of a stored block that differ", hex: "000500fafe48656c6c6f00", err: flate.ErrCorrupt},
	{name: "a distance before the message", hex: "02020000", err: flate.ErrTooFarBack},
	{name: "too many length symbols", hex: "f40000", err: flate.ErrCorrupt},
	{name: "too many distance symbols", hex: "041e00", err: flate.ErrCorrupt},
	{name: "no code lengths", hex: "0400000000000000", err: flate.ErrCorrupt},
	{name: "distance symbol 30", hex: "023e00", err: flate.ErrCorrupt},
}

func TestEndings(t *testing.T) {
	for _, test := range endings {
		src, err := hex.DecodeString(strings.ReplaceAll(test.hex, " ", ""))
		require.NoError(t, err)
		for n := 1; n <= max(1, len(src)); n++ {
			for _, room := range []int{1, 3, 1000} {
				z := flate.GetInflater()
				z.Reset(nil, 15)
				got, err := inflate(z, src, n, room)
				assert.Equal(t, test.err, err, "%s, cut every %d bytes", test.name, n)
				if test.err == nil {
					assert.Equal(t, test.text, string(got), "%s, cut every %d bytes", test.name, n)
				} else {
					_, _, again := z.Inflate(nil, src, room)
					assert.Equal(t, test.err, again, "an error stays")
				}
				flate.PutInflater(z)
			}
		}
	}
}

// stdMessage compresses messages with the standard library, which goes on with its window; the tail is cut off.
func stdMessages(t testing.TB, level int, messages ...[]byte) [][]byte {
	var buf bytes.Buffer
	w, err := stdflate.NewWriter(&buf, level)
	require.NoError(t, err)
	var out [][]byte
	for _, p := range messages {
		buf.Reset()
		w.Write(p)
		require.NoError(t, w.Flush())
		out = append(out, bytes.Clone(bytes.TrimSuffix(buf.Bytes(), []byte("\x00\x00\xff\xff"))))
	}
	return out
}

// What the standard library compresses, cut anywhere and with any room, with its history and without.
func TestInflateStandardLibrary(t *testing.T) {
	for name, p := range texts() {
		for _, level := range []int{stdflate.HuffmanOnly, 0, 1, 6, 9} {
			whole := stdMessages(t, level, p, p)
			w := flate.NewWindow(15)
			for i, src := range whole {
				z := flate.GetInflater()
				z.Reset(w, 15)
				got, err := inflate(z, src, 1+len(src)/(1+i*3), 1+len(p)/(1+i*5))
				require.NoError(t, err, "%s at level %d", name, level)
				require.True(t, bytes.Equal(p, got), "%s at level %d", name, level)
				flate.PutInflater(z)
			}
		}
	}
}

// Every cut of a message gives the same.
func TestEveryCut(t *testing.T) {
	p := jsonMessages(3, 1, 700)[0]
	for _, src := range [][]byte{stdMessages(t, 6, p)[0], stdMessages(t, 0, p)[0], stdMessages(t, 1, p[:60])[0]} {
		want, err := stdInflate(src, nil)
		require.NoError(t, err)
		z := flate.GetInflater()
		for cut := range len(src) {
			z.Reset(nil, 15)
			out, taken, err := z.Inflate(nil, src[:cut], 1000)
			require.NoError(t, err)
			require.Equal(t, cut, taken)
			out, _, err = z.Inflate(out, src[cut:], 1000)
			require.NoError(t, err)
			out, done, err := z.End(out, 1000)
			require.NoError(t, err)
			require.True(t, done)
			require.Equal(t, string(want), string(out))
			z.Reset(nil, 15)
			_, _, err = z.Inflate(nil, src[:cut], 1000)
			require.NoError(t, err)
			if _, _, err = z.End(nil, 1000); err != nil {
				require.Equal(t, flate.ErrIncomplete, err)
			}
		}
		flate.PutInflater(z)
	}
}

// Whatever room there is at each call, the output is the same.
func TestEveryRoom(t *testing.T) {
	for _, p := range jsonMessages(3, 300, 128) {
		for _, src := range [][]byte{stdMessages(t, 6, p)[0], flate.AppendMessage(nil, p, nil, 15, 1)} {
			z := flate.GetInflater()
			for room := 1; room <= len(p)+1; room++ {
				z.Reset(nil, 15)
				got, err := inflate(z, src, len(src), room)
				require.NoError(t, err)
				require.Equal(t, string(p), string(got), "room for %d bytes", room)
			}
			flate.PutInflater(z)
		}
	}
}

// RFC 7692, section 7.1.2: an endpoint may be promised a window smaller than 32 KiB, and holds its peer to it.
func TestTooFarBack(t *testing.T) {
	random := texts()["random"][:2000]
	p := append(bytes.Clone(random[:1024]), random[:1024]...) // distance 1024
	src := stdMessages(t, 6, p)[0]
	for bits := 8; bits <= 15; bits++ {
		z := flate.GetInflater()
		z.Reset(nil, bits)
		_, err := inflate(z, src, 1<<20, 1<<20)
		z.Reset(flate.NewWindow(15), bits)
		_, err2 := inflate(z, src, 100, 100)
		require.Equal(t, err, err2)
		if bits < 10 {
			require.Equal(t, flate.ErrTooFarBack, err, "%d bits", bits)
		} else {
			require.NoError(t, err, "%d bits", bits)
		}
		flate.PutInflater(z)
	}
	// Without takeover there is nothing before the message.
	second := stdMessages(t, 6, random[:500], random[:500])[1]
	z := flate.GetInflater()
	z.Reset(nil, 15)
	_, err := inflate(z, second, 1<<20, 1<<20)
	require.Equal(t, flate.ErrTooFarBack, err)
}

// A bomb costs no more memory than there is room.
func TestBomb(t *testing.T) {
	src := stdMessages(t, 9, make([]byte, 10<<20))[0]
	z := flate.GetInflater()
	defer flate.PutInflater(z)
	z.Reset(nil, 15)
	out, taken, err := z.Inflate(nil, src, 65536)
	require.NoError(t, err)
	require.Len(t, out, 65536)
	require.Less(t, taken, 1000)
	require.LessOrEqual(t, cap(out), 65536+65536/4)
	out, _, err = z.Inflate(out, src[taken:], 0)
	require.NoError(t, err)
	require.Len(t, out, 65536)
}

// Fragments are whole at each end, and join to one message.
func TestFragments(t *testing.T) {
	p := jsonMessages(5, 1, 5000)[0]
	for _, w := range []*flate.Window{nil, flate.NewWindow(15), flate.NewWindow(9)} {
		var all, got []byte
		z := flate.GetInflater()
		z.Reset(nil, 15)
		for i := 0; i <= 5; i++ {
			piece := p[min(len(p), i*1000):min(len(p), (i+1)*1000)]
			if i == 5 {
				piece = p[5000:]
			}
			fragment := flate.AppendFragment(nil, piece, w, 15, 5, i == 5)
			all = append(all, fragment...)
			var err error
			got, _, err = z.Inflate(got, fragment, 1<<20)
			require.NoError(t, err)
			require.Equal(t, string(p[:min(len(p), len(got))]), string(got), "all of a fragment is there when it is")
		}
		_, done, err := z.End(nil, 1<<20)
		require.NoError(t, err)
		require.True(t, done)
		got, err = stdInflate(all, nil)
		require.NoError(t, err)
		require.Equal(t, string(p), string(got))
		flate.PutInflater(z)
	}
}

// In steady state nothing is allocated.
func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	for _, size := range []int{128, 1024, 16384, 200_000} {
		messages := jsonMessages(11, 4, size)
		for _, takeover := range []bool{false, true} {
			for _, level := range []int{1, 5, 9} {
				var w, in *flate.Window
				if takeover {
					w, in = flate.NewWindow(12), flate.NewWindow(12)
				}
				packed, got := make([]byte, 0, 2*size+1000), make([]byte, 0, 2*size+1000)
				turn := func() {
					for _, p := range messages {
						packed = flate.AppendMessage(packed[:0], p, w, 12, level)
						z := flate.GetInflater()
						z.Reset(in, 12)
						got, _, _ = z.Inflate(got[:0], packed, 1<<20)
						got, _, _ = z.End(got, 1<<20)
						flate.PutInflater(z)
					}
				}
				for range 20 {
					turn()
				}
				require.Zero(t, testing.AllocsPerRun(20, turn), "%d bytes, takeover %t, level %d", size, takeover, level)
				require.Equal(t, string(messages[len(messages)-1]), string(got))
			}
		}
	}
}

// Bytes that come one by one do not make the output move each time.
func TestTrickle(t *testing.T) {
	p := jsonMessages(23, 1, 300_000)[0]
	src := stdMessages(t, 6, p)[0]
	z := flate.GetInflater()
	defer flate.PutInflater(z)
	z.Reset(nil, 15)
	var out []byte
	moves := 0
	for i := range src {
		before := cap(out)
		var err error
		out, _, err = z.Inflate(out, src[i:i+1], 1<<20)
		require.NoError(t, err)
		if cap(out) != before {
			moves++
		}
	}
	require.Less(t, moves, 30)
	require.True(t, bytes.Equal(p[:len(out)], out))
}

// Without room nothing comes out, and nothing is lost.
func TestNoRoom(t *testing.T) {
	p := bytes.Repeat([]byte("Hello"), 100)
	src := stdMessages(t, 6, p)[0]
	z := flate.GetInflater()
	defer flate.PutInflater(z)
	z.Reset(nil, 15)
	var out []byte
	for _, room := range []int{0, -5, 7, 0, -1, 1000} {
		before := len(out)
		var taken int
		var err error
		out, taken, err = z.Inflate(out, src, room)
		require.NoError(t, err)
		require.LessOrEqual(t, len(out)-before, max(room, 0))
		src = src[taken:]
	}
	out, done, err := z.End(out, 0)
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, string(p), string(out))
}

// field is a value of so many bits, lowest first.
type field struct{ value, bits uint }

// pack puts fields together, RFC 1951, section 3.1.1.
func pack(fields ...field) (out []byte) {
	n := uint(0)
	for _, f := range fields {
		for i := range f.bits {
			if n%8 == 0 {
				out = append(out, 0)
			}
			out[n/8] |= byte(f.value>>i&1) << (n % 8)
			n++
		}
	}
	return out
}

// A length may take 20 bits before its distance. However many bits literals leave, it gets what input there is.
func TestLongLengthAfterLiterals(t *testing.T) {
	fields := []field{{2 << 1, 3}, {28 | 15<<10, 14}, {0, 6}, {4, 3}, {0, 3}} // 285 literals and lengths, one distance
	for range 15 {
		fields = append(fields, field{4, 3})
	}
	length := func(n uint) field { return field{uint(bits.Reverse8(uint8(n-1)) >> 4), 4} } // of 1 to 15
	zeros := func(n uint) { fields = append(fields, length(16), field{n - 11, 7}) }
	zeros('A')
	for n := range uint(14) {
		fields = append(fields, length(n+1)) // an A has one bit
	}
	zeros(138)
	zeros(256 - 'A' - 14 - 138)
	fields = append(fields, length(15)) // the end of the block
	zeros(27)
	fields = append(fields, length(15), length(1)) // 227 bytes or more, and a distance of 1
	z := flate.GetInflater()
	defer flate.PutInflater(z)
	for n := range 128 {
		as := make([]field, n+1)
		for i := range as {
			as[i].bits = 1
		}
		src := pack(append(append(slices.Clip(fields), as...), field{1<<15 - 1, 20}, field{0, 1}, field{1<<14 - 1, 15}, field{0, 3})...)
		for piece := 1; piece <= len(src); piece++ {
			z.Reset(nil, 15)
			out, err := inflate(z, src, piece, 1000)
			require.NoError(t, err)
			require.Equal(t, strings.Repeat("A", n+1+227), string(out))
		}
	}
}

// What came before an error is there, however the input was cut.
func TestInflatedBeforeError(t *testing.T) {
	// A block with fixed codes: four times an A, and a match that cannot be.
	a, length := field{0x8e, 8}, field{64, 7}
	for want, distance := range map[error]field{
		flate.ErrCorrupt:    {15, 5},
		flate.ErrTooFarBack: {5, 5 + 9},
	} {
		src := pack(field{2, 3}, a, a, a, a, length, distance, field{0, 64}, field{0, 64}, field{0, 64})
		z := flate.GetInflater()
		for cut := range len(src) {
			z.Reset(nil, 15)
			out, taken, err := z.Inflate(nil, src[:cut], 1000)
			if err == nil {
				out, _, err = z.Inflate(out, src[taken:], 1000)
			}
			require.Equal(t, want, err, "cut at %d", cut)
			require.Equal(t, "AAAA", string(out), "cut at %d", cut)
		}
		flate.PutInflater(z)
	}
}

// RFC 1951, section 3.2.7: headers of dynamic blocks that make no sense.
func TestBadHeaders(t *testing.T) {
	dynamic := field{2 << 1, 3}
	// sizes has 257 literals and lengths, one distance, and so many lengths of code lengths.
	sizes := func(lenLens uint) field { return field{(lenLens - 4) << 10, 14} }
	one, two, none := field{1, 3}, field{2, 3}, field{0, 3}
	full := field{127, 7}
	headers := map[string][]field{
		"code lengths with too many codes": {dynamic, sizes(4), one, one, one, one, field{0, 64}},
		"a repetition of nothing":          {dynamic, sizes(4), one, none, none, one, field{1, 1}, field{0, 2}, field{0, 64}},
		"a repetition beyond the end": {
			dynamic, sizes(18), none, none, one, two, none, none, none, none, none, none, none, none, none, none, none, none, none, two,
			field{3, 2},
			field{0, 1},
			full,
			field{0, 1},
			field{117 - 11, 7},
			field{3, 2},
			field{0, 1},
			field{0, 7},
			field{1, 1},
			field{0, 3},
		},
		"no end of block": {
			dynamic, sizes(18), none, none, one, two, none, none, none, none, none, none, none, none, none, none, none, none, none, two,
			field{3, 2},
			field{3, 2},
			field{0, 1},
			full,
			field{0, 1},
			field{117 - 11, 7},
			field{1, 2},
			field{0, 64},
		},
	}
	for name, fields := range headers {
		z := flate.GetInflater()
		z.Reset(nil, 15)
		_, err := inflate(z, pack(fields...), 1000, 1000)
		require.Equal(t, flate.ErrCorrupt, err, name)
		flate.PutInflater(z)
	}
}

// A window that is reset has no history.
func TestWindowReset(t *testing.T) {
	p := texts()["random"][:500]
	whole := stdMessages(t, 6, p, p)
	w := flate.NewWindow(15)
	z := flate.GetInflater()
	defer flate.PutInflater(z)
	for _, reset := range []bool{false, true} {
		z.Reset(w, 15)
		_, err := inflate(z, whole[0], 1000, 1000)
		require.NoError(t, err)
		if reset {
			w.Reset()
		}
		z.Reset(w, 15)
		_, err = inflate(z, whole[1], 1000, 1000)
		if reset {
			require.Equal(t, flate.ErrTooFarBack, err)
		} else {
			require.NoError(t, err)
		}
	}
}

// What is pooled is never in two hands.
func TestConcurrent(t *testing.T) {
	var group sync.WaitGroup
	for k := range 4 {
		group.Go(func() {
			w, in := flate.NewWindow(12), flate.NewWindow(12)
			for i, p := range jsonMessages(uint64(k), 60, 500) {
				out := flate.AppendMessage(nil, p, w, 12, 1+i%9)
				z := flate.GetInflater()
				z.Reset(in, 12)
				got, err := inflate(z, out, 64, 64)
				flate.PutInflater(z)
				if !assert.NoError(t, err) || !assert.Equal(t, string(p), string(got)) {
					return
				}
			}
		})
	}
	group.Wait()
}
