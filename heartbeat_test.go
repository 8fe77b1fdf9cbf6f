package websocket

import (
	"context"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var beating = ConnConfig{Heartbeat: 10 * time.Second, HeartbeatTimeout: 4 * time.Second}

// A ping leaves after silence; without an answer the connection fails.
func TestHeartbeatTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pings atomic.Int32
		cfg := beating
		cfg.Trace = &Trace{HeartbeatSent: func() { pings.Add(1) }}
		c, peer := connectScripted(t, pipePair, RoleServer, cfg)
		begun := time.Now()
		read := async(func() error { _, _, err := c.Read(bg); return err })
		peer.expect(OpPing)
		assert.Equal(t, 10*time.Second, time.Since(begun).Round(time.Millisecond))
		time.Sleep(3 * time.Second)
		peer.send(peer.frame(OpPong, true, "whatever it is, the peer lives"))
		begun = time.Now()
		peer.expect(OpPing)
		assert.Equal(t, 10*time.Second, time.Since(begun).Round(time.Millisecond))
		err := <-read
		assert.Equal(t, 14*time.Second, time.Since(begun).Round(time.Millisecond))
		require.ErrorIs(t, err, ErrHeartbeat)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NotErrorIs(t, err, net.ErrClosed)
		assert.Equal(t, int32(2), pings.Load())
		checkAfterEnd(t, c, ErrHeartbeat)
		peer.Close()
	})
}

// What doc.go says of testing: a pipe of package net will do, in a bubble.
func TestHeartbeatInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		var pings atomic.Int32
		trace := &Trace{HeartbeatSent: func() { pings.Add(1) }}
		server, err := NewConn(a, &ConnConfig{Role: RoleServer, Trace: trace})
		require.NoError(t, err)
		client, err := NewConn(b, &ConnConfig{Role: RoleClient, Heartbeat: -1})
		require.NoError(t, err)
		read := async(func() error { _, _, err := server.Read(bg); return err })
		answered := async(func() error { _, _, err := client.Read(bg); return err })
		time.Sleep(10*DefaultHeartbeat + time.Second)
		assert.Equal(t, int32(10), pings.Load())
		require.NoError(t, server.Close(StatusGoingAway, ""))
		require.ErrorIs(t, <-read, net.ErrClosed)
		assert.Equal(t, StatusGoingAway, CloseStatus(<-answered))
	})
}

// Where the timer comes late, the reader may not have been able to receive either: once, the
// peer is given its time again.
func TestHeartbeatLateTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := connectScripted(t, pipePair, RoleServer, beating)
		read := async(func() error { _, _, err := c.Read(bg); return err })
		peer.expect(OpPing)
		for late := range 2 {
			c.l.mu.Lock()
			c.l.alarm.timer.Stop()
			c.l.mu.Unlock()
			time.Sleep(4*time.Second + 2*askedLate)
			require.Equal(t, StateOpen, c.State())
			c.l.tick()
			want := StateOpen
			if late > 0 {
				want = StateClosed
			}
			require.Equal(t, want, c.State())
		}
		require.ErrorIs(t, <-read, ErrHeartbeat)
		peer.Close()
	})
}

// A busy application is not a dead peer: the time-out runs only while a read
// waits for input.
func TestHeartbeatBusyApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := connectScripted(t, pipePair, RoleServer, beating)
		out := make(chan []byte, 10000)
		out <- peer.text("a")
		go func() {
			for b := range out {
				peer.Write(b)
			}
		}()
		go func() { // answers at once, whenever it is asked
			defer close(out)
			for {
				_, p, err := peer.next()
				if err != nil {
					return
				}
				out <- peer.frame(OpPong, true, string(p))
			}
		}()
		_, _, err := c.Read(bg)
		require.NoError(t, err)
		time.Sleep(time.Hour) // busy
		require.NoError(t, c.Err())
		ctx, cancel := context.WithTimeout(bg, time.Hour)
		defer cancel()
		_, _, err = c.Read(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		c.CloseNow()
		peer.Close()
	})
}

// Reads that are canceled again and again do not keep a dead peer alive.
func TestHeartbeatCancelledReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := connectScripted(t, pipePair, RoleServer, beating)
		go io.Copy(io.Discard, peer.Conn)
		begun := time.Now()
		for {
			ctx, cancel := context.WithTimeout(bg, time.Second)
			_, _, err := c.Read(ctx)
			cancel()
			if err != context.DeadlineExceeded {
				require.ErrorIs(t, err, ErrHeartbeat)
				break
			}
			time.Sleep(time.Millisecond)
			require.Less(t, time.Since(begun), time.Minute)
		}
		assert.LessOrEqual(t, time.Since(begun), 30*time.Second)
		peer.Close()
	})
}

// Off means off, and a peer may be silent for ever without a time-out.
func TestHeartbeatOff(t *testing.T) {
	for _, cfg := range []ConnConfig{{Heartbeat: -1}, {Heartbeat: time.Second, HeartbeatTimeout: -1}} {
		synctest.Test(t, func(t *testing.T) {
			c, peer := connectScripted(t, pipePair, RoleServer, cfg)
			go io.Copy(io.Discard, peer.Conn)
			ctx, cancel := context.WithTimeout(bg, 24*time.Hour)
			defer cancel()
			_, _, err := c.Read(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			c.CloseNow()
			peer.Close()
		})
	}
}

// A peer that takes a long message slowly is not dead, though the heartbeat has
// to wait behind that message; one that stops taking it is.
func TestHeartbeatBehindALongMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		c, err := NewConn(a, &ConnConfig{Role: RoleServer, Heartbeat: time.Second, HeartbeatTimeout: 5 * time.Second})
		require.NoError(t, err)
		read := make(chan error, 1)
		go func() {
			_, _, err := c.Read(bg)
			read <- err
		}()
		written := make(chan error, 1)
		go func() { written <- c.Write(bg, MessageBinary, make([]byte, 1<<20)) }()
		p := make([]byte, 32<<10)
		for range 20 { // 40 seconds for 640 KiB
			_, err := io.ReadFull(b, p)
			require.NoError(t, err)
			time.Sleep(2 * time.Second)
		}
		assert.NoError(t, c.Err())
		stopped := time.Now()
		require.ErrorIs(t, <-read, ErrHeartbeat)
		assert.Less(t, time.Since(stopped), 15*time.Second)
		require.Error(t, <-written)
		b.Close()
	})
}

// A loop is one call: it tells of silence as Read does, not that the connection had
// been closed before.
func TestHeartbeatEndsALoop(t *testing.T) {
	loops := map[string]func(c *Conn) error{
		"Messages": func(c *Conn) error {
			for _, err := range c.Messages(bg) {
				return err
			}
			return nil
		},
		"Serve": func(c *Conn) error { return (&Events{}).Serve(bg, c) },
	}
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for name, loop := range loops {
			cfg := ConnConfig{Heartbeat: 10 * time.Millisecond, HeartbeatTimeout: 20 * time.Millisecond}
			c, peer := connectScripted(t, pair, RoleServer, cfg)
			go io.Copy(io.Discard, peer.Conn)
			err := within(t, time.Minute, async(func() error { return loop(c) }))
			assert.ErrorIs(t, err, ErrHeartbeat, name)
			assert.NotErrorIs(t, err, net.ErrClosed, name)
			peer.Close()
		}
	})
}

// Every way of reading has heartbeats, from its first wait on.
func TestEveryWayOfReadingHasHeartbeats(t *testing.T) {
	for name, read := range map[string]func(c *Conn){
		"Read":      func(c *Conn) { c.Read(bg) },
		"ReadInto":  func(c *Conn) { c.ReadInto(bg, nil) },
		"Reader":    func(c *Conn) { c.Reader(bg) },
		"CloseRead": func(c *Conn) { <-c.CloseRead(bg).Done() },
		"NetConn":   func(c *Conn) { NetConn(bg, c, MessageBinary).Read(make([]byte, 1)) },
		"Serve":     func(c *Conn) { (&Events{}).Serve(bg, c) },
		"Messages": func(c *Conn) {
			for range c.Messages(bg) {
			}
		},
		"Engine": func(c *Conn) {
			e, err := NewEngine(nil)
			assert.NoError(t, err)
			assert.NoError(t, e.Attach(c, &Events{}))
			<-c.Done()
			assert.NoError(t, e.Shutdown(bg))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, peer := connectScripted(t, tcpPair, RoleServer, ConnConfig{Heartbeat: 30 * time.Millisecond})
			go read(c)
			peer.expect(OpPing)
			c.CloseNow()
			<-c.Done()
		})
	}
}

// A receiptsTransport hands out receipts one after the other. Between them it has the
// loop wait where there is a nil one.
type receiptsTransport struct {
	memoryTransport
	receipts [][]byte
}

func (t *receiptsTransport) recv(in *input, _ []byte) (int, error) {
	if len(t.receipts) == 0 {
		return 0, io.EOF
	}
	in.fill(chunkSize)
	in.w = copy(in.buf, t.receipts[0])
	t.receipts = t.receipts[1:]
	if in.w == 0 {
		in.free()
		return 0, nil
	}
	return len(in.bytes()), nil
}

// What answers a ping that was sent while the body of a loop ran is what was received
// after it, however it came, and not a message that had been received before.
func TestHeartbeatDuringABody(t *testing.T) {
	peer := sender{masks: true}
	text, pong := peer.appendFrame(nil, OpText, true, []byte("text"), newMaskingKey), peer.appendFrame(nil, OpPong, true, nil, newMaskingKey)
	binary := peer.appendFrame(nil, OpBinary, true, make([]byte, 300), newMaskingKey)
	for name, tc := range map[string]struct {
		receipts [][]byte
		answered bool
	}{
		"nothing":                {[][]byte{text, nil}, false},
		"a message there before": {[][]byte{slices.Concat(text, text), nil}, false},
		"a message":              {[][]byte{text, text, nil}, true},
		"a pong":                 {[][]byte{text, pong, nil}, true},
		"a pong with a message":  {[][]byte{text, slices.Concat(text, pong), nil}, true},
		"a part of a message":    {[][]byte{text, binary[:100], nil}, true},
		"a message, later":       {[][]byte{text, nil, text, nil}, true},
		"a pong, later":          {[][]byte{text, nil, pong, nil}, true},
	} {
		c := &Conn{agreed: &nothingAgreed}
		tr := &receiptsTransport{receipts: tc.receipts}
		c.l.init(tr, RoleServer, beating.settings(), deflation{}, nil)
		first := true
		for _, err := range c.Messages(bg) {
			if err != nil {
				break
			}
			if first {
				heartbeatSent(c)
			}
			first = false
		}
		assert.Equal(t, tc.answered, heartbeatAnswered(c), name)
	}
}

// heartbeatSent does what the alarm does as it sends a heartbeat, and heartbeatAnswered
// asks as it does.
func heartbeatSent(c *Conn) {
	a := &c.l.alarm
	a.mu.Lock()
	defer a.mu.Unlock()
	a.look(a.now(), false)
	a.keep.ping = &unanswered{sent: a.now()}
	a.reading.Or(readExact)
}

func heartbeatAnswered(c *Conn) bool {
	a := &c.l.alarm
	a.mu.Lock()
	defer a.mu.Unlock()
	a.look(a.now(), false)
	return a.keep.ping == nil
}

// The same where a message that had been received before is handed out by another
// loop, and behind a callback for a ping.
func TestHeartbeatAndWhatWasThereBefore(t *testing.T) {
	peer := sender{masks: true}
	text, ping := peer.appendFrame(nil, OpText, true, []byte("text"), newMaskingKey), peer.appendFrame(nil, OpPing, true, nil, newMaskingKey)
	received := func(frames ...[]byte) *Conn {
		c := &Conn{agreed: &nothingAgreed}
		c.l.init(&receiptsTransport{receipts: [][]byte{slices.Concat(frames...), nil}}, RoleServer, beating.settings(), deflation{}, nil)
		return c
	}
	c, loops := received(text, text), 0
	for range 2 {
		for range c.Messages(bg) {
			if loops++; loops == 1 {
				heartbeatSent(c)
			}
			break
		}
	}
	assert.Equal(t, 2, loops)
	assert.False(t, heartbeatAnswered(c))

	c, loops = received(ping, text), 0
	ev := &Events{
		Ping:    func(c *Conn, _ []byte) { heartbeatSent(c) },
		Message: func(c *Conn, _ MessageType, _ []byte) { loops++; assert.False(t, heartbeatAnswered(c)) },
	}
	require.Error(t, ev.Serve(bg, c))
	assert.Equal(t, 1, loops)
}

// cancelTransport ends a context while a loop waits.
type cancelTransport struct {
	receiptsTransport
	cancel func()
}

func (t *cancelTransport) stand(s stepper) error {
	for !s.step() {
		t.cancel()
	}
	return nil
}

// A loop that its context ended, before the loop was woken for that, does not wait any
// more: no time-out runs while nobody reads.
func TestHeartbeatAfterALoop(t *testing.T) {
	ctx, cancel := context.WithCancel(bg)
	c := &Conn{agreed: &nothingAgreed}
	c.l.init(&cancelTransport{receiptsTransport{receipts: [][]byte{nil}}, cancel}, RoleServer, beating.settings(), deflation{}, nil)
	for _, err := range c.Messages(ctx) {
		require.ErrorIs(t, err, context.Canceled)
	}
	assert.Zero(t, c.l.alarm.reading.Load()&(readParked|readUser))
}

// Whatever a loop receives, the peer has been heard of.
func TestLoopHears(t *testing.T) {
	peer := sender{masks: true}
	binary := peer.appendFrame(nil, OpBinary, true, make([]byte, 300), newMaskingKey)
	for name, receipts := range map[string][][]byte{
		"a message":           {binary, nil},
		"a pong":              {peer.appendFrame(nil, OpPong, true, nil, newMaskingKey), nil},
		"a part of a message": {binary[:100], nil},
		"a part of a header":  {binary[:1], nil},
	} {
		c := &Conn{agreed: &nothingAgreed}
		c.l.init(&receiptsTransport{receipts: receipts}, RoleServer, beating.settings(), deflation{}, nil)
		echo(c, "messages")
		a := &c.l.alarm
		assert.Equal(t, uint32(readHeard), a.reading.Load(), name)
	}
}

// The longest interval there is means never, and not at once.
func TestHeartbeatOfAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := connectScripted(t, pipePair, RoleServer, ConnConfig{Heartbeat: math.MaxInt64, HeartbeatTimeout: math.MaxInt64, CloseTimeout: math.MaxInt64})
		c.CloseRead(bg)
		c.l.mu.Lock()
		c.l.alarm.keep.heard = c.l.alarm.now()
		c.l.mu.Unlock()
		c.l.tick()
		require.NoError(t, peer.SetReadDeadline(time.Now().Add(time.Hour)))
		_, _, err := peer.next()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
}

// A ping is a quarter of the interval late at most, whenever a message came.
func TestHeartbeatAfterAMessage(t *testing.T) {
	for _, mode := range []string{"read", "into", "messages", "stream", "serve"} {
		for _, pause := range []time.Duration{time.Millisecond, time.Second, 9 * time.Second, 11 * time.Second, 33 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				cfg := beating
				cfg.HeartbeatTimeout = -1
				c, peer := connectScripted(t, pipePair, RoleServer, cfg)
				go echo(c, mode)
				pings := make(chan time.Time, 10)
				go func() {
					for {
						if h, _, err := peer.next(); err != nil {
							return
						} else if h.Opcode == OpPing {
							pings <- time.Now()
						}
					}
				}()
				time.Sleep(pause)
				for range 2 { // the second one comes into a look for the first
					peer.send(peer.text("x"))
					time.Sleep(time.Second)
				}
				last := time.Now().Add(-time.Second)
				for len(pings) > 0 {
					<-pings
				}
				late := (<-pings).Sub(last)
				assert.GreaterOrEqual(t, late, cfg.Heartbeat, "%s, %v", mode, pause)
				assert.LessOrEqual(t, late, cfg.Heartbeat+cfg.Heartbeat/4+time.Second, "%s, %v", mode, pause)
				peer.Close()
				c.CloseNow()
			})
		}
	}
}

// Who reads and writes on one goroutine does not read while it writes. A peer that sends and
// takes nothing is found all the same; one that takes it slowly is not dead.
func TestHeartbeatOfWhoTakesNothing(t *testing.T) {
	for _, mode := range []string{"messages", "read", "into", "serve"} {
		synctest.Test(t, func(t *testing.T) {
			c, peer := connectScripted(t, pipePair, RoleServer, beating)
			served := async(func() error { return echo(c, mode) })
			go func() {
				for {
					if _, err := peer.Write(peer.text("x")); err != nil {
						return
					}
				}
			}()
			begun := time.Now()
			require.ErrorIs(t, <-served, ErrHeartbeat, mode)
			assert.LessOrEqual(t, time.Since(begun), 2*beating.Heartbeat+2*beating.HeartbeatTimeout, mode)
			peer.Close()
		})
		synctest.Test(t, func(t *testing.T) {
			c, peer := connectScripted(t, pipePair, RoleServer, beating)
			served := async(func() error { return echo(c, mode) })
			go peer.Write(peer.frame(OpBinary, true, string(make([]byte, 1<<20))))
			p := make([]byte, 32<<10)
			for range 1 << 20 / len(p) { // more than twice as long as it takes to find the other one
				_, err := io.ReadFull(peer.br, p)
				require.NoError(t, err, mode)
				time.Sleep(time.Second)
			}
			require.NoError(t, c.Err(), mode)
			c.CloseNow()
			peer.Close()
			<-served
		})
	}
}

// CHECKLIST 14: a connection that has ended leaves no timer.
func TestEndLeavesNoTimer(t *testing.T) {
	overTransports(t, func(t *testing.T, pair func(testing.TB) (client, server net.Conn)) {
		client, server := connectPair(t, pair, ConnConfig{Heartbeat: time.Hour})
		read := async(func() error { _, _, err := server.Read(bg); return err })
		require.Eventually(t, func() bool {
			server.l.mu.Lock()
			defer server.l.mu.Unlock()
			return server.l.alarm.timer != nil
		}, time.Minute, time.Millisecond)
		require.NoError(t, client.Close(StatusNormalClosure, ""))
		require.Error(t, within(t, time.Minute, read))
		for _, c := range []*Conn{client, server} {
			within(t, time.Minute, c.Done())
			c.l.mu.Lock()
			if timer := c.l.alarm.timer; timer != nil {
				assert.False(t, timer.Stop(), "it still runs")
			}
			c.l.mu.Unlock()
		}
	})
}

// A peer that takes one more ping, and then nothing, is found where one goroutine reads and writes.
func TestHeartbeatFindsStuckWriteAfterPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := connectScripted(t, pipePair, RoleServer, beating)
		served := async(func() error {
			for m, err := range c.Messages(bg) {
				if err != nil {
					return err
				}
				time.Sleep(2 * beating.Heartbeat) // work, in which the ping leaves
				if err := c.Write(bg, m.Type, m.Data); err != nil {
					return err
				}
			}
			return nil
		})
		peer.send(peer.text("x"))
		peer.expect(OpPing)
		go func() {
			for err := error(nil); err == nil; time.Sleep(time.Second) {
				_, err = peer.Write(peer.frame(OpPong, true, ""))
			}
		}()
		select {
		case err := <-served:
			require.ErrorIs(t, err, ErrHeartbeat)
		case <-time.After(10 * (beating.Heartbeat + beating.HeartbeatTimeout)):
			t.Error("it is not found")
			c.CloseNow()
		}
		peer.Close()
		time.Sleep(2 * time.Second) // the one who sends pongs ends too
	})
}

// A heartbeat has left also if what was before it has been taken back.
func TestHeartbeatBehindWhatIsTakenBack(t *testing.T) {
	var r rarely
	r.beats(100, 0)
	r.moveDown(ticket{from: 10, to: 60})
	slow, stuck := r.slow(50)
	assert.False(t, slow || stuck)
}
