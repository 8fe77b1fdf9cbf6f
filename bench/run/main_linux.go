// Command run compares WebSocket libraries: it starts each one's echo server on
// one core and the load generator on another, workload after workload, in
// interleaved rounds, and writes the medians as Markdown, SVG and JSON. See the
// README for how to read them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed86893212/websocket/bench/internal/plan"
)

func main() {
	log.SetFlags(log.Ltime)
	log.SetPrefix("bench: ")
	o, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(o)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(o *options) error {
	bin, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin) //nolint:errcheck // it is in the temporary directory
	if err := build(bin); err != nil {
		return err
	}
	libs, err := o.contestants(bin)
	if err != nil {
		return err
	}
	if o.list {
		printChoice(libs)
		return nil
	}
	r := newReport(o, libs)
	failed := compare(o, libs, filepath.Join(bin, "load"), r)
	if err := r.write(o.out); err != nil {
		return err
	}
	if o.quick && failed > 0 {
		return fmt.Errorf("%d measurements failed", failed)
	}
	return nil
}

// build compiles the servers and the generator into dir.
func build(dir string) error {
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./server", "./load")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building servers and generator: %w", err)
	}
	return nil
}

// compare measures everything, round by round, each in an order of its own, and
// returns how many measurements failed.
func compare(o *options, libs []contestant, generator string, r *report) (failed int) {
	began := time.Now()
	for round := range o.rounds {
		for _, w := range o.workloads {
			if w.Mode == plan.Idle && round > 0 {
				continue // memory is the same every time
			}
			order := slices.Clone(libs)
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for _, lib := range order {
				if !lib.can(w) {
					continue
				}
				result := measure(o, lib, w, generator)
				if result.Failure != "" {
					failed++
				}
				r.add(w, lib, result)
				log.Printf("round %d of %d  %-16s %-16s %s", round+1, o.rounds, w.Name, lib.Name, brief(w, &result))
			}
		}
	}
	log.Printf("%d rounds in %s", o.rounds, time.Since(began).Round(time.Second))
	return failed
}

// brief is one measurement in a line.
func brief(w plan.Workload, x *plan.Result) string {
	switch {
	case x.Failure != "":
		return "FAILED: " + x.Failure
	case w.Mode == plan.Idle:
		return fmt.Sprintf("%.0f and %.0f bytes per connection", x.IdleNever, x.IdleOnce)
	}
	ratio := ""
	if w.Deflate.On() {
		ratio = fmt.Sprintf("%.1f %% of the size  ", 100*x.Ratio)
	}
	return ratio + fmt.Sprintf("%9.0f/s  %8.2f µs CPU  p50 %s  p99 %s  max %s  spare %.0f %%", float64(x.Messages)/x.Seconds, x.CPU/1e3,
		time.Duration(x.P50), time.Duration(x.P99), time.Duration(x.Max).Round(time.Microsecond), x.Spare*100)
}

func printChoice(libs []contestant) {
	fmt.Println("libraries:")
	for _, l := range libs {
		fmt.Printf("  %-16s %-10s UTF-8 %-4s %s\n", l.Name, l.Version, l.UTF8, l.Note)
	}
	fmt.Println("workloads:")
	names := []string{}
	for _, w := range workloads {
		names = append(names, w.Name)
	}
	fmt.Println("  " + strings.Join(names, " "))
}
