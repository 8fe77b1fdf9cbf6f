package websocket_test

import (
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed86893212/websocket/internal/floors"
)

// A house file of the root package: the floor it stands on, and whether it
// belongs to the core, which does no I/O and never asks for the time or for
// random bytes.
type houseFile struct {
	name  string
	floor int
	core  bool
}

// house is the floor table. A file may name only files on its own floor or
// below it, and never in a ring. Whoever adds a file adds it here and in
// ARCHITECTURE.md, in the same order. A file may be listed before it exists.
var house = []houseFile{
	{name: "doc.go", floor: 0},
	{name: "errors.go", floor: 0, core: true},
	{name: "keepalive.go", floor: 0, core: true},
	{name: "random.go", floor: 0},
	{name: "errno_plan9.go", floor: 0},
	{name: "errno_other.go", floor: 0},
	{name: "frame.go", floor: 1, core: true},
	{name: "mask.go", floor: 1, core: true},
	{name: "utf8.go", floor: 1, core: true},
	{name: "close.go", floor: 1, core: true},
	{name: "compress.go", floor: 1, core: true},
	{name: "options.go", floor: 1},
	{name: "receive.go", floor: 2, core: true},
	{name: "send.go", floor: 2, core: true},
	{name: "agreement.go", floor: 2},
	{name: "head.go", floor: 2, core: true},
	{name: "handshake.go", floor: 2},
	{name: "origin.go", floor: 2},
	{name: "target.go", floor: 2},
	{name: "exchange.go", floor: 8},
	{name: "inflate.go", floor: 3, core: true},
	{name: "deflate.go", floor: 3, core: true},
	{name: "request.go", floor: 3},
	{name: "message.go", floor: 3, core: true},
	{name: "prepared.go", floor: 3, core: true},
	{name: "endpoint.go", floor: 4, core: true},
	{name: "outbox.go", floor: 4, core: true},
	{name: "transport.go", floor: 4},
	{name: "transport_linux.go", floor: 4},
	{name: "transport_any.go", floor: 4},
	{name: "ahead.go", floor: 4},
	{name: "bell.go", floor: 4},
	{name: "joint_linux.go", floor: 4},
	{name: "joint_other.go", floor: 4},
	{name: "together.go", floor: 4},
	{name: "round.go", floor: 4},
	{name: "company.go", floor: 4},
	{name: "transport_other.go", floor: 4},
	{name: "choose.go", floor: 5},
	{name: "role.go", floor: 5},
	{name: "life.go", floor: 5},
	{name: "ping.go", floor: 5},
	{name: "alarm.go", floor: 5},
	{name: "outgoing.go", floor: 5},
	{name: "rarely.go", floor: 5},
	{name: "flusher.go", floor: 5},
	{name: "deferral.go", floor: 5},
	{name: "reader.go", floor: 5},
	{name: "writer.go", floor: 5},
	{name: "link.go", floor: 6},
	{name: "lifetime.go", floor: 7},
	{name: "blocking.go", floor: 7},
	{name: "loop.go", floor: 7},
	{name: "stream.go", floor: 7},
	{name: "conn.go", floor: 8},
	{name: "proxy.go", floor: 8},
	{name: "client.go", floor: 9},
	{name: "server.go", floor: 9},
	{name: "events.go", floor: 9},
	{name: "netconn.go", floor: 9},
	{name: "listen.go", floor: 10},
	{name: "accept.go", floor: 10},
	{name: "aside_linux.go", floor: 10},
	{name: "driven_linux.go", floor: 10},
	{name: "word_linux.go", floor: 11},
	{name: "fetch_linux.go", floor: 11},
	{name: "guest_linux.go", floor: 11},
	{name: "engine_linux.go", floor: 11},
	{name: "engine_other.go", floor: 11},
	{name: "rush_linux.go", floor: 12},
	{name: "rush_other.go", floor: 12},
	{name: "engine.go", floor: 12},
}

// The longest that a file and a function may get. Tests and generated files
// may be longer.
const (
	maxFileLines = 500
	maxFuncLines = 60
)

// Exceptions. Each is a promise broken for a reason that stands beside it.
var (
	// coreMayName are files outside the core that core files may name all the
	// same: they hold data alone.
	coreMayName = []string{"options.go"}

	// coreMayImport lists "file import".
	coreMayImport = []string{
		"internal/xor/kernels_amd64.go golang.org/x/sys/cpu", // asks once what the processor can do
	}

	// mayStray lists "file Type.Method".
	mayStray = []string{}

	// tooLong lists "file" or "file function".
	tooLong = []string{}
)

func TestFloors(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command")
	}
	g, err := floors.Load(".", "linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64", "plan9/amd64", "js/wasm")
	if err != nil {
		t.Fatal(err)
	}
	floor := map[string]int{}
	core := map[string]bool{}
	for _, f := range house {
		floor[f.name] = f.floor
		core[f.name] = f.core
	}
	for _, name := range g.Files() {
		if _, ok := floor[name]; !ok {
			t.Errorf("%s stands on no floor: add it to the table in floors_test.go and in ARCHITECTURE.md", name)
		}
	}
	reportUnless(t, nil, g.Upward(floor))
	reportUnless(t, nil, g.Rings())
	reportUnless(t, mayStray, g.Strays())
	for _, from := range g.Files() {
		for _, to := range g.Files() {
			names := g.Names(from, to)
			if core[from] && !core[to] && len(names) > 0 && !slices.Contains(coreMayName, to) {
				t.Errorf("core file %s names %s of %s, which is not core", from, strings.Join(names, ", "), to)
			}
		}
	}
}

func TestHouseRules(t *testing.T) {
	core := map[string]bool{}
	for _, f := range house {
		core[f.name] = f.core
	}
	visited := 0
	fset := token.NewFileSet()
	err := floors.Walk(os.DirFS("."), fset, func(name string, f *ast.File) {
		visited++
		if core[name] || strings.HasPrefix(name, "internal/xor/") {
			reportUnless(t, coreMayImport, floors.Impure(fset, f))
		}
		reportUnless(t, tooLong, floors.TooLong(fset, f, maxFileLines, maxFuncLines))
	})
	if err != nil {
		t.Fatal(err)
	}
	if visited == 0 {
		t.Error("found no source to check")
	}
}

// reportUnless reports the broken rules, except where every word of one of the
// exceptions occurs in the sentence.
func reportUnless(t *testing.T, exceptions, broken []string) {
	t.Helper()
	for _, sentence := range broken {
		words := strings.FieldsFunc(sentence, func(r rune) bool { return strings.ContainsRune(" :,", r) })
		excepted := slices.ContainsFunc(exceptions, func(e string) bool {
			return !slices.ContainsFunc(strings.Fields(e), func(w string) bool { return !slices.Contains(words, w) })
		})
		if !excepted {
			t.Error(sentence)
		}
	}
}

// TestArchitecture keeps the table of ARCHITECTURE.md equal to the one here.
func TestArchitecture(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	var written []houseFile
	row := regexp.MustCompile("(?m)^\\| *`([a-z0-9_]+\\.go)` *\\| *(\\d+) *\\| *(core|) *\\|")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		floor, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		written = append(written, houseFile{name: m[1], floor: floor, core: m[3] == "core"})
	}
	for i := range max(len(house), len(written)) {
		var want, got houseFile
		if i < len(house) {
			want = house[i]
		}
		if i < len(written) {
			got = written[i]
		}
		if got != want {
			t.Fatalf("row %d of the floor table: ARCHITECTURE.md says %+v, floors_test.go %+v", i+1, got, want)
		}
	}
}
