package flate_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/flate"
)

// Hostile bytes: never more than the limit, the same whole and cut, and what we take the standard library takes.
func FuzzInflate(f *testing.F) {
	for _, test := range endings {
		src, _ := hex.DecodeString(strings.ReplaceAll(test.hex, " ", ""))
		f.Add(src, uint8(1), uint16(3), uint8(15))
	}
	for _, size := range []int{128, 2000} {
		p := jsonMessages(9, 1, size)[0]
		f.Add(stdMessages(f, 6, p)[0], uint8(7), uint16(100), uint8(9))
		f.Add(flate.AppendMessage(nil, p, nil, 15, 5), uint8(50), uint16(1000), uint8(15))
	}
	f.Fuzz(func(t *testing.T, src []byte, cut uint8, room uint16, bits uint8) {
		const limit = 1 << 16
		bits = 8 + bits&7
		z := flate.GetInflater()
		defer flate.PutInflater(z)
		z.Reset(nil, int(bits))
		whole, taken, err := z.Inflate(nil, src, limit)
		require.LessOrEqual(t, len(whole), limit)
		require.LessOrEqual(t, cap(whole), limit+limit/4)
		full := len(whole) == limit
		if err == nil && !full {
			require.Equal(t, len(src), taken)
			var done bool
			whole, done, err = z.End(whole, 1)
			require.True(t, done || err != nil)
		}
		z.Reset(nil, int(bits))
		pieces, errPieces := inflate(z, src, 1+int(cut), 1+int(room))
		if full {
			if errPieces == nil {
				require.Equal(t, whole, pieces[:limit])
			}
			return
		}
		require.Equal(t, err, errPieces)
		if err != nil {
			return
		}
		require.True(t, bytes.Equal(whole, pieces))
		// What ends at a byte boundary may do without the prescribed end. The standard library stops at a final block.
		want, err := stdInflate(src, nil)
		if err != nil {
			want, err = stdInflate(append(bytes.Clone(src), finalBlock...), nil)
		}
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(whole, want))
	})
}

// Any sequence of messages with any parameters comes back: ours by the standard library, its by ours, and ours by ours.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("Hello"), []byte("Hello, Hello"), uint8(15), uint8(5), true)
	f.Add(jsonMessages(1, 1, 300)[0], jsonMessages(2, 1, 3000)[0], uint8(8), uint8(1), true)
	f.Add(make([]byte, 1000), make([]byte, 70000), uint8(9), uint8(9), false)
	f.Fuzz(func(t *testing.T, a, b []byte, bits, level uint8, takeover bool) {
		bits = 8 + bits&7
		var w, in, stdIn *flate.Window
		if takeover {
			w, in, stdIn = flate.NewWindow(int(bits)), flate.NewWindow(int(bits)), flate.NewWindow(15)
		}
		messages := [][]byte{a, b, a, append(bytes.Clone(b), a...), b}
		packedByStd := stdMessages(t, int(level%10), messages...)
		var history []byte
		z := flate.GetInflater()
		defer flate.PutInflater(z)
		for i, p := range messages {
			out := flate.AppendMessage(nil, p, w, int(bits), int(level))
			require.LessOrEqual(t, len(out), len(p)+5*((len(p)+65534)/65535)+1)
			alone := flate.AppendMessage(nil, p, nil, int(bits), int(level))
			smaller, ok := flate.AppendSmaller(nil, p, int(bits), int(level))
			require.Equal(t, len(alone) < len(p), ok)
			require.True(t, !ok && len(smaller) == 0 || bytes.Equal(alone, smaller))
			got, err := stdInflate(out, history[max(0, len(history)-1<<bits):])
			require.NoError(t, err)
			require.True(t, bytes.Equal(p, got))
			z.Reset(in, int(bits))
			got, err = inflate(z, out, 1+int(level), 1+i*100)
			require.NoError(t, err)
			require.True(t, bytes.Equal(p, got))
			if takeover {
				history = append(history, p...)
				z.Reset(stdIn, 15)
				got, err = inflate(z, packedByStd[i], 100+int(level), 1000+i*1000)
				require.NoError(t, err)
				require.True(t, bytes.Equal(p, got))
			}
		}
	})
}
