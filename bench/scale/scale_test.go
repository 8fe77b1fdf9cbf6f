//go:build linux

package main

import (
	"io"
	"log"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The processes of a run are this executable too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == child {
		if err := serveOrders(os.Args[2]); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(m.Run())
}

// Few connections for a few seconds: all manners of dying, all counts exact.
func TestWavesOfFewConnections(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		var out strings.Builder
		err := runWaves(&settings{
			Conns: 300, Servers: 2, Clients: 2, Duration: 3 * time.Second, Every: time.Second, Wave: time.Second,
			Share: 0.3, Rate: 5, Pace: 1000, Heartbeat: 500 * time.Millisecond, Blocking: blocking,
		}, &out)
		require.NoError(t, err, out.String())
		for _, name := range mannerNames {
			require.Contains(t, out.String(), name+" ", "nothing died that way:\n%s", out.String())
		}
	}
}

func TestCPUOfFewConnections(t *testing.T) {
	var out strings.Builder
	err := runCPU(&settings{Pace: 1000, Flight: 3, Heartbeat: time.Second}, []int{2, 4}, 1, 200*time.Millisecond, &out)
	if err != errVerdict { // which so short a time may well give
		require.NoError(t, err)
	}
	require.Regexp(t, `^ +2 connections: [1-9]\d+ ns a message, 1.00 times, \d+ outside the kernel; \d+\.\d packets; [1-9]\d+ ns a packet, 1.00 times; all: \[\d+\]\n +4 connections: `, out.String())
}

// sound returns the pictures of a run in which all went well.
func sound() *verdict {
	take := func(n int, rss int64) *picture {
		s := serverCounts{Len: n, Goroutines: 4}
		return &picture{servers: []serverCounts{s}, server: s, usages: []usage{{rss: rss, files: 12 + n}}}
	}
	v := &verdict{out: io.Discard, before: take(0, 10<<20), first: take(1000, 50<<20), second: take(1000, 52<<20), after: take(0, 12<<20)}
	v.after.client = clientCounts{Opened: 3, Sent: 7, Echoed: 7, Died: tally{bySilence: 1, byLost: 1, byReset: 1}}
	v.after.server = serverCounts{Opened: 3, Closed: 3, Messages: 7, Ended: tally{bySilence: 2, byReset: 1}}
	return v
}

func TestVerdict(t *testing.T) {
	require.NoError(t, sound().pronounce())
	for name, spoil := range map[string]func(v *verdict){
		"an error of a client":        func(v *verdict) { v.after.client.Errors = 1 },
		"an error of a server":        func(v *verdict) { v.after.server.Errors = 1 },
		"an echo is missing":          func(v *verdict) { v.after.client.Echoed-- },
		"a message is missing":        func(v *verdict) { v.after.server.Messages-- },
		"no messages":                 func(v *verdict) { v.after.client.Sent, v.after.client.Echoed, v.after.server.Messages = 0, 0, 0 },
		"Open is missing":             func(v *verdict) { v.after.server.Opened-- },
		"Close is missing":            func(v *verdict) { v.after.server.Closed-- },
		"Close comes twice":           func(v *verdict) { v.after.server.Closed++ },
		"died otherwise":              func(v *verdict) { v.after.server.Ended = tally{bySilence: 1, byReset: 2} },
		"died unseen":                 func(v *verdict) { v.after.client.Died[byReset], v.after.server.Ended[byReset] = 0, 0 },
		"a client has one left":       func(v *verdict) { v.after.client.Open = 1 },
		"one does not finish dying":   func(v *verdict) { v.after.client.Dying = 1 },
		"a server has one left":       func(v *verdict) { v.after.server.Len = 1 },
		"a goroutine is left":         func(v *verdict) { v.after.servers[0].Goroutines++ },
		"a descriptor is left":        func(v *verdict) { v.after.usages[0].files++ },
		"memory is left":              func(v *verdict) { v.after.usages[0].rss += 12 << 20 },
		"memory grows with the waves": func(v *verdict) { v.second.usages[0].rss += 15 << 20 },
	} {
		if raceEnabled && strings.HasPrefix(name, "memory") {
			continue
		}
		v := sound()
		spoil(v)
		require.Equal(t, errVerdict, v.pronounce(), name)
	}
}
