package flate_test

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/flate"
	"github.com/seed86893212/websocket/internal/flate/samples"
)

// tail is what RFC 7692, section 7.2.2 appends, and a final block so that the standard library comes to an end.
const (
	tail       = "\x00\x00\xff\xff" + finalBlock
	finalBlock = "\x01\x00\x00\xff\xff"
)

// stdInflate inflates a message with the standard library.
func stdInflate(src, history []byte) ([]byte, error) {
	r := stdflate.NewReaderDict(io.MultiReader(bytes.NewReader(src), bytes.NewReader([]byte(tail))), history)
	return io.ReadAll(r)
}

// inflate inflates a message cut into pieces of n bytes, with room for so many bytes a call.
func inflate(z *flate.Inflater, src []byte, n, room int) (out []byte, err error) {
	for len(src) > 0 {
		piece := src[:min(n, len(src))]
		src = src[len(piece):]
		if len(src) == 0 {
			z.Last()
		}
		for {
			var taken int
			before := len(out)
			if out, taken, err = z.Inflate(out, piece, room); err != nil {
				return nil, err
			}
			piece = piece[taken:]
			if len(out)-before < room {
				if len(piece) > 0 {
					panic("input left although there is room")
				}
				break
			}
			if len(out)-before > room {
				panic("more output than room")
			}
		}
	}
	for done := false; !done; {
		if out, done, err = z.End(out, room); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// jsonMessages returns n messages of about size bytes each.
func jsonMessages(seed uint64, n, size int) [][]byte {
	return samples.JSON(rand.New(rand.NewPCG(seed, 1)), n, size)
}

// texts are samples of many kinds.
func texts() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 200_000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	mixed := append(bytes.Repeat([]byte("abcabcabd"), 9000), random[:100_000]...)
	skewed := make([]byte, 100_000) // codes that want to be longer than 15 bits
	for i := range skewed {
		skewed[i] = byte(math.Log2(1/(1-r.Float64())) * 1.5)
	}
	all := map[string][]byte{
		"empty": {}, "byte": {'x'}, "two": []byte("ab"), "hello": []byte("Hello"), "high": {0xff, 0xfe, 0x80},
		"zeros": make([]byte, 300_000), "random": random, "mixed": append(mixed, mixed[:60_000]...), "skewed": skewed,
		"random tiny": random[:20], "random 64K": random[:65536], "random 65535": random[:65535],
		"literals": bytes.Repeat([]byte("etaoinshrdlu"), 1),
	}
	// No match, and smaller all the same by codes of their own: at any level, and at those that try them on short texts.
	for _, size := range []int{200, 300} {
		hex := make([]byte, size)
		for i := range hex {
			hex[i] = "0123456789abcdef"[r.IntN(16)]
		}
		all[fmt.Sprintf("hex %d", size)] = hex
	}
	for _, size := range []int{128, 1024, 16384, 200_000} {
		all[fmt.Sprintf("json %d", size)] = jsonMessages(uint64(size), 1, size)[0]
	}
	return all
}

// Every message comes back, from our inflater and from the standard library's.
func TestRoundTrip(t *testing.T) {
	for name, p := range texts() {
		for level := 1; level <= 9; level++ {
			for _, bits := range []int{8, 10, 15} {
				out := flate.AppendMessage([]byte("before"), p, nil, bits, level)
				require.Equal(t, "before", string(out[:6]))
				out = out[6:]
				require.LessOrEqual(t, len(out), len(p)+5*((len(p)+65534)/65535)+1, "%s at level %d", name, level)
				got, err := stdInflate(out, nil)
				require.NoError(t, err, "%s at level %d with %d bits", name, level, bits)
				require.True(t, bytes.Equal(p, got), "%s at level %d with %d bits", name, level, bits)
				z := flate.GetInflater()
				z.Reset(nil, bits)
				got, err = inflate(z, out, len(out)+1, len(p)+1)
				require.NoError(t, err, "%s at level %d with %d bits", name, level, bits)
				require.True(t, bytes.Equal(p, got), "%s at level %d with %d bits", name, level, bits)
				flate.PutInflater(z)
			}
		}
	}
}

// What does not get smaller is not there, and nothing is when it is given up early.
func TestAppendSmaller(t *testing.T) {
	for name, p := range texts() {
		for level := 1; level <= 9; level++ {
			want := flate.AppendMessage([]byte("before"), p, nil, 15, level)
			out, ok := flate.AppendSmaller([]byte("before"), p, 15, level)
			require.Equal(t, len(want)-6 < len(p), ok, "%s at level %d", name, level)
			if !ok {
				want = want[:6]
			}
			require.True(t, bytes.Equal(want, out), "%s at level %d", name, level)
		}
	}
}

// RFC 7692, section 7.2.3.6: "the octet 0x00 is the payload of an empty message".
func TestEmptyMessage(t *testing.T) {
	require.Equal(t, []byte{0}, flate.AppendMessage(nil, nil, nil, 15, 5))
	require.Equal(t, []byte{0}, flate.AppendMessage(nil, nil, flate.NewWindow(15), 15, 5))
}

// With context takeover, messages refer to those before them, and never further back than the window.
func TestTakeover(t *testing.T) {
	for _, bits := range []int{8, 9, 12, 15} {
		for level := 1; level <= 9; level += 2 {
			for _, size := range []int{128, 1024, 40_000} {
				w, in := flate.NewWindow(bits), flate.NewWindow(bits)
				var history, out []byte
				total := 0
				for i, p := range jsonMessages(7, 8+60_000/size, size)[:min(100, 8+60_000/size)] {
					out = flate.AppendMessage(out[:0], p, w, bits, level)
					total += len(out)
					got, err := stdInflate(out, history[max(0, len(history)-1<<bits):])
					require.NoError(t, err, "message %d", i)
					require.Equal(t, string(p), string(got), "message %d", i)
					z := flate.GetInflater()
					z.Reset(in, bits)
					got, err = inflate(z, out, 1+i*7, 1+i*50)
					require.NoError(t, err, "message %d", i)
					require.Equal(t, string(p), string(got), "message %d", i)
					flate.PutInflater(z)
					history = append(history, p...)
				}
				require.LessOrEqual(t, w.Size(), 1<<bits+min(1<<bits, 8192))
				require.LessOrEqual(t, in.Size(), 1<<bits)
				require.Less(t, total, len(history)*3/4)
			}
		}
	}
}

// A connection's messages may be compressed at any level, and bits may be fewer than the window's.
func TestTakeoverMixed(t *testing.T) {
	w, in := flate.NewWindow(15), flate.NewWindow(15)
	var out []byte
	z := flate.GetInflater()
	defer flate.PutInflater(z)
	for i, p := range jsonMessages(13, 300, 700) {
		out = flate.AppendMessage(out[:0], p, w, 8+i%8, 1+i*i%9)
		z.Reset(in, 8+i%8)
		got, err := inflate(z, out, 100, 100)
		require.NoError(t, err, "message %d", i)
		require.Equal(t, string(p), string(got), "message %d", i)
	}
}

// Long messages are searched in another way than short ones: both know the same history.
func TestTakeoverSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for _, bits := range []int{8, 12, 15} {
		w := flate.NewWindow(bits)
		var history []byte
		for i := range 150 {
			size := 50 << r.IntN(8)
			if i%50 == 49 {
				size = 150_000
			}
			p := jsonMessages(uint64(i), 1, size)[0]
			p = append(p, history[max(0, len(history)-100-r.IntN(1<<bits)):]...)
			out := flate.AppendMessage(nil, p, w, bits, flate.DefaultLevel)
			got, err := stdInflate(out, history[max(0, len(history)-1<<bits):])
			require.NoError(t, err, "message %d of %d bytes", i, len(p))
			require.True(t, bytes.Equal(p, got), "message %d of %d bytes", i, len(p))
			history = append(history, p...)
			history = history[max(0, len(history)-1<<16):]
		}
	}
}

// What the default does with a history comes near to what a search of all of it finds, and is smaller than the first match.
func TestTakeoverRatio(t *testing.T) {
	for _, size := range []int{128, 1024} {
		for _, bits := range []int{10, 12, 15} {
			var total [10]int
			for _, level := range []int{1, flate.DefaultLevel, 8} {
				w := flate.NewWindow(bits)
				for _, p := range jsonMessages(25, 100_000/size, size) {
					total[level] += len(flate.AppendMessage(nil, p, w, bits, level))
				}
			}
			require.Less(t, total[flate.DefaultLevel]*100, total[1]*95, "%d bytes, %d bits", size, bits)
			require.Less(t, total[flate.DefaultLevel]*100, total[8]*116, "%d bytes, %d bits", size, bits)
		}
	}
}

// A long message by itself gets smaller where the shortest matches are passed over. With them it has 1.15 times what
// a search of all of it leaves.
func TestLongRatio(t *testing.T) {
	packed := make(map[int]int)
	for _, p := range jsonMessages(31, 50, 16384) {
		for _, level := range []int{flate.DefaultLevel, 8} {
			packed[level] += len(flate.AppendMessage(nil, p, nil, 15, level))
		}
	}
	require.Less(t, packed[flate.DefaultLevel]*100, packed[8]*114)
}

// What repeats from just beyond the window costs no comparison to its end at each of its bytes. With one this would take ten minutes.
func TestTooFarIsNotCompared(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 30))
	period := make([]byte, 260)
	for i := range period {
		period[i] = byte(r.Uint32())
	}
	for i := 40; i+8 < len(period); i += 30 {
		copy(period[i:i+6], period[10:16]) // matches, so that none of the bytes are passed over
	}
	p := bytes.Repeat(period, 65535/len(period))
	var out []byte
	for range 200 {
		for _, level := range []int{1, 5, 8} {
			out = flate.AppendMessage(out[:0], p, nil, 8, level)
		}
	}
	got, err := stdInflate(out, nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal(p, got))
}

// Messages that come again while the window remembers them are found, though they push each other out of the table.
func TestTakeoverRotation(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	for _, size := range []int{300, 1000, 3000, 6000} {
		messages := make([][]byte, 24_000/size)
		for i := range messages {
			messages[i] = make([]byte, size)
			for k := range messages[i] {
				messages[i][k] = byte(r.Uint32())
			}
		}
		for _, level := range []int{1, flate.DefaultLevel, 5, 8} {
			w := flate.NewWindow(15)
			total := 0
			for round := range 5 {
				for _, p := range messages {
					if n := len(flate.AppendMessage(nil, p, w, 15, level)); round > 0 {
						total += n
					}
				}
			}
			require.Less(t, total*100, 4*24_000*10, "%d bytes at level %d", size, level)
		}
	}
}

// Each way of searching finds what the other has entered.
func TestRepetition(t *testing.T) {
	for _, size := range []int{300, 10_000} {
		for _, filler := range []int{300, 10_000} {
			w := flate.NewWindow(15)
			p := jsonMessages(23, 1, size)[0]
			for _, m := range jsonMessages(24, 9, filler)[:9] {
				flate.AppendMessage(nil, m, w, 15, flate.DefaultLevel)
				flate.AppendMessage(nil, p[:150], w, 15, flate.DefaultLevel)
			}
			flate.AppendMessage(nil, p, w, 15, flate.DefaultLevel)
			flate.AppendMessage(nil, []byte("between"), w, 15, flate.DefaultLevel)
			require.Less(t, len(flate.AppendMessage(nil, p, w, 15, flate.DefaultLevel)), 40+size/50, "%d bytes among %d", size, filler)
		}
	}
}

// A long message that comes again and again stays small.
func TestRepetitions(t *testing.T) {
	const size = 10_000
	w := flate.NewWindow(15)
	p := jsonMessages(23, 1, size)[0]
	for i, m := range jsonMessages(24, 12, size)[:12] {
		n := len(flate.AppendMessage(nil, p, w, 15, flate.DefaultLevel))
		if i > 0 {
			require.Less(t, n, 40+size/50, "time %d", i)
		}
		flate.AppendMessage(nil, m, w, 15, flate.DefaultLevel)
	}
}

// A table of positions that is made late finds what the window has.
func TestLateTable(t *testing.T) {
	w := flate.NewWindow(15)
	messages := jsonMessages(17, 100, 700)
	for _, p := range messages {
		flate.AppendMessage(nil, p, w, 15, 9)
	}
	require.Equal(t, 1<<15, w.Size())
	last := messages[len(messages)-1]
	require.Less(t, len(flate.AppendMessage(nil, last, w, 15, 1)), 20, "a repetition")
	require.Equal(t, 1<<15+1<<13, w.Size())
	w.Reset()
	require.Greater(t, len(flate.AppendMessage(nil, last, w, 15, 1)), 100, "nothing to repeat")
}

// A window costs little before it has seen much.
func TestWindowGrows(t *testing.T) {
	require.Zero(t, (*flate.Window)(nil).Size())
	w := flate.NewWindow(15)
	require.Zero(t, w.Size())
	flate.AppendMessage(nil, jsonMessages(19, 1, 100)[0], w, 15, 5)
	require.LessOrEqual(t, w.Size(), 512)
	for _, bits := range []int{-1, 8} {
		w = flate.NewWindow(bits)
		flate.AppendMessage(nil, make([]byte, 100_000), w, bits, 5)
		require.LessOrEqual(t, w.Size(), 512)
	}
}

// What does not get smaller is stored, RFC 7692, section 7.2.3.3.
func TestStored(t *testing.T) {
	var p []byte
	for c := range 60 {
		p = append(p, 0x90+byte(c)) // nine bits each in the fixed code
	}
	want := append(append([]byte{0, 60, 0, ^byte(60), 0xff}, p...), 0)
	require.Equal(t, want, flate.AppendMessage(nil, p, nil, 15, 1))
	random := texts()["random"]
	require.Len(t, flate.AppendMessage(nil, random, nil, 15, 5), len(random)+4*5+1)
}
