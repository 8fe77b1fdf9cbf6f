// Package proc pins processes to cores and reads what they use.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Start starts cmd on one core. Its children stay there too.
func Start(cmd *exec.Cmd, core int) error {
	if core < 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	set.Set(core)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("core %d: %w", core, err)
	}
	defer unix.SchedSetaffinity(0, &before) //nolint:errcheck // it was like that before
	return cmd.Start()
}

// Cores returns the cores this process may use.
func Cores() []int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil
	}
	var cores []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			cores = append(cores, i)
		}
	}
	return cores
}

// CPU returns how long all threads of a process have run and how long they have
// waited for a core, in nanoseconds.
func CPU(pid int) (run, wait int64, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, 0, err
	}
	for _, name := range tasks {
		p, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		fields := bytes.Fields(p)
		if len(fields) < 2 {
			return 0, 0, errors.New("schedstat without numbers")
		}
		r, _ := strconv.ParseInt(string(fields[0]), 10, 64)
		w, _ := strconv.ParseInt(string(fields[1]), 10, 64)
		run += r
		wait += w
	}
	if len(tasks) == 0 {
		return 0, 0, fmt.Errorf("process %d has no threads", pid)
	}
	return run, wait, nil
}

// Modes returns how long a process has run in its own code and in the kernel, in
// ticks of which the system takes one sample each. It counts what the kernel does
// for others meanwhile, as it must when a packet arrives, among the second.
func Modes(pid int) (user, kernel int64, err error) {
	p, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := bytes.Fields(p[bytes.LastIndexByte(p, ')')+1:])
	if len(fields) < 13 {
		return 0, 0, errors.New("stat without numbers")
	}
	user, _ = strconv.ParseInt(string(fields[11]), 10, 64)
	kernel, _ = strconv.ParseInt(string(fields[12]), 10, 64)
	return user, kernel, nil
}

// Segments returns how many TCP segments this machine has sent.
func Segments() (int64, error) {
	p, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		return 0, err
	}
	var names []string
	for line := range strings.Lines(string(p)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "Tcp:" {
			continue
		}
		if i := slices.Index(names, "OutSegs"); i > 0 && i < len(fields) {
			return strconv.ParseInt(fields[i], 10, 64)
		}
		names = fields
	}
	return 0, errors.New("snmp without OutSegs")
}

// RSS returns the resident memory of a process in bytes.
func RSS(pid int) (int64, error) {
	// smaps_rollup is exact where status and statm may be some pages behind.
	for _, file := range []string{"smaps_rollup", "status"} {
		p, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(p)) {
			name, rest, _ := strings.Cut(line, ":")
			if name == "Rss" || name == "VmRSS" {
				kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				return kb << 10, err
			}
		}
	}
	return 0, fmt.Errorf("process %d: resident memory unknown", pid)
}

// Catches reports whether a process has a handler of its own for a signal.
func Catches(pid int, sig unix.Signal) bool {
	p, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(p)) {
		if mask, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			m, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return err == nil && m>>(sig-1)&1 == 1
		}
	}
	return false
}

// Files returns how many descriptors a process may have, after raising the
// limit as far as it goes.
func Files() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	if l.Cur < l.Max {
		raised := unix.Rlimit{Cur: l.Max, Max: l.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			l.Cur = l.Max
		}
	}
	return int(min(l.Cur, 1<<30))
}

// Open returns how many descriptors a process has open.
func Open(pid int) (int, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	if info, err := os.Stat(dir); err == nil && info.Size() > 0 { // the number, since Linux 6.2
		return int(info.Size()), nil
	}
	entries, err := os.ReadDir(dir)
	return len(entries), err
}

// Load returns the load average of the last minute, 0 if it is not known.
func Load() float64 {
	p, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(p), " ")
	v, _ := strconv.ParseFloat(first, 64)
	return v
}

// Machine returns the processor's name and the kernel's version.
func Machine() (processor, kernel string) {
	if p, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(p)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				processor = strings.TrimSpace(value)
				break
			}
		}
	}
	if p, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = strings.TrimSpace(string(p))
	}
	return processor, kernel
}
