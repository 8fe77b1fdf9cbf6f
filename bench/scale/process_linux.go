package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/seed86893212/websocket/bench/internal/proc"
)

// child is the first argument of a child process; its role is the second.
const child = "child"

// An order is what a child process is told.
type order struct {
	Do   string  // look, settle, fill, hold, rate, fly, die, close
	Rate float64 // for rate
	Part float64 // for die: which share of the connections
}

// A process is a child process that does one order after the other.
type process struct {
	role    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	orders  *json.Encoder
	answers *json.Decoder
}

// start starts a child process on a core, or on any if that is negative.
func start(role string, core int, s *settings) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{role: role, cmd: exec.Command(self, child, role)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.orders, p.answers = json.NewEncoder(p.in), json.NewDecoder(out)
	if err := proc.Start(p.cmd, core); err != nil {
		return nil, err
	}
	return p, p.orders.Encode(s)
}

// tell gives an order and waits for its answer.
func (p *process) tell(o order, answer any) error {
	if err := p.orders.Encode(o); err != nil {
		return fmt.Errorf("%s %d: %w", p.role, p.cmd.Process.Pid, err)
	}
	if err := p.answers.Decode(answer); err != nil {
		return fmt.Errorf("%s %d: %s: %w", p.role, p.cmd.Process.Pid, o.Do, err)
	}
	return nil
}

// stop ends the process, which leaves when there are no more orders.
func (p *process) stop() {
	_ = p.in.Close()
	done := make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // how it ends tells nothing
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}

// A usage is what a process takes of the system.
type usage struct {
	rss, cpu     int64 // bytes, nanoseconds
	user, kernel int64 // ticks
	files        int
}

func (p *process) usage() (u usage, err error) {
	pid := p.cmd.Process.Pid
	if u.rss, err = proc.RSS(pid); err != nil {
		return u, err
	}
	if u.cpu, _, err = proc.CPU(pid); err != nil {
		return u, err
	}
	if u.user, u.kernel, err = proc.Modes(pid); err != nil {
		return u, err
	}
	u.files, err = proc.Open(pid)
	return u, err
}
