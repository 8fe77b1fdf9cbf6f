package websocket

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/bufpool"
)

func TestNewConnArguments(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	for name, tc := range map[string]struct {
		nc  net.Conn
		cfg *ConnConfig
	}{
		"no conn":   {nil, &ConnConfig{Role: RoleServer}},
		"no config": {a, nil},
		"no role":   {a, &ConnConfig{}},
		"bad role":  {a, &ConnConfig{Role: 77}},
		"extension": {a, &ConnConfig{Role: RoleClient, Extensions: "x-unheard-of"}},
	} {
		c, err := NewConn(tc.nc, tc.cfg)
		require.Error(t, err, name)
		assert.Nil(t, c, name)
	}
	go b.Write([]byte("still the caller's"))
	_, err := io.ReadFull(a, make([]byte, 5))
	require.NoError(t, err)
}

func TestFacts(t *testing.T) {
	a, _ := tcpPair(t)
	c, err := NewConn(a, &ConnConfig{Role: RoleClient, Subprotocol: "chat"})
	require.NoError(t, err)
	defer c.CloseNow()
	assert.Equal(t, "chat", c.Subprotocol())
	assert.Empty(t, c.Extensions())
	assert.Nil(t, c.Response())
	assert.Equal(t, a.LocalAddr(), c.LocalAddr())
	assert.Equal(t, a.RemoteAddr(), c.RemoteAddr())
	assert.Nil(t, c.UserData())
	c.SetUserData(7)
	assert.Equal(t, 7, c.UserData())
	c.SetUserData(nil)
	assert.Nil(t, c.UserData())
	assert.Equal(t, StateOpen, c.State())
	assert.NoError(t, c.Err())
	_, err = c.SyscallConn()
	require.NoError(t, err)
	assert.Equal(t, "open closing closed", StateOpen.String()+" "+StateClosing.String()+" "+StateClosed.String())
}

// The raw connection is below TLS, however often that is there.
func TestSyscallConnBelowTLS(t *testing.T) {
	a, b := tlsPair(t)
	inner := tls.Client(a, trustsTests())
	done := async(tls.Server(b, &tls.Config{Certificates: []tls.Certificate{testCertificate()}}).Handshake)
	require.NoError(t, inner.Handshake())
	require.NoError(t, <-done)
	c, err := NewConn(inner, &ConnConfig{Role: RoleClient})
	require.NoError(t, err)
	defer c.CloseNow()
	_, err = c.SyscallConn()
	assert.NoError(t, err)
}

// A nil context is a programming error that is named, not a crash.
func TestNilContext(t *testing.T) {
	c, _ := connectScripted(t, tcpPair, RoleServer)
	var none context.Context
	calls := []func() error{
		func() error { _, _, err := c.Read(none); return err },
		func() error { _, _, err := c.ReadInto(none, nil); return err },
		func() error { _, _, err := c.Reader(none); return err },
		func() error { return c.Write(none, MessageText, nil) },
		func() error { _, err := c.Writer(none, MessageText); return err },
		func() error { return c.Flush(none) },
		func() error { _, err := c.Ping(none); return err },
		func() error { return (&Events{}).Serve(none, c) },
		func() error { return context.Cause(c.CloseRead(none)) },
		func() error { _, err := NetConn(none, c, MessageText).Read(make([]byte, 1)); return err },
		func() error { _, err := Dial(none, "ws://localhost", nil); return err },
		func() error {
			for _, err := range c.Messages(none) {
				return err
			}
			return nil
		},
	}
	for i, call := range calls {
		require.ErrorIs(t, call(), errNilContext, i)
	}
	assert.False(t, c.reading())
}

// Deadlines that an HTTP server left behind do not keep a read from waiting.
func TestLeftOverDeadline(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		a, b := pair(t)
		defer a.Close()
		b.SetDeadline(longAgo)
		c, err := NewConn(b, &ConnConfig{Role: RoleServer, Heartbeat: -1})
		require.NoError(t, err)
		defer c.CloseNow()
		read := async(func() error { _, _, err := c.Read(bg); return err })
		_, err = a.Write((&scriptedPeer{role: RoleClient}).text("x"))
		require.NoError(t, err)
		require.NoError(t, within(t, time.Minute, read))
	})
}

// Bytes that came with the handshake are read first, whatever is left in them.
func TestBuffered(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		p := &scriptedPeer{role: RoleClient}
		all := append(p.text("first"), p.text("second")...)
		for cut := range all {
			c, peer := connectScripted(t, pair, RoleServer, ConnConfig{Buffered: all[:cut], Heartbeat: -1})
			peer.sends(all[cut:])
			for _, want := range []string{"first", "second"} {
				_, got, err := c.Read(bg)
				require.NoError(t, err)
				require.Equal(t, want, string(got))
			}
			c.CloseNow()
			peer.Close()
		}
	})
}

// One reader at a time: every way of reading refuses to be the second, also
// from inside a loop's body, and not with a deadlock.
func TestConcurrentRead(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	peer.send(peer.text("a"), peer.text("b"))
	second := func(want error) {
		_, _, err := c.Read(bg)
		require.ErrorIs(t, err, want)
		_, _, err = c.ReadInto(bg, nil)
		require.ErrorIs(t, err, want)
		_, _, err = c.Reader(bg)
		require.ErrorIs(t, err, want)
		for _, err := range c.Messages(bg) {
			require.ErrorIs(t, err, want)
		}
		require.ErrorIs(t, (&Events{}).Serve(bg, c), want)
		ctx := c.CloseRead(bg)
		require.ErrorIs(t, context.Cause(ctx), want)
	}
	for m, err := range c.Messages(bg) {
		require.NoError(t, err)
		assert.Equal(t, "a", string(m.Data))
		second(ErrConcurrentRead)
		break
	}
	ctx, cancel := context.WithCancel(bg)
	_, r, err := c.Reader(bg)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "b", string(b))
	read := async(func() error { _, _, err := c.Read(ctx); return err })
	waitUntil(t, c.reading)
	second(ErrConcurrentRead)
	cancel()
	require.ErrorIs(t, <-read, context.Canceled)

	taken := c.CloseRead(bg)
	assert.Equal(t, taken, c.CloseRead(endedContext()), "twice is the same context")
	for _, err := range c.Messages(bg) {
		require.ErrorIs(t, err, ErrTaken)
	}
	_, err = r.Read(make([]byte, 1))
	require.Error(t, err)
	_, _, err = c.Read(bg)
	require.ErrorIs(t, err, ErrTaken)
	_, err = NetConn(bg, c, MessageText).Read(make([]byte, 1))
	require.ErrorIs(t, err, ErrTaken)
	c.CloseNow()
	<-taken.Done()
}

// Messages ends in silence when the peer closes with 1000, 1001 or no status, and otherwise
// hands the cause out once.
func TestMessagesEnd(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for code, silent := range map[StatusCode]bool{
			StatusNormalClosure: true, StatusGoingAway: true, StatusNoStatusReceived: true,
			StatusProtocolError: false, 4000: false,
		} {
			c, peer := connectScripted(t, pair, RoleServer)
			peer.sends(peer.text("a"), peer.closeFrame(code, ""))
			go io.Copy(io.Discard, peer.Conn)
			var errs []error
			n := 0
			for m, err := range c.Messages(bg) {
				if err != nil {
					errs = append(errs, err)
					assert.Nil(t, m.Data)
					continue
				}
				n++
			}
			assert.Equal(t, 1, n)
			if silent {
				assert.Empty(t, errs)
				continue
			}
			require.Len(t, errs, 1)
			assert.Equal(t, code, CloseStatus(errs[0]))
			require.NotErrorIs(t, errs[0], net.ErrClosed)
			assert.Equal(t, c.Err(), errs[0])
		}
	})
}

// Leaving a loop in any way loses no message, and the connection can be read
// again in any way. The end of its context does not end the connection.
func TestLeavingMessages(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		big := strings.Repeat("0123456789", 5000)
		var frames [][]byte
		for i := range 10 {
			frames = append(frames, peer.text(string(rune('a'+i))+big[:i*i*500]))
		}
		peer.sends(bytes.Join(frames, nil)) // in one piece
		next := 0
		see := func(p []byte) {
			t.Helper()
			require.Equal(t, string(rune('a'+next))+big[:next*next*500], string(p))
			next++
		}
		for range 2 {
			for m := range c.Messages(bg) {
				see(m.Data)
				break
			}
		}
		func() {
			defer func() { assert.Equal(t, "out", recover()) }()
			for m := range c.Messages(bg) {
				see(m.Data)
				panic("out")
			}
		}()
		left := make(chan struct{})
		go func() {
			defer close(left)
			for m := range c.Messages(bg) {
				see(m.Data)
				runtime.Goexit()
			}
		}()
		<-left
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		var loop []error
		for m, err := range c.Messages(ctx) {
			if err != nil {
				loop = append(loop, err)
				continue
			}
			see(m.Data)
			cancel()
		}
		require.Len(t, loop, 1)
		require.ErrorIs(t, loop[0], context.Canceled)
		_, p, err := c.Read(bg)
		require.NoError(t, err)
		see(p)
		_, r, err := c.Reader(bg)
		require.NoError(t, err)
		p, err = io.ReadAll(r)
		require.NoError(t, err)
		see(p)
		_, p, err = c.ReadInto(bg, make([]byte, 3))
		require.NoError(t, err)
		see(p)
		for m := range c.Messages(bg) {
			kept := m.Clone()
			clear(m.Data)
			see(kept.Data)
			break
		}
		require.NoError(t, (&Events{Message: func(c *Conn, _ MessageType, p []byte) {
			see(p)
			c.CloseNow()
		}}).Serve(bg, c))
		assert.Equal(t, len(frames), next)
	})
}

// Appending to what a loop or a callback got touches no other message.
func TestAppendToMessage(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		go io.Copy(io.Discard, peer.br)
		peer.sends(bytes.Join([][]byte{
			peer.text("a"), peer.text("b"), peer.text("c"),
			peer.frame(OpPing, true, "d"), peer.frame(OpPong, true, "e"), peer.text("f"), peer.closeFrame(StatusNormalClosure, ""),
		}, nil))
		var got []string
		see := func(p []byte) { got = append(got, string(append(p, "........"...))) }
		for m, err := range c.Messages(bg) {
			require.NoError(t, err)
			see(m.Data)
			if len(got) == 2 {
				break
			}
		}
		require.NoError(t, (&Events{
			Message: func(_ *Conn, _ MessageType, p []byte) { see(p) },
			Ping:    func(_ *Conn, p []byte) { see(p) },
			Pong:    func(_ *Conn, p []byte) { see(p) },
		}).Serve(bg, c))
		assert.Equal(t, []string{"a........", "b........", "c........", "d........", "e........", "f........"}, got)
	})
}

// ReadInto writes over buf from its beginning, and uses its memory if it is
// enough.
func TestReadIntoBuffer(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		msgs := []string{"short", "", strings.Repeat("longer than the buffer ", 10), strings.Repeat("x", 200<<10), "tail"}
		go func() {
			for _, m := range msgs {
				peer.Write(peer.text(m))
				peer.Write(peer.frame(OpText, false, m))
				peer.Write(peer.frame(OpContinuation, true, ""))
			}
		}()
		for _, m := range msgs {
			for range 2 {
				buf := append(make([]byte, 0, 100), "old"...)
				_, p, err := c.ReadInto(bg, buf)
				require.NoError(t, err)
				require.Equal(t, m, string(p))
				require.NotNil(t, p)
				if 0 < len(m) && len(m) <= 100 {
					require.Same(t, &buf[:1][0], &p[0])
				}
			}
		}
	})
}

// CHECKLIST 28: a ReadInto that is canceled in the middle of a message moves
// what it has into the Conn, because buf is the caller's again.
func TestCancelledReadInto(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		msg := strings.Repeat("0123456789abcdef", 10<<10)
		frame := peer.text(msg)
		sent := async(func() error { // in pieces, until everything is out
			for len(frame) > 0 {
				n, err := peer.Write(frame[:min(5000, len(frame))])
				if err != nil {
					return err
				}
				frame = frame[n:]
				if len(frame) > 30000 {
					time.Sleep(time.Millisecond / 2)
				}
			}
			return nil
		})
		buf := make([]byte, 200<<10)
		canceled := 0
		for {
			ctx, cancel := context.WithTimeout(bg, time.Millisecond)
			_, p, err := c.ReadInto(ctx, buf)
			cancel()
			if err == nil {
				require.True(t, msg == string(p))
				break
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
			canceled++
			for i := range buf {
				buf[i] = 'X' // the caller's
			}
		}
		require.NoError(t, <-sent)
		assert.NotZero(t, canceled)
	})
}

// CHECKLIST 28: a canceled read does not make the next one fail, whichever of
// them is woken by the other's context.
func TestCancelledReadsRepeated(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		client, server := connectPair(t, pair)
		const n = 300
		go func() {
			for i := range n {
				client.Write(bg, MessageBinary, []byte{byte(i)})
				if i%16 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		}()
		for i := range n {
			for {
				ctx, cancel := context.WithCancel(bg)
				go cancel()
				_, p, err := server.Read(ctx)
				if err == nil {
					require.Equal(t, []byte{byte(i)}, p)
					break
				}
				require.ErrorIs(t, err, context.Canceled)
				ctx, cancel = context.WithTimeout(bg, 100*time.Microsecond)
				_, p, err = server.ReadInto(ctx, nil)
				cancel()
				if err == nil {
					require.Equal(t, []byte{byte(i)}, p)
					break
				}
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
		}
	})
}

// A context that has ended already yields its error, even if there is a message.
func TestReadWithEndedContext(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	peer.send(peer.text("x"))
	for range 3 {
		_, _, err := c.Read(endedContext())
		require.ErrorIs(t, err, context.Canceled)
	}
	_, p, err := c.Read(bg)
	require.NoError(t, err)
	assert.Equal(t, "x", string(p))
}

// A message that is too big fails the connection for every way of reading, the
// peer is told, and the limit can be changed.
func TestMessageTooBig(t *testing.T) {
	ways := map[string]func(c *Conn) error{
		"Read":     func(c *Conn) error { _, _, err := c.Read(bg); return err },
		"ReadInto": func(c *Conn) error { _, _, err := c.ReadInto(bg, make([]byte, 1000)); return err },
		"Reader": func(c *Conn) error {
			_, r, err := c.Reader(bg)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			return err
		},
		"Messages": func(c *Conn) error {
			for _, err := range c.Messages(bg) {
				return err
			}
			return nil
		},
		"Serve": func(c *Conn) error {
			return (&Events{Message: func(*Conn, MessageType, []byte) { panic("handed out") }}).Serve(bg, c)
		},
	}
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for name, way := range ways {
			c, peer := connectScripted(t, pair, RoleServer, ConnConfig{MaxMessageSize: 100, Heartbeat: -1})
			peer.sends(peer.frame(OpText, false, strings.Repeat("x", 60)), peer.frame(OpContinuation, true, strings.Repeat("x", 41)))
			read := async(func() error { return way(c) })
			reason := peer.expectClose(StatusMessageTooBig)
			assert.Contains(t, reason, "100", name)
			peer.Close()
			err := within(t, time.Minute, read)
			require.ErrorIs(t, err, ErrMessageTooBig, name)
			require.NotErrorIs(t, err, net.ErrClosed, name)
			assert.Contains(t, err.Error(), "100", name)
			var ce *CloseError
			require.ErrorAs(t, err, &ce)
			assert.False(t, ce.Remote)
			if name != "Serve" { // reads are taken for good
				checkAfterEnd(t, c, ErrMessageTooBig)
			}
		}
	})
	c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{MaxMessageSize: 10})
	c.SetMaxMessageSize(1000)
	peer.send(peer.text(strings.Repeat("x", 1000)), peer.text("xx"))
	_, p, err := c.Read(bg)
	require.NoError(t, err)
	assert.Len(t, p, 1000)
	c.SetMaxMessageSize(1)
	go func() {
		peer.next()
		peer.Close()
	}()
	_, _, err = c.Read(bg)
	require.ErrorIs(t, err, ErrMessageTooBig)
}

// SetMaxMessageSize leaves a message alone that has begun, however it is read.
func TestSetMaxMessageSizeInTheMiddle(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for _, limit := range []int64{10, -1} {
			c, peer := connectScripted(t, pair, RoleServer, ConnConfig{MaxMessageSize: 200_000, Heartbeat: -1})
			first := peer.frame(OpText, false, strings.Repeat("x", 100_000))
			peer.sends(first[:50_000])
			ctx, cancel := context.WithCancel(bg)
			read := async(func() error { _, _, err := c.ReadInto(ctx, make([]byte, 0, 1<<17)); return err })
			time.Sleep(20 * time.Millisecond)
			cancel()
			require.ErrorIs(t, within(t, time.Minute, read), context.Canceled)
			c.SetMaxMessageSize(limit)
			peer.sends(first[50_000:], peer.frame(OpContinuation, true, "end"), peer.text("12345678901"),
				peer.closeFrame(StatusNormalClosure, ""))
			_, p, err := c.Read(bg)
			require.NoError(t, err)
			assert.Len(t, p, 100_003)
			next := async(func() error { _, _, err := c.Read(bg); return err })
			if limit < 0 {
				require.NoError(t, within(t, time.Minute, next))
				continue
			}
			peer.expectClose(StatusMessageTooBig)
			peer.Close()
			require.ErrorIs(t, within(t, time.Minute, next), ErrMessageTooBig)
		}
	})
}

// Why a connection is failed reaches a peer that keeps sending and reads only
// later: no reset overtakes it.
func TestFailureReachesBusyPeer(t *testing.T) {
	bad := map[string]StatusCode{"\xff": StatusInvalidFramePayloadData, strings.Repeat("x", 200): StatusMessageTooBig, "": StatusProtocolError}
	for _, pair := range []pairFunc{tcpPair, tlsPair} {
		for payload, code := range bad {
			c, peer := connectScripted(t, pair, RoleServer, ConnConfig{MaxMessageSize: 150, Heartbeat: -1})
			frame := peer.text(payload)
			if payload == "" {
				frame = peer.frame(OpContinuation, true, "")
			}
			peer.send(frame, bytes.Repeat(peer.text("more"), 1000))
			read := async(func() error { _, _, err := c.Read(bg); return err })
			for range 50 {
				peer.send(bytes.Repeat(peer.text("and more"), 100))
			}
			peer.expectClose(code)
			peer.Close()
			assert.Equal(t, code, CloseStatus(within(t, time.Minute, read)))
		}
	}
}

// Why a connection is failed also reaches a peer that has half-closed it.
func TestFailureReachesHalfClosedPeer(t *testing.T) {
	for _, pair := range []pairFunc{tcpPair, tlsPair} {
		for range 20 {
			c, peer := connectScripted(t, pair, RoleServer)
			peer.send(peer.frame(OpContinuation, true, ""))
			require.NoError(t, peer.Conn.(interface{ CloseWrite() error }).CloseWrite())
			time.Sleep(time.Millisecond) // both are there to be read
			read := async(func() error { _, _, err := c.Read(bg); return err })
			peer.expectClose(StatusProtocolError)
			require.Equal(t, StatusProtocolError, CloseStatus(within(t, time.Minute, read)))
		}
	}
}

// A peer that keeps sending after it has been told is not listened to for ever.
func TestFailureDoesNotLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := connectScripted(t, pipePair, RoleServer)
		go peer.Write(peer.frame(OpContinuation, true, ""))
		go io.Copy(io.Discard, peer.Conn)
		begun := time.Now()
		_, _, err := c.Read(bg)
		assert.Equal(t, StatusProtocolError, CloseStatus(err))
		assert.Equal(t, lingerTime, time.Since(begun))
		peer.Close()
	})
}

// A panic in the caller's code ends the loan of a buffer to ReadInto.
func TestReadIntoPanicEndsTheLoan(t *testing.T) {
	boom := true
	c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{Trace: &Trace{MessageReceived: func(MessageType, int) {
		if boom {
			boom = false
			panic("boom")
		}
	}}})
	peer.send(peer.text("first"))
	buf := []byte(strings.Repeat("!", 64))
	require.Panics(t, func() { _, _, _ = c.ReadInto(bg, buf) })
	assert.False(t, c.l.rd.lent)
	for _, s := range []string{"a", "b", "c"} {
		long := strings.Repeat(s, 600)
		peer.send(peer.frame(OpBinary, false, long[:300]), peer.frame(OpContinuation, true, long[300:]))
	}
	var got []string
	for m, err := range c.Messages(bg) {
		require.NoError(t, err)
		bufpool.Put(append(bufpool.Get(600), strings.Repeat("Z", 600)...)) // somebody else's
		if got = append(got, string(m.Data)); len(got) == 3 {
			break
		}
	}
	assert.Equal(t, []string{strings.Repeat("a", 600), strings.Repeat("b", 600), strings.Repeat("c", 600)}, got)
	assert.Equal(t, strings.Repeat("!", 64), string(buf))
}

// A connection whose application is at work holds no buffer for what it has read.
func TestReadHoldsNoBuffer(t *testing.T) {
	for name, read := range map[string]func(c *Conn) error{
		"Read":     func(c *Conn) error { _, _, err := c.Read(bg); return err },
		"ReadInto": func(c *Conn) error { _, _, err := c.ReadInto(bg, make([]byte, 10)); return err },
	} {
		c, peer := connectScripted(t, tcpPair, RoleServer)
		peer.sends(peer.text("x"))
		require.NoError(t, read(c), name)
		assert.True(t, c.l.rd.buf.chunk == nil, name)
	}
}

// A Writer tells of a missing context also where it only collects.
func TestWriterWithoutContext(t *testing.T) {
	c, _ := connectScripted(t, tcpPair, RoleServer)
	w, err := c.Writer(bg, MessageText)
	require.NoError(t, err)
	var none context.Context
	w.SetContext(none)
	_, err = w.WriteString("x")
	require.ErrorIs(t, err, errNilContext)
}

// The trace is told once of a message that is received in pieces, with its whole size.
func TestTraceOfPieces(t *testing.T) {
	var sizes []int
	trace := &Trace{MessageReceived: func(typ MessageType, size int) {
		assert.Equal(t, MessageBinary, typ)
		sizes = append(sizes, size)
	}}
	c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{Trace: trace})
	peer.sends(
		peer.frame(OpBinary, false, "12345"), peer.frame(OpContinuation, true, "678"),
		peer.frame(OpBinary, true, ""),
		peer.frame(OpBinary, false, "1"), peer.frame(OpContinuation, true, "2"),
		peer.frame(OpBinary, true, "123"),
	)
	for range 2 {
		_, r, err := c.Reader(bg)
		require.NoError(t, err)
		_, err = io.ReadAll(r)
		require.NoError(t, err)
	}
	_, _, err := c.Reader(bg) // and abandoned
	require.NoError(t, err)
	_, _, err = c.Read(bg)
	require.NoError(t, err)
	assert.Equal(t, []int{8, 0, 2, 3}, sizes)
}
