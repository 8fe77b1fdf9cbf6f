package wire

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// The masked "Hello" of RFC 6455, section 5.7.
func TestMaskedFrameOfTheRFC(t *testing.T) {
	got := AppendMasked(nil, Text, []byte("Hello"), 0x3d21fa37)
	require.Equal(t, "818537fa213d7f9f4d5158", hex.EncodeToString(got))
}

func TestHeaderLengths(t *testing.T) {
	for size, header := range map[int]int{0: 6, 125: 6, 126: 8, 65535: 8, 65536: 14} {
		require.Len(t, AppendMasked(nil, Binary, make([]byte, size), 1), header+size)
	}
}

func TestPayloads(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, size := range []int{0, 1, 2, 5, 128, 1 << 20} {
		for _, k := range []Kind{KindBinary, KindText, KindMixed, KindJSON} {
			p := Payload(k, size, r)
			require.Len(t, p, size)
			if k != KindBinary {
				require.True(t, utf8.Valid(p), "%s of %d bytes", k, size)
			}
		}
	}
	p := Payload(KindMixed, 1<<16, r)
	require.Less(t, utf8.RuneCount(p), 3*len(p)/4, "mixed text is not mostly ASCII")
}

// echoed returns what a server would send for the first n messages of ring,
// each cut into frames of at most cut bytes.
func echoed(ring *Ring, n, cut int) []byte {
	var out []byte
	for i := range n {
		p := ring.Payloads[i%len(ring.Payloads)]
		opcode := ring.Opcode
		for first := true; first || len(p) > 0; first = false {
			part := p[:min(cut, len(p))]
			p = p[len(part):]
			frame := AppendMasked(nil, opcode, part, 0)
			if len(p) > 0 {
				frame[0] &^= 0x80
			}
			frame[1] &^= 0x80 // unmasked: the key goes away
			keyAt := len(frame) - len(part) - 4
			out = append(out, frame[:keyAt]...)
			out = append(out, part...)
			opcode = Continuation
		}
	}
	return out
}

func TestEchoAcceptsEveryCut(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 300, 70_000} {
		ring := NewRing(KindMixed, size, 3, Deflate{})
		stream := echoed(ring, 5, max(1, size/3))
		for _, step := range []int{1, 2, 3, 7, 64, len(stream)} {
			var e Echo
			e.Reset(ring, 0)
			done := 0
			for at := 0; at < len(stream); at += step {
				n, err := e.Feed(stream[at:min(at+step, len(stream))])
				require.NoError(t, err)
				done += n
			}
			require.Equal(t, 5, done, "messages of %d bytes in steps of %d", size, step)
		}
	}
}

func TestEchoFindsWhatIsWrong(t *testing.T) {
	ring := NewRing(KindText, 20, 1, Deflate{})
	good := echoed(ring, 3, 20)
	for at := range good {
		bad := append([]byte(nil), good...)
		bad[at] ^= 1
		var e Echo
		e.Reset(ring, 0)
		done, err := e.Feed(bad)
		require.True(t, err != nil || done != 3, "a flipped bit in byte %d goes unseen", at)
	}
	var e Echo
	e.Reset(ring, 0)
	_, err := e.Feed([]byte{0x88, 0})
	require.ErrorIs(t, err, errClosed)
}

func TestEchoSkipsPings(t *testing.T) {
	ring := NewRing(KindText, 5, 1, Deflate{})
	var e Echo
	e.Reset(ring, 0)
	done, err := e.Feed(append([]byte{0x89, 2, 'a', 'b'}, echoed(ring, 1, 5)...))
	require.NoError(t, err)
	require.Equal(t, 1, done)
}

func TestRingIsContiguous(t *testing.T) {
	ring := NewRing(KindBinary, 128, 16, Deflate{})
	require.Len(t, ring.Frames, ring.Span()+ring.Start(16))
	require.Equal(t, ring.Frames[:ring.Start(16)], ring.Frames[ring.Span():])
}

func TestResponse(t *testing.T) {
	ok := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + accept + "\r\n\r\n"
	n, err := Response([]byte(ok + "rest"))
	require.NoError(t, err)
	require.Equal(t, len(ok), n)
	n, err = Response([]byte(ok[:20]))
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = Response([]byte("HTTP/1.1 403 Forbidden\r\n\r\n"))
	require.Error(t, err)
	_, err = Response([]byte("HTTP/1.1 101 Switching Protocols\r\n\r\n"))
	require.Error(t, err)
}

// Control frames are handed out whole, however they are cut, and the echo that
// they come in the middle of goes on.
func TestControlFramesAreHandedOut(t *testing.T) {
	ring := NewRing(KindText, 10, 1, Deflate{})
	message := echoed(ring, 1, 4) // in frames of 6 bytes
	stream := append([]byte{0x89, 0}, message[:6]...)
	stream = append(stream, 0x89, 2, 'h', 'i')
	stream = append(append(stream, message[6:]...), 0x88, 2, 3, 0xe8)
	for step := 1; step <= len(stream); step++ {
		var got []string
		e := Echo{Control: func(opcode byte, payload []byte) error {
			got = append(got, string('0'+rune(opcode))+string(payload))
			return nil
		}}
		e.Reset(ring, 0)
		done := 0
		for p := stream; len(p) > 0; {
			part := p[:min(step, len(p))]
			p = p[len(part):]
			n, err := e.Feed(part)
			require.NoError(t, err)
			done += n
		}
		require.Equal(t, 1, done)
		require.Equal(t, []string{"9", "9hi", "8\x03\xe8"}, got, "cut every %d bytes", step)
	}
}
