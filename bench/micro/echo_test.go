//go:build linux

package micro

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"testing"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	"github.com/seed86893212/websocket"
	"github.com/seed86893212/websocket/bench/internal/wire"
	"github.com/stretchr/testify/require"
)

// echoes are loops that send back what comes until there is no more; they
// return how many messages that were.
var echoes = []struct {
	name string
	echo func(tb testing.TB, nc net.Conn) int
}{
	{"ours-into", oursInto},
	{"ours-messages", oursMessages},
	{"ours-serve", oursServe},
	{"gorilla", gorillaEcho},
	{"coder", coderEcho},
	{"gws", gwsEcho},
	{"gobwas", gobwasEcho},
}

func ours(tb testing.TB, nc net.Conn) *websocket.Conn {
	c, err := websocket.NewConn(nc, &websocket.ConnConfig{Role: websocket.RoleServer})
	require.NoError(tb, err)
	return c
}

func oursInto(tb testing.TB, nc net.Conn) (n int) {
	c := ours(tb, nc)
	defer c.CloseNow()
	ctx := context.Background()
	var buf []byte
	for {
		t, p, err := c.ReadInto(ctx, buf)
		if err != nil || c.Write(ctx, t, p) != nil {
			return n
		}
		buf = p
		n++
	}
}

func oursMessages(tb testing.TB, nc net.Conn) (n int) {
	c := ours(tb, nc)
	defer c.CloseNow()
	ctx := context.Background()
	for m, err := range c.Messages(ctx) {
		if err != nil || c.Write(ctx, m.Type, m.Data) != nil {
			break
		}
		n++
	}
	return n
}

func oursServe(tb testing.TB, nc net.Conn) (n int) {
	c := ours(tb, nc)
	ctx := context.Background()
	ev := websocket.Events{Message: func(c *websocket.Conn, t websocket.MessageType, p []byte) {
		if c.Write(ctx, t, p) == nil {
			n++
		}
	}}
	_ = ev.Serve(ctx, c) // the peer leaves without a word
	return n
}

func gorillaEcho(tb testing.TB, nc net.Conn) (n int) {
	var upgrader gorilla.Upgrader
	c, err := upgrader.Upgrade(newResponse(nc), handshake(), nil)
	require.NoError(tb, err)
	var buf bytes.Buffer
	for {
		t, r, err := c.NextReader()
		if err != nil {
			return n
		}
		buf.Reset()
		if _, err := buf.ReadFrom(r); err != nil || c.WriteMessage(t, buf.Bytes()) != nil {
			return n
		}
		n++
	}
}

func coderEcho(tb testing.TB, nc net.Conn) (n int) {
	c, err := coder.Accept(newResponse(nc), handshake(), nil)
	require.NoError(tb, err)
	defer c.CloseNow()
	c.SetReadLimit(-1)
	ctx := context.Background()
	var buf bytes.Buffer
	for {
		t, r, err := c.Reader(ctx)
		if err != nil {
			return n
		}
		buf.Reset()
		if _, err := buf.ReadFrom(r); err != nil || c.Write(ctx, t, buf.Bytes()) != nil {
			return n
		}
		n++
	}
}

type gwsHandler struct {
	gws.BuiltinEventHandler
	n int
}

func (h *gwsHandler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if c.WriteMessage(m.Opcode, m.Bytes()) == nil {
		h.n++
	}
}

func gwsEcho(tb testing.TB, nc net.Conn) int {
	h := &gwsHandler{}
	c, err := gws.NewUpgrader(h, nil).Upgrade(newResponse(nc), handshake())
	require.NoError(tb, err)
	c.ReadLoop()
	return h.n
}

func gobwasEcho(_ testing.TB, nc net.Conn) (n int) {
	for {
		p, op, err := wsutil.ReadClientData(nc)
		if err != nil || wsutil.WriteServerMessage(nc, op, p) != nil {
			return n
		}
		n++
	}
}

func TestEchoesEcho(t *testing.T) {
	for _, e := range echoes {
		require.Equal(t, 100, e.echo(t, newMemory(wire.KindBinary, 128, 100)), e.name)
	}
}

// BenchmarkEcho is the cost in user space of an echo. What our connections stand
// on here is the transport for net.Conns that we do not know: a goroutine reads
// ahead.
func BenchmarkEcho(b *testing.B) {
	for _, kind := range []wire.Kind{wire.KindText, wire.KindBinary} {
		for _, size := range []int{128, 16 << 10} {
			for _, e := range echoes {
				b.Run(fmt.Sprintf("%s/%d/%s", kind, size, e.name), func(b *testing.B) {
					b.ReportAllocs()
					b.SetBytes(int64(size))
					defer cpu(b)()
					if n := e.echo(b, newMemory(kind, size, b.N)); n != b.N {
						b.Fatalf("%d of %d messages", n, b.N)
					}
				})
			}
		}
	}
}
