package websocket

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// CHECKLIST 21, 28: nothing that came before Attach is lost.
func TestAttachLosesNothing(t *testing.T) {
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		for _, tc := range []struct {
			name     string
			buffered func(peer *scriptedPeer) []byte // came with the handshake
			first    func(peer *scriptedPeer) []byte
			read     func(c *Conn) // before Attach
			then     func(peer *scriptedPeer) []byte
			want     []string
		}{
			{
				name: "with the handshake",
				buffered: func(peer *scriptedPeer) []byte {
					return append(peer.text("early"), peer.frame(OpText, false, "cut")...)
				},
				then: func(peer *scriptedPeer) []byte { return peer.frame(OpContinuation, true, " in two") },
				want: []string{"text early", "text cut in two"},
			},
			{
				name: "more than one read took",
				first: func(peer *scriptedPeer) []byte {
					return append(append(peer.text("a"), peer.text("b")...), peer.text("cut")[:7]...)
				},
				read: func(c *Conn) {
					_, p, err := c.Read(bg)
					assert.NoError(t, err)
					assert.Equal(t, "a", string(p))
				},
				then: func(peer *scriptedPeer) []byte { return peer.text("cut")[7:] },
				want: []string{"text b", "text cut"},
			},
			{
				name:  "in a read that was canceled",
				first: func(peer *scriptedPeer) []byte { return peer.text("cut")[:7] },
				read: func(c *Conn) {
					ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
					defer cancel()
					_, _, err := c.Read(ctx)
					assert.ErrorIs(t, err, context.DeadlineExceeded)
				},
				then: func(peer *scriptedPeer) []byte { return peer.text("cut")[7:] },
				want: []string{"text cut"},
			},
			{
				name:  "the rest of a message read in pieces is dropped",
				first: func(peer *scriptedPeer) []byte { return append(peer.text("aside"), peer.text("half")[:8]...) },
				read: func(c *Conn) {
					for range 2 {
						_, r, err := c.Reader(bg)
						if assert.NoError(t, err) {
							_, err = r.Read(make([]byte, 1))
							assert.NoError(t, err)
						}
					}
				},
				then: func(peer *scriptedPeer) []byte { return append(peer.text("half")[8:], peer.text("next")...) },
				want: []string{"text next"},
			},
		} {
			t.Run(tc.name, func(t *testing.T) {
				own, other := pair(t)
				peer := &scriptedPeer{Conn: other, t: t, role: RoleClient, br: bufio.NewReader(other)}
				cfg := &ConnConfig{Role: RoleServer, Heartbeat: -1}
				if tc.buffered != nil {
					cfg.Buffered = tc.buffered(peer)
				}
				c, err := NewConn(own, cfg)
				require.NoError(t, err)
				defer peer.Close()
				defer c.CloseNow()
				if tc.first != nil {
					peer.sends(tc.first(peer))
					tc.read(c)
				}
				w := watch(t)
				require.NoError(t, e.Attach(c, &w.Events))
				peer.sends(tc.then(peer), peer.closeFrame(4000, ""))
				peer.expectClose(4000)
				log, _ := w.log(t, e)
				assert.Equal(t, append(append([]string{"open"}, tc.want...), "close"), log)
			})
		}
	})
}

// A Conn whose reading side is not free stays the caller's, and nothing is called.
func TestAttachRefused(t *testing.T) {
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		ev := &Events{Open: func(*Conn) { t.Error("called") }, Close: func(*Conn, error) { t.Error("called") }}
		c, peer := connectScripted(t, pair, RoleServer)
		require.Error(t, e.Attach(nil, ev))
		require.Error(t, e.Attach(c, nil))
		read := async(func() error { _, _, err := c.Read(bg); return err })
		waitUntil(t, c.reading)
		require.ErrorIs(t, e.Attach(c, ev), ErrConcurrentRead)
		peer.sends(peer.text("for the reader"))
		require.NoError(t, within(t, 10*time.Second, read))

		other := newEngine(t, nil)
		w := watch(t)
		require.NoError(t, other.Attach(c, &w.Events))
		require.ErrorIs(t, e.Attach(c, ev), ErrTaken)
		require.ErrorIs(t, ev.Serve(bg, c), ErrTaken)
		_, _, err := c.Read(bg)
		require.ErrorIs(t, err, ErrTaken)
		_, _, err = c.Reader(bg)
		require.ErrorIs(t, err, ErrTaken)
		assert.Zero(t, e.Len())
		assert.Equal(t, 1, other.Len())
		require.NoError(t, c.CloseNow())
		w.log(t, other)
		require.ErrorIs(t, e.Attach(c, ev), net.ErrClosed)

		c, _ = connectScripted(t, pair, RoleServer)
		require.NoError(t, c.CloseNow())
		require.ErrorIs(t, e.Attach(c, ev), net.ErrClosed)

		require.NoError(t, e.Shutdown(bg))
		c, peer = connectScripted(t, pair, RoleServer)
		require.ErrorIs(t, e.Attach(c, ev), ErrEngineClosed)
		peer.sends(peer.text("still the caller's"))
		_, p, err := c.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, "still the caller's", string(p))
	})
}

// Attach while another goroutine writes, also one that is stuck.
func TestAttachWhileWriting(t *testing.T) {
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		for _, stuck := range []bool{true, false} {
			c, peer := connectScripted(t, pair, RoleServer)
			var writers sync.WaitGroup
			size := 100
			if stuck {
				size = stuckSize
			}
			for range 3 {
				writers.Go(func() {
					for range 3 {
						for c.Write(bg, MessageBinary, make([]byte, size)) == ErrSendLimit {
							time.Sleep(time.Millisecond)
						}
						if stuck {
							return
						}
					}
				})
			}
			if stuck {
				waitUntil(t, func() bool { return c.BufferedAmount() > 0 })
			}
			w := watch(t)
			require.NoError(t, e.Attach(c, &w.Events))
			peer.sends(peer.text("a"))
			for range 2 {
				within(t, 10*time.Second, w.calls)
			}
			go io.Copy(io.Discard, peer.br)
			if !stuck {
				writers.Wait()
			}
			require.NoError(t, c.CloseNow())
			writers.Wait()
			w.log(t, e)
		}
	})
}

// CHECKLIST 32: a full queue says so, holds nobody up, has room for pings, and is
// told of when it has drained. A Writer's fragments, a Write and a prepared message
// queue as Send does.
func TestAttachedWrites(t *testing.T) {
	prepared, err := NewPreparedMessage(MessageText, []byte("prepared"))
	require.NoError(t, err)
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		const limit = 2 * stuckSize
		c, peer := connectScripted(t, pair, RoleServer, ConnConfig{SendLimit: limit, Heartbeat: -1})
		w := watch(t)
		require.NoError(t, e.Attach(c, &w.Events))
		assert.Equal(t, "open", within(t, 10*time.Second, w.calls))
		big := bytes.Repeat([]byte("b"), stuckSize)
		require.NoError(t, c.Write(bg, MessageBinary, big))
		clear(big) // it may be used again
		mw, err := c.Writer(bg, MessageText)
		require.NoError(t, err)
		_, err = mw.WriteString("frag")
		require.NoError(t, err)
		require.NoError(t, mw.Flush())
		_, err = mw.WriteString("ments")
		require.NoError(t, err)
		require.NoError(t, mw.Close())
		require.NoError(t, c.WritePrepared(bg, prepared))
		require.NoError(t, c.SendPrepared(prepared))
		for err = nil; err == nil; {
			err = c.Write(bg, MessageBinary, make([]byte, 100<<10))
		}
		require.ErrorIs(t, err, ErrSendLimit)
		for err = nil; err == nil; { // the system may have taken some meanwhile
			err = c.WriteText(bg, string(make([]byte, 100<<10)))
		}
		require.ErrorIs(t, err, ErrSendLimit)
		require.NoError(t, c.SendPing([]byte("urgent")))
		require.ErrorIs(t, c.Write(endedContext(), MessageText, nil), context.Canceled)
		ctx, cancel := context.WithTimeout(bg, 5*time.Millisecond)
		require.ErrorIs(t, c.Flush(ctx), context.DeadlineExceeded)
		cancel()
		assert.Empty(t, w.calls)
		flushed := async(func() error { return c.Flush(bg) })
		assert.Equal(t, strings.Repeat("b", stuckSize), peer.expect(OpBinary))
		assert.Equal(t, "frag", peer.expect(OpText))
		assert.Equal(t, "ments", peer.expect(OpContinuation))
		assert.Equal(t, "prepared", peer.expect(OpText))
		assert.Equal(t, "prepared", peer.expect(OpText))
		for h := (FrameHeader{}); h.Opcode != OpPing; {
			h, _, err = peer.next()
			require.NoError(t, err)
		}
		require.NoError(t, within(t, 10*time.Second, flushed))
		assert.Equal(t, "drain", within(t, 10*time.Second, w.calls))
		assert.Zero(t, c.BufferedAmount())
		require.NoError(t, c.WriteText(bg, "small"))
		assert.Equal(t, "small", peer.expect(OpText))
		assert.Empty(t, w.calls)
	})
}

// Ping waits for its pong outside of a callback; facts and user data stay.
func TestAttachedFacts(t *testing.T) {
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		client, server := connectPair(t, pair)
		server.SetUserData("mine")
		raw, rawErr := server.SyscallConn()
		w := watch(t)
		w.Message = func(c *Conn, typ MessageType, p []byte) {
			c.WriteText(bg, c.UserData().(string))
		}
		require.NoError(t, e.Attach(server, &w.Events))
		go client.WriteText(bg, "whose?")
		_, p, err := client.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, "mine", string(p))
		client.CloseRead(bg)
		for range 10 {
			_, err := server.Ping(bg)
			require.NoError(t, err)
		}
		assert.Equal(t, client.RemoteAddr().String(), server.LocalAddr().String())
		assert.Equal(t, client.LocalAddr().String(), server.RemoteAddr().String())
		if rawErr == nil {
			raw, err = server.SyscallConn()
			require.NoError(t, err)
			called := false
			require.NoError(t, raw.Control(func(uintptr) { called = true }))
			assert.True(t, called)
		}
		require.NoError(t, server.CloseNow())
		within(t, 10*time.Second, w.closed)
		if rawErr == nil {
			require.Error(t, raw.Control(func(uintptr) { t.Error("the descriptor is closed") }))
		}
		_, err = server.Ping(bg)
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// A Write that comes while another goroutine's Writer is open queues behind it:
// it must not wait, least of all on a loop.
func TestAttachedWriteBehindWriter(t *testing.T) {
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		c, peer := connectScripted(t, pair, RoleServer)
		w := watch(t)
		w.Message = func(c *Conn, typ MessageType, p []byte) { assert.NoError(t, c.Write(bg, typ, p)) }
		require.NoError(t, e.Attach(c, &w.Events))
		mw, err := c.Writer(bg, MessageText)
		require.NoError(t, err)
		_, err = mw.WriteString("first")
		require.NoError(t, err)
		require.NoError(t, mw.Flush())
		assert.Equal(t, "first", peer.expect(OpText))
		peer.sends(peer.text("second"), peer.frame(OpPing, true, "p"))
		assert.Equal(t, "p", peer.expect(OpPong))
		require.NoError(t, mw.Close())
		assert.Empty(t, peer.expect(OpContinuation))
		assert.Equal(t, "second", peer.expect(OpText))
	})
}

// A message that has begun can end also when the queue is full: half of it would
// make the next one a violation of RFC 6455, section 5.4.
func TestAttachedWriterEndsInFullQueue(t *testing.T) {
	overEngines(t, func(t *testing.T, pair pairFunc, e *Engine) {
		c, peer := connectScripted(t, pair, RoleServer, ConnConfig{SendLimit: stuckSize, Heartbeat: -1})
		w := watch(t)
		require.NoError(t, e.Attach(c, &w.Events))
		require.NoError(t, c.Write(bg, MessageBinary, make([]byte, stuckSize-100)))
		mw, err := c.Writer(bg, MessageText)
		require.NoError(t, err)
		_, err = mw.WriteString("begun")
		require.NoError(t, err)
		require.NoError(t, mw.Flush())
		for _, size := range []int{256 << 10, writerSize / 2} {
			for err = nil; err == nil; err = mw.Flush() { // the system may still take some
				if _, err = mw.Write(make([]byte, size)); err != nil {
					break
				}
			}
			require.ErrorIs(t, err, ErrSendLimit)
		}
		require.NoError(t, mw.Close())
		peer.expect(OpBinary)
		for h, op := (FrameHeader{}), OpText; !h.Final; op = OpContinuation {
			h, _, err = peer.next()
			require.NoError(t, err)
			require.Equal(t, op, h.Opcode)
		}
		waitUntil(t, func() bool { return c.BufferedAmount() == 0 })
		require.NoError(t, c.WriteText(bg, "next"))
		assert.Equal(t, "next", peer.expect(OpText))
	})
}

// The context of an earlier read may end while the connection is handed over.
func TestAttachWhileAContextEnds(t *testing.T) {
	e := newEngine(t, &EngineOptions{Loops: 1})
	for range 100 {
		c, peer := connectScripted(t, tcpPair, RoleServer)
		ctx, cancel := context.WithCancel(bg)
		read := async(func() error { _, _, err := c.Read(ctx); return err })
		time.Sleep(time.Millisecond) // it waits, and so watches ctx
		peer.send(peer.text("x"))
		require.NoError(t, <-read)
		go cancel()
		require.NoError(t, e.Attach(c, &Events{}))
		c.CloseNow()
	}
}
