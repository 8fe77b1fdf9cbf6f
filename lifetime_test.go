package websocket

import (
	"net"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What writes with the connection's own context ends with the connection, over any transport.
func TestConnContextEndsWrites(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			server, _ := connectScripted(t, tr.pair, RoleServer)
			ctx := connRequest(sampleRequest(), &server.l.link).Context()
			write := async(func() error { return server.Write(ctx, MessageBinary, make([]byte, stuckSize)) })
			waitUntil(t, func() bool { return server.BufferedAmount() > 0 })
			flush := async(func() error { return server.Flush(ctx) })
			select {
			case err := <-write:
				require.FailNow(t, "nobody reads, and a write has ended", "%v", err)
			case <-time.After(20 * time.Millisecond):
			}
			require.NoError(t, server.CloseNow())
			assert.ErrorIs(t, within(t, 10*time.Second, write), net.ErrClosed)
			assert.ErrorIs(t, within(t, 10*time.Second, flush), net.ErrClosed)
			assert.ErrorIs(t, server.Write(ctx, MessageBinary, nil), net.ErrClosed, "not that the context has ended")
			assert.ErrorIs(t, server.Flush(ctx), net.ErrClosed)
		})
	}
}

// Nor is a goroutine needed for it where a send cannot be called off.
func TestConnContextWritesOverTLSNeedNoGoroutine(t *testing.T) {
	const n = 500
	created := func() uint64 {
		s := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	client, server := connectPair(t, tlsPair)
	ctx := connRequest(sampleRequest(), &server.l.link).Context()
	go func() {
		for m, err := range server.Messages(ctx) {
			if err != nil {
				return // the client is gone
			}
			assert.NoError(t, server.Write(ctx, m.Type, m.Data))
		}
	}()
	before := created()
	for range n {
		require.NoError(t, client.WriteText(bg, "to and fro"))
		_, _, err := client.Read(bg)
		require.NoError(t, err)
	}
	assert.Less(t, created()-before, uint64(n/10))
}
