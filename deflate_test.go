package websocket

import (
	"bytes"
	stdflate "compress/flate"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	flatesamples "github.com/seed86893212/websocket/internal/flate/samples"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A stdInflater inflates messages with the standard library.
type stdInflater struct {
	takeover bool
	history  []byte
}

func (z *stdInflater) message(t testing.TB, p []byte) string {
	t.Helper()
	const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff" // RFC 7692, section 7.2.2; and an end, for the reader
	r := stdflate.NewReaderDict(strings.NewReader(string(p)+tail), z.history)
	out, err := io.ReadAll(r)
	require.NoError(t, err)
	if z.takeover {
		z.history = append(z.history, out...)
		z.history = z.history[max(0, len(z.history)-1<<15):]
	}
	return string(out)
}

// message reads one message of data frames, whatever is between them, and
// inflates it if it is compressed.
func (p *scriptedPeer) message(z *stdInflater) (text string, compressed bool, frames int) {
	p.t.Helper()
	var body []byte
	for {
		h, payload, err := p.next()
		require.NoError(p.t, err)
		if h.Opcode.Control() {
			continue
		}
		require.Equal(p.t, frames > 0, h.Opcode == OpContinuation)
		require.False(p.t, frames > 0 && h.RSV1, "RFC 7692, section 6.1: RSV1 is for the first frame")
		compressed = compressed || h.RSV1
		frames++
		body = append(body, payload...)
		if h.Final {
			break
		}
	}
	if compressed {
		return z.message(p.t, body), true, frames
	}
	return string(body), false, frames
}

// sampleText returns text of n bytes, at most 256 KiB, that compresses well.
func sampleText(n int) string { return strings.ToValidUTF8(samples()[:n], "?") }

var samples = sync.OnceValue(func() string {
	var b strings.Builder
	for i := 0; b.Len() < 256<<10; i++ {
		fmt.Fprintf(&b, `{"id":%d,"name":"someone","at":"2026-01-%02d","größe":%d},`, i*7919%1000, i%28+1, i*i)
	}
	return b.String()
})

const noTakeover = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// deflateHeaders are what may have been agreed on, widest first.
var deflateHeaders = []string{
	"permessage-deflate",
	noTakeover,
	"permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",
	"permessage-deflate; server_no_context_takeover; client_max_window_bits=11",
	"permessage-deflate; client_no_context_takeover; server_max_window_bits=12",
	noTakeover + "; server_max_window_bits=9; client_max_window_bits=9",
}

// deflating is a ConnConfig with compression.
func deflating(header string, c Compression) ConnConfig {
	return ConnConfig{Heartbeat: -1, Extensions: header, Compression: &c, MaxMessageSize: 8 << 20}
}

// Messages of all sizes and kinds come back, however they are read and written.
func TestCompressedEcho(t *testing.T) {
	for _, header := range deflateHeaders {
		for i, mode := range modes {
			t.Run(header+"/"+mode, func(t *testing.T) {
				client, server := connectPair(t, tcpPair, deflating(header, Compression{Threshold: 20, Level: 1 + i}))
				assert.Equal(t, header, client.Extensions())
				done := async(func() error { return echo(server, mode) })
				rnd := rand.New(rand.NewPCG(7, uint64(i)))
				var buf []byte
				for n := range 100 {
					size := rnd.IntN(1 << rnd.IntN(17))
					want := []byte(sampleText(size))
					typ := MessageText
					if n%3 == 0 {
						typ = MessageBinary
						for i := range want {
							want[i] = byte(rnd.Uint32())
						}
					}
					out := typ
					switch n % 5 {
					case 0:
						out = typ.Uncompressed()
					case 1:
						out = typ.Compressed()
					}
					written := async(func() error { return client.Write(bg, out, want) })
					got, p, err := client.ReadInto(bg, buf)
					require.NoError(t, err)
					require.NoError(t, <-written)
					require.Equal(t, typ, got)
					require.True(t, bytes.Equal(want, p), "message %d: %d bytes came back as %d", n, len(want), len(p))
					buf = p
				}
				require.NoError(t, client.Close(StatusNormalClosure, ""))
				<-done
			})
		}
	}
}

// RFC 7692, section 6: what is sent, as the standard library understands it. Every
// message is one frame unless it comes from a Writer.
func TestCompressedOnTheWire(t *testing.T) {
	for _, side := range []Role{RoleServer, RoleClient} {
		for _, header := range []string{"permessage-deflate", noTakeover} {
			c, peer := connectScripted(t, tcpPair, side, deflating(header, Compression{Threshold: 100}))
			z := &stdInflater{takeover: header != noTakeover}
			prepared, err := NewPreparedMessage(MessageText, []byte(sampleText(300)))
			require.NoError(t, err)
			long := sampleText(20000)
			writeAll := func(typ MessageType, pieces ...string) error {
				w, err := c.Writer(bg, typ)
				for _, p := range pieces {
					if err == nil {
						_, err = w.WriteString(p)
					}
				}
				if err == nil {
					err = w.Close()
				}
				return err
			}
			for _, tc := range []struct {
				name       string
				send       func() error
				want       string
				compressed bool
				frames     int
			}{
				{"below the threshold", func() error { return c.WriteText(bg, sampleText(99)) }, sampleText(99), false, 1},
				{"at the threshold", func() error { return c.WriteText(bg, sampleText(100)) }, sampleText(100), true, 1},
				{"compressed all the same", func() error { return c.Write(bg, MessageText.Compressed(), []byte("x")) }, "x", true, 1},
				{"not compressed", func() error { return c.Write(bg, MessageText.Uncompressed(), []byte(long)) }, long, false, 1},
				{"empty", func() error { return c.Write(bg, MessageBinary, nil) }, "", false, 1},
				{"empty, compressed", func() error { return c.Write(bg, MessageBinary.Compressed(), nil) }, "", false, 1},
				{"long", func() error { return c.Write(bg, MessageBinary, []byte(long)) }, long, true, 1},
				{"again", func() error { return c.WriteText(bg, long) }, long, true, 1},
				{"Send", func() error { return c.Send(MessageText, []byte(long)) }, long, true, 1},
				{"Send, short", func() error { return c.Send(MessageText, []byte("short")) }, "short", false, 1},
				{"prepared", func() error { return c.WritePrepared(bg, prepared) }, sampleText(300), true, 1},
				{"prepared, sent", func() error { return c.SendPrepared(prepared) }, sampleText(300), true, 1},
				{"after prepared", func() error { return c.WriteText(bg, sampleText(300)) }, sampleText(300), true, 1},
				{"short Writer", func() error { return writeAll(MessageText, "sh", "ort") }, "short", false, 1},
				{"empty Writer", func() error { return writeAll(MessageText) }, "", false, 1},
				{"Writer", func() error { return writeAll(MessageText, sampleText(1000), sampleText(1000)) }, sampleText(1000) + sampleText(1000), true, 1},
				{"long Writer", func() error { return writeAll(MessageText, sampleText(3000), sampleText(3000), "end") }, sampleText(3000) + sampleText(3000) + "end", true, 2},
				{"large Writer", func() error { return writeAll(MessageBinary, long, long) }, long + long, true, 3},
				{"Writer, not compressed", func() error { return writeAll(MessageText.Uncompressed(), long, "x") }, long + "x", false, 2},
				{"Writer, compressed", func() error { return writeAll(MessageText.Compressed(), "x") }, "x", true, 1},
				{"after Writer", func() error { return c.WriteText(bg, long) }, long, true, 1},
			} {
				sent := async(tc.send)
				text, compressed, frames := peer.message(z)
				require.NoError(t, <-sent)
				assert.True(t, tc.want == text, "%s: %.40q came as %.40q", tc.name, tc.want, text)
				assert.Equal(t, tc.compressed, compressed, tc.name)
				assert.Equal(t, tc.frames, frames, tc.name)
			}
		}
	}
}

// What would not get smaller is sent as it is, unless that is asked for, or the window needs it.
func TestOnlyWhatGetsSmaller(t *testing.T) {
	random := make([]byte, 3000)
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range random {
		random[i] = byte(rnd.Uint32())
	}
	twice := "once more and once more and once more"
	for _, header := range []string{"permessage-deflate", noTakeover} {
		takeover := header != noTakeover
		c, peer := connectScripted(t, tcpPair, RoleServer, deflating(header, Compression{Threshold: -1}))
		z := &stdInflater{takeover: takeover}
		for _, tc := range []struct {
			p       string
			smaller bool
		}{
			{"x", false},
			{"neither has this", false},
			{string(random[:100]), false},
			{string(random), false},
			{twice, true},
			{sampleText(200), true},
			{sampleText(5000), true},
		} {
			m, err := NewPreparedMessage(MessageBinary, []byte(tc.p))
			require.NoError(t, err)
			insisting, err := NewPreparedMessage(MessageBinary.Compressed(), []byte(tc.p))
			require.NoError(t, err)
			for i, send := range []func() error{
				func() error { return c.Write(bg, MessageBinary, []byte(tc.p)) },
				func() error { return c.Send(MessageBinary, []byte(tc.p)) },
				func() error { return c.SendPrepared(m) },
				func() error {
					w, err := c.Writer(bg, MessageBinary)
					require.NoError(t, err)
					_, _ = w.WriteString(tc.p)
					return w.Close()
				},
				func() error { return c.Write(bg, MessageBinary.Compressed(), []byte(tc.p)) },
				func() error { return c.SendPrepared(insisting) },
			} {
				sent := async(send)
				text, compressed, _ := peer.message(z)
				require.NoError(t, <-sent)
				assert.True(t, tc.p == text, "%.20q came as %.20q", tc.p, text)
				assert.Equal(t, tc.smaller || takeover || i > 3, compressed, "%.20q by way %d, with %s", tc.p, i, header)
			}
		}
	}
}

// Text is refused before anything is sent, whatever is added to its type; and what
// is added is for sending alone.
func TestMessageTypeOverride(t *testing.T) {
	for _, typ := range []MessageType{MessageText, MessageBinary} {
		for _, added := range []MessageType{typ.Compressed(), typ.Uncompressed(), typ.Uncompressed().Compressed(), typ.Compressed().Compressed()} {
			assert.NotEqual(t, typ, added)
			assert.True(t, added.valid())
			assert.Equal(t, typ, added.kind())
			assert.Equal(t, typ.String(), added.String())
		}
	}
	assert.False(t, MessageType(0).Compressed().valid())
	assert.False(t, MessageType(3).Uncompressed().valid())
	var told []MessageType
	cfg := deflating(noTakeover, Compression{})
	cfg.Trace = &Trace{MessageSent: func(typ MessageType, size int) { told = append(told, typ) }}
	c, peer := connectScripted(t, tcpPair, RoleServer, cfg)
	assert.Equal(t, ErrInvalidText, c.Write(bg, MessageText.Compressed(), []byte("a\xff")))
	assert.Equal(t, ErrInvalidText, c.Send(MessageText.Uncompressed(), []byte("a\xff")))
	assert.Equal(t, errMessageType, c.Write(bg, MessageType(9).Compressed(), nil))
	_, err := NewPreparedMessage(MessageText.Compressed(), []byte("a\xff"))
	assert.Equal(t, ErrInvalidText, err)
	w, err := c.Writer(bg, MessageText.Compressed())
	require.NoError(t, err)
	_, err = w.Write([]byte("a\xff"))
	assert.Equal(t, ErrInvalidText, err)
	require.NoError(t, w.Close())
	assert.Empty(t, peer.expect(OpText))
	m, err := NewPreparedMessage(MessageText.Compressed(), []byte("short"))
	require.NoError(t, err)
	require.NoError(t, c.WritePrepared(bg, m))
	text, compressed, _ := peer.message(&stdInflater{})
	assert.True(t, compressed && text == "short")
	m, err = NewPreparedMessage(MessageText.Uncompressed(), []byte(sampleText(5000)))
	require.NoError(t, err)
	require.NoError(t, c.SendPrepared(m))
	_, compressed, _ = peer.message(nil)
	assert.False(t, compressed)
	assert.Equal(t, []MessageType{MessageText, MessageText, MessageText}, told)
}

// A side that compresses nothing receives what is compressed all the same.
func TestCompressesNothing(t *testing.T) {
	client, server := connectPair(t, tcpPair, deflating("permessage-deflate", Compression{Level: -1}))
	assert.Nil(t, client.agreed.z)
	go client.Write(bg, MessageText.Compressed(), []byte(sampleText(1000)))
	_, p, err := server.Read(bg)
	require.NoError(t, err)
	assert.Equal(t, sampleText(1000), string(p))
	c, peer := connectScripted(t, tcpPair, RoleServer, deflating("permessage-deflate", Compression{Level: -1}))
	peer.send(wire("c1 87 00000000 f248cdc9c90700"))
	_, p, err = c.Read(bg)
	require.NoError(t, err)
	assert.Equal(t, "Hello", string(p))
	require.NoError(t, c.Write(bg, MessageText.Compressed(), []byte(sampleText(1000))))
	assert.Equal(t, sampleText(1000), peer.expect(OpText))
}

// CHECKLIST 17: a message of a context that ended has entered the window, and is
// sent; one that still waited for its turn has not.
func TestTakeoverSurvivesCancelledWrites(t *testing.T) {
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for _, side := range []Role{RoleServer, RoleClient} {
			cfg := deflating("permessage-deflate", Compression{})
			cfg.SendLimit = -1
			c, peer := connectScripted(t, pair, side, cfg)
			blocker := async(func() error { return c.Write(bg, MessageBinary.Uncompressed(), make([]byte, stuckSize)) })
			waitUntil(t, func() bool { return c.BufferedAmount() > 0 })
			var wg sync.WaitGroup
			ctx, cancel := context.WithCancel(bg)
			for i := range 10 {
				wg.Go(func() {
					p := []byte(sampleText(i * i * 500))
					assert.ErrorIs(t, c.Write(ctx, MessageText.Compressed(), p), context.Canceled)
					clear(p)
				})
				waitUntil(t, func() bool {
					c.l.wr.mu.Lock()
					defer c.l.wr.mu.Unlock()
					return len(c.l.wr.box.queue) > i
				})
			}
			cancel()
			wg.Wait()
			assert.ErrorIs(t, c.WriteText(endedContext(), sampleText(7777)), context.Canceled)
			require.NoError(t, c.Send(MessageText, []byte(sampleText(9999))))
			z := &stdInflater{takeover: true}
			got, _, _ := peer.message(z)
			assert.Len(t, got, stuckSize)
			require.NoError(t, within(t, time.Minute, blocker))
			sizes := map[int]bool{}
			for got != sampleText(9999) {
				got, _, _ = peer.message(z)
				assert.Equal(t, sampleText(len(got)), got)
				sizes[len(got)] = true
			}
			assert.Len(t, sizes, 10, "all of them but the empty one, and the last")
			usable := async(func() error { return c.WriteText(bg, sampleText(500)) })
			got, _, _ = peer.message(z)
			assert.Equal(t, sampleText(500), got)
			require.NoError(t, within(t, time.Minute, usable))
		}
	})
}

// Without takeover nothing refers to a message that was given up: it is not sent.
func TestCancelledCompressedWriteSendsNothing(t *testing.T) {
	cfg := deflating(noTakeover, Compression{})
	cfg.SendLimit = -1
	c, peer := connectScripted(t, tcpPair, RoleServer, cfg)
	blocker := async(func() error { return c.Write(bg, MessageBinary.Uncompressed(), make([]byte, stuckSize)) })
	waitUntil(t, func() bool { return c.BufferedAmount() > 0 })
	ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, c.WriteText(ctx, sampleText(5000)), context.DeadlineExceeded)
	require.NoError(t, c.Send(MessageText, []byte(sampleText(500))))
	assert.Len(t, peer.expect(OpBinary), stuckSize)
	got, _, _ := peer.message(&stdInflater{})
	assert.Equal(t, sampleText(500), got)
	require.NoError(t, within(t, time.Minute, blocker))
}

// CHECKLIST 17: what Send holds back behind an open Writer is sent after fragments
// that were compressed later.
func TestTakeoverSurvivesHeldMessages(t *testing.T) {
	for _, header := range []string{"permessage-deflate", noTakeover} {
		c, peer := connectScripted(t, tcpPair, RoleServer, deflating(header, Compression{}))
		z := &stdInflater{takeover: header != noTakeover}
		m, err := NewPreparedMessage(MessageText, []byte(sampleText(2500)))
		require.NoError(t, err)
		w, err := c.Writer(bg, MessageText)
		require.NoError(t, err)
		_, err = w.WriteString(sampleText(6000))
		require.NoError(t, err)
		require.NoError(t, c.Send(MessageText, []byte(sampleText(3000))))
		require.NoError(t, c.SendPrepared(m))
		_, err = w.WriteString(sampleText(8000))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.NoError(t, c.WriteText(bg, sampleText(8001)))
		for _, want := range []string{sampleText(6000) + sampleText(8000), sampleText(3000), sampleText(2500), sampleText(8001)} {
			got, _, _ := peer.message(z)
			assert.True(t, want == got, "%d bytes came as %d", len(want), len(got))
		}
	}
}

// CHECKLIST 17: a Writer whose context ended goes on where it was.
func TestCompressedWriterResumes(t *testing.T) {
	for _, header := range []string{"permessage-deflate", noTakeover} {
		c, peer := connectScripted(t, tcpPair, RoleServer, deflating(header, Compression{}))
		w, err := c.Writer(bg, MessageText)
		require.NoError(t, err)
		w.SetContext(endedContext())
		n, err := w.WriteString(sampleText(5000))
		require.ErrorIs(t, err, context.Canceled)
		assert.Zero(t, n)
		w.SetContext(bg)
		_, err = w.WriteString(sampleText(5000))
		require.NoError(t, err)
		w.SetContext(endedContext())
		_, err = w.WriteString(sampleText(4500))
		require.ErrorIs(t, err, context.Canceled)
		w.SetContext(bg)
		_, err = w.WriteString("and " + sampleText(4500))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		got, compressed, _ := peer.message(&stdInflater{takeover: true})
		assert.True(t, compressed)
		assert.Equal(t, sampleText(5000)+"and "+sampleText(4500), got)
	}
}

// CHECKLIST 17: writers of every kind at once, with a window that all share.
func TestConcurrentCompressedWriters(t *testing.T) {
	for _, header := range []string{"permessage-deflate; server_max_window_bits=10", noTakeover} {
		cfg := deflating(header, Compression{Threshold: 1000})
		cfg.SendLimit = -1
		client, server := connectPair(t, tcpPair, cfg)
		const writers, each = 6, 150
		m, err := NewPreparedMessage(MessageText, []byte("prepared "+sampleText(2000)))
		require.NoError(t, err)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					msg := fmt.Sprint(w, " ", i, " ", sampleText(w*i*37%9000))
					switch i % 4 {
					case 0:
						assert.NoError(t, server.WriteText(bg, msg))
					case 1:
						assert.NoError(t, server.Send(MessageText, []byte(msg)))
					case 2:
						mw, err := server.Writer(bg, MessageText)
						if assert.NoError(t, err) {
							mw.WriteString(msg[:1])
							mw.WriteString(msg[1:])
							assert.NoError(t, mw.Close())
						}
					case 3:
						assert.NoError(t, server.WriteText(bg, msg))
						assert.NoError(t, server.WritePrepared(bg, m))
					}
					server.SendPing([]byte("p"))
				}
			})
		}
		next := make([]int, writers)
		prepared := 0
		for prepared < writers*(each/4) || next[0] < each || next[writers-1] < each {
			_, p, err := client.Read(bg)
			require.NoError(t, err)
			if bytes.HasPrefix(p, []byte("prepared ")) {
				prepared++
				continue
			}
			var w, i int
			_, err = fmt.Sscan(string(p), &w, &i)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(w, " ", i, " ", sampleText(w*i*37%9000)), string(p))
			next[w]++
		}
		wg.Wait()
	}
}

// SendLimit holds, and a message that it refuses has not entered the window.
func TestSendLimitCompressed(t *testing.T) {
	cfg := deflating("permessage-deflate", Compression{})
	cfg.SendLimit = 10000
	c, peer := connectScripted(t, tcpPair, RoleServer, cfg)
	blocker := async(func() error { return c.Write(bg, MessageBinary.Uncompressed(), make([]byte, stuckSize)) })
	waitUntil(t, func() bool { return c.BufferedAmount() > 0 })
	assert.Equal(t, ErrSendLimit, c.Send(MessageText, []byte(sampleText(5000))))
	z := &stdInflater{takeover: true}
	got, _, _ := peer.message(z)
	assert.Len(t, got, stuckSize)
	require.NoError(t, within(t, time.Minute, blocker))
	assert.Equal(t, ErrSendLimit, c.Send(MessageText, []byte(sampleText(10001))))
	require.NoError(t, c.Send(MessageText, []byte(sampleText(9000))))
	got, _, _ = peer.message(z)
	assert.Equal(t, sampleText(9000), got)
}

// sendWindow returns the size of the window that messages are compressed with.
func (c *Conn) sendWindow() int {
	c.l.wr.mu.Lock()
	defer c.l.wr.mu.Unlock()
	if c.l.wr.rare == nil {
		return 0
	}
	return c.l.wr.rare.window.Size()
}

// What a connection keeps between messages: nothing without takeover, and at most
// what the documentation of Compression says with it. CHECKLIST 6.
func TestCompressionMemory(t *testing.T) {
	for bits := 8; bits <= 15; bits++ {
		header := fmt.Sprintf("permessage-deflate; server_max_window_bits=%d; client_max_window_bits=%d", bits, bits)
		for _, takeover := range []bool{false, true} {
			if !takeover {
				header += "; server_no_context_takeover; client_no_context_takeover"
			} else {
				header = strings.Split(header, "; server_no")[0]
			}
			client, server := connectPair(t, tcpPair, deflating(header, Compression{}))
			done := async(func() error { return echo(server, "messages") })
			for i := range 10 {
				require.NoError(t, client.WriteText(bg, sampleText(200+i*i*600)))
				_, _, err := client.Read(bg)
				require.NoError(t, err)
			}
			for _, c := range []*Conn{client, server} {
				sent := c.sendWindow()
				if !takeover {
					assert.Zero(t, sent)
					continue
				}
				assert.LessOrEqual(t, sent, 1<<bits+min(1<<bits, 8<<10), "%d bits", bits)
				assert.GreaterOrEqual(t, sent, 1<<bits, "%d bits", bits)
			}
			require.NoError(t, client.CloseNow())
			<-done
		}
	}
	client, server := connectPair(t, tcpPair, deflating("permessage-deflate; client_max_window_bits=12", Compression{}))
	go client.WriteText(bg, sampleText(50000))
	_, _, err := server.Read(bg)
	require.NoError(t, err)
	assert.Equal(t, 1<<12, server.l.rd.z.history.Size())
	assert.Nil(t, server.l.rd.z.z)
	assert.Nil(t, server.l.rd.z.out)
}

// What a connection that waits keeps after 100 KiB each way, in both directions
// together. CHECKLIST 6.
func TestIdleCompressedMemory(t *testing.T) {
	for header, want := range map[string]int{
		"permessage-deflate": 72 << 10,
		"permessage-deflate; server_max_window_bits=12; client_max_window_bits=12": 12 << 10,
		noTakeover: 0,
	} {
		client, server := connectPair(t, tcpPair, deflating(header, Compression{}))
		messages := flatesamples.JSON(rand.New(rand.NewPCG(1, 1)), 110, 1<<10)
		echoed := async(func() error {
			for range messages {
				typ, p, err := server.Read(bg)
				if err != nil {
					return err
				}
				if err := server.Write(bg, typ, p); err != nil {
					return err
				}
			}
			return nil
		})
		total := 0
		for _, m := range messages {
			require.NoError(t, client.Write(bg, MessageText, m))
			_, p, err := client.Read(bg)
			require.NoError(t, err)
			require.Equal(t, string(m), string(p))
			total += len(m)
		}
		require.NoError(t, within(t, time.Minute, echoed))
		require.Greater(t, total, 100<<10)
		for _, c := range []*Conn{client, server} {
			in := c.l.rd.z
			assert.Equal(t, want, c.sendWindow()+in.history.Size(), header)
			assert.Nil(t, in.z, "an inflater is held between messages")
			assert.Nil(t, in.out, "a buffer is held between messages")
			assert.Empty(t, in.rest)
		}
	}
}

// Dial and Handler agree, and what they agree on is what is done.
func TestCompressionEndToEnd(t *testing.T) {
	for _, tc := range []struct {
		client, server *Compression
		extensions     string
	}{
		{nil, nil, ""},
		{both, nil, ""},
		{nil, both, ""},
		{both, both, "permessage-deflate"},
		{&Compression{}, &Compression{}, noTakeover},
		{both, &Compression{SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 9, ReceiveWindowBits: 10}, "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10"},
		{&Compression{ReceiveWindowBits: 11, ReceiveTakeover: true, SendTakeover: true}, both, "permessage-deflate; server_max_window_bits=11"},
	} {
		told := make(chan string, 1)
		h := Handler(func(c *Conn, r *http.Request) {
			told <- c.Extensions()
			echo(c, "messages")
		}, &UpgradeOptions{Compression: tc.server})
		addr := serveHTTP(t, h.ServeHTTP)
		opts := direct()
		opts.Compression = tc.client
		c, err := Dial(bg, "ws://"+addr, opts)
		require.NoError(t, err)
		assert.Equal(t, tc.extensions, c.Extensions())
		assert.Equal(t, tc.extensions, <-told)
		for range 3 {
			require.NoError(t, c.WriteText(bg, sampleText(3000)))
			_, p, err := c.Read(bg)
			require.NoError(t, err)
			assert.Equal(t, sampleText(3000), string(p))
		}
		require.NoError(t, c.Close(StatusNormalClosure, ""))
	}
}

// NetConn carries bytes whatever was agreed on.
func TestCompressedNetConn(t *testing.T) {
	client, server := connectPair(t, tcpPair, deflating("permessage-deflate", Compression{}))
	a, b := NetConn(bg, client, MessageBinary.Compressed()), NetConn(bg, server, MessageBinary)
	go func() {
		io.WriteString(a, sampleText(100000))
		a.Close()
	}()
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	assert.Equal(t, sampleText(100000), string(got))
	var _ net.Conn = a
	b.Close()
}

// What comes after this side's close frame goes to nobody, and is not inflated.
func TestNothingIsInflatedAfterClose(t *testing.T) {
	cfg := deflating("permessage-deflate", Compression{})
	c, peer := connectScripted(t, tcpPair, RoleClient, cfg)
	closed := async(func() error { return c.Close(StatusNormalClosure, "") })
	peer.expectClose(StatusNormalClosure)
	front := packed(OpText, []byte("half"), false)
	peer.send(append(packed(OpText, []byte("all of it"), true), front...))
	h := FrameHeader{Final: true, Opcode: OpContinuation, PayloadLength: 4}
	peer.send(append(h.Append(nil), "\xff\xff\xff\xff"...)) // which cannot be inflated
	peer.send(packed(OpText, []byte("\xc3"), true))         // and no text
	peer.send(peer.closeFrame(StatusNormalClosure, ""))
	peer.Close()
	require.NoError(t, within(t, time.Minute, closed))
}
