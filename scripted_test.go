package websocket

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A scriptedPeer is the other end of a connection, frame by frame, with
// whatever manners a test gives it.
type scriptedPeer struct {
	net.Conn
	t    testing.TB
	role Role // the peer's
	br   *bufio.Reader
}

// connectScripted returns a Conn in the given role and the scripted other end of
// its transport. Heartbeats are off unless configured.
func connectScripted(t testing.TB, pair func(testing.TB) (client, server net.Conn), side Role, cfgs ...ConnConfig) (*Conn, *scriptedPeer) {
	t.Helper()
	own, other := pair(t)
	shrink(own)
	shrink(other)
	role := RoleServer
	if side == RoleServer {
		own, other = other, own
		role = RoleClient
	}
	cfg := ConnConfig{Heartbeat: -1}
	if len(cfgs) > 0 {
		cfg = cfgs[0]
	}
	cfg.Role = side
	c, err := NewConn(own, &cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.CloseNow()
		other.Close()
	})
	return c, &scriptedPeer{Conn: other, t: t, role: role, br: bufio.NewReaderSize(other, 64<<10)}
}

// frame returns a frame as this peer's role sends it.
func (p *scriptedPeer) frame(op Opcode, final bool, payload string) []byte {
	h := FrameHeader{Final: final, Opcode: op, PayloadLength: int64(len(payload))}
	if p.role == RoleClient {
		h.Masked, h.MaskingKey = true, [4]byte{1, 2, 3, 4}
	}
	b := h.Append(nil)
	at := len(b)
	b = append(b, payload...)
	if h.Masked {
		Mask(b[at:], h.MaskingKey, 0)
	}
	return b
}

func (p *scriptedPeer) text(payload string) []byte { return p.frame(OpText, true, payload) }

func (p *scriptedPeer) closeFrame(code StatusCode, reason string) []byte {
	body, err := AppendClosePayload(nil, code, reason)
	require.NoError(p.t, err)
	return p.frame(OpClose, true, string(body))
}

// send writes frames in one piece.
func (p *scriptedPeer) send(frames ...[]byte) {
	p.t.Helper()
	_, err := p.Write(bytes.Join(frames, nil))
	require.NoError(p.t, err)
}

// sends is send on a goroutine of its own, for transports that hold nothing.
func (p *scriptedPeer) sends(frames ...[]byte) {
	go p.Write(bytes.Join(frames, nil))
}

// next reads one frame.
func (p *scriptedPeer) next() (FrameHeader, []byte, error) {
	var head []byte
	for {
		b, err := p.br.ReadByte()
		if err != nil {
			return FrameHeader{}, nil, err
		}
		head = append(head, b)
		h, n, err := ParseFrameHeader(head)
		if err != nil {
			return h, nil, err
		}
		if n == 0 {
			continue
		}
		payload := make([]byte, h.PayloadLength)
		if _, err := io.ReadFull(p.br, payload); err != nil {
			return h, nil, err
		}
		if h.Masked {
			Mask(payload, h.MaskingKey, 0)
		}
		return h, payload, nil
	}
}

// expect reads one frame, which must have the given opcode.
func (p *scriptedPeer) expect(op Opcode) string {
	p.t.Helper()
	h, payload, err := p.next()
	require.NoError(p.t, err)
	require.Equal(p.t, op, h.Opcode, "payload %.40q", payload)
	require.Equal(p.t, p.role == RoleServer, h.Masked)
	return string(payload)
}

// expectClose reads frames up to the close frame, which must have this code.
func (p *scriptedPeer) expectClose(code StatusCode) (reason string) {
	p.t.Helper()
	for {
		h, payload, err := p.next()
		require.NoError(p.t, err)
		if h.Opcode != OpClose {
			continue
		}
		got, reason, err := ParseClosePayload(payload)
		require.NoError(p.t, err)
		require.Equal(p.t, code, got, reason)
		return reason
	}
}

// expectEnd sees that nothing more comes.
func (p *scriptedPeer) expectEnd() {
	p.t.Helper()
	h, payload, err := p.next()
	require.Error(p.t, err, "%v %.40q", h, payload)
}

// within fails the test if ch has got nothing in d, which is far more than
// enough.
func within[T any](t testing.TB, d time.Duration, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(d):
		require.FailNow(t, "nothing happened", "in %v", d)
		panic("unreachable")
	}
}

// async runs f on a goroutine and returns where its result will be.
func async[T any](f func() T) <-chan T {
	ch := make(chan T, 1)
	go func() { ch <- f() }()
	return ch
}

// endedContext returns a context that has ended.
func endedContext() context.Context {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	return ctx
}

// waitUntil waits for something that another goroutine is about to do and that
// cannot be waited for otherwise.
func waitUntil(t testing.TB, what func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !what(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(end), "waited in vain")
	}
}

type pairFunc = func(testing.TB) (client, server net.Conn)

func pipePair(testing.TB) (net.Conn, net.Conn) { return net.Pipe() }

// stuckSize is more than the kernel takes from a connection of connectScripted
// whose peer does not read.
const stuckSize = 2 << 20

// shrink gives the kernel little room for what nobody reads.
func shrink(nc net.Conn) {
	switch nc := nc.(type) {
	case *net.TCPConn:
		nc.SetReadBuffer(256 << 10)
		nc.SetWriteBuffer(64 << 10)
	case *tls.Conn:
		shrink(nc.NetConn())
	case noDeadlines:
		shrink(nc.Conn)
	}
}
