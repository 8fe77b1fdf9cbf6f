package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seed86893212/websocket/bench/internal/plan"
)

// A measure is something that is measured, with how it is shown.
type measured struct {
	title string
	unit  string
	value func(x *plan.Result) float64
	show  func(v float64) string
	when  func(w plan.Workload) bool
	more  bool // more is better
}

func notIdle(w plan.Workload) bool   { return w.Mode != plan.Idle }
func isDeflate(w plan.Workload) bool { return notIdle(w) && w.Deflate.On() }
func isIdle(w plan.Workload) bool    { return w.Mode == plan.Idle }

// measures are the tables of a report, in order.
var measures = []measured{
	{"Server CPU", "µs per message", func(x *plan.Result) float64 { return x.CPU / 1e3 }, micros, notIdle, false},
	{"Throughput", "messages per second", func(x *plan.Result) float64 { return float64(x.Messages) / x.Seconds }, thousands, func(w plan.Workload) bool {
		return notIdle(w) && w.Mode != plan.Rate
	}, true},
	{"Latency, p50", "", func(x *plan.Result) float64 { return float64(x.P50) }, duration, notIdle, false},
	{"Latency, p99", "", func(x *plan.Result) float64 { return float64(x.P99) }, duration, notIdle, false},
	{"Latency, maximum", "", func(x *plan.Result) float64 { return float64(x.Max) }, duration, notIdle, false},
	{"Resident memory under load", "MiB", func(x *plan.Result) float64 { return float64(x.RSS) / (1 << 20) }, micros, notIdle, false},
	{"Memory of an idle connection that never carried a message", "bytes", func(x *plan.Result) float64 { return x.IdleNever }, thousands, isIdle, false},
	{"Memory of an idle connection that has carried messages", "bytes", func(x *plan.Result) float64 { return x.IdleOnce }, thousands, isIdle, false},
	{"Compressed size", "% of the message", func(x *plan.Result) float64 { return 100 * x.Ratio }, micros, isDeflate, false},
	{"Server CPU outside the kernel", "µs per message", func(x *plan.Result) float64 { return x.User / 1e3 }, micros, notIdle, false},
}

// micros shows a small number with three digits.
func micros(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// thousands shows a number with commas.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", math.Abs(v))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if v < 0 {
		s = "-" + s
	}
	return s
}

func duration(v float64) string {
	d := time.Duration(v)
	switch {
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.0f µs", d.Seconds()*1e6)
}

// markdown returns the report as tables.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Comparison of %s\n\n%s, %d cores, Linux %s, %s. Medians of %d rounds of %s each, interleaved; idle memory in one round.\n",
		r.Date, r.Processor, r.Cores, r.Kernel, r.Go, r.Rounds, r.Measure)
	b.WriteString("The best of a row is bold.\n")
	for _, m := range measures {
		r.table(&b, m)
	}
	r.legend(&b)
	r.remarks(&b)
	return b.String()
}

// table writes the table of one measure: a row for each workload.
func (r *report) table(b *strings.Builder, m measured) {
	var rows []string
	for _, w := range r.Workloads {
		if !m.when(w) {
			continue
		}
		row := "| " + w.Name + " |"
		values, best := r.row(w, m)
		for i := range r.Libraries {
			switch v := values[i]; {
			case math.IsNaN(v):
				row += " – |"
			case v == best:
				row += " **" + m.show(v) + "** |"
			default:
				row += " " + m.show(v) + " |"
			}
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return
	}
	title := m.title
	if m.unit != "" {
		title += ", " + m.unit
	}
	fmt.Fprintf(b, "\n## %s\n\n| |", title)
	for _, l := range r.Libraries {
		b.WriteString(" " + l.Name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(r.Libraries)) + "\n" + strings.Join(rows, "\n") + "\n")
}

// row returns the medians of a workload, NaN where there are none, and the best.
func (r *report) row(w plan.Workload, m measured) (values []float64, best float64) {
	best = math.NaN()
	for _, l := range r.Libraries {
		v, ok := r.cell(w.Name, l.Name).median(m.value)
		if !ok {
			values = append(values, math.NaN())
			continue
		}
		if math.IsNaN(best) || m.more && v > best || !m.more && v < best {
			best = v
		}
		values = append(values, v)
	}
	return values, best
}

// legend says what the columns are.
func (r *report) legend(b *strings.Builder) {
	b.WriteString("\n## What was measured\n\n| name | library | version | checks text | how |\n|---|---|---|---|---|\n")
	for _, l := range r.Libraries {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", l.Name, l.Module, l.Version, l.UTF8, l.Note)
	}
}

// remarks says what makes numbers doubtful.
func (r *report) remarks(b *strings.Builder) {
	var lines []string
	for i := range r.Runs {
		c := &r.Runs[i]
		where := c.Workload + ", " + c.Library + ": "
		if spare, ok := c.median(func(x *plan.Result) float64 { return x.Spare }); ok && spare < 0.03 && !r.Block && r.busy(c.Workload) {
			lines = append(lines, where+"the generator was busy all the time, so throughput and latency are its own; CPU per message holds")
		}
		if wait, ok := c.median(func(x *plan.Result) float64 { return x.Wait }); ok && wait > 0.1 {
			lines = append(lines, fmt.Sprintf("%sthe server waited for its core for %.0f %% of the time: somebody else was there", where, wait*100))
		}
		seen := map[string]bool{}
		for j := range c.Results {
			x := &c.Results[j]
			for _, s := range []string{x.Failure, x.Limited} {
				if s != "" && !seen[s] {
					seen[s] = true
					lines = append(lines, where+s)
				}
			}
			if x.Unsent > 0 && !seen["unsent"] {
				seen["unsent"] = true
				lines = append(lines, where+"could not keep up with the rate")
			}
			if x.NoGC && !seen["gc"] {
				seen["gc"] = true
				lines = append(lines, where+"does not collect its garbage on SIGUSR1")
			}
		}
	}
	if len(lines) > 0 {
		b.WriteString("\n## Remarks\n\n- " + strings.Join(lines, "\n- ") + "\n")
	}
}

// busy reports whether a workload keeps the server busy.
func (r *report) busy(workload string) bool {
	for _, w := range r.Workloads {
		if w.Name == workload {
			return w.Mode != plan.Idle && w.Mode != plan.Rate
		}
	}
	return false
}
