// Command autobahn runs the cases of the Autobahn test suite, written anew,
// against any WebSocket server or client:
//
//	go run ./autobahn client -url ws://127.0.0.1:9001 -out reports
//	go run ./autobahn server -addr 127.0.0.1:9002 -out reports
//	go run ./autobahn testee -url ws://127.0.0.1:9002 -agent mine
//
// README.md has the details.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const usage = `usage: autobahn client|server|testee|check|cases [flags]

  client   connects to a server and judges it
  server   waits for clients and judges them
  testee   is such a client, made with this library
  check    judges the index.json files of earlier runs, of the original too
  cases    lists the cases

autobahn COMMAND -help lists the flags.
`

// errWorse is the end of a run in which something was worse than allowed.
var errWorse = errors.New("worse than allowed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errWorse):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "autobahn:", err)
		os.Exit(2)
	}
}

func command(ctx context.Context, args []string, out io.Writer) error {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	commands := map[string]func(context.Context, *options, io.Writer) error{
		"client": clientCommand, "server": serverCommand, "testee": testeeCommand, "check": checkCommand, "cases": casesCommand,
	}
	run, known := commands[name]
	switch {
	case name == "-h", name == "-help", name == "--help", name == "help":
		fmt.Fprint(out, usage)
		return nil
	case !known:
		fmt.Fprint(out, usage)
		return fmt.Errorf("there is no command %q", name)
	}
	o, err := parseOptions(name, args)
	if err != nil {
		return err
	}
	return run(ctx, o, out)
}

// options are the flags of all commands; each takes some of them.
type options struct {
	url, addr, out, agent string
	cases, exclude, files []string
	extra, strict         bool
	complete, insecure    bool
	once                  string
	parallel, agents      int
	pause, patience       time.Duration
}

func parseOptions(name string, args []string) (*options, error) {
	o := &options{cases: []string{"*"}}
	f := flag.NewFlagSet("autobahn "+name, flag.ContinueOnError)
	list := func(into *[]string) func(string) error {
		return func(s string) error {
			if *into = nil; s != "" {
				*into = strings.Split(s, ",")
			}
			return nil
		}
	}
	if name == "client" || name == "testee" {
		f.StringVar(&o.url, "url", map[string]string{"client": "ws://127.0.0.1:9001", "testee": "ws://127.0.0.1:9002"}[name], "the `URL` of the server")
		f.StringVar(&o.agent, "agent", map[string]string{"client": "server", "testee": "websocket"}[name], "the `name` of what is tested, in the reports")
		f.IntVar(&o.parallel, "parallel", 8, "how many cases run at once")
	}
	if name == "server" {
		f.StringVar(&o.addr, "addr", "127.0.0.1:9002", "the `address` to listen on")
		f.StringVar(&o.once, "once", "", "end when this `agent` has asked for its reports, with an exit status")
	}
	if name != "testee" && name != "check" {
		f.Func("cases", "which cases: `patterns` such as 1.*,6.4.* (default *, all that are published)", list(&o.cases))
		f.Func("exclude", "which cases not: `patterns`", list(&o.exclude))
		f.BoolVar(&o.extra, "extra", false, "also run the cases that are not in the published suite (X.*)")
	}
	if name == "client" || name == "server" || name == "check" {
		f.BoolVar(&o.strict, "strict", false, "fail on NON-STRICT, and on every close that is not OK")
		f.BoolVar(&o.complete, "complete", false, "fail on UNIMPLEMENTED; check also on a published case that is missing")
	}
	if name == "check" {
		f.IntVar(&o.agents, "agents", 0, "how `many` agents an index must have; 0: any number")
	}
	if name == "client" || name == "server" {
		f.StringVar(&o.out, "out", "reports", "the `folder` for reports; none if empty")
		f.DurationVar(&o.pause, "pause", time.Second, "how long the pauses within cases are")
	}
	if name == "client" {
		f.BoolVar(&o.insecure, "insecure", false, "do not check the certificate of a wss server")
	}
	if name != "check" && name != "cases" {
		f.DurationVar(&o.patience, "patience", 5*time.Second, "how long to wait for a peer that should do something")
	}
	err := f.Parse(args)
	o.files = f.Args()
	if err == nil && f.NArg() > 0 && name != "check" {
		err = fmt.Errorf("what is %q?", f.Arg(0))
	}
	return o, err
}

// suite is all cases, made once.
var suite = sync.OnceValue(allCases)

// choose returns the cases that are asked for and that a role has. That there are
// none is an error, and so is a pattern for nothing.
func (o *options) choose(not role) ([]*testCase, error) {
	if err := patternProblem(slices.Concat(o.cases, o.exclude)); err != nil {
		return nil, err
	}
	var chosen []*testCase
	for _, c := range suite() {
		wanted := match(o.cases, c.id)
		if extra(c.id) {
			wanted = o.extra || wanted && namesExtra(o.cases)
		}
		if wanted && !match(o.exclude, c.id) && c.role != not {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no case is left")
	}
	return chosen, nil
}

// patternProblem finds a pattern that is none, or that no case of any role matches.
func patternProblem(patterns []string) error {
	for _, p := range patterns {
		p = strings.TrimSpace(p)
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("no pattern: %q", p)
		}
		if !slices.ContainsFunc(suite(), func(c *testCase) bool { return match([]string{p}, c.id) }) {
			return fmt.Errorf("no case matches %q", p)
		}
	}
	return nil
}

// namesExtra says whether patterns ask for cases of ours by name.
func namesExtra(patterns []string) bool {
	for _, p := range patterns {
		if extra(strings.TrimSpace(p)) {
			return true
		}
	}
	return false
}

func (o *options) environment() (*environment, error) {
	env := &environment{pause: o.pause, patience: o.patience}
	env.target.insecure, env.target.patience = o.insecure, o.patience
	if o.url == "" {
		return env, nil
	}
	u, err := parseTarget(o.url)
	env.target.url = u
	return env, err
}

func (o *options) progress(out io.Writer, cases []*testCase) *progress {
	p := newProgress(out, cases, o.strict)
	p.unimplementedFails = o.complete
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		p.live = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

func clientCommand(ctx context.Context, o *options, out io.Writer) error {
	env, err := o.environment()
	if err != nil {
		return err
	}
	cases, err := o.choose(serverOnly)
	if err != nil {
		return err
	}
	reports, err := newReports(o.out, false)
	if err != nil {
		return err
	}
	c := &client{env: env, cases: cases, agent: o.agent, parallel: o.parallel, reports: reports}
	c.out = o.progress(out, c.cases)
	if err := c.run(ctx); err != nil {
		return err
	}
	if !c.out.summary() {
		return errWorse
	}
	return nil
}

func serverCommand(ctx context.Context, o *options, out io.Writer) error {
	env, err := o.environment()
	if err != nil {
		return err
	}
	cases, err := o.choose(clientOnly)
	if err != nil {
		return err
	}
	reports, err := newReports(o.out, true)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{env: env, cases: cases, reports: reports, running: map[string]*sync.WaitGroup{}}
	s.out = o.progress(out, s.cases)
	s.out.agent, s.out.all = o.once, o.once != ""
	s.reported = func(agent string) {
		if o.once != "" && agent == o.once {
			cancel()
		}
	}
	ln, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d cases at ws://%s\n", len(s.cases), ln.Addr())
	if err := s.serve(ctx, ln); err != nil {
		return err
	}
	if err := reports.write(); err != nil {
		return err
	}
	if !s.out.summary() {
		return errWorse
	}
	return nil
}

func testeeCommand(ctx context.Context, o *options, out io.Writer) error {
	t := &testee{server: o.url, agent: o.agent, parallel: o.parallel, timeout: max(2*time.Minute, o.patience)}
	t.progress = func(format string, args ...any) { fmt.Fprintf(out, format, args...) }
	return t.run(ctx)
}

func casesCommand(_ context.Context, o *options, out io.Writer) error {
	cases, err := o.choose(-1)
	if err != nil {
		return err
	}
	for _, c := range cases {
		fmt.Fprintf(out, "%-8s %s\n", c.id, c.does)
	}
	return nil
}
