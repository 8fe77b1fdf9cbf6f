package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// entries are good ones of all published cases but some.
func entries(without ...string) map[string]indexEntry {
	cases := map[string]indexEntry{}
	for _, c := range suite() {
		if !extra(c.id) && !match(without, c.id) {
			cases[c.id] = indexEntry{Behavior: verdictOK, BehaviorClose: verdictOK}
		}
	}
	return cases
}

func TestCheck(t *testing.T) {
	t.Parallel()
	bad := entries()
	bad["7.1.1"] = indexEntry{Behavior: verdictFailed, BehaviorClose: verdictOK}
	for _, test := range []struct {
		name  string
		index index
		args  []string
		worse bool
		err   string
		says  string
	}{
		{name: "all well", index: index{"a": entries(), "b": entries()}, args: []string{"-complete", "-agents", "2"}, says: "517 cases in"},
		{name: "one failed", index: index{"a": bad}, worse: true, says: "7.1.1"},
		{name: "some cases", index: index{"a": entries("1[23].*")}},
		{name: "some cases, completely", index: index{"a": entries(), "b": entries("1.1.1", "9.8.6")}, args: []string{"-complete"}, worse: true, says: "2 not run"},
		{name: "no case", index: index{"a": entries(), "b": {}}, err: "no case of b"},
		{name: "no agent", index: index{}, err: "no agent"},
		{name: "too few agents", index: index{"a": entries()}, args: []string{"-agents", "2"}, err: "1 agents, not 2"},
		{name: "too many agents", index: index{"a": entries(), "b": entries()}, args: []string{"-agents", "1"}, err: "2 agents, not 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), indexName)
			text, err := json.Marshal(test.index)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(name, text, 0o600))
			var out bytes.Buffer
			err = command(context.Background(), append(append([]string{"check"}, test.args...), name), &out)
			switch {
			case test.worse:
				require.ErrorIs(t, err, errWorse, out.String())
			case test.err != "":
				require.EqualError(t, err, name+": "+test.err)
			default:
				require.NoError(t, err, out.String())
			}
			require.Contains(t, out.String(), test.says)
		})
	}
}
