package websocket

import (
	"crypto/rand"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// CHECKLIST 25: the keys are bytes of crypto/rand, each used once.
func TestRFC6455_5_3_KeysComeFromACryptographicSource(t *testing.T) {
	assert.Equal(t, reflect.ValueOf(rand.Read).Pointer(), reflect.ValueOf(maskingKeys.read).Pointer())

	want := map[uint32]bool{}
	keys := keySource{read: func(p []byte) (int, error) {
		n, err := rand.Read(p)
		for rest := p; len(rest) > 0; rest = rest[4:] {
			want[maskingKey([4]byte(rest))] = true
		}
		return n, err
	}}
	for range 2 * len(keyBlock{}.bytes) / 4 {
		key := keys.next()
		require.True(t, want[key], "a key from elsewhere, or used before")
		delete(want, key)
	}
}

// CHECKLIST 25: no key is used twice, by whomever.
func TestRFC6455_5_3_KeysAreFresh(t *testing.T) {
	const workers, each = 4, 2000
	var wg sync.WaitGroup
	keys := make([][]uint32, workers)
	for w := range workers {
		wg.Go(func() {
			for range each {
				keys[w] = append(keys[w], newMaskingKey())
			}
		})
	}
	wg.Wait()
	seen := map[uint32]int{}
	for _, some := range keys {
		for _, key := range some {
			seen[key]++
		}
	}
	// Of 8000 numbers of 32 bits, two are equal once in 134 runs, and four pairs
	// once in ten thousand million.
	assert.GreaterOrEqual(t, len(seen), workers*each-4)
	assert.LessOrEqual(t, seen[0], 1)
}

// CHECKLIST 25: nothing that is shipped knows math/rand.
func TestNoOtherRandomSource(t *testing.T) {
	read := 0
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && name != "." {
			if name == "autobahn" || name == "examples" || name == "interop" {
				return fs.SkipDir // not the library
			}
			if _, err := os.Stat(name + "/go.mod"); err == nil {
				return fs.SkipDir // a module of its own
			}
		}
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, ".") {
			return err
		}
		read++
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			assert.False(t, strings.HasPrefix(path, "math/rand"), "%s imports %s", name, path)
		}
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, read, 20)
}

func TestMaskingKeyDoesNotAllocate(t *testing.T) {
	newMaskingKey()
	if n := testing.AllocsPerRun(1000, func() { newMaskingKey() }); n > 0.5 {
		assert.Zero(t, n)
	}
}
