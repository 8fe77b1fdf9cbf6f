package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/seed86893212/websocket/bench/internal/proc"
	"github.com/seed86893212/websocket/bench/internal/wire"
)

// workloads are all there are, in the order of the table.
var workloads = []plan.Workload{
	{Name: "64x128x1", Mode: plan.Echo, Conns: 64, Size: 128, Depth: 1, Kind: wire.KindText},
	{Name: "64x128x16", Mode: plan.Echo, Conns: 64, Size: 128, Depth: 16, Kind: wire.KindText},
	{Name: "1000x128x1", Mode: plan.Echo, Conns: 1000, Size: 128, Depth: 1, Kind: wire.KindText},
	{Name: "1000x1Kx4", Mode: plan.Echo, Conns: 1000, Size: 1 << 10, Depth: 4, Kind: wire.KindText},
	{Name: "64x16Kx1", Mode: plan.Echo, Conns: 64, Size: 16 << 10, Depth: 1, Kind: wire.KindText},
	{Name: "8x1M", Mode: plan.Echo, Conns: 8, Size: 1 << 20, Depth: 1, Kind: wire.KindBinary},
	{Name: "8x1M-mixed", Mode: plan.Echo, Conns: 8, Size: 1 << 20, Depth: 1, Kind: wire.KindMixed},
	{Name: "rate-20k", Mode: plan.Rate, Conns: 1000, Size: 128, Rate: 20_000, Kind: wire.KindText},
	{Name: "wss-64x128x1", Mode: plan.Echo, Conns: 64, Size: 128, Depth: 1, Kind: wire.KindText, TLS: true},
	{Name: "wss-64x16Kx1", Mode: plan.Echo, Conns: 64, Size: 16 << 10, Depth: 1, Kind: wire.KindText, TLS: true},
	{Name: "broadcast-1k", Mode: plan.Broadcast, Conns: 1000, Size: 128, Kind: wire.KindText},
	{Name: "broadcast-10k", Mode: plan.Broadcast, Conns: 10_000, Size: 128, Kind: wire.KindText},
	{Name: "handshakes", Mode: plan.Handshake, Conns: 64},
	{Name: "handshakes-crowd", Mode: plan.Crowd, Conns: 1000},
	{Name: "idle-10k", Mode: plan.Idle, Conns: 10_000, Size: 128, Kind: wire.KindText},
	{Name: "idle-wss-2k", Mode: plan.Idle, Conns: 2000, Size: 128, Kind: wire.KindText, TLS: true},
	{Name: "json-128", Mode: plan.Echo, Conns: 16, Size: 128, Depth: 1, Kind: wire.KindJSON, Deflate: noTakeover},
	{Name: "json-1K", Mode: plan.Echo, Conns: 16, Size: 1 << 10, Depth: 1, Kind: wire.KindJSON, Deflate: noTakeover},
	{Name: "json-16K", Mode: plan.Echo, Conns: 16, Size: 16 << 10, Depth: 1, Kind: wire.KindJSON, Deflate: noTakeover},
	{Name: "json-128-takeover", Mode: plan.Echo, Conns: 16, Size: 128, Depth: 1, Kind: wire.KindJSON, Deflate: takeover},
	{Name: "json-1K-takeover", Mode: plan.Echo, Conns: 16, Size: 1 << 10, Depth: 1, Kind: wire.KindJSON, Deflate: takeover},
	{Name: "json-16K-takeover", Mode: plan.Echo, Conns: 16, Size: 16 << 10, Depth: 1, Kind: wire.KindJSON, Deflate: takeover},
	{Name: "idle-json", Mode: plan.Idle, Conns: 500, Size: 1 << 10, Depth: 64, Kind: wire.KindJSON, Deflate: noTakeover},
	{Name: "idle-json-12", Mode: plan.Idle, Conns: 500, Size: 1 << 10, Depth: 64, Kind: wire.KindJSON, Deflate: smallTakeover},
	{Name: "idle-json-15", Mode: plan.Idle, Conns: 500, Size: 1 << 10, Depth: 64, Kind: wire.KindJSON, Deflate: takeover},
	// Not part of a run unless asked for.
	{Name: "1x128x1", Mode: plan.Echo, Conns: 1, Size: 128, Depth: 1, Kind: wire.KindText},
	{Name: "64x8x1", Mode: plan.Echo, Conns: 64, Size: 8, Depth: 1, Kind: wire.KindBinary},
	{Name: "10kx128x1", Mode: plan.Echo, Conns: 10_000, Size: 128, Depth: 1, Kind: wire.KindText},
	{Name: "rate-5k", Mode: plan.Rate, Conns: 100, Size: 128, Rate: 5000, Kind: wire.KindText},
	{Name: "json-128x16", Mode: plan.Echo, Conns: 16, Size: 128, Depth: 16, Kind: wire.KindJSON, Deflate: noTakeover},
	{Name: "json-1Kx4", Mode: plan.Echo, Conns: 16, Size: 1 << 10, Depth: 4, Kind: wire.KindJSON, Deflate: noTakeover},
	{Name: "json-128-takeover-12", Mode: plan.Echo, Conns: 16, Size: 128, Depth: 1, Kind: wire.KindJSON, Deflate: smallTakeover},
	{Name: "json-1K-takeover-12", Mode: plan.Echo, Conns: 16, Size: 1 << 10, Depth: 1, Kind: wire.KindJSON, Deflate: smallTakeover},
	{Name: "rate-5k-flood", Mode: plan.Rate, Conns: 100, Size: 128, Rate: 5000, Depth: 256, Kind: wire.KindText},
	{Name: "rate-60k", Mode: plan.Rate, Conns: 1000, Size: 128, Rate: 60_000, Kind: wire.KindText},
}

// What compressed workloads agree on.
var (
	noTakeover    = wire.Deflate{Bits: 15}
	takeover      = wire.Deflate{Bits: 15, Takeover: true}
	smallTakeover = wire.Deflate{Bits: 12, Takeover: true}
)

const (
	defaultLibs      = "ours-into,ours-messages,ours-serve,ours-engine-listen,gorilla,coder,gws,gws-utf8,gobwas,gobwas-stream,nbio,nbio-mixed,fasthttp"
	defaultWorkloads = 25 // the first
)

// options say what a run does.
type options struct {
	libs      []string
	workloads []plan.Workload
	rounds    int
	warmup    time.Duration
	measure   time.Duration
	server    int // cores
	generator int
	block     bool
	quick     bool
	list      bool
	out       string
	extra     extras
}

// extras are servers that are started by a command.
type extras []string

func (e *extras) String() string     { return strings.Join(*e, " ") }
func (e *extras) Set(s string) error { *e = append(*e, s); return nil }

func parseOptions(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	libs := f.String("libs", defaultLibs, "servers, by name or pattern (ours-*), separated by commas; all for all")
	loads := f.String("workloads", "", fmt.Sprintf("workloads, by name or pattern, separated by commas; all for all (default the first %d)", defaultWorkloads))
	f.IntVar(&o.rounds, "rounds", 3, "how often everything is measured")
	f.DurationVar(&o.warmup, "warmup", 300*time.Millisecond, "load before each measurement")
	f.DurationVar(&o.measure, "measure", 800*time.Millisecond, "how long each measurement lasts")
	f.IntVar(&o.server, "server-core", -2, "the server's core, -1 for any (default the first)")
	f.IntVar(&o.generator, "load-core", -2, "the generator's core, -1 for any (default the second)")
	f.BoolVar(&o.block, "block", false, "let the generator sleep until something comes, instead of asking again and again")
	f.BoolVar(&o.quick, "quick", false, "see that everything works: one short round; fails if anything does")
	f.BoolVar(&o.list, "list", false, "list libraries and workloads")
	f.StringVar(&o.out, "out", "results", "directory for results.md, results.json and charts")
	f.Var(&o.extra, "extra", "name=command of another server, with {addr} in it, and {flags} if it has those of our server; may be given several times")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if o.quick {
		o.hurry(f, libs, loads)
	}
	o.libs = strings.Split(*libs, ",")
	var err error
	if o.workloads, err = choose(*loads); err != nil {
		return nil, err
	}
	return o, o.place()
}

// hurry makes a run quick, except where flags say otherwise.
func (o *options) hurry(f *flag.FlagSet, libs, loads *string) {
	set := map[string]bool{}
	f.Visit(func(x *flag.Flag) { set[x.Name] = true })
	if !set["libs"] {
		*libs = "all"
	}
	if !set["workloads"] {
		*loads = "64x128x1"
	}
	if !set["rounds"] {
		o.rounds = 1
	}
	if !set["measure"] {
		o.measure, o.warmup = 100*time.Millisecond, 50*time.Millisecond
	}
}

// choose returns the workloads that match.
func choose(patterns string) ([]plan.Workload, error) {
	switch patterns {
	case "":
		return workloads[:defaultWorkloads], nil
	case "all":
		return workloads, nil
	}
	var chosen []plan.Workload
	for pattern := range strings.SplitSeq(patterns, ",") {
		found := false
		for _, w := range workloads {
			if ok, _ := path.Match(pattern, w.Name); ok {
				found = true
				chosen = append(chosen, w)
			}
		}
		if !found {
			return nil, fmt.Errorf("no workload %q: see -list", pattern)
		}
	}
	return chosen, nil
}

// place chooses the cores.
func (o *options) place() error {
	cores := proc.Cores()
	if len(cores) < 2 && (o.server == -2 || o.generator == -2) {
		fmt.Fprintln(os.Stderr, "bench: fewer than two cores: nothing is pinned, and the numbers mean little")
		o.server, o.generator = -1, -1
		return nil
	}
	if o.server == -2 {
		o.server = cores[0]
	}
	if o.generator == -2 {
		o.generator = cores[1]
	}
	if o.server == o.generator && o.server >= 0 {
		return fmt.Errorf("server and generator on the same core %d", o.server)
	}
	return nil
}

// A contestant is a server and how it is started.
type contestant struct {
	plan.Library
	command []string // with {addr} or {port}, and {flags} where the workload's are to be
}

// can reports whether a server is to be measured under w.
func (c *contestant) can(w plan.Workload) bool {
	d := w.Deflate
	return (w.Mode != plan.Broadcast || c.Broadcast) && (!w.TLS || c.TLS) &&
		(!d.On() || c.Deflate) && (!d.Takeover || c.Takeover && (d.Bits == 15 || c.Window))
}

// contestants returns the servers that were asked for.
func (o *options) contestants(bin string) ([]contestant, error) {
	server := filepath.Join(bin, "server")
	out, err := exec.Command(server, "-list").Output()
	if err != nil {
		return nil, fmt.Errorf("%s -list: %w", server, err)
	}
	var all []plan.Library
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, err
	}
	var chosen []contestant
	for _, pattern := range o.libs {
		found := pattern == "all" || pattern == "" || pattern == "none"
		for _, l := range all {
			ok, _ := path.Match(pattern, l.Name)
			known := slices.ContainsFunc(chosen, func(c contestant) bool { return c.Name == l.Name })
			if (ok || pattern == "all") && !known {
				chosen = append(chosen, contestant{Library: l, command: []string{server, "-lib", l.Name, "-addr", "{addr}", "{flags}"}})
			}
			found = found || ok
		}
		if !found {
			return nil, fmt.Errorf("no library %q: see -list -libs all", pattern)
		}
	}
	for _, e := range o.extra {
		name, command, ok := strings.Cut(e, "=")
		if !ok || !strings.Contains(command, "{addr}") && !strings.Contains(command, "{port}") {
			return nil, fmt.Errorf("-extra %q: want name=command with {addr} or {port} in it", e)
		}
		l := plan.Library{Name: name, UTF8: "?", Note: "another program"}
		args := strings.Fields(command)
		if slices.Contains(args, "{flags}") {
			l.Broadcast, l.TLS, l.Deflate, l.Takeover, l.Window = true, true, true, true, true
		}
		chosen = append(chosen, contestant{Library: l, command: args})
	}
	if len(chosen) == 0 {
		return nil, errors.New("no server to measure: -libs none wants an -extra")
	}
	return chosen, nil
}
