// Rules for single files: what the core may not touch, and how long things
// may get.

package floors

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// What no core file may import, the packages below each included.
var outside = []string{
	"net", "os", "sync", "syscall", "context", "io/fs", "log",
	"crypto/rand", "crypto/tls", "math/rand", "golang.org/x/net", "golang.org/x/sys",
}

// What no core file may call of package time: the clock is an argument.
var clock = map[string]bool{
	"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true,
	"Tick": true, "NewTimer": true, "NewTicker": true,
}

// Impure returns a sentence for each import and each use of the clock that a
// core file may not have.
func Impure(fset *token.FileSet, f *ast.File) []string {
	var found []string
	timeName := "time"
	for _, imp := range f.Imports {
		name := strings.Trim(imp.Path.Value, `"`)
		for _, banned := range outside {
			if name == banned || strings.HasPrefix(name, banned+"/") {
				found = append(found, fmt.Sprintf("%s: a core file imports %s", fset.Position(imp.Pos()), name))
			}
		}
		if name == "time" && imp.Name != nil {
			timeName = imp.Name.Name
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == timeName && clock[sel.Sel.Name] {
			found = append(found, fmt.Sprintf("%s: a core file asks the clock with time.%s", fset.Position(n.Pos()), sel.Sel.Name))
		}
		return true
	})
	return found
}

// TooLong returns a sentence if f has more than maxFile lines, and one for
// each of its functions with more than maxFunc. Generated files may be as long
// as they like.
func TooLong(fset *token.FileSet, f *ast.File, maxFile, maxFunc int) []string {
	if ast.IsGenerated(f) {
		return nil
	}
	var found []string
	name := fset.Position(f.Pos()).Filename
	if n := fset.File(f.Pos()).LineCount(); n > maxFile {
		found = append(found, fmt.Sprintf("%s has %d lines, more than %d", name, n, maxFile))
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		first := fset.Position(fn.Pos())
		if n := fset.Position(fn.End()).Line - first.Line + 1; n > maxFunc {
			found = append(found, fmt.Sprintf("%s: function %s has %d lines, more than %d", first, fn.Name.Name, n, maxFunc))
		}
	}
	return found
}

// Walk parses every Go file under root but tests, test data and nested
// modules, and calls visit for each. The names in fset are relative to root,
// with slashes.
func Walk(root fs.FS, fset *token.FileSet, visit func(name string, f *ast.File)) error {
	return fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(root, name)
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		visit(name, f)
		return nil
	})
}

// skip returns fs.SkipDir for a directory that holds no source of this module.
func skip(root fs.FS, dir string) error {
	if dir == "." {
		return nil
	}
	base := path.Base(dir)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}
