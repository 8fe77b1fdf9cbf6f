// The graph of a package's files: which file names what of which other file.

package floors

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// A Graph tells which files of one package name which others. A file names
// another if it refers to anything declared there: a type, function, variable
// or constant, and also a field or a method.
type Graph struct {
	names  map[string]map[string][]string // from file, to file: the names used
	strays []string                       // methods that live away from their type
}

// Files returns the names of all files, sorted.
func (g *Graph) Files() []string { return slices.Sorted(maps.Keys(g.names)) }

// Names returns what from uses of to, in the order of the source.
func (g *Graph) Names(from, to string) []string { return g.names[from][to] }

// Strays returns the methods that are declared in another file than their
// type, one sentence for each.
func (g *Graph) Strays() []string { return g.strays }

// add type-checks the files as one package and records who names whom. It may
// be called again for the files of another platform. An error of the type
// checker is returned, but what could be resolved is recorded all the same.
func (g *Graph) add(fset *token.FileSet, files []*ast.File, imp types.Importer) error {
	if g.names == nil {
		g.names = map[string]map[string][]string{}
	}
	var firstErr error
	conf := types.Config{
		Importer: imp,
		Error: func(err error) {
			if firstErr == nil {
				firstErr = err
			}
		},
	}
	info := &types.Info{
		Defs: map[*ast.Ident]types.Object{},
		Uses: map[*ast.Ident]types.Object{},
	}
	pkg, _ := conf.Check("p", fset, files, info) // its error is firstErr
	for _, f := range files {
		name := fileOf(fset, f.Pos())
		if g.names[name] == nil {
			g.names[name] = map[string][]string{}
		}
		g.addUses(fset, f, name, pkg, info)
		g.addStrays(fset, f, name, info)
	}
	return firstErr
}

// addUses records every name in f that another file declares.
func (g *Graph) addUses(fset *token.FileSet, f *ast.File, name string, pkg *types.Package, info *types.Info) {
	ast.Inspect(f, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		obj := info.Uses[id]
		if obj == nil || obj.Pkg() != pkg || !obj.Pos().IsValid() {
			return true
		}
		to := fileOf(fset, obj.Pos())
		if to != name && !slices.Contains(g.names[name][to], id.Name) {
			g.names[name][to] = append(g.names[name][to], id.Name)
		}
		return true
	})
}

// addStrays records the methods in f whose receiver's type is declared in
// another file.
func (g *Graph) addStrays(fset *token.FileSet, f *ast.File, name string, info *types.Info) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv == nil {
			continue
		}
		obj, ok := info.Defs[fn.Name].(*types.Func)
		if !ok {
			continue
		}
		t := obj.Signature().Recv().Type()
		if p, ok := t.(*types.Pointer); ok {
			t = p.Elem()
		}
		named, ok := t.(*types.Named)
		if !ok {
			continue
		}
		home := fileOf(fset, named.Origin().Obj().Pos())
		stray := fmt.Sprintf("%s: method %s.%s belongs into %s, beside its type", name, named.Obj().Name(), fn.Name.Name, home)
		if home != name && !slices.Contains(g.strays, stray) {
			g.strays = append(g.strays, stray)
		}
	}
}

// Upward returns a sentence for each file that names a file on a higher floor.
func (g *Graph) Upward(floor map[string]int) []string {
	var found []string
	for _, from := range g.Files() {
		for _, to := range slices.Sorted(maps.Keys(g.names[from])) {
			if floor[from] < floor[to] {
				found = append(found, fmt.Sprintf("%s on floor %d names %s of %s on floor %d",
					from, floor[from], list(g.Names(from, to)), to, floor[to]))
			}
		}
	}
	return found
}

// Rings returns a sentence for each ring: files that all reach each other by
// naming, with the names that tie them together.
func (g *Graph) Rings() []string {
	var found []string
	reach := map[string]map[string]bool{}
	for _, f := range g.Files() {
		reach[f] = g.reachable(f)
	}
	done := map[string]bool{}
	for _, f := range g.Files() {
		if done[f] || !reach[f][f] {
			continue
		}
		var ring, ties []string
		for _, other := range g.Files() {
			if reach[f][other] && reach[other][f] {
				ring = append(ring, other)
				done[other] = true
			}
		}
		for _, from := range ring {
			for _, to := range ring {
				if names := g.Names(from, to); len(names) > 0 {
					ties = append(ties, fmt.Sprintf("%s names %s of %s", from, list(names), to))
				}
			}
		}
		found = append(found, fmt.Sprintf("ring of %s: %s", strings.Join(ring, ", "), strings.Join(ties, "; ")))
	}
	return found
}

// reachable returns the files that from names, directly or through others.
func (g *Graph) reachable(from string) map[string]bool {
	seen := map[string]bool{}
	todo := []string{from}
	for len(todo) > 0 {
		next := g.names[todo[0]]
		todo = todo[1:]
		for to := range next {
			if !seen[to] {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	return seen
}

// list shows the first few names.
func list(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func fileOf(fset *token.FileSet, pos token.Pos) string {
	return filepath.Base(fset.Position(pos).Filename)
}
