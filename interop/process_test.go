//go:build linux

package interop

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait. It is for a loaded machine and the race detector:
// nothing here takes a tenth of it otherwise.
const patience = 45 * time.Second

// need skips the test where a program or a file that it needs is missing, or
// fails it if WEBSOCKET_INTEROP says that the tests are required.
func need(t *testing.T, things ...string) {
	t.Helper()
	mode := os.Getenv("WEBSOCKET_INTEROP")
	if testing.Short() || mode == "off" {
		t.Skip("not in -short, nor with WEBSOCKET_INTEROP=off")
	}
	for _, thing := range things {
		if program(thing) != "" {
			continue
		}
		if mode == "required" {
			t.Fatalf("%s is missing: run interop/install.sh", thing)
		}
		t.Skipf("%s is missing: interop/install.sh installs it", thing)
	}
}

// program returns where a program or a file is, "" if it is not there. People
// who are not root often lack the sbin directories in their PATH.
func program(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if _, err := os.Stat(name); err == nil && strings.Contains(name, "/") {
		return name
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path := filepath.Join(dir, name); exec.Command("test", "-x", path).Run() == nil {
			return path
		}
	}
	return ""
}

// A process is a child of the test, in a process group of its own that is
// killed when the test ends.
type process struct {
	t   testing.TB
	cmd *exec.Cmd

	mu     sync.Mutex
	output bytes.Buffer
	grown  chan struct{} // closed and replaced when there is more output
	gone   chan struct{} // closed when the process has ended
}

// start starts a program. Its output is shown if the test fails.
func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	p := newProcess(t, name, args...)
	p.cmd.Stdout = p
	p.run()
	return p
}

func newProcess(t testing.TB, name string, args ...string) *process {
	p := &process{
		t:     t,
		cmd:   exec.Command(program(name), args...),
		grown: make(chan struct{}),
		gone:  make(chan struct{}),
	}
	p.cmd.Stderr = p
	// The group goes when the test ends, the process alone also if the test
	// binary dies.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = time.Second
	return p
}

func (p *process) run() {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.gone)
	}()
	p.t.Cleanup(func() {
		p.kill()
		if p.t.Failed() {
			p.t.Logf("output of %s:\n%s", filepath.Base(p.cmd.Path), p.text())
		}
	})
}

// kill ends the process and all that it has started. It lets it put things away
// first, shared memory for example.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.gone:
	case <-time.After(2 * time.Second):
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.gone
}

// Write collects output.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.output.Write(b)
	close(p.grown)
	p.grown = make(chan struct{})
	return len(b), nil
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// await waits for a whole line of output that contains s, and returns it.
func (p *process) await(s string) string {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		p.mu.Lock()
		output, grown := p.output.String(), p.grown
		p.mu.Unlock()
		for line := range strings.Lines(output) {
			if strings.Contains(line, s) && strings.HasSuffix(line, "\n") {
				return strings.TrimSpace(line)
			}
		}
		select {
		case <-grown:
		case <-p.gone:
			p.t.Fatalf("%s has ended before it said %q", p.cmd.Path, s)
		case <-timeout:
			p.t.Fatalf("%s has not said %q", p.cmd.Path, s)
		}
	}
}

// awaitPort waits until something listens there.
func (p *process) awaitPort(address string) {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		nc, err := net.Dial("tcp", address)
		if err == nil {
			_ = nc.Close()
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-p.gone:
			p.t.Fatalf("%s has ended before it listened at %s", p.cmd.Path, address)
		case <-timeout:
			p.t.Fatalf("%s does not listen at %s: %v", p.cmd.Path, address, err)
		}
	}
}

// freeAddress returns an address on the loopback interface that nobody listens
// at.
func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// writeFile writes a file into a directory of its own. Other users may read it
// there: servers that are started by root leave that behind.
func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, name)
	if err := errors.Join(os.WriteFile(path, []byte(content), 0o644), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// within returns a context that ends when a wait has taken too long.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// port returns the port of an address.
func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}
