//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/stretchr/testify/require"
)

// sample is a report of two libraries under two workloads.
func sample() *report {
	libs := []contestant{{Library: plan.Library{Name: "ours-x"}}, {Library: plan.Library{Name: "other"}}}
	idle, _ := choose("idle-10k")
	r := newReport(&options{workloads: []plan.Workload{workloads[0], idle[0]}, rounds: 3}, libs)
	for i, cpu := range []float64{5000, 9000, 7000} {
		r.add(workloads[0], libs[0], plan.Result{Messages: 1000, Seconds: 1, CPU: cpu, User: cpu / 8, P99: int64(i) * 1e6, Spare: 0.5})
	}
	r.add(workloads[0], libs[1], plan.Result{Failure: "it <fell> over"})
	r.add(workloads[0], libs[1], plan.Result{Messages: 3000, Seconds: 1, CPU: 8000, P99: 5e6, Spare: 0.01})
	r.add(idle[0], libs[0], plan.Result{IdleNever: 4000, IdleOnce: 4200})
	r.add(idle[0], libs[1], plan.Result{IdleNever: 17000, IdleOnce: 171234})
	return r
}

func TestMedianLeavesFailuresOut(t *testing.T) {
	r := sample()
	cpu := func(x *plan.Result) float64 { return x.CPU }
	v, ok := r.cell(workloads[0].Name, "ours-x").median(cpu)
	require.True(t, ok)
	require.EqualValues(t, 7000, v)
	v, ok = r.cell(workloads[0].Name, "other").median(cpu)
	require.True(t, ok)
	require.EqualValues(t, 8000, v)
	_, ok = r.cell("nothing", "other").median(cpu)
	require.False(t, ok)
}

func TestMarkdown(t *testing.T) {
	got := sample().markdown()
	require.Contains(t, got, "| 64x128x1 | **7.00** | 8.00 |")
	require.Contains(t, got, "| 64x128x1 | 1,000 | **3,000** |")
	require.Contains(t, got, "| idle-10k | **4,200** | 171,234 |")
	require.Contains(t, got, "## Server CPU outside the kernel, µs per message\n")
	require.Contains(t, got, "| 64x128x1 | 0.88 | **0.00** |")
	require.Contains(t, got, "it <fell> over")
	require.NotContains(t, got, "Compressed size")
	require.Contains(t, got, "64x128x1, other: the generator was busy all the time")
}

func TestMarkdownHasRatios(t *testing.T) {
	w, err := choose("json-1K-takeover")
	require.NoError(t, err)
	libs := []contestant{{Library: plan.Library{Name: "x"}}}
	r := newReport(&options{workloads: w, rounds: 1}, libs)
	r.add(w[0], libs[0], plan.Result{Messages: 1, Seconds: 1, Ratio: 0.251})
	require.Contains(t, r.markdown(), "## Compressed size, % of the message\n\n| | x |\n|---|--:|\n| json-1K-takeover | **25.1** |")
	names := []string{}
	for _, c := range r.charts() {
		names = append(names, c.name)
	}
	require.Equal(t, []string{"cpu-compressed", "ratio", "p99"}, names)
}

func TestCanCompress(t *testing.T) {
	plain := contestant{}
	some := contestant{Library: plan.Library{Deflate: true}}
	most := contestant{Library: plan.Library{Deflate: true, Takeover: true}}
	all := contestant{Library: plan.Library{Deflate: true, Takeover: true, Window: true}}
	for name, want := range map[string][4]bool{
		"64x128x1":            {true, true, true, true},
		"json-1K":             {false, true, true, true},
		"json-1K-takeover":    {false, false, true, true},
		"json-1K-takeover-12": {false, false, false, true},
		"idle-json-12":        {false, false, false, true},
	} {
		w, err := choose(name)
		require.NoError(t, err)
		require.Equal(t, want, [4]bool{plain.can(w[0]), some.can(w[0]), most.can(w[0]), all.can(w[0])}, name)
	}
}

func TestChartsAreXML(t *testing.T) {
	charts := sample().charts()
	require.Len(t, charts, 3)
	for _, c := range charts {
		svg := string(c.svg())
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, svg)
		}
		require.Contains(t, svg, "ours-x")
		require.Contains(t, svg, "prefers-color-scheme:dark")
	}
}

func TestNumbers(t *testing.T) {
	require.Equal(t, "1,234,567", thousands(1234567))
	require.Equal(t, "-12", thousands(-12))
	require.Equal(t, "0.35", micros(0.351))
	require.Equal(t, "7.43", micros(7.428))
	require.Equal(t, "31.0", micros(31))
	require.Equal(t, "1070", micros(1070.3))
	require.Equal(t, "250 µs", duration(float64(250*time.Microsecond)))
	require.Equal(t, "1.5 ms", duration(float64(1500*time.Microsecond)))
	require.Equal(t, "250 ms", duration(float64(250*time.Millisecond)))
}

func TestChoose(t *testing.T) {
	got, err := choose("64x128x*,idle-10k")
	require.NoError(t, err)
	require.Len(t, got, 3)
	got, err = choose("")
	require.NoError(t, err)
	require.Len(t, got, defaultWorkloads)
	_, err = choose("nonsense")
	require.Error(t, err)
}
