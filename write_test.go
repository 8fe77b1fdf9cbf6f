package websocket

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWriteArguments(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	for _, typ := range []MessageType{0, 3, 8, 200} {
		require.ErrorIs(t, c.Write(bg, typ, nil), errMessageType)
		require.ErrorIs(t, c.Send(typ, nil), errMessageType)
		_, err := c.Writer(bg, typ)
		require.ErrorIs(t, err, errMessageType)
	}
	for _, bad := range []string{"\xff", "ab\xc3", "\xed\xa0\x80"} {
		require.ErrorIs(t, c.WriteText(bg, bad), ErrInvalidText)
		require.ErrorIs(t, c.Send(MessageText, []byte(bad)), ErrInvalidText)
	}
	require.ErrorIs(t, c.SendPing(make([]byte, 126)), errPingSize)
	require.ErrorIs(t, c.Write(endedContext(), MessageText, nil), context.Canceled)
	_, err := c.Writer(endedContext(), MessageText)
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Ping(endedContext())
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, c.Write(bg, MessageBinary, []byte("\xff")))
	assert.Equal(t, "\xff", peer.expect(OpBinary), "nothing that was refused has been sent")

	skip, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{SkipOutgoingTextCheck: true})
	require.NoError(t, skip.WriteText(bg, "\xff"))
	assert.Equal(t, "\xff", peer.expect(OpText))
}

// A write whose context ends before its first byte has left sends nothing, and
// the connection goes on.
func TestCancelledWriteSendsNothing(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for _, side := range []Role{RoleServer, RoleClient} {
			c, peer := connectScripted(t, pair, side, ConnConfig{SendLimit: -1, Heartbeat: -1})
			blocker := async(func() error { return c.Write(bg, MessageBinary, make([]byte, stuckSize)) })
			waitUntil(t, func() bool { return c.BufferedAmount() > 0 })
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
					defer cancel()
					p := bytes.Repeat([]byte{'a' + byte(i)}, i*i*500)
					assert.ErrorIs(t, c.Write(ctx, MessageBinary, p), context.DeadlineExceeded)
					clear(p)
				})
			}
			wg.Wait()
			require.NoError(t, c.Send(MessageText, []byte("after")))
			assert.Len(t, peer.expect(OpBinary), stuckSize)
			assert.Equal(t, "after", peer.expect(OpText))
			require.NoError(t, within(t, time.Minute, blocker))
			usable := async(func() error { return c.WriteText(bg, "still usable") })
			assert.Equal(t, "still usable", peer.expect(OpText))
			require.NoError(t, within(t, time.Minute, usable))
		}
	})
}

// A write whose context ends when part of it has left is finished all the same,
// first and in order, from a copy: the payload is the caller's again.
func TestCancelledWriteIsFinished(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for _, side := range []Role{RoleServer, RoleClient} {
			c, peer := connectScripted(t, pair, side)
			const size = stuckSize
			p := bytes.Repeat([]byte("whole..."), size/8)
			want := bytes.Clone(p)
			ctx, cancel := context.WithCancel(bg)
			first := async(func() error { return c.Write(ctx, MessageBinary, p) })
			_, err := peer.br.Peek(1)
			require.NoError(t, err)
			cancel()
			require.ErrorIs(t, within(t, time.Minute, first), context.Canceled)
			clear(p)
			assert.NotZero(t, c.BufferedAmount())
			second := async(func() error { return c.WriteText(bg, "second") })
			assert.True(t, string(want) == peer.expect(OpBinary))
			assert.Equal(t, "second", peer.expect(OpText))
			require.NoError(t, within(t, time.Minute, second))
			require.NoError(t, c.Flush(bg))
			assert.Equal(t, int64(0), c.BufferedAmount())
		}
	})
}

// CHECKLIST 27: many writers of every kind, many of them canceled: what arrives
// is whole frames, whole messages, each writer's in its order, with control
// frames between frames only.
func TestWritersChaos(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for _, side := range []Role{RoleServer, RoleClient} {
			c, peer := connectScripted(t, pair, side, ConnConfig{SendLimit: -1, Heartbeat: -1})
			const writers, each = 6, 60
			var wg sync.WaitGroup
			accepted := make([][]bool, writers) // told to be sent for sure
			for w := range writers {
				accepted[w] = make([]bool, each)
				wg.Go(func() {
					for i := range each {
						accepted[w][i] = chaosWrite(c, w, i) == nil
					}
				})
			}
			go func() {
				wg.Wait()
				c.Flush(bg)
				c.Close(StatusNormalClosure, "")
			}()
			last := make([]int, writers)
			for w := range last {
				last[w] = -1
			}
			var message []byte
			seen := map[[2]int]bool{}
			for open := false; ; {
				h, p, err := peer.next()
				require.NoError(t, err)
				if h.Opcode == OpClose {
					require.False(t, open)
					break
				}
				if h.Opcode == OpPing {
					require.Equal(t, "ping", string(p))
					continue
				}
				require.Equal(t, open, h.Opcode == OpContinuation)
				message = append(message, p...)
				if open = !h.Final; open {
					continue
				}
				w, i := checkChaos(t, message)
				require.Greater(t, i, last[w], "writer %d", w)
				last[w] = i
				seen[[2]int{w, i}] = true
				message = message[:0]
			}
			peer.send(peer.closeFrame(StatusNormalClosure, ""))
			peer.Close()
			<-c.Done()
			for w := range accepted {
				for i, ok := range accepted[w] {
					require.False(t, ok && !seen[[2]int{w, i}], "message %d of %d was lost", i, w)
				}
			}
		}
	})
}

// chaosWrite writes message i of writer w in one of many ways.
func chaosWrite(c *Conn, w, i int) error {
	size := 9 + (w*7919+i*104729)%300
	if i%7 == w%7 {
		size = 9 + (w*7919+i*104729)%50000
	}
	p := make([]byte, size)
	binary.BigEndian.PutUint32(p, uint32(w))
	binary.BigEndian.PutUint32(p[4:], uint32(i))
	for k := 8; k < size; k++ {
		p[k] = byte(w + i)
	}
	defer clear(p)
	ctx, cancel := bg, context.CancelFunc(func() {})
	switch i % 4 {
	case 1:
		ctx, cancel = context.WithTimeout(bg, time.Duration(i*17%900)*time.Microsecond)
	case 2:
		ctx, cancel = context.WithCancel(bg)
	}
	defer cancel()
	c.SendPing([]byte("ping"))
	switch (i + w) % 5 {
	case 0:
		return c.Send(MessageBinary, p)
	case 1:
		mw, err := c.Writer(ctx, MessageBinary)
		if err != nil {
			return err
		}
		mw.SetContext(bg)
		mw.Write(p[:size/2])
		mw.Flush()
		mw.Write(p[size/2:])
		return mw.Close()
	}
	return c.Write(ctx, MessageBinary, p)
}

func checkChaos(t *testing.T, p []byte) (w, i int) {
	t.Helper()
	require.GreaterOrEqual(t, len(p), 9)
	w, i = int(binary.BigEndian.Uint32(p)), int(binary.BigEndian.Uint32(p[4:]))
	if bytes.Count(p[8:], []byte{byte(w + i)}) != len(p)-8 {
		require.FailNow(t, "changed on its way", "message %d of %d", i, w)
	}
	return w, i
}

// CHECKLIST 29: a write's context covers waiting for another message to end.
func TestWriteWaitsForOpenWriter(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		w, err := c.Writer(bg, MessageText)
		require.NoError(t, err)
		for _, call := range []func(ctx context.Context) error{
			func(ctx context.Context) error { return c.WriteText(ctx, "never") },
			func(ctx context.Context) error { _, err := c.Writer(ctx, MessageText); return err },
		} {
			ctx, cancel := context.WithTimeout(bg, time.Millisecond)
			require.ErrorIs(t, call(ctx), context.DeadlineExceeded)
			cancel()
		}
		// Send and control frames do not wait; what was sent keeps its order.
		for i := range 3 {
			require.NoError(t, c.Send(MessageText, fmt.Append(nil, "held ", i)))
		}
		require.NoError(t, c.SendPing([]byte("now")))
		assert.Equal(t, "now", peer.expect(OpPing))
		done := async(func() error {
			if _, err := w.WriteString("frag"); err != nil {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
			w.WriteString("ment")
			return w.Close()
		})
		assert.Equal(t, "frag", peer.expect(OpText))
		assert.Equal(t, "ment", peer.expect(OpContinuation))
		for i := range 3 {
			assert.Equal(t, fmt.Sprint("held ", i), peer.expect(OpText))
		}
		require.NoError(t, within(t, time.Minute, done))
		require.ErrorIs(t, w.Close(), errWriterClosed)
		_, err = w.Write([]byte("x"))
		require.ErrorIs(t, err, errWriterClosed)
		require.ErrorIs(t, w.Flush(), errWriterClosed)
	})
}

// CHECKLIST 29: a write that was canceled while it waited for the kernel leaves
// no deadline behind that would kill a later pong or write.
func TestStaleWriteDeadline(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		for i := range 5 {
			ctx, cancel := context.WithCancel(bg)
			written := async(func() error { return c.Write(ctx, MessageBinary, make([]byte, stuckSize)) })
			_, err := peer.br.Peek(1)
			require.NoError(t, err)
			cancel()
			require.ErrorIs(t, within(t, time.Minute, written), context.Canceled)
			assert.Len(t, peer.expect(OpBinary), stuckSize)
			read := async(func() error { _, _, err := c.Read(bg); return err })
			peer.send(peer.frame(OpPing, true, fmt.Sprint(i)))
			assert.Equal(t, fmt.Sprint(i), peer.expect(OpPong))
			peer.send(peer.text("x"))
			require.NoError(t, within(t, time.Minute, read))
			go c.WriteText(bg, "x")
			assert.Equal(t, "x", peer.expect(OpText))
		}
	})
}

// CHECKLIST 32: Send never waits, is bounded, says so, and leaves room for
// control frames.
func TestSendLimit(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		const limit = 8 << 10
		c, peer := connectScripted(t, pair, RoleServer, ConnConfig{SendLimit: limit, Heartbeat: -1})
		require.ErrorIs(t, c.Send(MessageBinary, make([]byte, limit+1)), ErrSendLimit, "it never fits")
		blocker := async(func() error { return c.Write(bg, MessageBinary, make([]byte, stuckSize)) })
		waitUntil(t, func() bool { return c.BufferedAmount() > 0 })
		require.ErrorIs(t, c.Send(MessageText, []byte("x")), ErrSendLimit)
		require.NoError(t, c.SendPing([]byte("urgent")), "control frames have room in a full queue")
		var err error
		for range 10000 {
			if err = c.SendPing(make([]byte, 125)); err != nil {
				break
			}
		}
		require.ErrorIs(t, err, ErrSendLimit, "but not without bound")
		assert.Len(t, peer.expect(OpBinary), stuckSize)
		assert.Equal(t, "urgent", peer.expect(OpPing))
		require.NoError(t, within(t, time.Minute, blocker))
		go io.Copy(io.Discard, peer.br)
		require.NoError(t, c.Flush(bg))
		require.NoError(t, c.Send(MessageText, []byte("x")))
		require.NoError(t, c.SendPing(nil))
		require.NoError(t, c.Flush(bg))
		assert.Equal(t, int64(0), c.BufferedAmount())
	})
}

// CHECKLIST 11, 32: a flood of pings that are not read back grows no memory and
// holds up no data.
func TestPingFlood(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		blocker := async(func() error { return c.Write(bg, MessageBinary, make([]byte, stuckSize)) })
		waitUntil(t, func() bool { return c.BufferedAmount() > 0 })
		read := async(func() error { _, _, err := c.Read(bg); return err })
		before := c.BufferedAmount()
		ping := peer.frame(OpPing, true, strings.Repeat("p", 125))
		for range 100 {
			peer.send(bytes.Repeat(ping, 100))
		}
		peer.send(peer.frame(OpPing, true, "last"), peer.text("data"))
		require.NoError(t, within(t, time.Minute, read))
		assert.LessOrEqual(t, c.BufferedAmount(), before+2*pongRoom)
		assert.Len(t, peer.expect(OpBinary), stuckSize)
		require.NoError(t, within(t, time.Minute, blocker))
		for peer.expect(OpPong) != "last" {
			continue
		}
	})
}

// Flush waits for what others queued, and can be canceled.
func TestFlush(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer, ConnConfig{SendLimit: -1, Heartbeat: -1})
		require.NoError(t, c.Flush(endedContext()), "there is nothing to wait for")
		require.NoError(t, c.Send(MessageBinary, make([]byte, stuckSize)))
		assert.NotZero(t, c.BufferedAmount())
		ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, c.Flush(ctx), context.DeadlineExceeded)
		flushed := async(func() error { return c.Flush(bg) })
		assert.Len(t, peer.expect(OpBinary), stuckSize)
		require.NoError(t, within(t, time.Minute, flushed))
		assert.Equal(t, int64(0), c.BufferedAmount())
	})
}

// Replies of a reader that has more to hand out wait for company, for 1 ms at
// most, unless that is turned off; others never wait.
func TestCoalescing(t *testing.T) {
	for _, off := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, peer := connectScripted(t, pipePair, RoleServer, ConnConfig{NoCoalescing: off, Heartbeat: -1})
			arrived := make(chan time.Duration, 10)
			begun := time.Now()
			go func() {
				for {
					if _, _, err := peer.next(); err != nil {
						return
					}
					arrived <- time.Since(begun)
				}
			}()
			peer.sends(peer.text("a"), peer.text("b"))
			_, _, err := c.Read(bg)
			require.NoError(t, err)
			require.NoError(t, c.WriteText(bg, "reply"))
			want := coalesceTime
			if off {
				want = 0
			}
			assert.Equal(t, want, <-arrived, "the application is slow")
			_, _, err = c.Read(bg)
			require.NoError(t, err)
			require.NoError(t, c.WriteText(bg, "second"))
			assert.Equal(t, want, <-arrived, "there is nothing more to hand out")
			peer.sends(peer.text("a"), peer.text("b"), peer.text("c"))
			n := 0
			for range c.Messages(bg) {
				c.WriteText(bg, "reply")
				if n++; n == 3 {
					break
				}
			}
			for range n {
				assert.Equal(t, want, <-arrived, "the loop has ended")
			}
			c.CloseNow()
			peer.Close()
		})
	}
}

// Prepared messages arrive as they were prepared, in both roles.
func TestPrepared(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for _, side := range []Role{RoleServer, RoleClient} {
			c, peer := connectScripted(t, pair, side)
			for _, size := range []int{0, 10, 100 << 10} {
				m, err := NewPreparedMessage(MessageText, bytes.Repeat([]byte("x"), size))
				require.NoError(t, err)
				written := async(func() error { return c.WritePrepared(bg, m) })
				assert.Equal(t, strings.Repeat("x", size), peer.expect(OpText))
				require.NoError(t, within(t, time.Minute, written))
				require.NoError(t, c.SendPrepared(m))
				assert.Equal(t, strings.Repeat("x", size), peer.expect(OpText))
			}
		}
	})
}

// Ping measures a round trip, gives up with its context, and ends with the
// connection. Unasked and foreign pongs do nothing.
func TestPingWaits(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		c.CloseRead(bg)
		ctx, cancel := context.WithTimeout(bg, 5*time.Millisecond)
		defer cancel()
		lost := async(func() error { _, err := c.Ping(ctx); return err })
		stale := peer.expect(OpPing)
		require.ErrorIs(t, within(t, time.Minute, lost), context.DeadlineExceeded)
		ping := async(func() error { _, err := c.Ping(bg); return err })
		payload := peer.expect(OpPing)
		require.NotEqual(t, stale, payload)
		peer.send(peer.frame(OpPong, true, stale), peer.frame(OpPong, true, ""), peer.frame(OpPong, true, "unasked"))
		select {
		case err := <-ping:
			require.FailNow(t, "another ping's pong", "%v", err)
		default:
		}
		peer.send(peer.frame(OpPong, true, payload))
		require.NoError(t, within(t, time.Minute, ping))
		ping = async(func() error { _, err := c.Ping(bg); return err })
		peer.expect(OpPing)
		peer.sends(peer.closeFrame(4000, ""))
		peer.expectClose(4000)
		assert.Equal(t, StatusCode(4000), CloseStatus(within(t, time.Minute, ping)))
	})
}

// A heartbeat that finds the peer dead does not look like anything else.
func TestWriteEndsWithHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := connectScripted(t, pipePair, RoleServer, ConnConfig{Heartbeat: time.Second, HeartbeatTimeout: time.Second})
		go func() {
			_, _, err := c.Read(bg)
			assert.ErrorIs(t, err, ErrHeartbeat)
		}()
		err := c.WriteText(bg, "nobody reads this")
		require.ErrorIs(t, err, ErrHeartbeat)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NotErrorIs(t, err, net.ErrClosed)
		peer.Close()
	})
}

// Taking back the last of what waits leaves an outbox that can be used again,
// though something had been written from it.
func TestOutboxRemovesLast(t *testing.T) {
	var o outbox
	o.set(append(o.buf, "sent, taken back"...))
	o.lend(1 << 30)
	o.done(6)
	require.True(t, o.remove(6, o.added))
	assert.Equal(t, int64(6), o.written())
	o.buf = nil // as the flusher does with an empty box
	o.set(append(o.buf, "next"...))
	p, _ := o.lend(1 << 30)
	assert.Equal(t, "next", string(p))
}

// What has been written does not stay in memory while there is always more.
func TestBusyOutboxStaysSmall(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer, ConnConfig{SendLimit: -1, Heartbeat: -1})
		p := make([]byte, 1000)
		for range 20 {
			require.NoError(t, c.Send(MessageBinary, p))
		}
		for range 2000 {
			require.NoError(t, c.Send(MessageBinary, p))
			assert.Len(t, peer.expect(OpBinary), len(p))
		}
		c.l.wr.mu.Lock()
		defer c.l.wr.mu.Unlock()
		if box := c.l.wr.box; box != nil {
			require.Less(t, cap(box.buf), 256<<10)
		}
	})
}

// RFC 6455, section 5.5.3: the peer "MAY elect to send a Pong frame for only the most recently
// processed Ping frame", also if nobody waits for that any more.
func TestPongAnswersEarlierPings(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	c.CloseRead(bg)
	ping := func(ctx context.Context) <-chan error {
		return async(func() error { _, err := c.Ping(ctx); return err })
	}
	first := ping(bg)
	peer.expect(OpPing)
	second := ping(bg)
	latest := peer.expect(OpPing)
	third := ping(bg)
	peer.expect(OpPing)
	peer.send(peer.frame(OpPong, true, latest))
	require.NoError(t, within(t, time.Minute, first))
	require.NoError(t, within(t, time.Minute, second))
	assert.Empty(t, third)
	ctx, cancel := context.WithCancel(bg)
	fourth := ping(ctx)
	latest = peer.expect(OpPing)
	cancel()
	require.ErrorIs(t, within(t, time.Minute, fourth), context.Canceled)
	peer.send(peer.frame(OpPong, true, latest))
	require.NoError(t, within(t, time.Minute, third))
}

// CHECKLIST 13: who takes time for each message gets all that the peer has sent, its close frame
// too, though nothing can be written any more.
func TestReadGoesOnAfterWritingFailed(t *testing.T) {
	for name, read := range map[string]func(c *Conn) iter.Seq2[Message, error]{
		"Messages": func(c *Conn) iter.Seq2[Message, error] { return c.Messages(bg) },
		"Read": func(c *Conn) iter.Seq2[Message, error] {
			return func(yield func(Message, error) bool) {
				for {
					typ, p, err := c.Read(bg)
					if !yield(Message{Type: typ, Data: p}, err) || err != nil {
						return
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{})
			const many = 8
			for range many {
				peer.send(peer.text("x"))
			}
			peer.send(peer.closeFrame(4001, "bye"))
			require.NoError(t, peer.Close()) // without waiting for the answer
			n := 0
			for m, err := range read(c) {
				if err != nil {
					assert.Equal(t, StatusCode(4001), CloseStatus(err), "%v", err)
					break
				}
				n++
				time.Sleep(2 * brokenTime / many) // work
				_ = c.Write(bg, m.Type, m.Data)
			}
			assert.Equal(t, many, n)
		})
	}
	t.Run("nobody reads", func(t *testing.T) {
		t.Parallel()
		c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{})
		require.NoError(t, peer.Close())
		for c.WriteText(bg, "x") == nil {
		}
		within(t, 4*brokenTime, async(func() error { <-c.Done(); return nil }))
	})
}
