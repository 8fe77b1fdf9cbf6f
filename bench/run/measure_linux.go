package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/seed86893212/websocket/bench/internal/proc"
)

// measure starts a server, puts the load on it, and ends it.
func measure(o *options, lib contestant, w plan.Workload, generator string) plan.Result {
	addr, err := freeAddr()
	if err != nil {
		return plan.Result{Failure: err.Error()}
	}
	server, err := startServer(o, lib, w, addr)
	if err != nil {
		return plan.Result{Failure: err.Error()}
	}
	defer server.stop()
	if err := server.answers(addr); err != nil {
		return plan.Result{Failure: err.Error()}
	}
	task := plan.Task{
		Workload: w, Addr: addr, PID: server.cmd.Process.Pid,
		Warmup: o.warmup, Measure: o.measure, Block: o.block,
	}
	result, err := load(o, generator, &task)
	if err != nil {
		result.Failure = err.Error()
	}
	if result.Failure != "" {
		result.Failure += server.says()
	}
	return result
}

// freeAddr returns an address that nobody listens on.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// A running is a server that has been started.
type running struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{}
}

func startServer(o *options, lib contestant, w plan.Workload, addr string) (*running, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	var args []string
	for _, a := range lib.command {
		if a == "{flags}" {
			args = append(args, flags(w)...)
			continue
		}
		args = append(args, strings.NewReplacer("{addr}", addr, "{port}", port).Replace(a))
	}
	r := &running{cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	r.cmd.Stderr = &r.stderr
	r.cmd.WaitDelay = time.Second
	if err := proc.Start(r.cmd, o.server); err != nil {
		return nil, fmt.Errorf("starting %s: %w", lib.Name, err)
	}
	go func() {
		_ = r.cmd.Wait() // it is killed, or says why it has ended
		close(r.ended)
	}()
	return r, nil
}

// flags are those of a server under w.
func flags(w plan.Workload) (args []string) {
	if w.TLS {
		args = append(args, "-tls")
	}
	if d := w.Deflate; d.On() {
		args = append(args, "-deflate", strconv.Itoa(d.Bits), "-takeover="+strconv.FormatBool(d.Takeover))
	}
	return args
}

// answers waits until the server accepts connections.
func (r *running) answers(addr string) error {
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-r.ended:
			return fmt.Errorf("the server has ended%s", r.says())
		default:
		}
	}
	return fmt.Errorf("the server does not listen%s", r.says())
}

func (r *running) stop() {
	_ = r.cmd.Process.Kill() // it may have ended by itself
	<-r.ended
}

// says returns what a server that has ended wrote last.
func (r *running) says() string {
	select {
	case <-r.ended:
	case <-time.After(100 * time.Millisecond):
		return ""
	}
	lines := strings.TrimSpace(r.stderr.String())
	if len(lines) > 400 {
		lines = lines[:400] + " …"
	}
	if lines == "" {
		return ""
	}
	return "; the server says: " + lines
}

// load runs the generator for one task.
func load(o *options, generator string, task *plan.Task) (plan.Result, error) {
	var result plan.Result
	in, err := json.Marshal(task)
	if err != nil {
		return result, err
	}
	var out, stderr bytes.Buffer
	cmd := exec.Command(generator)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &stderr
	if err := proc.Start(cmd, o.generator); err != nil {
		return result, err
	}
	patience := time.AfterFunc(task.Warmup+task.Measure+90*time.Second, func() {
		_ = cmd.Process.Kill() // it may have just ended
	})
	defer patience.Stop()
	if err := cmd.Wait(); err != nil {
		return result, fmt.Errorf("generator: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return result, json.Unmarshal(out.Bytes(), &result)
}
