package leak

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"time"
)

// leakEnv makes TestLeaky leak what it names, in a process of its own.
const leakEnv = "WEBSOCKET_TEST_LEAK"

func TestMain(m *testing.M) {
	if os.Getenv(leakEnv) != "" {
		patience = 100 * time.Millisecond
	}
	Main(m)
}

func TestGoroutine(t *testing.T) {
	before := look()
	stop := make(chan struct{})
	go func() { <-stop }()
	left := before.left(0)
	if len(left) != 1 || !strings.Contains(left[0], "TestGoroutine.func") {
		t.Errorf("found %q, want the one goroutine", left)
	}
	time.AfterFunc(20*time.Millisecond, func() { close(stop) })
	if left := before.left(patience); len(left) > 0 {
		t.Errorf("did not wait for the goroutine to end: %q", left)
	}
}

func TestFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are looked at on Linux only")
	}
	before := look()
	f, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	left := before.left(0)
	if len(left) != 1 || !strings.Contains(left[0], "leak.test") {
		t.Errorf("found %q, want the one file", left)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left := before.left(0); len(left) > 0 {
		t.Errorf("found %q after closing", left)
	}
}

// Package os/signal keeps a goroutine that nobody can end.
func TestSignal(t *testing.T) {
	before := look()
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	signal.Stop(c)
	if left := before.left(time.Second); len(left) > 0 {
		t.Errorf("found %q", left)
	}
}

// TestLeaky leaks only where TestMainFails tells it to.
func TestLeaky(t *testing.T) {
	switch os.Getenv(leakEnv) {
	case "goroutine":
		go func() { select {} }()
	case "file":
		leaked, _ = os.Open(os.Args[0])
	case "failure":
		go func() { select {} }()
		t.Fail()
	}
}

var leaked *os.File // keeps it from being collected and closed

func TestMainFails(t *testing.T) {
	if testing.Short() {
		t.Skip("runs itself as another process, which an emulator does not allow")
	}
	for _, tc := range []struct {
		leak, output string
		fails        bool
	}{
		{"nothing", "", false},
		{"goroutine", "leak: the tests left 1 behind:\n\ngoroutine ", true},
		{"file", "leak: the tests left 1 behind:\n\nfile descriptor ", runtime.GOOS == "linux"},
		{"failure", "--- FAIL: TestLeaky", true},
	} {
		t.Run(tc.leak, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestLeaky$")
			cmd.Env = append(os.Environ(), leakEnv+"="+tc.leak)
			out, err := cmd.CombinedOutput()
			if (err != nil) != tc.fails || tc.fails && !strings.Contains(string(out), tc.output) {
				t.Errorf("ended with %v and said:\n%s", err, out)
			}
		})
	}
}
