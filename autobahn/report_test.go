package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// judged is a run that is over.
func judged(agent, id, behavior string) *run {
	r := newRun(&testCase{id: id}, &environment{}, agent)
	r.behavior, r.behaviorClose = behavior, verdictOK
	return r
}

// report runs the reports of some runs into a folder, and returns its index.
func report(t *testing.T, dir string, runs ...*run) index {
	t.Helper()
	rs, err := newReports(dir, true)
	require.NoError(t, err)
	for _, r := range runs {
		require.Equal(t, "MISSING", rs.behavior(r.agent, r.c.id), "before it was run")
		rs.add(r)
		require.Equal(t, r.behavior, rs.behavior(r.agent, r.c.id))
	}
	require.NoError(t, rs.write())
	text, err := os.ReadFile(filepath.Join(dir, indexName))
	require.NoError(t, err)
	var ix index
	require.NoError(t, json.Unmarshal(text, &ix))
	return ix
}

// A run takes the place of an earlier one of the same agent, and stands beside
// those of others.
func TestReportsOfEarlierRuns(t *testing.T) {
	dir := t.TempDir()
	report(t, dir, judged("a", "1.1.1", verdictOK), judged("a", "1.1.2", verdictOK), judged("a", "X.7.1", verdictOK), judged("b", "1.1.1", verdictOK))
	require.FileExists(t, filepath.Join(dir, extraName))
	ix := report(t, dir, judged("a", "1.1.1", verdictFailed))
	require.Len(t, ix["a"], 1)
	require.Equal(t, verdictFailed, ix["a"]["1.1.1"].Behavior)
	require.Len(t, ix["b"], 1)
	require.NoFileExists(t, filepath.Join(dir, extraName))
	require.Len(t, report(t, dir), 2, "nobody ran")
}
