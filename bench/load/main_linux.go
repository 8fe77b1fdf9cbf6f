// Command load puts load on an echo server and measures it: one thread, raw
// system calls, every echo compared with what was sent. It reads a plan.Task as
// JSON and writes a plan.Result. The runner starts it.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/seed86893212/websocket/bench/internal/proc"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("load: ")
	// One thread, and nothing of Go's that could disturb it: a run is short and
	// leaves no garbage to speak of.
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(2 << 30)
	var task plan.Task
	if err := json.NewDecoder(os.Stdin).Decode(&task); err != nil {
		log.Fatalf("no task: %v", err)
	}
	result := plan.Result{Load: proc.Load()}
	if err := run(&task, &result); err != nil {
		result.Failure = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(&result); err != nil {
		log.Fatal(err)
	}
}

func run(task *plan.Task, result *plan.Result) error {
	addr, err := netip.ParseAddrPort(task.Addr)
	if err != nil {
		return err
	}
	if room := proc.Files() - 200; task.Conns > room {
		task.Conns = room
		result.Limited = fmt.Sprintf("ulimit -n %d", room+200)
	}
	result.Conns = task.Conns
	switch task.Mode {
	case plan.Echo, plan.Rate:
		return runEcho(addr, task, result)
	case plan.Broadcast:
		return runBroadcast(addr, task, result)
	case plan.Handshake, plan.Crowd:
		return runHandshake(addr, task, result)
	case plan.Idle:
		return runIdle(addr, task, result)
	}
	return fmt.Errorf("unknown mode %q", task.Mode)
}

var start = time.Now()

// clock returns the time since the program began, in nanoseconds.
func clock() int64 { return int64(time.Since(start)) }

// A meter sees what the server uses between two moments.
type meter struct {
	pid          int
	at           int64
	run, wait    int64
	user, kernel int64
}

func (m *meter) begin() (err error) {
	if m.user, m.kernel, err = proc.Modes(m.pid); err != nil {
		return err
	}
	m.run, m.wait, err = proc.CPU(m.pid)
	m.at = clock()
	return err
}

// busy reports whether the server has run for a good part of the time asked for.
// Where others want its core too, it may take longer to learn anything.
func (m *meter) busy(measure time.Duration) bool {
	run, _, err := proc.CPU(m.pid)
	return err != nil || run-m.run >= int64(measure)/3
}

// end fills in result for messages done since begin.
func (m *meter) end(result *plan.Result, messages uint64) error {
	run, wait, err := proc.CPU(m.pid)
	if err != nil {
		return err
	}
	seconds := float64(clock()-m.at) / 1e9
	result.Messages = messages
	result.Seconds = seconds
	result.Wait = float64(wait-m.wait) / 1e9 / seconds
	if messages > 0 {
		result.CPU = float64(run-m.run) / float64(messages)
	}
	user, kernel, err := proc.Modes(m.pid)
	if err != nil {
		return err
	}
	if user, kernel := user-m.user, kernel-m.kernel; user+kernel > 0 {
		result.User = result.CPU * float64(user) / float64(user+kernel)
	}
	result.RSS, err = proc.RSS(m.pid)
	return err
}
