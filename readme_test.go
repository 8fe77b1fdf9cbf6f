package websocket_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documents are the texts beside the code.
var documents = []string{
	"README.md", "docs/migrating.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md",
}

// The programs in the README compile as they are printed, and are formatted.
func TestReadmePrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command")
	}
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	programs := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(text, -1)
	require.Len(t, programs, 2, "a server and a client")
	root, err := os.Getwd()
	require.NoError(t, err)
	gofmt := filepath.Join(runtimeGoroot(t), "bin", "gofmt")
	for i, program := range programs {
		// The overlay puts the program into this module, whose library it
		// imports, without leaving it there.
		dir, name := t.TempDir(), "readme"+strconv.Itoa(i)
		file := filepath.Join(dir, "main.go")
		require.NoError(t, os.WriteFile(file, program[1], 0o600))
		overlay, err := json.Marshal(map[string]map[string]string{
			"Replace": {filepath.Join(root, name, "main.go"): file},
		})
		require.NoError(t, err)
		overlayFile := filepath.Join(dir, "overlay.json")
		require.NoError(t, os.WriteFile(overlayFile, overlay, 0o600))
		out, err := exec.Command("go", "build", "-overlay", overlayFile, "-o", filepath.Join(dir, "program"), "./"+name).CombinedOutput()
		assert.NoError(t, err, "program %d does not compile: %s", i, out)
		out, err = exec.Command(gofmt, "-l", file).CombinedOutput()
		assert.NoError(t, err, string(out))
		assert.Empty(t, string(out), "program %d is not formatted", i)
	}
}

func runtimeGoroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// Links between the documents lead somewhere.
func TestDocumentLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	code := regexp.MustCompile("`[^`\n]*`")
	for _, name := range documents {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(name), m[1]))
			assert.NoError(t, err, "%s links to %s", name, m[1])
		}
	}
}

// The names of this package that the documents use exist.
func TestDocumentNames(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command")
	}
	out, err := exec.Command("go", "doc", "-all", ".").Output()
	require.NoError(t, err)
	doc := string(out)
	name := regexp.MustCompile(`\bwebsocket\.([A-Z]\w+)`)
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, m := range name.FindAllStringSubmatch(string(text), -1) {
		assert.Regexp(t, `(?m)^\s*(func|type|var|const)? ?`+m[1]+`\b`, doc)
	}
	// In the tables for those who come from elsewhere, the right side is ours.
	text, err = os.ReadFile("docs/migrating.md")
	require.NoError(t, err)
	method := regexp.MustCompile(`\bc\.([A-Z]\w+)\(`)
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(cells[2], -1) {
			assert.Regexp(t, `(?m)^\s*(func|type|var|const)? ?`+m[1]+`\b`, doc)
		}
		for _, m := range method.FindAllStringSubmatch(cells[2], -1) {
			assert.Contains(t, doc, "func (c *Conn) "+m[1]+"(")
		}
	}
}
