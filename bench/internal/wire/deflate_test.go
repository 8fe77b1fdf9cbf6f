package wire

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{128, 200, 511, 512, 1 << 10, 16 << 10} {
		a, b := Payload(KindJSON, size, r), Payload(KindJSON, size, r)
		require.True(t, json.Valid(a), "%s", a)
		require.NotEqual(t, a, b)
		require.Len(t, a, size)
	}
}

// A compressing is a server that keeps its window, or does not.
type compressing struct {
	d   Deflate
	out bytes.Buffer
	w   *flate.Writer
}

func (s *compressing) frame(t *testing.T, opcode byte, p []byte) []byte {
	if s.w == nil || !s.d.Takeover {
		var err error
		s.w, err = flate.NewWriter(&s.out, flate.BestSpeed)
		require.NoError(t, err)
	}
	s.out.Reset()
	_, err := s.w.Write(p)
	require.NoError(t, err)
	require.NoError(t, s.w.Flush())
	frame := AppendMasked(nil, opcode|rsv1, bytes.TrimSuffix(s.out.Bytes(), []byte(tail[:4])), 0)
	frame[1] &^= 0x80
	key := 2 + int(extra(frame[1]))
	return append(frame[:key], frame[key+4:]...)
}

func TestCompressedEcho(t *testing.T) {
	for _, d := range []Deflate{{Bits: 15}, {Bits: 15, Takeover: true}} {
		for _, step := range []int{1, 100, 1 << 20} {
			for first := range 2 { // of which one is checked to the end with takeover
				ring := NewRing(KindJSON, 1<<10, 1, d)
				s := compressing{d: d}
				var e Echo
				e.Reset(ring, first)
				done, length := 0, 0
				for i := range 200 {
					frame := s.frame(t, Text, ring.Payloads[(first+i)%len(ring.Payloads)])
					length += len(frame) - 4
					for at := 0; at < len(frame); at += step {
						n, err := e.Feed(frame[at:min(at+step, len(frame))])
						require.NoError(t, err)
						done += n
					}
				}
				require.Equal(t, 200, done)
				require.EqualValues(t, length, e.Wire)
			}
		}
	}
}

// What a client sends is the message, compressed.
func TestCompressedRing(t *testing.T) {
	ring := NewRing(KindJSON, 128, 3, Deflate{Bits: 15, Takeover: true})
	require.Greater(t, 128*len(ring.Payloads), 128<<10, "a window has all of the ring in it")
	var e Echo
	e.Reset(ring, 0)
	for i := range ring.Payloads {
		frame := ring.Frames[ring.Start(i):][:ring.Frame(i)]
		key := frame[2:6]
		plain := append([]byte{frame[0], frame[1] &^ 0x80}, frame[6:]...)
		for k := range plain[2:] {
			plain[2+k] ^= key[k&3]
		}
		done, err := e.Feed(plain)
		require.NoError(t, err)
		require.Equal(t, 1, done)
	}
}

func TestCompressedEchoFindsWhatIsWrong(t *testing.T) {
	ring := NewRing(KindJSON, 300, 1, Deflate{Bits: 15, Takeover: true})
	feed := func(frames ...[]byte) (err error) {
		var e Echo
		e.Reset(ring, 0)
		for _, f := range frames {
			if _, err = e.Feed(f); err != nil {
				return err
			}
		}
		return nil
	}
	s := compressing{d: ring.Deflate}
	one, two := s.frame(t, Text, ring.Payloads[0]), s.frame(t, Text, ring.Payloads[1])
	require.NoError(t, feed(one, two))
	require.ErrorIs(t, feed(two, one), errInflate)
	require.ErrorIs(t, feed(one, one), errContent)
	fresh := compressing{}
	require.ErrorIs(t, feed(fresh.frame(t, Text, ring.Payloads[1])), errContent)
	require.ErrorIs(t, feed(fresh.frame(t, Ping, nil)), errMasked)
	ring.Deflate = Deflate{}
	require.ErrorIs(t, feed(one), errMasked)
}

// A server that refers to more than the window that was agreed on.
func TestWindowIsChecked(t *testing.T) {
	for bits, ok := range map[int]bool{15: true, 12: false} {
		ring := NewRing(KindJSON, 1<<10, 1, Deflate{Bits: bits, Takeover: true})
		s := compressing{d: ring.Deflate}
		var e Echo
		e.Reset(ring, 0)
		var err error
		for i := range 20 {
			if _, err = e.Feed(s.frame(t, Text, ring.Payloads[i])); err != nil {
				break
			}
		}
		require.Equal(t, ok, err == nil, "%d bits: %v", bits, err)
	}
}

func TestDeflateCheck(t *testing.T) {
	const ext = "\r\nsec-websocket-extensions: permessage-deflate"
	none := Deflate{Bits: 15}
	full, small := Deflate{Bits: 15, Takeover: true}, Deflate{Bits: 12, Takeover: true}
	for answer, want := range map[string]Deflate{
		"HTTP/1.1 101 OK\r\n\r\n": {},
		ext + "\r\n\r\n":          full,
		ext + "; server_no_context_takeover; client_no_context_takeover\r\n\r\n": none,
		ext + ";server_max_window_bits=12; client_max_window_bits=12\r\n\r\n":    small,
	} {
		for _, d := range []Deflate{{}, none, full, small} {
			require.Equal(t, d == want, d.Check([]byte(answer)) == nil, "%+v, %q", d, answer)
		}
	}
	require.Error(t, full.Check([]byte(ext+"; strange")))
	require.Error(t, full.Check([]byte(ext+ext)))
	for _, d := range []Deflate{none, full, small} {
		require.Contains(t, string(Request("h", "/", d)), "\r\nSec-WebSocket-Extensions: permessage-deflate; ")
	}
	require.NotContains(t, string(Request("h", "/", Deflate{})), "Extensions")
}
