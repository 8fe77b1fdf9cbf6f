// Package leak fails a test binary that leaves goroutines or, on Linux, file
// descriptors behind. Only tests use it:
//
//	func TestMain(m *testing.M) { leak.Main(m) }
package leak

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long what the tests started may take to go away after them.
var patience = 5 * time.Second

// Main runs the tests and then looks for what they left behind. It does not
// return. It does not look where tests failed anyway, since a failed test
// rarely cleans up, nor while fuzzing, which has processes of its own.
func Main(m *testing.M) {
	startPoller()
	before := look()
	code := m.Run()
	if code == 0 && !fuzzing() {
		if left := before.left(patience); len(left) > 0 {
			fmt.Printf("leak: the tests left %d behind:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
			code = 1
		}
	}
	os.Exit(code)
}

// fuzzing reports whether this process fuzzes, as coordinator or as worker.
func fuzzing() bool {
	for _, name := range []string{"test.fuzz", "test.fuzzworker"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != f.DefValue {
			return true
		}
	}
	return false
}

// startPoller has the runtime open the descriptors of its network poller, which
// it does once, when they are first needed, and would look like a leak.
func startPoller() {
	if r, w, err := os.Pipe(); err == nil {
		_, _ = r.Close(), w.Close()
	}
}

// A view is what the process holds at one moment.
type view struct {
	goroutines map[string]string // by id: the stack
	files      map[string]string // by number: what it is
}

func look() view { return view{goroutines(), files()} }

// left returns what is there now and was not there in v. It waits up to d for
// that to become nothing.
func (v view) left(d time.Duration) []string {
	end := time.Now().Add(d)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		var left []string
		now := look()
		for id, stack := range now.goroutines {
			if _, ok := v.goroutines[id]; !ok {
				left = append(left, stack)
			}
		}
		rings := 0
		for number, file := range now.files {
			if v.files[number] == file {
				continue
			}
			if strings.Contains(file, "[io_uring]") {
				if rings++; rings <= runtime.GOMAXPROCS(0) {
					continue // for the connections that share them for good
				}
			}
			left = append(left, "file descriptor "+number+": "+file)
		}
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
		time.Sleep(pause)
	}
}

// goroutines returns the stack of every goroutine but the caller's and those
// that stay for good.
func goroutines() map[string]string {
	buf := make([]byte, 1<<16)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	stacks := strings.Split(strings.TrimSpace(string(buf)), "\n\n")
	found := map[string]string{}
	for _, stack := range stacks[1:] { // the first is the caller's
		id, _, _ := strings.Cut(stack, " [")
		if !permanent(stack) {
			found[id] = stack
		}
	}
	return found
}

// permanent tells whether a stack is of a goroutine that no test can end: one
// of the runtime's for finalizers and cleanups, or the one that os/signal keeps.
func permanent(stack string) bool {
	return strings.Contains(stack, "\ncreated by runtime.") || strings.Contains(stack, "\ncreated by os/signal.")
}

// files returns the open file descriptors on Linux, none elsewhere.
func files() map[string]string {
	found := map[string]string{}
	if runtime.GOOS != "linux" {
		return found
	}
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return found // no /proc here
	}
	for _, e := range entries {
		file, err := os.Readlink(dir + "/" + e.Name())
		if err != nil {
			continue // the descriptor of the directory itself, by now closed
		}
		found[e.Name()] = file
	}
	return found
}
