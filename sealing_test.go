package websocket

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/flate"
)

// slowToCompress takes a while at level 9.
var slowToCompress = func() []byte {
	r := rand.New(rand.NewPCG(1, 1))
	p := make([]byte, 1<<20)
	for i := range p {
		p[i] = "ab"[r.IntN(2)]
	}
	return p
}()

// sealing reports whether somebody compresses.
func (c *Conn) sealing() bool {
	c.l.wr.mu.Lock()
	defer c.l.wr.mu.Unlock()
	return c.l.wr.sealing()
}

// connectSealing returns a connection on which send is compressing slowToCompress with
// takeover, and what its peer gets.
func connectSealing(t *testing.T, queues bool, send func(c *Conn) error) (c, peer *Conn, done <-chan error) {
	t.Helper()
	cfg := deflating("permessage-deflate", Compression{Level: 9, Threshold: 1})
	cfg.SendLimit = -1
	c, peer = connectPair(t, tcpPair, cfg)
	if queues {
		c.l.wr.neverWait()
	}
	require.NoError(t, c.WriteText(bg, sampleText(3000)))
	_, p, err := peer.Read(bg)
	require.NoError(t, err)
	require.Equal(t, sampleText(3000), string(p))
	done = async(func() error { return send(c) })
	waitUntil(t, c.sealing)
	return c, peer, done
}

func writeSlow(c *Conn) error { return c.Write(bg, MessageBinary, slowToCompress) }
func sendSlow(c *Conn) error  { return c.Send(MessageBinary, slowToCompress) }

// received returns the next n messages, those that are slowToCompress as "slow".
func (c *Conn) received(t *testing.T, n int) (all []string) {
	t.Helper()
	for range n {
		ctx, cancel := context.WithTimeout(bg, time.Minute)
		_, p, err := c.Read(ctx)
		cancel()
		require.NoError(t, err)
		if string(p) == string(slowToCompress) {
			p = []byte("slow")
		}
		all = append(all, string(p))
	}
	return all
}

// CHECKLIST 14, 29: who compresses a long message holds nobody up who does not want
// the same, nor longer than his context lasts, nor who must not wait.
func TestNobodyWaitsForCompression(t *testing.T) {
	c, peer, done := connectSealing(t, false, writeSlow)
	prepared, err := NewPreparedMessage(MessageText, []byte(sampleText(700)))
	require.NoError(t, err)
	briefly := func(call func(ctx context.Context) error) func() error {
		return func() error {
			ctx, cancel := context.WithTimeout(bg, time.Millisecond)
			defer cancel()
			if err := call(ctx); err != context.DeadlineExceeded {
				return errWoken
			}
			return nil
		}
	}
	for name, call := range map[string]func() error{
		"Write":             func() error { return c.Write(bg, MessageText.Uncompressed(), []byte("now")) },
		"a large Write":     func() error { return c.Write(bg, MessageBinary.Uncompressed(), make([]byte, 40_000)) },
		"Send":              func() error { return c.Send(MessageText, []byte("at once")) },
		"SendPrepared":      func() error { return c.SendPrepared(prepared) },
		"SendPing":          func() error { return c.SendPing(nil) },
		"Flush":             func() error { return c.Flush(bg) },
		"BufferedAmount":    func() error { c.BufferedAmount(); return nil },
		"heartbeat":         func() error { c.l.wr.heartbeat(); return nil },
		"a compressed one":  briefly(func(ctx context.Context) error { return c.WriteText(ctx, "never") }),
		"WritePrepared":     briefly(func(ctx context.Context) error { return c.WritePrepared(ctx, prepared) }),
		"Writer":            briefly(func(ctx context.Context) error { _, err := c.Writer(ctx, MessageText); return err }),
		"Ping":              briefly(func(ctx context.Context) error { _, err := c.Ping(ctx); return err }),
		"Read, once pinged": briefly(func(ctx context.Context) error { peer.SendPing(nil); _, _, err := c.Read(ctx); return err }),
	} {
		require.NoError(t, call(), name)
		require.True(t, c.sealing(), name)
	}
	want := []string{"now", string(make([]byte, 40_000)), "at once", sampleText(700), "slow"}
	later := async(func() error { return c.WriteText(bg, "in its turn") })
	got := peer.received(t, len(want)+1)
	assert.ElementsMatch(t, want, got[:len(want)])
	assert.Equal(t, []string{"slow", "in its turn"}, got[len(want)-1:])
	require.NoError(t, within(t, time.Minute, done))
	require.NoError(t, within(t, time.Minute, later))
}

// What was being compressed as the connection was closed is not sent, and the window
// is given up all the same.
func TestCloseWhileCompressing(t *testing.T) {
	for name, end := range map[string]func(c *Conn) error{
		"Close":    func(c *Conn) error { return c.Close(StatusNormalClosure, "") },
		"CloseNow": func(c *Conn) error { return c.CloseNow() },
	} {
		for _, send := range []func(c *Conn) error{writeSlow, sendSlow} {
			c, peer, done := connectSealing(t, false, send)
			waits := async(func() error { return c.WriteText(bg, "never") })
			read := async(func() error { _, _, err := peer.Read(bg); return err })
			require.NoError(t, end(c), name)
			require.True(t, c.sealing(), name)
			require.ErrorIs(t, within(t, time.Minute, waits), net.ErrClosed)
			require.ErrorIs(t, within(t, time.Minute, done), net.ErrClosed)
			err := within(t, time.Minute, read)
			assert.Equal(t, name == "Close", CloseStatus(err) == StatusNormalClosure, "%v", err)
			<-c.Done()
			assert.Zero(t, c.sendWindow(), name)
		}
	}
}

// Where nobody may wait, a message in fragments may begin meanwhile, uncompressed: what
// was being compressed comes before it or after it.
func TestWriterWhileCompressing(t *testing.T) {
	for _, send := range []func(c *Conn) error{writeSlow, sendSlow} {
		for _, begun := range []bool{false, true} {
			c, peer, done := connectSealing(t, true, send)
			w, err := c.Writer(bg, MessageText)
			require.NoError(t, err)
			require.NoError(t, c.Send(MessageText, []byte("held")))
			want := []string{"slow", sampleText(5000), "held", sampleText(100)}
			if begun {
				_, err = w.WriteString(sampleText(5000)[:4500])
				require.NoError(t, err)
				require.True(t, c.sealing())
				want = []string{sampleText(5000), "held", "slow", sampleText(100)}
				require.NoError(t, within(t, time.Minute, done))
				_, err = w.WriteString(sampleText(5000)[4500:])
			} else {
				require.True(t, c.sealing())
				require.NoError(t, within(t, time.Minute, done))
				_, err = w.WriteString(sampleText(5000))
			}
			require.NoError(t, err)
			require.NoError(t, w.Close())
			require.NoError(t, c.WriteText(bg, sampleText(100)))
			assert.Equal(t, want, peer.received(t, len(want)))
		}
	}
	c, peer, done := connectSealing(t, true, writeSlow)
	w, err := c.Writer(bg, MessageText)
	require.NoError(t, err)
	_, err = w.WriteString("whole")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, c.WriteText(bg, "a callback's"))
	require.True(t, c.sealing())
	assert.Equal(t, []string{"whole", "a callback's", "slow"}, peer.received(t, 3))
	require.NoError(t, within(t, time.Minute, done))
}

// CHECKLIST 32: nor does an event loop wait for who compresses for one of its
// connections.
func TestLoopWhileCompressing(t *testing.T) {
	long := bytes.Repeat(slowToCompress, 3)
	for _, blocking := range []bool{false, true} {
		e := newEngine(t, &EngineOptions{Loops: 1, Blocking: blocking})
		cfg := deflating("permessage-deflate", Compression{Level: 9})
		cfg.SendLimit = -1
		ev := &Events{Message: func(c *Conn, t MessageType, p []byte) { _ = c.Write(bg, t.Compressed(), p) }}
		a, busy := connectPair(t, tcpPair, cfg)
		b, other := connectPair(t, tcpPair, cfg)
		require.NoError(t, e.Attach(busy, ev))
		require.NoError(t, e.Attach(other, ev))
		require.NoError(t, busy.Send(MessageBinary.Uncompressed(), make([]byte, stuckSize)))
		done := async(func() error { return busy.Send(MessageBinary, long) })
		waitUntil(t, busy.sealing)
		require.NoError(t, a.SendPing(nil))
		require.NoError(t, a.WriteText(bg, "echo"))
		assert.Equal(t, []string{string(make([]byte, stuckSize)), "echo"}, a.received(t, 2))
		require.NoError(t, b.WriteText(bg, "echo"))
		assert.Equal(t, []string{"echo"}, b.received(t, 1))
		require.True(t, busy.sealing())
		assert.True(t, string(long) == a.received(t, 1)[0])
		require.NoError(t, within(t, time.Minute, done))
	}
}

// A panic while a message is compressed leaves nobody waiting.
func TestPanicWhileCompressing(t *testing.T) {
	for _, size := range []int{longSeal - 1, longSeal} {
		c, peer := connectPair(t, tcpPair, deflating("permessage-deflate", Compression{}))
		go io.Copy(io.Discard, NetConn(bg, peer, MessageBinary))
		require.NoError(t, c.Write(bg, MessageBinary, []byte(sampleText(2000))))
		p := []byte(sampleText(size))
		c.l.wr.mu.Lock()
		c.l.wr.rare.window = new(flate.Window) // which is not usable
		c.l.wr.mu.Unlock()
		assert.Panics(t, func() { _ = c.Write(bg, MessageBinary, p) })
		ctx, cancel := context.WithTimeout(bg, time.Minute)
		defer cancel()
		assert.ErrorIs(t, c.Write(ctx, MessageBinary, p), errTorn)
		assert.Zero(t, c.BufferedAmount())
		require.NoError(t, c.CloseNow())
	}
}

// Done: "everything it held has been given up".
func TestEndGivesUpWindow(t *testing.T) {
	client, server := connectPair(t, tcpPair, deflating("permessage-deflate", Compression{}))
	done := async(func() error { return echo(server, "read") })
	require.NoError(t, client.WriteText(bg, sampleText(4000)))
	_, _, err := client.Read(bg)
	require.NoError(t, err)
	for _, c := range []*Conn{client, server} {
		require.NotZero(t, c.sendWindow())
	}
	require.NoError(t, client.Close(StatusNormalClosure, ""))
	<-done
	for _, c := range []*Conn{client, server} {
		<-c.Done()
		assert.Zero(t, c.sendWindow())
		assert.Zero(t, c.l.rd.z.history.Size())
	}
}

// SendLimit bounds also what is being compressed.
func TestSendLimitWhileCompressing(t *testing.T) {
	cfg := deflating("permessage-deflate", Compression{Level: 9, Threshold: 1})
	cfg.SendLimit = int64(len(slowToCompress)) + 100
	c, _ := connectQueueing(t, cfg)
	done := async(func() error { return sendSlow(c) })
	waitUntil(t, c.sealing)
	err := c.Send(MessageBinary.Uncompressed(), slowToCompress)
	require.True(t, c.sealing())
	require.ErrorIs(t, err, ErrSendLimit)
	require.NoError(t, c.Send(MessageBinary.Uncompressed(), make([]byte, 50)))
	require.NoError(t, within(t, time.Minute, done))
}
