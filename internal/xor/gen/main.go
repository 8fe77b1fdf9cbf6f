// Command gen writes the amd64 assembly of package xor and its declarations:
//
//	go generate ./internal/xor
//
// Its test fails when what is there is not what it would write.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// target is where package xor is, as seen from here.
const target = ".."

func main() {
	files, err := generate()
	for name, text := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(target, name), text, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// generate returns the generated files by name.
func generate() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, define := range map[string]func(*kernel){"mask": defineMask, "text": defineText} {
		k := &kernel{Context: build.NewContext()}
		k.ConstraintExpr("!purego")
		define(k)
		file, err := k.Result()
		if err != nil {
			return nil, err
		}
		if err := pass.Compile.Execute(file); err != nil {
			return nil, err
		}
		cfg := printer.Config{Name: "avo", Argv: []string{"go", "generate"}, Pkg: "xor"}
		for ending, p := range map[string]printer.Printer{"_amd64.s": printer.NewGoAsm(cfg), "_amd64.go": printer.NewStubs(cfg)} {
			text, err := p.Print(file)
			if err != nil {
				return nil, err
			}
			files[name+ending] = text
		}
	}
	return files, nil
}

// A kernel is a file of assembly in the making.
type kernel struct{ *build.Context }

// function begins a function of the given Go type.
func (k *kernel) function(name, signature, doc string) {
	k.Function(name)
	k.Attributes(build.NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr(signature)
	k.Doc(strings.Split(doc, "\n")...)
}

// arg loads an argument into a new register of its size.
func (k *kernel) arg(name string) reg.Register {
	p := k.Param(name)
	c, err := p.Resolve()
	if err != nil {
		panic(err)
	}
	if c.Type.String() == "uint32" {
		return k.Load(p, k.GP32())
	}
	return k.Load(p, k.GP64())
}

// at returns the memory at an offset from base.
func at(base reg.Register, offset int) operand.Mem { return operand.Mem{Base: base, Disp: offset} }
