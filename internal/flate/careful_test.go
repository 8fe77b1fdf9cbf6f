package flate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// carefully returns the tokens that a careful makes of p, after a history.
func carefully(history, p string) []token {
	w := NewWindow(15)
	w.reserve(1 << 15)
	w.add([]byte(history))
	w.reserveTable(len(p))
	c := careful{flat: new(flat)}
	t := text{p: []byte(p), w: w, base: w.next, have: w.have, limit: w.limit}
	return c.read(nil, &t, w.table, 0, len(p))
}

// A match of the next byte is taken if it is longer, and that of its next, but not if it is no longer.
func TestCarefulIsLazy(t *testing.T) {
	const history = "abcdef. bcdefgh. cdefghijkl. xyzuvw. yzuvwX. "
	require.Equal(t, []token{'a', 'b', lengthTokens[10-3], distToken(30), ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', endOfBlock},
		carefully(history, "abcdefghijkl        "))
	require.Equal(t, []token{lengthTokens[6-3], distToken(16), 'Y', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', endOfBlock},
		carefully(history, "xyzuvwY        "))
}

// Of the last four positions that begin alike the one with the longest match is taken, of equal ones the nearest; a fifth is
// forgotten, but not what begins a byte later.
func TestCarefulTakesTheLongest(t *testing.T) {
	const p = "alike, so far       "
	tail := []token{' ', ' ', ' ', ' ', ' ', ' ', ' ', endOfBlock}
	match := func(dist int) []token { return append([]token{lengthTokens[13-3], distToken(dist)}, tail...) }
	others := strings.Repeat("alike; ", 3)
	require.Equal(t, match(14+21), carefully("; alike, so far;"+others, p))
	require.Equal(t, match(14), carefully("; alike, so far;alike, so far;", p))
	require.Equal(t, []token{'a', lengthTokens[12-3], distToken(14 + 7 + 21)}, carefully("; alike, so far;alike; "+others, p)[:3])
}
