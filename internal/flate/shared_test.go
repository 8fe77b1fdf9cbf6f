package flate

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inflateAll inflates one message.
func inflateAll(t *testing.T, p []byte, w *Window, bits int) []byte {
	z := GetInflater()
	defer PutInflater(z)
	z.Reset(w, bits)
	out, n, err := z.Inflate(nil, p, 1<<24)
	require.NoError(t, err)
	require.Equal(t, len(p), n)
	out, done, err := z.End(out, 1<<24)
	require.NoError(t, err)
	require.True(t, done)
	return out
}

// CHECKLIST 17: a message that enters the window without having been compressed with it leaves both sides in step.
func TestAdd(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for bits := 8; bits <= 15; bits++ {
		out, in := NewWindow(bits), NewWindow(bits)
		for range 200 {
			p := bytes.Repeat([]byte{byte(rnd.IntN(3)), byte(rnd.IntN(200)), 7, 8, 9}, rnd.IntN(1000))
			var wire []byte
			if rnd.IntN(2) == 0 {
				wire = AppendMessage(nil, p, nil, bits, 1)
				out.Add(p)
			} else {
				wire = AppendMessage(nil, p, out, bits, 1)
			}
			require.Equal(t, string(p), string(inflateAll(t, wire, in, bits)), "%d bits", bits)
		}
	}
}

func TestShared(t *testing.T) {
	p := bytes.Repeat([]byte("a message for many "), 100)
	var s Shared
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for bits := 8; bits <= 15; bits++ {
				wire := s.Message(p, bits, 1)
				assert.Equal(t, string(p), string(inflateAll(t, wire, nil, bits)))
				assert.Same(t, unsafe.SliceData(wire), unsafe.SliceData(s.Message(p, bits, 1)), "once")
			}
		})
	}
	wg.Wait()
	assert.Len(t, s.forms, 4, "11 bits and more are the same for 1900 bytes")
	assert.Equal(t, string(p), string(inflateAll(t, s.Message(p, 15, 9), nil, 15)))
	assert.Len(t, s.forms, 5)
}
