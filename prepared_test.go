package websocket

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPreparedMessage(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		p := bytes.Repeat([]byte("p"), n)
		m, err := NewPreparedMessage(MessageBinary, p)
		require.NoError(t, err)
		clear(p)
		want := bytes.Repeat([]byte("p"), n)
		assert.Equal(t, string(want), string(m.payload), "a copy of %d bytes", n)
		server := sender{}
		frame := server.appendFrame(nil, m.typ.opcode(), true, m.payload, newMaskingKey)
		h, took, err := ParseFrameHeader(frame)
		require.NoError(t, err)
		assert.Equal(t, FrameHeader{Final: true, Opcode: OpBinary, PayloadLength: int64(n)}, h)
		assert.Equal(t, string(want), string(frame[took:]))
		assert.Equal(t, MessageBinary, m.typ)
	}
}

func TestPreparedMessageRefused(t *testing.T) {
	for _, typ := range []MessageType{0, 3, 8, 9, 255} {
		m, err := NewPreparedMessage(typ, nil)
		assert.Equal(t, errMessageType, err, "type %d", typ)
		assert.Nil(t, m)
	}
	m, err := NewPreparedMessage(MessageText, []byte("a\xff"))
	assert.Equal(t, ErrInvalidText, err)
	assert.Nil(t, m)
	_, err = NewPreparedMessage(MessageBinary, []byte("a\xff"))
	assert.NoError(t, err)
}

// The zero PreparedMessage would be a continuation frame of no message.
func TestZeroPreparedMessage(t *testing.T) {
	c, peer := connectScripted(t, pipePair, RoleServer)
	var m PreparedMessage
	sent := async(func() error {
		assert.Equal(t, errNotPrepared, c.WritePrepared(bg, &m))
		assert.Equal(t, errNotPrepared, c.SendPrepared(&m))
		return c.WriteText(bg, "next")
	})
	assert.Equal(t, "next", peer.expect(OpText))
	require.NoError(t, within(t, time.Minute, sent))
}

// A client masks a prepared message with a key of its own each time, and leaves
// it as it is.
func TestPreparedMessageIsShared(t *testing.T) {
	m, err := NewPreparedMessage(MessageText, []byte("for everybody"))
	require.NoError(t, err)
	before := string(m.payload)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s := sender{masks: true}
			for range 100 {
				out := s.appendFrame(nil, Opcode(m.typ), true, m.payload, newMaskingKey)
				h, n, err := ParseFrameHeader(out)
				if !assert.NoError(t, err) {
					return
				}
				Mask(out[n:], h.MaskingKey, 0)
				assert.Equal(t, "for everybody", string(out[n:]))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, before, string(m.payload))
}

// What NewPreparedMessage returns with an error is refused like any other that it did not
// make, and so are other things that are not there.
func TestNothingToUse(t *testing.T) {
	_, server := connectPair(t, tcpPair)
	require.ErrorIs(t, server.WritePrepared(bg, nil), errNotPrepared)
	require.ErrorIs(t, server.SendPrepared(nil), errNotPrepared)
	require.Error(t, (*Events)(nil).Serve(bg, server))
	require.Error(t, new(Events).Serve(bg, nil))
	require.NoError(t, server.WriteText(bg, "still there"))
}
