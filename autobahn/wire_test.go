package main

import (
	"bytes"
	"compress/flate"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFrames(t *testing.T) {
	for _, test := range []struct {
		f    frame
		wire string
	}{
		{frame{op: opText, payload: []byte("Hello")}, "\x81\x05Hello"},
		{frame{op: opText, payload: []byte("Hel"), more: true}, "\x01\x03Hel"},
		{frame{op: opPing, rsv: 6}, "\xe9\x00"},
		{frame{op: opBinary, payload: []byte("a"), lengthBytes: 2}, "\x82\x7e\x00\x01a"},
		{frame{op: opBinary, declared: 1 << 63, lengthBytes: 8}, "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"},
		{frame{op: opText, payload: []byte("Hi"), flipMask: true, zeroKey: true}, "\x81\x82\x00\x00\x00\x00Hi"},
	} {
		wire, _ := test.f.appendTo(nil, false)
		require.Equal(t, test.wire, string(wire))
	}
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		f := frame{op: opBinary, payload: fillerBytes(n)}
		wire, key := f.appendTo(nil, true)
		h, at := parseHeader(wire)
		require.Equal(t, uint64(n), h.length)
		require.Equal(t, key, h.key[:])
		require.False(t, h.long)
		xor(wire[at:], key)
		require.True(t, bytes.Equal(f.payload, wire[at:]))
		for cut := range at {
			_, got := parseHeader(wire[:cut])
			require.Zero(t, got)
		}
	}
}

// What the compressor makes must stay within the window, and both inflaters
// must agree on it.
func TestCompressorKeepsToItsWindow(t *testing.T) {
	for _, bits := range []int{8, 9, 12, 15, 0} {
		for _, fresh := range []bool{false, true} {
			out := newCompressor(bits, fresh)
			in := &decompressor{fresh: fresh}
			var measured reach
			at := 0
			var msg []byte
			for _, n := range []int{0, 1, 300, 5000, 70000, 16, 16, 40000} {
				msg, at = corpora[0].cut(msg, at, n)
				p, err := out.compress(msg)
				require.NoError(t, err)
				got, err := in.decompress(p, 1<<20)
				require.NoError(t, err)
				require.True(t, bytes.Equal(msg, got))
				if fresh {
					measured.history = nil
				}
				got, err = measured.measure(p)
				require.NoError(t, err)
				require.True(t, bytes.Equal(msg, got))
			}
			require.LessOrEqual(t, measured.longest, 1<<orMax(bits))
			require.NotZero(t, measured.longest)
		}
	}
}

func TestMeasureEveryKindOfBlock(t *testing.T) {
	data := corpora[3].bytes()[:50000]
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, level)
		require.NoError(t, err)
		_, err = w.Write(data)
		require.NoError(t, err)
		require.NoError(t, w.Flush())
		p := bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
		var measured reach
		got, err := measured.measure(p)
		require.NoError(t, err, level)
		require.True(t, bytes.Equal(data, got), level)
		for _, cut := range []int{0, 1, 10, len(p) / 2} {
			_, _ = (&reach{}).measure(p[:cut]) // must not panic
		}
	}
}

func TestCorporaAreAsLongAsPublished(t *testing.T) {
	for _, c := range corpora {
		require.Len(t, c.bytes(), c.size)
		if !c.binary {
			for _, b := range c.bytes() {
				require.Less(t, b, byte(0x80))
			}
		}
	}
}

func TestExtensions(t *testing.T) {
	for _, test := range []struct {
		header string
		want   []deflateParams
		others []string
		fails  bool
	}{
		{header: ""},
		{header: "permessage-deflate; client_max_window_bits", want: []deflateParams{{clientBitsHint: true}}},
		{
			header: `x-other; a=b, permessage-deflate; server_max_window_bits="9"; server_no_context_takeover, permessage-deflate`,
			want:   []deflateParams{{serverBits: 9, serverNoTakeover: true}, {}}, others: []string{"x-other"},
		},
		{header: "permessage-deflate; server_max_window_bits=16", fails: true},
		{header: "permessage-deflate; server_max_window_bits", fails: true},
		{header: "permessage-deflate; nonsense", fails: true},
		{header: "permessage-deflate; server_no_context_takeover=1", fails: true},
		{header: "permessage-deflate; server_no_context_takeover; server_no_context_takeover", fails: true},
		{header: "permessage-deflate; client_no_context_takeover; client_no_context_takeover", fails: true},
		{header: "permessage-deflate; server_max_window_bits=9; server_max_window_bits=15", fails: true},
		{header: "permessage-deflate; client_max_window_bits; client_max_window_bits=9", fails: true},
		{header: "permessage-deflate; client_max_window_bits=", fails: true},
		{header: "permessage-deflate; server_max_window_bits=+9", fails: true},
		{header: "permessage-deflate; server_max_window_bits=009", fails: true},
		{header: `permessage-deflate; server_max_window_bits="9`, fails: true},
		{header: `permessage-deflate; server_max_window_bits=9"`, fails: true},
		{header: `permessage-deflate; server_max_window_bits=""9""`, fails: true},
		{header: `permessage-deflate; server_max_window_bits="`, fails: true},
	} {
		got, others, err := parseExtensions(test.header)
		if test.fails {
			require.ErrorIs(t, err, errDeflateParams, test.header)
		} else {
			require.NoError(t, err, test.header)
		}
		require.Equal(t, test.want, got, test.header)
		require.Equal(t, test.others, others, test.header)
		for _, d := range got {
			again, _, err := parseExtensions(d.String())
			require.NoError(t, err)
			require.Equal(t, []deflateParams{d}, again)
		}
	}
}
