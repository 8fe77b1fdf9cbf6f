package websocket

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// CHECKLIST 30: everything that can be done with an Engine's connections, at
// once. WEBSOCKET_RACE_TIME (10m) makes it go on for longer.
func TestEngineRaces(t *testing.T) {
	lasts := time.Second / 2
	if s := os.Getenv("WEBSOCKET_RACE_TIME"); s != "" {
		var err error
		lasts, err = time.ParseDuration(s)
		require.NoError(t, err)
	}
	for end, n := time.Now().Add(lasts), 0; n == 0 || time.Now().Before(end); n++ {
		raceEngine(t, &EngineOptions{Loops: 1 + n%3, Blocking: n/2%2 == 1}, n)
	}
}

// raceEngine has an Engine serve connections that come and go, and shuts it down
// in the middle of that.
func raceEngine(t *testing.T, opts *EngineOptions, n int) {
	e, err := NewEngine(opts)
	require.NoError(t, err)
	var open atomic.Int32
	ev := &Events{
		Open:    func(*Conn) { open.Add(1) },
		Message: raceMessage,
		Pong:    func(c *Conn, p []byte) { c.Send(MessageBinary, p) },
		Drain:   func(c *Conn) { c.WriteText(bg, "drained") },
		Close:   func(*Conn, error) { open.Add(-1) },
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 4 {
				raceConn(t, e, ev, transports[(i+n)%len(transports)].pair)
			}
		})
	}
	all.Go(func() {
		time.Sleep(rand.N(20 * time.Millisecond))
		ctx, cancel := context.WithTimeout(bg, rand.N(10*time.Millisecond))
		defer cancel()
		_ = e.Shutdown(ctx)
	})
	all.Wait()
	ended := async(func() error { return e.Shutdown(bg) })
	require.NoError(t, within(t, 20*time.Second, ended))
	require.Zero(t, open.Load(), "Open and Close called as often")
	require.Zero(t, e.Len())
}

func raceMessage(c *Conn, typ MessageType, p []byte) {
	switch rand.N(40) {
	case 0:
		c.Close(4000, "")
	case 1:
		c.CloseNow()
	case 2:
		panic("boom")
	case 3:
		c.Write(bg, MessageBinary, make([]byte, 200<<10))
	case 4:
		c.SendPing([]byte("x"))
	default:
		c.Write(bg, typ, p)
	}
}

// raceConn attaches a connection while others write to it, and ends it in one
// way or another.
func raceConn(t *testing.T, e *Engine, ev *Events, pair pairFunc) {
	a, b := pair(t)
	quiet := &Trace{Panicked: func(any, []byte) {}}
	cfg := ConnConfig{Heartbeat: time.Millisecond, CloseTimeout: 20 * time.Millisecond, SendLimit: 300 << 10, Trace: quiet}
	cc, sc := cfg, cfg
	cc.Role, sc.Role = RoleClient, RoleServer
	client, err := NewConn(a, &cc)
	require.NoError(t, err)
	server, err := NewConn(b, &sc)
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range 10 {
				ctx, cancel := context.WithTimeout(bg, rand.N(2*time.Millisecond))
				raceCall(ctx, server)
				cancel()
			}
		})
	}
	all.Go(func() {
		for range 20 {
			if client.Write(bg, MessageBinary, make([]byte, rand.N(3000))) != nil {
				return
			}
		}
	})
	if rand.N(4) > 0 { // a peer that reads
		all.Go(func() {
			for _, err := range client.Messages(bg) {
				if err != nil {
					return
				}
			}
		})
	}
	if err := e.Attach(server, ev); err != nil {
		if err != ErrEngineClosed {
			assert.ErrorIs(t, err, net.ErrClosed)
		}
		server.CloseNow()
	}
	time.Sleep(rand.N(3 * time.Millisecond))
	switch rand.N(6) {
	case 0:
		client.Close(StatusNormalClosure, "")
	case 1:
		if tc, ok := a.(*net.TCPConn); ok {
			tc.SetLinger(0)
		}
		client.CloseNow()
	case 2:
		server.Close(StatusNormalClosure, "")
	case 3:
		server.CloseNow()
	case 4:
		if tc, ok := a.(*net.TCPConn); ok {
			tc.CloseWrite()
		}
	}
	time.AfterFunc(20*time.Millisecond, func() { client.CloseNow() })
	within(t, 20*time.Second, server.Done())
	client.CloseNow()
	all.Wait()
}

// raceCall calls something that is safe for concurrent use.
func raceCall(ctx context.Context, c *Conn) {
	switch rand.N(8) {
	case 0:
		c.Write(ctx, MessageBinary, make([]byte, rand.N(100<<10)))
	case 1:
		c.Send(MessageBinary, make([]byte, rand.N(100<<10)))
	case 2:
		c.SendPing(nil)
	case 3:
		c.Ping(ctx)
	case 4:
		c.Flush(ctx)
	case 5:
		if w, err := c.Writer(ctx, MessageText); err == nil {
			w.SetContext(bg)
			w.WriteString("x")
			w.Flush()
			w.Close()
		}
	case 6:
		if raw, err := c.SyscallConn(); err == nil {
			raw.Control(func(uintptr) {})
		}
		c.LocalAddr()
		c.BufferedAmount()
	case 7:
		c.WriteText(ctx, "small")
	}
}
