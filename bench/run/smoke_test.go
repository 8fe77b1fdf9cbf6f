//go:build linux

package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/stretchr/testify/require"
)

// Every mode of the generator works with a server of ours and one of a peer's.
func TestEveryModeWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	bin := t.TempDir()
	t.Chdir("..")
	require.NoError(t, build(bin))
	o := &options{libs: []string{"ours-messages", "gorilla"}, server: -1, generator: -1, measure: 50 * time.Millisecond, block: true}
	libs, err := o.contestants(bin)
	require.NoError(t, err)
	for _, w := range workloads[:defaultWorkloads] {
		w.Conns = min(w.Conns, 20)
		w.Rate = min(w.Rate, 1000)
		for _, lib := range libs {
			if !lib.can(w) {
				require.True(t, w.Deflate.Takeover && lib.Name == "gorilla", "%s, %s", w.Name, lib.Name)
				continue
			}
			x := measure(o, lib, w, filepath.Join(bin, "load"))
			require.Empty(t, x.Failure, "%s, %s", w.Name, lib.Name)
			require.NotZero(t, x.Messages, "%s, %s", w.Name, lib.Name)
			if w.Mode != plan.Idle {
				require.Positive(t, x.CPU, "%s, %s", w.Name, lib.Name)
				require.LessOrEqual(t, x.User, x.CPU, "%s, %s", w.Name, lib.Name)
				require.Equal(t, w.Deflate.On(), x.Ratio > 0.1, "%s, %s: %v", w.Name, lib.Name, x.Ratio)
			}
		}
	}
}

// An echo that is not what was sent, and a server that falls over, are failures.
func TestFailuresAreSeen(t *testing.T) {
	o := &options{server: -1, generator: -1, measure: 10 * time.Millisecond}
	lib := contestant{Library: plan.Library{Name: "none"}, command: []string{"false", "{addr}"}}
	x := measure(o, lib, workloads[0], "no-generator")
	require.Contains(t, x.Failure, "the server has ended")
}
