//go:build !race

package websocket

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mallocs counts the allocations of the whole process for each of n calls of f.
func mallocs(n int, f func()) float64 {
	for range n / 4 {
		f()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

// No message allocates anything in steady state, on neither side, however it is
// read.
func TestNoAllocations(t *testing.T) {
	for _, mode := range []string{"into", "messages", "serve", "engine"} {
		for _, size := range []int{10, 1000, 20000} {
			for _, ctx := range []string{"background", "cancellable"} {
				client, server := connectPair(t, tcpPair)
				done := async(func() error { return echo(server, mode) })
				p := make([]byte, size)
				var buf []byte
				use := bg
				if ctx != "background" {
					use = t.Context()
				}
				perMessage := mallocs(1000, func() {
					if client.Write(use, MessageBinary, p) != nil {
						panic("Write")
					}
					var err error
					if _, buf, err = client.ReadInto(use, buf); err != nil {
						panic(err)
					}
				})
				assert.Less(t, perMessage, 0.1, "%s, %d bytes, %s", mode, size, ctx)
				require.NoError(t, client.CloseNow())
				<-done
			}
		}
	}
}

// Nor does a compressed message, with and without takeover.
func TestNoAllocationsCompressed(t *testing.T) {
	for _, mode := range []string{"into", "messages", "serve"} {
		for _, size := range []int{10, 1000, 20000} {
			for _, header := range []string{"permessage-deflate", noTakeover} {
				client, server := connectPair(t, tcpPair, deflating(header, Compression{Threshold: -1}))
				done := async(func() error { return echo(server, mode) })
				p := []byte(sampleText(size))
				var buf []byte
				perMessage := mallocs(1000, func() {
					if client.Write(bg, MessageBinary, p) != nil {
						panic("Write")
					}
					var err error
					if _, buf, err = client.ReadInto(bg, buf); err != nil {
						panic(err)
					}
				})
				assert.Less(t, perMessage, 0.1, "%s, %d bytes, %s", mode, size, header)
				require.NoError(t, client.CloseNow())
				<-done
			}
		}
	}
}

// The opening handshake allocates nothing of its own, unless it has options to
// check and subprotocols to list.
func TestUpgradeAllocations(t *testing.T) {
	for _, tc := range upgradeCases {
		w, r := newSinkWriter(tc.answer), upgradeRequest(tc.request)
		got := testing.AllocsPerRun(100, func() {
			var u upgrader
			u.init(tc.opts)
			if _, _, err := u.accept(w, r); err != nil {
				panic(err)
			}
		})
		assert.LessOrEqual(t, got, tc.allocs, tc.name)
	}
}

// What is decided without a callback costs one copy of the head.
func TestListenAllocs(t *testing.T) {
	g, err := newGate(nil)
	require.NoError(t, err)
	request := []byte(browserRequest)
	from := callerAt("")
	allocs := testing.AllocsPerRun(100, func() {
		v := g.visit()
		if g.read(v, request, nil, from); v.refused != nil {
			t.Error(v.refused)
		}
		v.free()
	})
	assert.EqualValues(t, 1, allocs)
}
