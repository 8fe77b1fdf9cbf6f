package main

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// published is what the original suite says of each case: the events that are
// OK or NON-STRICT, and the close. Long payloads are cut.
//
//go:embed testdata/published.json
var published []byte

type publishedCase struct {
	Codes     []int
	ByRunner  bool
	Clean     bool
	Fatal     bool
	OK        [][]any `json:"OK"`
	NonStrict [][]any `json:"NON-STRICT"`
}

func TestCasesAreThePublishedOnes(t *testing.T) {
	var want map[string]publishedCase
	require.NoError(t, json.Unmarshal(published, &want))
	require.Len(t, want, 517)
	var ids []string
	for _, c := range suite() {
		if extra(c.id) {
			continue
		}
		ids = append(ids, c.id)
		w, ok := want[c.id]
		require.True(t, ok, "%s is not published", c.id)
		require.Equal(t, w.Codes, c.close.codes, c.id)
		require.Equal(t, w.ByRunner, c.close.byRunner, c.id)
		require.Equal(t, w.Clean, c.close.clean, c.id)
		require.Equal(t, w.Fatal, c.close.fatalSwap, c.id)
		if c.drive != nil {
			continue // the echo is compared
		}
		require.True(t, sameAsPublished(w.OK, c.outcomes[0].events), "%s: %v", c.id, w.OK)
		if len(c.outcomes) > 1 {
			require.Equal(t, verdictNonStrict, c.outcomes[1].verdict, c.id)
			require.True(t, sameAsPublished(w.NonStrict, c.outcomes[1].events), "%s: %v", c.id, w.NonStrict)
		} else {
			require.Nil(t, w.NonStrict, c.id)
		}
	}
	require.Len(t, ids, 517)
	require.Len(t, slices.Compact(slices.Clone(ids)), 517)
	require.True(t, slices.IsSortedFunc(ids, compareIDs))
}

func sameAsPublished(want [][]any, got []event) bool {
	return slices.EqualFunc(want, got, func(w []any, g event) bool {
		if w[0] != string(g.kind) || len(w) > 2 && w[2] != g.binary {
			return false
		}
		text := w[1].(string)
		prefix, long := strings.CutSuffix(text, " ...")
		payload := string(g.payload)
		if strings.HasPrefix(prefix, "0x") {
			payload = "0x" + hex.EncodeToString(g.payload)
		}
		return payload == text || long && strings.HasPrefix(payload, prefix)
	})
}

func TestCasesSayWhatTheyDo(t *testing.T) {
	for _, c := range suite() {
		for _, sentence := range []string{c.does, c.wants} {
			require.True(t, strings.HasSuffix(sentence, ".") && sentence[0] >= 'A' && sentence[0] <= 'Z', "%s: %q", c.id, sentence)
		}
		require.Contains(t, categories, category(c.id))
	}
}

func TestChoice(t *testing.T) {
	for _, test := range []struct {
		args []string
		n    int
		has  []string
	}{
		{nil, 517, []string{"1.1.1", "13.7.18"}},
		{[]string{"-cases", "6.*,7.1.*"}, 151, []string{"6.4.4", "7.1.6"}},
		{[]string{"-cases", "6.4.1"}, 1, []string{"6.4.1"}},
		{[]string{"-exclude", "12.*,13.*"}, 301, []string{"9.8.6"}},
		{[]string{"-cases", "X.7.*"}, 4, []string{"X.7.4"}},
	} {
		o, err := parseOptions("client", test.args)
		require.NoError(t, err)
		chosen, err := o.choose(serverOnly)
		require.NoError(t, err)
		var ids []string
		for _, c := range chosen {
			ids = append(ids, c.id)
		}
		require.Len(t, ids, test.n, "%v", test.args)
		require.Subset(t, ids, test.has)
	}
}
