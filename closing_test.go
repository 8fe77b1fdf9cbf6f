package websocket

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// CHECKLIST 14, 15: the handshake in both directions, and what both sides are
// told, by the call that finds the end and by those after it.
func TestCloseTellsBothSides(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for _, side := range []Role{RoleServer, RoleClient} {
			client, server := connectPair(t, pair)
			closer, other := client, server
			if side == RoleServer {
				closer, other = server, client
			}
			read := async(func() error { _, _, err := other.Read(bg); return err })
			require.NoError(t, closer.Close(4000, "why"))
			assert.Equal(t, StateClosed, closer.State())
			within(t, time.Minute, closer.Done())

			err := within(t, time.Minute, read)
			var ce *CloseError
			require.ErrorAs(t, err, &ce)
			assert.Equal(t, CloseError{Code: 4000, Reason: "why", Remote: true}, *ce)
			require.NotErrorIs(t, err, net.ErrClosed, "the first to see the end gets the cause alone")
			assert.Equal(t, err, other.Err())

			require.ErrorAs(t, closer.Err(), &ce)
			assert.False(t, ce.Remote)
			assert.Equal(t, StatusCode(4000), ce.Code, "what the peer sent")
			for _, c := range []*Conn{closer, other} {
				checkAfterEnd(t, c, c.Err())
			}
		}
	})
}

// checkAfterEnd sees that every call on a connection that has ended matches
// net.ErrClosed and wraps the cause.
func checkAfterEnd(t *testing.T, c *Conn, cause error) {
	t.Helper()
	calls := map[string]func() error{
		"Read":     func() error { _, _, err := c.Read(bg); return err },
		"ReadInto": func() error { _, _, err := c.ReadInto(bg, nil); return err },
		"Reader":   func() error { _, _, err := c.Reader(bg); return err },
		"Write":    func() error { return c.WriteText(bg, "x") },
		"Write with a context": func() error {
			ctx, cancel := context.WithCancel(bg)
			defer cancel()
			return c.WriteText(ctx, "x")
		},
		"big Write": func() error { return c.Write(bg, MessageBinary, make([]byte, 1<<17)) },
		"Writer":    func() error { _, err := c.Writer(bg, MessageText); return err },
		"Send":      func() error { return c.Send(MessageText, nil) },
		"Flush":     func() error { return c.Flush(bg) },
		"Ping":      func() error { _, err := c.Ping(bg); return err },
		"SendPing":  func() error { return c.SendPing(nil) },
		"Close":     func() error { return c.Close(StatusNormalClosure, "") },
		"CloseNow":  c.CloseNow,
	}
	for name, call := range calls {
		for range 3 { // CHECKLIST 28: no panic on repeated reads
			err := call()
			require.ErrorIs(t, err, net.ErrClosed, name)
			require.ErrorIs(t, err, cause, name)
		}
	}
	assert.Equal(t, int64(0), c.BufferedAmount())
	for _, err := range c.Messages(bg) {
		require.ErrorIs(t, err, net.ErrClosed, "Messages")
		require.ErrorIs(t, err, cause, "Messages")
		assert.False(t, CloseStatus(cause) == StatusNormalClosure)
	}
}

// A read that this side's Close interrupts matches net.ErrClosed and the cause.
func TestCloseInterruptsRead(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		client, server := connectPair(t, pair)
		go server.Read(bg)
		read := async(func() error { _, _, err := client.Read(bg); return err })
		waitUntil(t, client.reading)
		require.NoError(t, client.Close(StatusNormalClosure, ""))
		err := within(t, time.Minute, read)
		require.ErrorIs(t, err, net.ErrClosed)
		assert.Equal(t, StatusNormalClosure, CloseStatus(err))
	})
}

// reading reports whether somebody has the reading side.
func (c *Conn) reading() bool {
	c.l.rd.role.mu.Lock()
	defer c.l.rd.role.mu.Unlock()
	return c.l.rd.role.held
}

func TestCloseNowInterruptsEverybody(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, _ := connectScripted(t, pair, RoleServer)
		const writers = 6
		results := make(chan error, writers+2)
		go func() { _, _, err := c.Read(bg); results <- err }()
		go func() { _, err := c.Ping(bg); results <- err }()
		for i := range writers {
			go func() {
				ctx, cancel := bg, context.CancelFunc(func() {})
				if i%2 == 0 {
					ctx, cancel = context.WithCancel(bg)
				}
				defer cancel()
				// More than any kernel takes: nobody can be done.
				results <- c.Write(ctx, MessageBinary, make([]byte, stuckSize))
			}()
		}
		waitUntil(t, func() bool { return c.reading() && c.BufferedAmount() > (writers-1)*stuckSize })
		require.NoError(t, c.CloseNow())
		for range writers + 2 {
			err := within(t, time.Minute, results)
			require.ErrorIs(t, err, net.ErrClosed, "nothing of it was sent, or not all")
		}
		require.ErrorIs(t, c.Err(), net.ErrClosed)
		require.ErrorIs(t, c.CloseNow(), net.ErrClosed)
		require.ErrorIs(t, c.Close(StatusNormalClosure, ""), net.ErrClosed)
	})
}

// CHECKLIST 13: a peer that never answers, with the time that may take.
func TestCloseTimeout(t *testing.T) {
	for _, reads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c, peer := connectScripted(t, pipePair, RoleServer, ConnConfig{CloseTimeout: 3 * time.Second, Heartbeat: -1})
			if reads {
				go io.Copy(io.Discard, peer)
			}
			begun := time.Now()
			err := c.Close(StatusNormalClosure, "")
			assert.Equal(t, 3*time.Second, time.Since(begun))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.ErrorIs(t, c.Err(), os.ErrDeadlineExceeded)
			peer.Close()
		})
	}
}

// CHECKLIST 14: Close does not wait behind a stuck writer for longer than its
// time-out, and the writer gets to know.
func TestCloseBehindStuckWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := connectScripted(t, pipePair, RoleServer, ConnConfig{CloseTimeout: 2 * time.Second, Heartbeat: -1})
		var writers []<-chan error
		for range 3 {
			writers = append(writers, async(func() error { return c.Write(bg, MessageBinary, make([]byte, 20<<10)) }))
		}
		synctest.Wait()
		begun := time.Now()
		require.ErrorIs(t, c.Close(StatusNormalClosure, ""), os.ErrDeadlineExceeded)
		assert.Equal(t, 2*time.Second, time.Since(begun))
		for _, w := range writers {
			require.ErrorIs(t, <-w, net.ErrClosed)
		}
		peer.Close()
	})
	c, _ := connectScripted(t, tcpPair, RoleServer, ConnConfig{CloseTimeout: 50 * time.Millisecond})
	w := async(func() error { return c.Write(bg, MessageBinary, make([]byte, stuckSize)) })
	waitUntil(t, func() bool { return c.BufferedAmount() > 0 })
	require.ErrorIs(t, c.Close(StatusNormalClosure, ""), os.ErrDeadlineExceeded)
	require.ErrorIs(t, within(t, time.Minute, w), net.ErrClosed)
}

// CHECKLIST 13: a peer that half-closes instead of answering.
func TestCloseHalfClosed(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	go func() {
		peer.expectClose(StatusNormalClosure)
		peer.Conn.(*net.TCPConn).CloseWrite()
	}()
	err := c.Close(StatusNormalClosure, "")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorIs(t, c.Err(), io.ErrUnexpectedEOF)
}

// A peer that goes without a close frame.
func TestPeerGone(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		peer.sends(peer.frame(OpText, false, "half"))
		read := async(func() error { _, _, err := c.Read(bg); return err })
		waitUntil(t, c.reading)
		peer.Close()
		err := within(t, time.Minute, read)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			require.NotErrorIs(t, err, net.ErrClosed)
		}
		require.NotErrorIs(t, err, net.ErrClosed)
		assert.Equal(t, StatusCode(0), CloseStatus(err))
		checkAfterEnd(t, c, c.Err())
	})
}

// CHECKLIST 13: data after our close frame is dropped, pings are not answered
// with data, and the peer's answer counts.
func TestDataAfterClose(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleClient)
		closed := async(func() error { return c.Close(4001, "bye") })
		assert.Equal(t, "bye", peer.expectClose(4001))
		peer.send(peer.text("late"), peer.frame(OpPing, true, "late"), peer.frame(OpText, false, "la"))
		require.ErrorIs(t, c.WriteText(bg, "x"), net.ErrClosed)
		require.ErrorIs(t, c.Send(MessageText, nil), net.ErrClosed)
		require.ErrorIs(t, c.SendPing(nil), net.ErrClosed)
		peer.send(peer.closeFrame(4002, "answer"))
		peer.Close()
		require.NoError(t, within(t, time.Minute, closed))
		var ce *CloseError
		require.ErrorAs(t, c.Err(), &ce)
		assert.Equal(t, CloseError{Code: 4002, Reason: "answer"}, *ce)
	})
}

// CHECKLIST 13: nothing is sent after the close frame, also not what waited
// for a message in fragments to end.
func TestNothingAfterCloseFrame(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		got := async(func() []Opcode {
			var ops []Opcode
			for {
				h, _, err := peer.next()
				if err != nil {
					return ops
				}
				ops = append(ops, h.Opcode)
			}
		})
		w, err := c.Writer(bg, MessageText)
		require.NoError(t, err)
		_, err = w.Write([]byte("half"))
		require.NoError(t, err)
		require.NoError(t, w.Flush())
		require.NoError(t, c.Send(MessageText, []byte("held")))
		held := async(func() error { return c.WriteText(bg, "waits") })
		closed := async(func() error { return c.Close(StatusNormalClosure, "") })
		require.ErrorIs(t, within(t, time.Minute, held), net.ErrClosed)
		require.ErrorIs(t, w.Close(), net.ErrClosed)
		_, err = w.Write([]byte("x"))
		require.Error(t, err)
		peer.send(peer.closeFrame(StatusNormalClosure, ""))
		require.NoError(t, within(t, time.Minute, closed))
		assert.Equal(t, []Opcode{OpText, OpClose}, within(t, time.Minute, got))
		assert.Equal(t, int64(0), c.BufferedAmount())
	})
}

// CHECKLIST 13: codes that must not be sent close with 1011, long reasons are
// cut at a character, and both still close.
func TestCloseArguments(t *testing.T) {
	long := strings.Repeat("é", 100)
	for _, tc := range []struct {
		code   StatusCode
		reason string
		sent   StatusCode
		want   string
		bad    bool
	}{
		{code: StatusNormalClosure, reason: long, sent: StatusNormalClosure, want: long[:122]},
		{code: StatusAbnormalClosure, sent: StatusInternalError, bad: true},
		{code: 0, reason: "x", sent: StatusInternalError, bad: true},
		{code: 999, sent: StatusInternalError, bad: true},
		{code: 2000, sent: StatusInternalError, bad: true},
		{code: 5000, sent: StatusInternalError, bad: true},
		{code: StatusNoStatusReceived, sent: StatusNoStatusReceived},
		{code: StatusNoStatusReceived, reason: "x", sent: StatusInternalError, bad: true},
		{code: StatusGoingAway, reason: "\xff", sent: StatusGoingAway, want: "\ufffd", bad: true},
	} {
		client, server := connectPair(t, tcpPair)
		read := async(func() error { _, _, err := server.Read(bg); return err })
		err := client.Close(tc.code, tc.reason)
		assert.Equal(t, tc.bad, err != nil, "%d %q: %v", tc.code, tc.reason, err)
		var ce *CloseError
		require.ErrorAs(t, within(t, time.Minute, read), &ce)
		assert.Equal(t, tc.sent, ce.Code)
		if tc.want != "" {
			assert.Equal(t, tc.want, ce.Reason)
		}
	}
}

// CHECKLIST 14: a second Close waits for the end as well, and says that it was
// not the one.
func TestCloseTwiceAtOnce(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		closes := make(chan error, 4)
		for range 4 {
			go func() {
				err := c.Close(StatusNormalClosure, "")
				select {
				case <-c.Done():
				default:
					err = errors.New("Close returned before the end")
				}
				closes <- err
			}()
		}
		peer.expectClose(StatusNormalClosure)
		select {
		case err := <-closes:
			require.FailNow(t, "Close did not wait", "%v", err)
		default:
		}
		peer.send(peer.closeFrame(StatusNormalClosure, ""))
		peer.expectEnd()
		good := 0
		for range 4 {
			if err := within(t, time.Minute, closes); err == nil {
				good++
			} else {
				require.ErrorIs(t, err, net.ErrClosed)
				assert.Equal(t, StatusNormalClosure, CloseStatus(err))
			}
		}
		assert.Equal(t, 1, good)
	})
}

// A client waits for the server to close the transport (RFC 6455, section
// 7.1.1), but no longer than the context of its read and CloseTimeout allow.
func TestServerLeavesTransportOpen(t *testing.T) {
	for _, patience := range []time.Duration{time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c, peer := connectScripted(t, pipePair, RoleClient)
			peer.sends(peer.closeFrame(StatusGoingAway, ""))
			go io.Copy(io.Discard, peer.Conn)
			ctx, cancel := context.WithTimeout(bg, patience)
			defer cancel()
			begun := time.Now()
			_, _, err := c.Read(ctx)
			assert.Equal(t, StatusGoingAway, CloseStatus(err))
			assert.Equal(t, min(patience, DefaultCloseTimeout), time.Since(begun))
			<-c.Done()
			peer.Close()
		})
	}
}

// A Close that CloseNow interrupts does not claim that the peer has answered.
func TestCloseNowInterruptsClose(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		closed := async(func() error { return c.Close(StatusNormalClosure, "") })
		peer.expectClose(StatusNormalClosure)
		require.NoError(t, c.CloseNow())
		require.ErrorIs(t, within(t, time.Minute, closed), net.ErrClosed)
	})
}

// While somebody else ends the connection, a Close waits and does not spin.
func TestCloseWaitsForTheEnd(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{Heartbeat: -1, Trace: &Trace{
		Closed: func(error) { time.Sleep(20 * time.Millisecond) },
	}})
	closed := async(func() error { return c.Close(StatusNormalClosure, "") })
	peer.expectClose(StatusNormalClosure)
	require.NoError(t, c.CloseNow())
	require.ErrorIs(t, within(t, time.Minute, closed), net.ErrClosed)
	assert.Less(t, c.l.serial, uint32(10), "how often it took the reading side")
}

// CHECKLIST 14: Close in a loop's body returns at once; the loop goes on to the
// end without handing out anything more, or breaking sees the handshake through.
func TestCloseInsideMessages(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for _, leave := range []bool{false, true} {
			c, peer := connectScripted(t, pair, RoleServer)
			peer.sends(peer.text("a"), peer.text("b"))
			n := 0
			done := async(func() bool {
				for m, err := range c.Messages(bg) {
					assert.NoError(t, err)
					assert.Equal(t, "a", string(m.Data))
					assert.NoError(t, c.Close(4000, "inside"))
					assert.Equal(t, StateClosing, c.State())
					n++
					if leave {
						break
					}
				}
				return true
			})
			peer.expectClose(4000)
			peer.send(peer.closeFrame(4000, ""))
			within(t, time.Minute, done)
			assert.Equal(t, 1, n)
			within(t, time.Minute, c.Done())
			assert.Equal(t, StatusCode(4000), CloseStatus(c.Err()))
		}
	})
}

// A Close that comes just as the loop hands out a message does not wait for the
// body, which may wait for it.
func TestCloseAsTheBodyBegins(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		received, closed := make(chan struct{}), make(chan struct{})
		var c *Conn
		c, peer := connectScripted(t, pair, RoleServer, ConnConfig{Heartbeat: -1, Trace: &Trace{
			MessageReceived: func(MessageType, int) { // after the loop has seen that c is open
				close(received)
				waitUntil(t, func() bool { return c.State() == StateClosing })
				time.Sleep(5 * time.Millisecond)
			},
		}})
		peer.sends(peer.text("x"))
		go func() {
			defer close(closed)
			<-received
			c.Close(StatusNormalClosure, "")
		}()
		done := async(func() bool {
			for range c.Messages(bg) {
				<-closed
			}
			return true
		})
		peer.expectClose(StatusNormalClosure)
		peer.send(peer.closeFrame(StatusNormalClosure, ""))
		within(t, 10*time.Second, done)
	})
}

// Close waits for the end while a loop ends the connection, also where the loop has
// handed out a message that came together with what ends it.
func TestCloseWhileALoopEnds(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for _, role := range []Role{RoleServer, RoleClient} {
			c, peer := connectScripted(t, pair, role)
			got := 0
			loop := async(func() (err error) {
				for _, err = range c.Messages(bg) {
					if err == nil {
						got++
					}
				}
				return err
			})
			waitUntil(t, c.reading)
			wrong := peer.frame(OpText, true, "b")
			wrong[0] |= 0x40
			peer.sends(append(peer.text("a"), wrong...))
			waitUntil(t, func() bool { return c.State() == StateClosing }) // the peer takes its time
			closed := async(func() error { return c.Close(StatusNormalClosure, "") })
			select {
			case <-closed:
				require.FailNow(t, "Close has not waited")
			case <-time.After(20 * time.Millisecond):
			}
			peer.Close()
			require.ErrorIs(t, within(t, time.Minute, closed), net.ErrClosed)
			select {
			case <-c.Done():
			default:
				require.Fail(t, "Close has not waited to the end")
			}
			<-loop
			assert.Equal(t, 1, got)
		}
	})
}

// CloseNow in a loop's body ends the loop in silence.
func TestCloseNowInsideMessages(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		peer.sends(peer.text("a"), peer.text("b"))
		n := 0
		for _, err := range c.Messages(bg) {
			require.NoError(t, err)
			require.NoError(t, c.CloseNow())
			n++
		}
		assert.Equal(t, 1, n)
		assert.False(t, c.reading())
	})
}

// Close takes the read over that was canceled.
func TestCloseAfterCancelledRead(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		client, server := connectPair(t, pair)
		ctx, cancel := context.WithCancel(bg)
		read := async(func() error { _, _, err := client.Read(ctx); return err })
		waitUntil(t, client.reading)
		closed := async(func() error { return client.Close(StatusNormalClosure, "") })
		waitUntil(t, func() bool { return client.State() == StateClosing })
		cancel()
		require.ErrorIs(t, within(t, time.Minute, read), context.Canceled)
		go server.Read(bg)
		require.NoError(t, within(t, time.Minute, closed))
	})
}

// CHECKLIST 13: writing fails first, and still the reader sees what the peer
// had sent: its close frame, not an end without one.
func TestReaderSeesCloseAfterWriteFailed(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		first := async(func() error { _, _, err := c.Read(bg); return err })
		peer.send(peer.text("first"))
		require.NoError(t, within(t, time.Minute, first))
		if _, synchronous := peer.Conn.(interface{ CloseWrite() error }); !synchronous {
			return // a pipe holds nothing that could be read after its end
		}
		peer.send(peer.text("last"), peer.closeFrame(4000, "really"))
		peer.Close()
		waitUntil(t, func() bool { return c.WriteText(bg, "anybody?") != nil })
		time.Sleep(20 * time.Millisecond) // the reader may be a little late
		_, p, err := c.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, "last", string(p))
		_, _, err = c.Read(bg)
		var ce *CloseError
		require.ErrorAs(t, err, &ce)
		assert.Equal(t, CloseError{Code: 4000, Reason: "really", Remote: true}, *ce)
		checkAfterEnd(t, c, c.Err())
	})
}

// Writing fails and nobody reads: the connection ends all the same, and every
// later call says so.
func TestWriteFailedAndNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := connectScripted(t, pipePair, RoleServer)
		peer.Close()
		first := c.WriteText(bg, "x")
		require.Error(t, first)
		require.NotErrorIs(t, first, net.ErrClosed)
		begun := time.Now()
		<-c.Done()
		assert.LessOrEqual(t, time.Since(begun), brokenTime)
		require.ErrorIs(t, c.Err(), first)
		checkAfterEnd(t, c, c.Err())
	})
}

// CloseStatus finds the code wherever it is wrapped.
func TestCloseStatusOf(t *testing.T) {
	ce := &CloseError{Code: 4321}
	assert.Equal(t, StatusCode(4321), CloseStatus(errClosed(ce)))
	assert.Equal(t, StatusCode(0), CloseStatus(nil))
	assert.Equal(t, StatusCode(0), CloseStatus(io.EOF))
}

// An answer that breaks the protocol is none.
func TestCloseAnsweredBadly(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		c, peer := connectScripted(t, pair, RoleServer)
		closed := async(func() error { return c.Close(StatusNormalClosure, "") })
		peer.expectClose(StatusNormalClosure)
		peer.send(peer.frame(3, true, ""))
		peer.Close()
		err := within(t, time.Minute, closed)
		require.Equal(t, StatusProtocolError, CloseStatus(err), "%v", err)
		require.ErrorIs(t, err, c.Err())
	})
}

// A hook must not panic; if it does, nobody waits for Done in vain.
func TestDoneThoughHookPanics(t *testing.T) {
	nc, _ := net.Pipe()
	server, err := NewConn(nc, &ConnConfig{Role: RoleServer, Trace: &Trace{Closed: func(error) { panic("oops") }}})
	require.NoError(t, err)
	assert.PanicsWithValue(t, "oops", func() { _ = server.CloseNow() })
	requireClosed(t, server.Done())
}

// While this side closes, the reading side is not free for CloseRead either, and that is why.
func TestCloseReadWhileClosing(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	go c.Close(StatusNormalClosure, "")
	peer.expectClose(StatusNormalClosure)
	waitUntil(t, c.reading)
	require.ErrorIs(t, context.Cause(c.CloseRead(bg)), net.ErrClosed)
}

// Close tells that the peer did not answer, also where CloseRead has the reading side and is done
// with it first.
func TestCloseAfterCloseReadIsNotAnswered(t *testing.T) {
	for range 50 {
		c, _ := connectScripted(t, tcpPair, RoleServer, ConnConfig{Heartbeat: -1, CloseTimeout: 5 * time.Millisecond})
		c.CloseRead(bg)
		require.ErrorIs(t, c.Close(StatusNormalClosure, ""), os.ErrDeadlineExceeded)
	}
}

// What was accepted behind an open Writer is sent before the close frame as long as it
// does not come between fragments.
func TestCloseSendsWhatIsHeld(t *testing.T) {
	const fragment = "a fragment"
	write := func(ctx context.Context, w *MessageWriter) error {
		w.SetContext(ctx)
		if _, err := w.WriteString(fragment); err != nil {
			return err
		}
		return w.Flush()
	}
	for name, tt := range map[string]struct {
		behind func(t *testing.T, c *Conn, w *MessageWriter)
		want   []string
	}{
		"nothing": {func(*testing.T, *Conn, *MessageWriter) {}, []string{"held"}},
		"a fragment that was given up": {func(t *testing.T, _ *Conn, w *MessageWriter) {
			ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, write(ctx, w), context.DeadlineExceeded)
		}, []string{"held"}},
		"a fragment": {func(t *testing.T, c *Conn, w *MessageWriter) {
			go write(bg, w)
			waitUntil(t, func() bool { return c.waiting() > 0 })
		}, []string{fragment}},
		"a fragment, and one that was given up": {func(t *testing.T, c *Conn, w *MessageWriter) {
			ctx, cancel := context.WithCancel(bg)
			first := async(func() error { return write(ctx, w) })
			waitUntil(t, func() bool { return c.waiting() > 0 })
			c.l.wr.mu.Lock()
			c.l.wr.box.queue[0].bonds |= bondSealed // as if its first byte had been sent
			c.l.wr.mu.Unlock()
			cancel()
			require.ErrorIs(t, <-first, context.Canceled)
			ctx, cancel = context.WithTimeout(bg, 10*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, write(ctx, w), context.DeadlineExceeded)
		}, []string{fragment}},
		"its end": {func(t *testing.T, c *Conn, w *MessageWriter) {
			go c.l.write(bg, OpText, []byte("whole"), &parcel{op: OpText, p: []byte("whole"), inside: true})
			waitUntil(t, func() bool { return c.waiting() > 0 })
		}, []string{"whole", "held"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{Heartbeat: -1, SendLimit: -1})
			go c.Write(bg, MessageBinary, make([]byte, stuckSize))
			waitUntil(t, func() bool { return c.BufferedAmount() > 0 })
			w, err := c.Writer(bg, MessageText)
			require.NoError(t, err)
			tt.behind(t, c, w)
			require.NoError(t, c.Send(MessageText, []byte("held")))
			closed := async(func() error { return c.Close(StatusNormalClosure, "") })
			waitUntil(t, func() bool { return c.State() == StateClosing })
			require.Len(t, peer.expect(OpBinary), stuckSize)
			for _, want := range tt.want {
				require.Equal(t, want, peer.expect(OpText))
			}
			peer.expect(OpClose)
			peer.send(peer.closeFrame(StatusNormalClosure, ""))
			require.NoError(t, within(t, time.Minute, closed))
		})
	}
}

// The end of a message in fragments that others follow, since Close took it for sent, is
// not taken back; nor is its beginning, for which Close dropped what was held back.
func TestCloseReliesOnFragments(t *testing.T) {
	locked := func(c *Conn, what func(w *writer) bool) func() bool {
		return func() bool {
			c.l.wr.mu.Lock()
			defer c.l.wr.mu.Unlock()
			return what(&c.l.wr)
		}
	}
	const size = 16 << 20 // more than the kernel takes
	closed := func(w *writer) bool { return w.out.closed }
	t.Run("end", func(t *testing.T) {
		c, peer := connectPair(t, tcpPair, ConnConfig{Heartbeat: -1, SendLimit: -1, MaxMessageSize: -1})
		ctx, cancel := context.WithTimeout(bg, 200*time.Millisecond)
		defer cancel()
		w, err := c.Writer(ctx, MessageBinary)
		require.NoError(t, err)
		_, err = w.Write(make([]byte, size))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, c.Send(MessageText, []byte("held")))
		ctx, cancel = context.WithCancel(bg)
		w.SetContext(ctx)
		ended := async(w.Close)
		waitUntil(t, locked(c, func(w *writer) bool { return !w.begun() && len(w.box.queue) > 0 }))
		done := async(func() error { return c.Close(StatusNormalClosure, "") })
		waitUntil(t, locked(c, closed))
		cancel()
		require.NoError(t, within(t, time.Minute, ended), "it is sent")
		_, p, err := peer.Read(bg)
		require.NoError(t, err)
		assert.Len(t, p, size)
		_, p, err = peer.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, "held", string(p))
		_, _, err = peer.Read(bg)
		assert.Equal(t, StatusNormalClosure, CloseStatus(err), "%v", err)
		require.NoError(t, within(t, time.Minute, done))
	})
	t.Run("beginning", func(t *testing.T) {
		c, peer := connectPair(t, tcpPair, ConnConfig{Heartbeat: -1, SendLimit: -1, MaxMessageSize: -1})
		ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, c.Write(ctx, MessageBinary, make([]byte, size)), context.DeadlineExceeded)
		ctx, cancel = context.WithCancel(bg)
		w, err := c.Writer(ctx, MessageBinary)
		require.NoError(t, err)
		require.NoError(t, c.Send(MessageText, []byte("held")))
		written := async(func() error {
			n, err := w.Write(make([]byte, 5000))
			assert.Equal(t, 5000, n, "it is sent, and so nothing else is")
			return err
		})
		waitUntil(t, locked(c, func(w *writer) bool { return w.begun() && len(w.box.queue) > 0 }))
		done := async(func() error { return c.Close(StatusNormalClosure, "") })
		waitUntil(t, locked(c, closed))
		cancel()
		require.ErrorIs(t, within(t, time.Minute, written), context.Canceled)
		_, p, err := peer.Read(bg)
		require.NoError(t, err)
		assert.Len(t, p, size)
		_, _, err = peer.Read(bg)
		assert.Equal(t, StatusNormalClosure, CloseStatus(err), "%v", err)
		require.NoError(t, within(t, time.Minute, done))
	})
}

// waiting returns how many wait for others to send.
func (c *Conn) waiting() int {
	c.l.wr.mu.Lock()
	defer c.l.wr.mu.Unlock()
	if c.l.wr.box == nil {
		return 0
	}
	return len(c.l.wr.box.queue)
}

// Done: "the body of a Messages loop, or a callback, must have returned".
func TestDoneWaitsForBody(t *testing.T) {
	overTransports(t, func(t *testing.T, pair func(testing.TB) (client, server net.Conn)) {
		for _, how := range []string{"Messages", "Serve", "Engine", "Blocking"} {
			c, peer := connectScripted(t, pair, RoleServer)
			in, out := make(chan struct{}), make(chan struct{})
			body := func() { close(in); <-out }
			ev := &Events{Message: func(*Conn, MessageType, []byte) { body() }}
			switch how {
			case "Messages":
				go func() {
					for range c.Messages(bg) {
						body()
					}
				}()
			case "Serve":
				go ev.Serve(bg, c)
			default:
				require.NoError(t, newEngine(t, &EngineOptions{Loops: 1, Blocking: how == "Blocking"}).Attach(c, ev))
			}
			peer.sends(peer.text("x"))
			<-in
			require.NoError(t, c.CloseNow())
			select {
			case <-c.Done():
				t.Error(how)
			case <-time.After(10 * time.Millisecond):
			}
			close(out)
			within(t, time.Minute, c.Done())
		}
	})
}

// A ping in a loop's body ends with the connection, though all is over only once the body ends.
func TestPingInBodyEndsWithConnection(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	peer.send(peer.text("text"))
	for range c.Messages(bg) {
		ping := async(func() error { _, err := c.Ping(bg); return err })
		peer.expect(OpPing)
		require.NoError(t, c.CloseNow())
		require.ErrorIs(t, within(t, 10*time.Second, ping), net.ErrClosed)
	}
}

// What this side has closed with is part of the cause, though the peer repeats the code alone, or
// does not answer.
func TestOwnReason(t *testing.T) {
	for name, tc := range map[string]struct {
		answer StatusCode
		want   string
	}{
		"repeats": {4001, "websocket: closed: 4001: session expired"},
		"other":   {4002, "websocket: closed: 4002"},
		"nothing": {0, "websocket: the peer did not answer the close frame (4001: session expired) in time"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, peer := connectScripted(t, pipePair, RoleServer)
				closed := async(func() error { return c.Close(4001, "session expired") })
				peer.expectClose(4001)
				if tc.answer != 0 {
					peer.send(peer.closeFrame(tc.answer, ""))
				}
				<-closed
				<-c.Done()
				assert.EqualError(t, c.Err(), tc.want)
				peer.Close()
			})
		})
	}
}

func TestEndWithoutCloseFrameSaysSo(t *testing.T) {
	c, peer := connectScripted(t, tcpPair, RoleServer)
	require.NoError(t, peer.Close())
	_, _, err := c.Read(bg)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.EqualError(t, err, "websocket: the peer went without a close frame: unexpected EOF")
}
