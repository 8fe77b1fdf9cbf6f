package peers

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// badText are the cases that send text which is not UTF-8.
var badText = strings.Fields(`6.3.1 6.3.2 6.4.1 6.4.2 6.4.3 6.4.4 6.6.1 6.6.3 6.6.4 6.6.6 6.6.8 6.6.10 6.8.1 6.8.2
	6.10.1 6.10.2 6.10.3 6.11.5 6.12.1 6.12.2 6.12.3 6.12.4 6.12.5 6.12.6 6.12.7 6.12.8 6.13.1 6.13.2 6.13.3 6.13.4 6.13.5
	6.14.1 6.14.2 6.14.3 6.14.4 6.14.5 6.14.6 6.14.7 6.14.8 6.14.9 6.14.10 6.15.1 6.16.1 6.16.2 6.16.3
	6.17.1 6.17.2 6.17.3 6.17.4 6.17.5 6.18.1 6.18.2 6.18.3 6.18.4 6.18.5 6.19.1 6.19.2 6.19.3 6.19.4 6.19.5
	6.20.1 6.20.2 6.20.3 6.20.4 6.20.5 6.20.6 6.20.7 6.21.1 6.21.2 6.21.3 6.21.4 6.21.5 6.21.6 6.21.7 6.21.8`)

var informational = []string{"7.1.6", "7.13.1", "7.13.2"}

// build makes the runner, which is in another module.
func build(t *testing.T) string {
	t.Helper()
	runner := filepath.Join(t.TempDir(), "autobahn.exe")
	out, err := exec.Command("go", "build", "-C", "../..", "-o", runner, "./autobahn").CombinedOutput()
	require.NoError(t, err, string(out))
	return runner
}

// judge runs cases 1 to 10 against a server, and groups the ids by behavior.
func judge(t *testing.T, runner string, h http.Handler) map[string][]string {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	dir := t.TempDir()
	// The exit status tells that something is worse than allowed, as it should be.
	out, err := exec.Command(runner, "client", "-url", "ws"+strings.TrimPrefix(server.URL, "http"), "-agent", "peer",
		"-out", dir, "-exclude", "12.*,13.*").CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(t, err, &exit, string(out))
		require.Equal(t, 1, exit.ExitCode(), string(out))
	}
	text, err := os.ReadFile(filepath.Join(dir, "index.json"))
	require.NoError(t, err)
	var index map[string]map[string]struct{ Behavior string }
	require.NoError(t, json.Unmarshal(text, &index))
	require.Len(t, index["peer"], 301)
	groups := map[string][]string{}
	for id, e := range index["peer"] {
		groups[e.Behavior] = append(groups[e.Behavior], id)
	}
	return groups
}

func TestAgreement(t *testing.T) {
	require.Len(t, badText, 75)
	runner := build(t)

	t.Run("gorilla/websocket", func(t *testing.T) {
		got := judge(t, runner, Gorilla())
		require.ElementsMatch(t, badText, got["FAILED"])
		require.ElementsMatch(t, informational, got["INFORMATIONAL"])
		require.Len(t, got["OK"], 301-75-3)
		require.Len(t, within(got["OK"], "7"), 34)
	})
	t.Run("gws", func(t *testing.T) {
		got := judge(t, runner, GWS(false))
		require.Empty(t, got["FAILED"])
		require.ElementsMatch(t, []string{"6.4.1", "6.4.2", "6.4.3", "6.4.4"}, got["NON-STRICT"])
		require.ElementsMatch(t, informational, got["INFORMATIONAL"])
		require.Len(t, got["OK"], 301-4-3)
	})
	t.Run("coder/websocket", func(t *testing.T) {
		got := judge(t, runner, Coder())
		require.ElementsMatch(t, append(slices.Clone(badText), "7.5.1"), got["FAILED"])
		require.ElementsMatch(t, informational, got["INFORMATIONAL"])
		require.Len(t, got["OK"], 301-76-3)
	})
	t.Run("golang.org/x/net/websocket", func(t *testing.T) {
		got := judge(t, runner, XNet())
		require.Len(t, within(got["FAILED"], "2", "3", "4", "5"), 24)
		require.Subset(t, got["FAILED"], badText)
		require.Empty(t, within(got["FAILED"], "1"))
	})
}

// within are the ids of some categories.
func within(ids []string, categories ...string) []string {
	var some []string
	for _, id := range ids {
		first, _, _ := strings.Cut(id, ".")
		if slices.Contains(categories, first) {
			some = append(some, id)
		}
	}
	return some
}
