package main

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"

	"github.com/seed86893212/websocket/bench/internal/plan"
)

// A chart shows one measure: for each workload a group of bars, one for each
// library, the shortest first.
type chart struct {
	name, title, note string
	groups            []group
}

type group struct {
	title string
	bars  []bar
}

type bar struct {
	label string
	shown string
	value float64
	ours  bool
}

// charts returns the charts of a report: a group in each for every workload.
func (r *report) charts() []chart {
	footer := fmt.Sprintf("%s, Linux %s, %s, %s", r.Processor, r.Kernel, r.Go, r.Date)
	var all []chart
	for _, spec := range []struct {
		name    string
		measure int
		when    func(w plan.Workload) bool
	}{
		{"cpu", 0, func(w plan.Workload) bool { return w.Mode == plan.Echo && !w.TLS && !w.Deflate.On() }},
		{"cpu-other", 0, func(w plan.Workload) bool { return notIdle(w) && (w.Mode != plan.Echo || w.TLS) }},
		{"cpu-compressed", 0, isDeflate},
		{"ratio", 8, isDeflate},
		{"p99", 3, func(w plan.Workload) bool { return w.Mode == plan.Echo || w.Mode == plan.Rate }},
		{"idle", 7, isIdle},
	} {
		m := measures[spec.measure]
		c := chart{name: spec.name, title: m.title, note: footer}
		if m.unit != "" {
			c.title += ", " + m.unit
		}
		c.title += " (less is better)"
		for _, w := range r.Workloads {
			if spec.when(w) {
				c.groups = append(c.groups, r.group(w, m))
			}
		}
		if len(c.groups) > 0 {
			all = append(all, c)
		}
	}
	return all
}

func (r *report) group(w plan.Workload, m measured) group {
	g := group{title: describe(w)}
	values, _ := r.row(w, m)
	for i, l := range r.Libraries {
		if !math.IsNaN(values[i]) {
			g.bars = append(g.bars, bar{l.Name, m.show(values[i]), values[i], strings.HasPrefix(l.Name, "ours")})
		}
	}
	return g
}

// describe says in words what a workload is.
func describe(w plan.Workload) string {
	over := ""
	if w.TLS {
		over = " over TLS"
	}
	switch {
	case w.Deflate.Takeover:
		over += fmt.Sprintf(", compressed with takeover, %d bits", w.Deflate.Bits)
	case w.Deflate.On():
		over += ", compressed"
	}
	conns := thousands(float64(w.Conns)) + " connections" + over
	size := fmt.Sprintf("%d B", w.Size)
	switch {
	case w.Size >= 1<<20:
		size = fmt.Sprintf("%d MiB", w.Size>>20)
	case w.Size >= 1<<10:
		size = fmt.Sprintf("%d KiB", w.Size>>10)
	}
	switch w.Mode {
	case plan.Rate:
		if w.Depth > 0 {
			conns += ", one of which floods"
		}
		return fmt.Sprintf("%s, %s, %s messages a second", conns, size, thousands(float64(w.Rate)))
	case plan.Handshake, plan.Crowd:
		return fmt.Sprintf("opening handshakes, %d at a time", w.Conns)
	case plan.Idle:
		return conns
	case plan.Broadcast:
		return fmt.Sprintf("broadcast of %s to %s, per delivery", size, conns)
	}
	if w.Size >= 1<<20 {
		return fmt.Sprintf("%s, %s %s", conns, size, w.Kind)
	}
	return fmt.Sprintf("%s, %s, %d in flight", conns, size, w.Depth)
}

const (
	chartWidth = 860
	columns    = 2
	gap        = 28
	labelWidth = 116
	valueWidth = 64
	barHeight  = 16
	groupHead  = 26
	chartHead  = 48
	chartFoot  = 30
)

// The colours come from a style that knows dark pages; there is no background,
// so that the page's shows.
const chartStyle = `<style>
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#24292f}
.t{font-size:16px;font-weight:600}.g{font-weight:600}.n,.v{fill:#57606a}.n{font-size:11px}
.b{fill:#afb8c1}.o{fill:#0969da}.us{font-weight:600;fill:#0969da}.l{stroke:#d0d7de}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.n,.v{fill:#8d96a0}.b{fill:#484f58}.o{fill:#2f81f7}.us{fill:#58a6ff}.l{stroke:#30363d}}
</style>
`

// svg draws the chart.
func (c *chart) svg() []byte {
	width := (chartWidth - gap*(columns-1)) / columns
	var body strings.Builder
	bottom := [columns]int{}
	for i := range bottom {
		bottom[i] = chartHead
	}
	for i := range c.groups {
		col := 0
		for j := range bottom {
			if bottom[j] < bottom[col] {
				col = j
			}
		}
		c.groups[i].draw(&body, col*(width+gap), bottom[col], width)
		bottom[col] += groupHead + len(c.groups[i].bars)*barHeight + gap
	}
	height := chartFoot
	for _, y := range bottom {
		height = max(height, y+chartFoot-gap/2)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		chartWidth, height, chartWidth, height, html.EscapeString(c.title))
	b.WriteString(chartStyle)
	fmt.Fprintf(&b, `<text class="t" x="0" y="22">%s</text>`+"\n", html.EscapeString(c.title))
	b.WriteString(body.String())
	fmt.Fprintf(&b, `<text class="n" x="0" y="%d">%s</text>`+"\n</svg>\n", height-8, html.EscapeString(c.note))
	return []byte(b.String())
}

// draw draws a group of bars at x and y. A bar that is much longer than the
// others of its group is cut, and says so.
func (g *group) draw(b *strings.Builder, x, y, width int) {
	bars := sorted(g.bars)
	room := float64(width - labelWidth - valueWidth)
	longest := 0.0
	if n := len(bars); n > 0 {
		longest = min(bars[n-1].value, 6*bars[n/2].value)
	}
	fmt.Fprintf(b, `<text class="g" x="%d" y="%d">%s</text>`+"\n", x, y+14, html.EscapeString(g.title))
	y += groupHead - 4
	fmt.Fprintf(b, `<line class="l" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", x+labelWidth, y, x+labelWidth, y+len(bars)*barHeight)
	for _, v := range bars {
		class, label := "b", "v"
		if v.ours {
			class, label = "o", "us"
		}
		shown := v.shown
		length := 0.0
		if longest > 0 {
			length = max(v.value, 0) / longest * room
		}
		if length > room {
			length = room
			shown += " ⟩⟩"
		}
		fmt.Fprintf(b, `<text class="%s" x="%d" y="%d" text-anchor="end">%s</text>`, label, x+labelWidth-6, y+12, html.EscapeString(v.label))
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`, class, x+labelWidth, y+2, length, barHeight-4)
		fmt.Fprintf(b, `<text class="v" x="%.1f" y="%d">%s</text>`+"\n", float64(x+labelWidth+5)+length, y+12, html.EscapeString(shown))
		y += barHeight
	}
}

// sorted returns bars, the shortest first.
func sorted(bars []bar) []bar {
	bars = slices.Clone(bars)
	slices.SortStableFunc(bars, func(a, b bar) int { return cmp.Compare(a.value, b.value) })
	return bars
}
