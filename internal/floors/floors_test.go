package floors

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// graph returns the graph of a package given as file name to source.
func graph(t *testing.T, src map[string]string) *Graph {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range slices.Sorted(maps.Keys(src)) {
		files = append(files, parseOne(t, fset, name, src[name]))
	}
	g := &Graph{}
	if err := g.add(fset, files, importer.Default()); err != nil {
		t.Fatal(err)
	}
	return g
}

func parseOne(t *testing.T, fset *token.FileSet, name, src string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestEveryWayOfNaming(t *testing.T) {
	const low = `package p
type T struct{ F int }
func (T) M() {}
type I interface{ N() }
type G[E any] struct{ E E }
func (G[E]) O() {}
func Fn() {}
const C = 1
var V T
type A = T
`
	for use, name := range map[string]string{
		`var x T`:                              "T",
		`var x A`:                              "A",
		`type x struct{ T }`:                   "T",
		`func x() { Fn() }`:                    "Fn",
		`var x = [C]int{}`:                     "C",
		`func x() any { return &V }`:           "V",
		`func x(i interface{ N() }) { i.N() }`: "", // an interface of its own
		`var x G[int]`:                         "G",
	} {
		g := graph(t, map[string]string{"low.go": low, "high.go": "package p\n" + use})
		if got := strings.Join(g.Names("high.go", "low.go"), " "); got != name {
			t.Errorf("%s: names %q, want %q", use, got, name)
		}
		want(t, g.Names("low.go", "high.go"))
	}
	// Fields and methods count also where the type itself is not written.
	for use, name := range map[string]string{
		`x.F = 1`:            "F",
		`x.M()`:              "M",
		`_ = x.M`:            "M",
		`y.N()`:              "N",
		`_ = z.E`:            "E",
		`z.O()`:              "O",
		`func() { x.M() }()`: "M",
	} {
		g := graph(t, map[string]string{
			"low.go":  low,
			"mid.go":  "package p\nvar x T\nvar y I\nvar z G[string]",
			"high.go": "package p\nfunc f() { " + use + " }",
		})
		if got := strings.Join(g.Names("high.go", "low.go"), " "); got != name {
			t.Errorf("%s: names %q, want %q", use, got, name)
		}
	}
}

func TestUpward(t *testing.T) {
	g := graph(t, map[string]string{
		"attic.go":  "package p\ntype Bird int\nfunc (b Bird) Fly() { dig() }",
		"ground.go": "package p\nfunc walk(b Bird) { b.Fly() }",
		"cellar.go": "package p\nfunc dig() {}",
	})
	want(t, g.Upward(map[string]int{"attic.go": 2, "ground.go": 2, "cellar.go": 0}))
	want(t, g.Upward(map[string]int{"attic.go": 2, "ground.go": 1, "cellar.go": 0}),
		"ground.go on floor 1 names Bird, Fly of attic.go on floor 2")
}

func TestRings(t *testing.T) {
	src := map[string]string{
		"a.go": "package p\nfunc a() { b() }",
		"b.go": "package p\nfunc b() { c() }",
		"c.go": "package p\nfunc c() {}",
		"d.go": "package p\nfunc d() { a(); d() }",
	}
	want(t, graph(t, src).Rings())
	src["c.go"] = "package p\nfunc c() { a() }"
	want(t, graph(t, src).Rings(),
		"ring of a.go, b.go, c.go: a.go names b of b.go; b.go names c of c.go; c.go names a of a.go")
	src["c.go"] = "package p\nfunc c() {}\ntype whole struct{ p part }"
	src["e.go"] = "package p\ntype part struct{ w *whole }"
	want(t, graph(t, src).Rings(), "ring of c.go, e.go: c.go names part of e.go; e.go names whole of c.go")
}

func TestStrays(t *testing.T) {
	src := map[string]string{
		"a.go": "package p\ntype T struct{}\nfunc (*T) M() {}\ntype G[E any] struct{}\nfunc (*G[E]) M() {}",
	}
	want(t, graph(t, src).Strays())
	src["b.go"] = "package p\nfunc (*T) N() {}\nfunc (G[E]) N() {}"
	want(t, graph(t, src).Strays(),
		"b.go: method T.N belongs into a.go, beside its type",
		"b.go: method G.N belongs into a.go, beside its type")
}

func TestImpure(t *testing.T) {
	fset := token.NewFileSet()
	want(t, Impure(fset, parseOne(t, fset, "a.go", `package p
import ("time"; "errors"; "math/bits"; "example.org/net")
const d = time.Second
func f(now time.Time) bool { return now.After(time.Time{}) }`)))
	want(t, Impure(fset, parseOne(t, fset, "b.go", `package p
import "net/http"
import "sync/atomic"
import "math/rand/v2"
import clock "time"
var x = clock.Now()
var y = clock.AfterFunc`)),
		"b.go:2:8: a core file imports net/http",
		"b.go:3:8: a core file imports sync/atomic",
		"b.go:4:8: a core file imports math/rand/v2",
		"b.go:6:9: a core file asks the clock with time.Now",
		"b.go:7:9: a core file asks the clock with time.AfterFunc")
}

func TestTooLong(t *testing.T) {
	const src = "package p\n\nfunc short() {\n}\n\nfunc (T) long() {\n\n\n}\n\ntype T int\n"
	fset := token.NewFileSet()
	f := parseOne(t, fset, "a.go", src)
	want(t, TooLong(fset, f, 11, 4))
	want(t, TooLong(fset, f, 10, 3), "a.go has 11 lines, more than 10", "a.go:6:1: function long has 4 lines, more than 3")
	made := parseOne(t, fset, "b.go", "// Code generated by x. DO NOT EDIT.\n\n"+src)
	want(t, TooLong(fset, made, 1, 1))
}

func TestWalk(t *testing.T) {
	src := &fstest.MapFile{Data: []byte("package p")}
	root := fstest.MapFS{
		"go.mod": {}, "a.go": src, "a_test.go": src, "a.s": {}, "sub/b.go": src,
		"nested/go.mod": {}, "nested/c.go": src, ".hidden/d.go": src, "sub/testdata/e.go": {Data: []byte("no Go")},
	}
	var got []string
	err := Walk(root, token.NewFileSet(), func(name string, _ *ast.File) { got = append(got, name) })
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, "a.go", "sub/b.go")
}

// Load finds a ring that exists on another platform only, and insists on a
// package without type errors on its own.
func TestLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command")
	}
	dir := t.TempDir()
	write := func(name, src string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.org/p\n\ngo 1.26\n")
	write("a.go", "package p\nimport \"net\"\ntype a struct{ c net.Conn }\nfunc f() { g() }")
	write("b_plan9.go", "package p\nimport \"syscall\"\nvar x = syscall.OnPlan9Alone\nfunc g() { _ = a{}.c.Close() }")
	write("b_other.go", "//go:build !plan9\n\npackage p\nfunc g() {}")
	write("b_test.go", "package p\nfunc h() { f() }")
	here := runtime.GOOS + "/" + runtime.GOARCH
	for _, tc := range []struct {
		platforms []string
		rings     []string
	}{
		{[]string{here}, nil},
		{[]string{here, "plan9/amd64"}, []string{"ring of a.go, b_plan9.go: a.go names g of b_plan9.go; b_plan9.go names a, c of a.go"}},
	} {
		g, err := Load(dir, tc.platforms...)
		if err != nil {
			t.Fatal(err)
		}
		want(t, g.Rings(), tc.rings...)
	}
	write("c.go", "package p\nvar y = missing")
	if _, err := Load(dir, here); err == nil {
		t.Error("no error for a package that does not compile")
	}
}
