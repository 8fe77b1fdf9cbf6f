// Reading a package from disk, once for each platform whose files it has.

package floors

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// Load reads the package in dir, without its tests, once for each platform
// ("linux/amd64"), and joins what it finds. On the platform that it runs on,
// the package must be free of type errors. On the others errors are let pass,
// because imported packages are always those of the platform it runs on: what
// they have on another one only is unknown here, which hides no name that the
// package declares itself unless its type comes from there.
func Load(dir string, platforms ...string) (*Graph, error) {
	export, err := exports(dir)
	if err != nil {
		return nil, err
	}
	g := &Graph{}
	for _, platform := range platforms {
		fset := token.NewFileSet()
		files, err := parse(fset, dir, platform)
		if err != nil {
			return nil, err
		}
		imp := &lenient{gc: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
			if export[path] == "" {
				return nil, errors.New("no export data")
			}
			return os.Open(export[path])
		})}
		err = g.add(fset, files, imp)
		if err != nil && platform == runtime.GOOS+"/"+runtime.GOARCH {
			return nil, err
		}
	}
	return g, nil
}

// exports returns the file with the export data of each package that the
// package in dir imports, directly or not. The go command takes them from its
// build cache.
func exports(dir string) (map[string]string, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", ".")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[name] = file
	}
	return files, nil
}

// parse reads the files that the go command would build for platform.
func parse(fset *token.FileSet, dir, platform string) ([]*ast.File, error) {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, _ = strings.Cut(platform, "/")
	all, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range all {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		match, err := ctx.MatchFile(dir, filepath.Base(name))
		if err != nil {
			return nil, err
		}
		if !match {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// lenient imports what it can, and gives an empty package for the rest, so
// that the files of another platform can be looked at.
type lenient struct{ gc types.Importer }

func (l *lenient) Import(name string) (*types.Package, error) {
	if pkg, err := l.gc.Import(name); err == nil {
		return pkg, nil
	}
	pkg := types.NewPackage(name, path.Base(name))
	pkg.MarkComplete()
	return pkg, nil
}
