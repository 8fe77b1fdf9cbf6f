package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
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

// Agents whose names look alike have files of their own.
func TestReportNames(t *testing.T) {
	dir := t.TempDir()
	files := func(ix index) []string {
		return []string{ix["a-b"]["1.1.1"].ReportFile, ix["A_b"]["1.1.1"].ReportFile, ix["a_b_2"]["1.1.1"].ReportFile}
	}
	want := []string{"a_b_case_1_1_1.json", "a_b_2_case_1_1_1.json", "a_b_2_2_case_1_1_1.json"}
	ix := report(t, dir, judged("a-b", "1.1.1", verdictOK), judged("A_b", "1.1.1", verdictOK), judged("a_b_2", "1.1.1", verdictOK))
	require.Equal(t, want, files(ix))
	ix = report(t, dir, judged("a_b_2", "1.1.1", verdictOK), judged("A_b", "1.1.1", verdictOK))
	require.Equal(t, want, files(ix), "they stay as they were")
	for agent, cases := range ix {
		name := filepath.Join(dir, cases["1.1.1"].ReportFile)
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		var detail struct{ Agent string }
		require.NoError(t, json.Unmarshal(text, &detail))
		require.Equal(t, agent, detail.Agent)
		text, err = os.ReadFile(strings.TrimSuffix(name, "json") + "html")
		require.NoError(t, err)
		require.Contains(t, string(text), cases["1.1.1"].ReportFile)
	}
}
