package websocket

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The limit counts the whole message, is found in the header that exceeds it, and
// holds in every way.
func TestMessageLimit(t *testing.T) {
	const tooBig = "fail 1009 message longer than 10 bytes"
	tests := []struct {
		name, wire string
		want       []string
		at         int // bytes that show the failure
	}{
		{"exactly", "82 0a 61*10", []string{`binary "aaaaaaaaaa"`}, 0},
		{"exactly, in fragments", "02 04 61*4 00 00 80 06 61*6 82 0a 62*10", []string{`binary "aaaaaaaaaa"`, `binary "bbbbbbbbbb"`}, 0},
		{"one more", "82 0b 61*11", []string{tooBig}, 2},
		{"one more in the last fragment", "02 04 61*4 00 06 61*6 80 01 61", []string{tooBig}, 16},
		{"in a fragment between", "02 04 61*4 00 07 61*7 80 00", []string{tooBig}, 8},
		{"much more", "82 7f 7f ff*7 00*20", []string{tooBig}, 10},
		{"a sum that overflows", "02 01 61 80 7f 7f ff*7", []string{tooBig}, 13}, // CHECKLIST 1
		{"control frames do not count", "02 04 61*4 89 14 62*20 80 06 61*6", []string{`ping "bbbbbbbbbbbbbbbbbbbb"`, `binary "aaaaaaaaaa"`}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := wire(tt.wire)
			for _, w := range allWays {
				everySplit(b, func(pieces ...[]byte) {
					f := newFeed(t, RoleClient, 10, w)
					for _, p := range pieces {
						f.write(p)
						require.Equal(t, tt.at > 0 && f.wrote >= tt.at, f.ended, "after %d bytes", f.wrote)
						require.LessOrEqual(t, len(f.joined), 10)
					}
					require.Equal(t, tt.want, f.found, "%s", w)
				})
			}
		})
	}
}

func TestMessageLimitErrorsMatch(t *testing.T) {
	j := joiner{limit: 5}
	assert.ErrorIs(t, j.data(OpText, 6, false), ErrMessageTooBig)
	j = joiner{}
	assert.Nil(t, j.data(OpText, math.MaxInt64, false), "no limit")
	assert.Nil(t, j.data(OpContinuation, math.MaxInt64, false), "no limit, and no sum that overflows")
	j = joiner{limit: math.MaxInt64}
	assert.Nil(t, j.data(OpText, math.MaxInt64, false))
	assert.ErrorIs(t, j.data(OpContinuation, 1, false), ErrMessageTooBig)
	assert.Nil(t, j.data(OpContinuation, 0, false))
}

// CHECKLIST 4: a message of bounded size has bounded frames, and control frames
// between them.
func TestFramesAreBounded(t *testing.T) {
	empty, ping := wire("00 00"), wire("89 00")
	for _, w := range []way{{}, {stream: true}} {
		f := newFeed(t, RoleClient, 10, w)
		for round := range 2 { // it counts for each message
			f.write(wire("02 00"))
			for range maxFrames - 2 {
				f.write(empty)
			}
			f.write(wire("80 01 61"))
			require.Len(t, f.found, round+1)
		}
		require.Equal(t, `binary "a"`, f.found[1])
		f.write(wire("02 00"))
		for range maxFrames - 1 {
			f.write(empty)
		}
		require.False(t, f.ended)
		f.write(empty)
		require.Equal(t, fmt.Sprintf("fail 1009 message in more than %d frames", maxFrames), f.found[2])
	}

	f := newFeed(t, RoleClient, 10, way{})
	for range maxFrames + 10 { // between messages anything goes
		f.write(ping)
	}
	f.write(wire("01 00"))
	for range maxFrames {
		f.write(ping)
	}
	require.False(t, f.ended)
	f.write(ping)
	require.True(t, f.ended)
	require.Equal(t, fmt.Sprintf("fail 1008 more than %d control frames in a message", maxFrames), f.found[len(f.found)-1])

	f = newFeed(t, RoleClient, 10, way{stream: true}) // a long message may be pinged along the way
	f.write(wire("02 01 61"))
	for range 3 {
		for range maxFrames {
			f.write(ping)
		}
		f.write(wire("00 01 61"))
	}
	require.False(t, f.ended)

	j := joiner{limit: 10 * maxFrames * frameShare} // and a larger one may have more frames
	for range 11 * maxFrames {
		require.Nil(t, j.data(OpBinary, 1, false))
	}
	require.ErrorIs(t, j.data(OpBinary, 1, false), ErrMessageTooBig)

	f = newFeed(t, RoleClient, 0, way{}) // no limit, no bound
	f.write(wire("01 00"))
	for range maxFrames + 10 {
		f.write(empty)
		f.write(ping)
	}
	require.False(t, f.ended)
}

// textParts are texts that go bad at the byte where the second part ends, those
// of Autobahn's cases 6.4.1 to 6.4.4 first.
var textParts = []struct{ good, bad, rest string }{
	{"cebae1bdb9cf83cebcceb5", "f490", "8080656469746564"},
	{"cebae1bdb9cf83cebcceb5f4", "90", "8080656469746564"},
	{"", "80", "61*8"},
	{"", "c0", "af"},
	{"61*100", "ff", "61*100"},
	{"61*63", "eda0", "80"},
	{"61*7 e282", "61", "61*3"},
	{"f09f98", "c3", "a9"},
	{"61*5000", "fe", "61*5000"},
}

// CHECKLIST 12: text fails at its first bad byte: in the middle of a frame, over
// fragments, at all splits, in all ways.
func TestRFC6455_8_1_FailsAtTheFirstBadByte(t *testing.T) {
	const failed = "fail 1007 text message is not valid UTF-8"
	frame := func(head byte, p []byte) []byte {
		return append(FrameHeader{Final: head&0x80 != 0, Opcode: Opcode(head & 15), PayloadLength: int64(len(p))}.Append(nil), p...)
	}
	for _, tt := range textParts {
		good, bad, rest := wire(tt.good), wire(tt.bad), wire(tt.rest)
		p := append(append(good[:len(good):len(good)], bad...), rest...)
		at := len(good) + len(bad)
		inputs := map[string][]byte{"one frame": frame(0x81, p)}
		for _, cut := range []int{0, 1, len(good), len(good) + 1, at - 1, at} {
			cut = min(cut, len(p))
			inputs[fmt.Sprintf("two frames, cut at %d", cut)] = append(frame(0x01, p[:cut]), frame(0x80, p[cut:])...)
		}
		if len(good) > 0 {
			three := append(frame(0x01, good), frame(0x00, bad)...)
			inputs["three frames"] = append(three, frame(0x80, rest)...)
		}
		for name, b := range inputs {
			for _, role := range []Role{RoleClient, RoleServer} {
				if role == RoleServer {
					b = maskFrames(b)
				}
				single := newFeed(t, role, DefaultMaxMessageSize, way{})
				end := 0
				for ; end < len(b) && !single.ended; end++ {
					single.write(b[end : end+1])
				}
				require.Equal(t, []string{failed}, single.found, "%s: %v", name, tt)
				if name == "one frame" {
					require.Equal(t, len(b)-len(rest), end, "%s: %v", name, tt)
				}
				for _, w := range allWays {
					step := 1 + len(b)/200
					for cut := 1; cut < len(b); cut += step {
						f := newFeed(t, role, DefaultMaxMessageSize, w)
						f.write(b[:cut])
						require.Equal(t, cut >= end, f.ended, "%s, %s, cut at %d: %v", name, w, cut, tt)
						f.write(b[cut:])
						require.Equal(t, []string{failed}, f.found)
					}
				}
			}
		}
	}
}

// The byte at which a text in fragments fails is its first bad one, counted over
// the frames.
func TestRFC6455_8_1_FirstBadByteOverFragments(t *testing.T) {
	for _, text := range []string{"a\xff", "é\xc3\x28", "\xed\xa0\x80", "\xf4\x90\x80\x80", "€\xe2\x82\xe2", "abc\xf0\x80"} {
		bad := firstBad([]byte(text))
		require.Less(t, bad, len(text))
		f := newFeed(t, RoleClient, DefaultMaxMessageSize, way{})
		for i := range len(text) {
			f.write(append([]byte{map[bool]byte{true: 0x01}[i == 0], 1}, text[i]))
			require.Equal(t, i >= bad, f.ended, "%q: fragment %d", text, i)
		}
	}
}

// A text begins afresh after each message.
func TestTextBeginsAfresh(t *testing.T) {
	f := newFeed(t, RoleClient, DefaultMaxMessageSize, way{})
	for range 3 {
		f.write(wire("01 02 c3a9 80 01 61 82 01 c3 81 00"))
	}
	assert.Equal(t, strings.Repeat(`text "éa" binary "\xc3" text "" `, 3), strings.Join(f.found, " ")+" ")
}
