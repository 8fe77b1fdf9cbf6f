package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/seed86893212/websocket/bench/internal/proc"
)

// A report has everything that was measured, as it is written as JSON.
type report struct {
	Date      string          `json:"date"`
	Processor string          `json:"processor"`
	Cores     int             `json:"cores"`
	Kernel    string          `json:"kernel"`
	Go        string          `json:"go"`
	Rounds    int             `json:"rounds"`
	Measure   string          `json:"measure"`
	Block     bool            `json:"block"`
	Libraries []plan.Library  `json:"libraries"`
	Workloads []plan.Workload `json:"workloads"`
	Runs      []cell          `json:"runs"`
}

// A cell is all runs of one library under one workload.
type cell struct {
	Workload string        `json:"workload"`
	Library  string        `json:"library"`
	Results  []plan.Result `json:"results"`
}

func newReport(o *options, libs []contestant) *report {
	r := &report{
		Date:      time.Now().UTC().Format("2006-01-02"),
		Cores:     len(proc.Cores()),
		Go:        runtime.Version(),
		Rounds:    o.rounds,
		Measure:   o.measure.String(),
		Block:     o.block,
		Workloads: o.workloads,
	}
	r.Processor, r.Kernel = proc.Machine()
	for _, l := range libs {
		r.Libraries = append(r.Libraries, l.Library)
	}
	return r
}

func (r *report) add(w plan.Workload, lib contestant, result plan.Result) {
	c := r.cell(w.Name, lib.Name)
	if c == nil {
		r.Runs = append(r.Runs, cell{Workload: w.Name, Library: lib.Name})
		c = &r.Runs[len(r.Runs)-1]
	}
	c.Results = append(c.Results, result)
}

// cell returns the runs of a library under a workload, nil if there are none.
func (r *report) cell(workload, library string) *cell {
	i := slices.IndexFunc(r.Runs, func(c cell) bool { return c.Workload == workload && c.Library == library })
	if i < 0 {
		return nil
	}
	return &r.Runs[i]
}

// median returns the median over the runs that worked of what f picks, and
// whether there is any.
func (c *cell) median(f func(x *plan.Result) float64) (float64, bool) {
	if c == nil {
		return 0, false
	}
	var values []float64
	for i := range c.Results {
		if c.Results[i].Failure == "" {
			values = append(values, f(&c.Results[i]))
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	n := len(values)
	return (values[n/2] + values[(n-1)/2]) / 2, true
}

// write writes the report to a directory.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	table := r.markdown()
	files := map[string][]byte{"results.json": append(raw, '\n'), "results.md": []byte(table)}
	for _, ch := range r.charts() {
		files[ch.name+".svg"] = ch.svg()
	}
	for name, p := range files {
		if err := os.WriteFile(filepath.Join(dir, name), p, 0o644); err != nil {
			return err
		}
	}
	fmt.Print(table)
	return nil
}
