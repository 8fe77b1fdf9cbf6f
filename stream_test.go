package websocket

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A MessageReader whose context ends can go on with another one; a later read
// discards the rest and makes it stale.
func TestMessageReader(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		peer.sends(peer.frame(OpText, false, "one "))
		ctx, cancel := context.WithCancel(bg)
		typ, r, err := c.Reader(ctx)
		require.NoError(t, err)
		assert.Equal(t, MessageText, typ)
		buf := make([]byte, 100)
		n, err := r.Read(buf[:2])
		require.NoError(t, err)
		assert.Equal(t, "on", string(buf[:n]))
		n, err = r.Read(buf)
		require.NoError(t, err)
		assert.Equal(t, "e ", string(buf[:n]))
		n, err = r.Read(nil)
		assert.Zero(t, n)
		require.NoError(t, err)
		waiting := async(func() error { _, err := r.Read(buf); return err })
		waitUntil(t, c.reading)
		cancel()
		require.ErrorIs(t, within(t, time.Minute, waiting), context.Canceled)
		_, err = r.Read(buf)
		require.ErrorIs(t, err, context.Canceled)
		r.SetContext(bg)
		peer.sends(peer.frame(OpContinuation, false, ""), peer.frame(OpPing, true, ""), peer.frame(OpContinuation, true, "two"), peer.text("next"), peer.text("third"))
		rest := async(func() string { b, _ := io.ReadAll(r); return string(b) })
		peer.expect(OpPong)
		assert.Equal(t, "two", within(t, time.Minute, rest))
		for range 3 {
			_, err = r.Read(buf)
			require.ErrorIs(t, err, io.EOF)
		}
		_, r2, err := c.Reader(bg)
		require.NoError(t, err)
		_, err = r2.Read(buf[:1])
		require.NoError(t, err)
		_, p, err := c.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, "third", string(p), "the unread rest is discarded")
		for range 2 {
			_, err = r2.Read(buf)
			require.ErrorIs(t, err, errStaleReader)
		}
		_, err = r.Read(buf)
		require.ErrorIs(t, err, io.EOF)
	})
}

// A read of any kind goes on where a canceled read of another kind stopped.
func TestReaderAfterCancelledRead(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		ctx, cancel := context.WithCancel(bg)
		read := async(func() error { _, _, err := c.Read(ctx); return err })
		peer.send(peer.frame(OpBinary, false, strings.Repeat("a", 9000)))
		cancel()
		require.ErrorIs(t, within(t, time.Minute, read), context.Canceled)
		peer.sends(peer.frame(OpContinuation, true, "b"))
		_, r, err := c.Reader(bg)
		require.NoError(t, err)
		p, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Equal(t, strings.Repeat("a", 9000)+"b", string(p))

		// A discarding read can be canceled as well.
		peer.sends(peer.frame(OpBinary, false, "c"))
		_, _, err = c.Reader(bg)
		require.NoError(t, err)
		ctx, cancel = context.WithTimeout(bg, 5*time.Millisecond)
		defer cancel()
		_, _, err = c.Read(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		peer.sends(peer.frame(OpContinuation, true, "d"), peer.text("e"))
		_, p, err = c.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, "e", string(p))
	})
}

// CHECKLIST 5: what a reader has not read yet is not read from memory that has
// been given up.
func TestReaderAfterEnd(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		peer.sends(peer.text("secret"), peer.text("more"))
		_, r, err := c.Reader(bg)
		require.NoError(t, err)
		_, err = r.Read(make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, c.CloseNow())
		_, err = r.Read(make([]byte, 10))
		require.ErrorIs(t, err, net.ErrClosed)

		c, peer = connectScripted(t, pair, RoleServer)
		peer.sends(peer.text("all"), peer.text("more"))
		_, r, err = c.Reader(bg)
		require.NoError(t, err)
		_, err = r.Read(make([]byte, 3))
		require.NoError(t, err)
		require.NoError(t, c.CloseNow())
		_, err = r.Read(make([]byte, 10))
		require.ErrorIs(t, err, io.EOF)
	})
}

// Bad text fails a reader where it stands, a cut character at the end too.
func TestReaderText(t *testing.T) {
	for _, bad := range []string{"\xff", "\xc3"} {
		c, peer := connectScripted(t, tcpPair, RoleServer)
		peer.send(peer.frame(OpText, false, "good"))
		_, r, err := c.Reader(bg)
		require.NoError(t, err)
		_, err = io.ReadFull(r, make([]byte, 4))
		require.NoError(t, err)
		peer.send(peer.frame(OpContinuation, true, bad))
		read := async(func() error { _, err := r.Read(make([]byte, 4)); return err })
		peer.expectClose(StatusInvalidFramePayloadData)
		peer.Close()
		err = within(t, time.Minute, read)
		require.ErrorIs(t, err, ErrInvalidText)
		require.NotErrorIs(t, err, net.ErrClosed)
	}
}

// Text may be cut anywhere between writes; a bad piece is refused and the
// message goes on without it; one that ends inside a character is an error.
func TestMessageWriterText(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	const text = "aé€𐍈z"
	w, err := c.Writer(bg, MessageText)
	require.NoError(t, err)
	for i := range len(text) {
		n, err := w.Write([]byte(text[i : i+1]))
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		if i%2 == 0 {
			require.NoError(t, w.Flush())
		}
		if text[i] < 0x80 {
			_, err = w.WriteString("\xff")
			require.ErrorIs(t, err, ErrInvalidText)
		}
	}
	require.NoError(t, w.Close())
	var got []byte
	for {
		h, p, err := peer.next()
		require.NoError(t, err)
		if got = append(got, p...); h.Final {
			break
		}
	}
	assert.Equal(t, text, string(got))

	w, err = c.Writer(bg, MessageText)
	require.NoError(t, err)
	_, err = w.WriteString("a\xc3")
	require.NoError(t, err)
	require.ErrorIs(t, w.Close(), ErrInvalidText)
	require.NoError(t, c.WriteText(bg, "nothing of it was sent"))
	assert.Equal(t, "nothing of it was sent", peer.expect(OpText))

	w, err = c.Writer(bg, MessageText)
	require.NoError(t, err)
	_, err = w.WriteString("a\xc3")
	require.NoError(t, err)
	require.NoError(t, w.Flush())
	assert.Equal(t, "a\xc3", peer.expect(OpText))
	require.NoError(t, c.Send(MessageText, []byte("it cannot follow half a message")))
	closed := async(w.Close)
	h, p, err := peer.next()
	require.NoError(t, err)
	assert.Equal(t, OpClose, h.Opcode)
	code, _, err := ParseClosePayload(p)
	require.NoError(t, err)
	assert.Equal(t, StatusInternalError, code)
	peer.send(peer.closeFrame(StatusInternalError, ""))
	require.ErrorIs(t, within(t, time.Minute, closed), ErrInvalidText)
}

// A MessageWriter whose context ends can go on with another one, and nothing is
// lost or sent twice.
func TestMessageWriterContext(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		ctx, cancel := context.WithCancel(bg)
		w, err := c.Writer(ctx, MessageBinary)
		require.NoError(t, err)
		blocker := async(func() error { _, err := w.Write(make([]byte, stuckSize)); return err })
		_, err = peer.br.Peek(1)
		require.NoError(t, err)
		cancel()
		require.ErrorIs(t, within(t, time.Minute, blocker), context.Canceled)
		n, err := w.Write(make([]byte, writerSize+writerSize/2))
		require.ErrorIs(t, err, context.Canceled)
		size := stuckSize + n
		require.ErrorIs(t, w.Close(), context.Canceled)
		w.SetContext(bg)
		n, err = w.Write([]byte("tail"))
		if err != nil {
			require.FailNow(t, "not resumed", "%v", err)
		}
		size += n
		done := async(w.Close)
		for {
			h, p, err := peer.next()
			require.NoError(t, err)
			if size -= len(p); h.Final {
				break
			}
		}
		assert.Zero(t, size)
		require.NoError(t, within(t, time.Minute, done))
	})
}

// Close is not held up by a message in fragments.
func TestCloseDuringMessageWriter(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		client, server := connectPair(t, pair)
		go server.Read(bg)
		w, err := client.Writer(bg, MessageText)
		require.NoError(t, err)
		_, err = w.WriteString("caf\xc3")
		require.NoError(t, err)
		require.NoError(t, w.Flush())
		require.NoError(t, client.Close(StatusNormalClosure, ""))
		_, err = w.WriteString("\xa9")
		require.NoError(t, err, "collected only")
		require.ErrorIs(t, w.Close(), net.ErrClosed)
	})
}

// io.Reader discourages 0, nil: an empty last fragment is the end at once.
func TestReaderEmptyLastFragment(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	peer.send(peer.frame(OpText, false, "one"), peer.frame(OpContinuation, true, ""))
	_, r, err := c.Reader(bg)
	require.NoError(t, err)
	buf := make([]byte, 3)
	_, err = io.ReadFull(r, buf)
	require.NoError(t, err)
	_, err = r.Read(buf)
	require.ErrorIs(t, err, io.EOF)
}

// A context may end a Write inside a character: the rest of it is expected next.
func TestMessageWriterGoesOnInsideACharacter(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	w, err := c.Writer(bg, MessageText)
	require.NoError(t, err)
	_, err = w.WriteString("b")
	require.NoError(t, err)
	text := strings.Repeat("a", writerSize-2) + "é"
	w.SetContext(endedContext())
	n, err := w.WriteString(text)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, len(text)-1, n)
	w.SetContext(bg)
	_, err = w.WriteString("x")
	require.ErrorIs(t, err, ErrInvalidText)
	_, err = w.WriteString(text[n:])
	require.NoError(t, err)
	require.NoError(t, w.Close())
	assert.Equal(t, "b"+text, peer.expect(OpText)+peer.expect(OpContinuation))
}
