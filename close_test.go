package websocket

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// closeCodes says of every code whether it may stand in a close frame (RFC 6455,
// section 7.4, and the IANA registry).
var closeCodes = []struct {
	from, to int
	sendable bool
}{
	{0, 999, false}, // "not used"
	{1000, 1003, true},
	{1004, 1006, false}, // reserved, and two that "MUST NOT be set"
	{1007, 1014, true},
	{1015, 1015, false},
	{1016, 2999, false}, // for extensions and later versions: none so far
	{3000, 4999, true},
	{5000, math.MaxUint16, false},
}

// CHECKLIST 13: every code, both ways.
func TestRFC6455_7_4_Codes(t *testing.T) {
	at := 0
	for _, tt := range closeCodes {
		require.Equal(t, at, tt.from, "the table has no gap")
		at = tt.to + 1
		for n := tt.from; n <= tt.to; n++ {
			code := StatusCode(n)
			body := []byte{byte(n >> 8), byte(n)}
			got, reason, err := ParseClosePayload(append(body, "why"...))
			out, appendErr := AppendClosePayload([]byte("x"), code, "why")
			sent, sentReason, checkErr := checkClose(code, "why")
			if tt.sendable {
				if err != nil || got != code || reason != "why" {
					t.Fatalf("parse %d: %d %q %v", n, got, reason, err)
				}
				if appendErr != nil || string(out) != "x"+string(body)+"why" {
					t.Fatalf("append %d: %x %v", n, out, appendErr)
				}
				if checkErr != nil || sent != code || sentReason != "why" {
					t.Fatalf("check %d: %d %q %v", n, sent, sentReason, checkErr)
				}
				continue
			}
			if CloseStatus(err) != StatusProtocolError || got != 0 || reason != "" {
				t.Fatalf("parse %d: %d %q %v", n, got, reason, err)
			}
			if appendErr == nil || string(out) != "x" {
				t.Fatalf("append %d: %x %v", n, out, appendErr)
			}
			if checkErr == nil || sent != StatusInternalError || sentReason != "" {
				t.Fatalf("check %d: %d %q %v", n, sent, sentReason, checkErr)
			}
		}
	}
	require.Equal(t, math.MaxUint16+1, at)
}

// CHECKLIST 13: one-byte body, bad UTF-8.
func TestRFC6455_5_5_1_Parse(t *testing.T) {
	tests := []struct {
		name, wire string
		code       StatusCode
		reason     string
		fails      StatusCode
	}{
		{"empty", "", 1005, "", 0},
		{"one byte", "03", 0, "", 1002},
		{"code alone", "03e8", 1000, "", 0},
		{"reason", "03e8 627965", 1000, "bye", 0},
		{"reason not ASCII", "0fa0 e282ac", 4000, "€", 0},
		{"the longest", "0bb8 61*123", 3000, strings.Repeat("a", 123), 0},
		{"reason not UTF-8", "03e8 ff", 0, "", 1007},
		{"reason cut in a character", "03e8 61e282", 0, "", 1007},
		{"reason with a surrogate", "03e8 eda080", 0, "", 1007},
		{"bad code and bad reason", "03ed ff", 0, "", 1002},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, reason, err := ParseClosePayload(wire(tt.wire))
			assert.Equal(t, tt.code, code)
			assert.Equal(t, tt.reason, reason)
			assert.Equal(t, tt.fails, CloseStatus(err))
			if tt.fails == 0 {
				assert.NoError(t, err)
			}
			if tt.fails == StatusInvalidFramePayloadData {
				assert.ErrorIs(t, err, ErrInvalidText)
			}
		})
	}
}

// CHECKLIST 13: a reason of more than 123 bytes is cut at a rune.
func TestRFC6455_5_5_1_LongReasonIsCut(t *testing.T) {
	for _, char := range []string{"a", "é", "€", "😀"} {
		for n := 118; n < 132; n++ {
			reason := strings.Repeat("x", n) + strings.Repeat(char, 40)
			p, err := AppendClosePayload(nil, StatusGoingAway, reason)
			require.NoError(t, err)
			got := string(p[2:])
			require.True(t, utf8.ValidString(got), "%q", got)
			require.True(t, strings.HasPrefix(reason, got))
			require.LessOrEqual(t, len(p), maxControlPayload)
			require.Greater(t, len(p)+len(char), maxControlPayload, "no more than must be")

			_, checked, err := checkClose(StatusGoingAway, reason)
			require.NoError(t, err)
			require.Equal(t, got, checked)
		}
	}
	exact := strings.Repeat("€", 41)
	p, err := AppendClosePayload(nil, StatusGoingAway, exact)
	require.NoError(t, err)
	assert.Equal(t, exact, string(p[2:]), "123 bytes fit")
}

func TestRFC6455_5_5_1_Append(t *testing.T) {
	p, err := AppendClosePayload([]byte("x"), StatusNoStatusReceived, "")
	assert.NoError(t, err)
	assert.Equal(t, "x", string(p), "no status is an empty payload")

	p, err = AppendClosePayload([]byte("x"), StatusNoStatusReceived, "why")
	assert.Error(t, err, "a reason needs a code")
	assert.Equal(t, "x", string(p))

	p, err = AppendClosePayload([]byte("x"), StatusGoingAway, "a\xff")
	assert.ErrorIs(t, err, errCloseReason)
	assert.Equal(t, "x", string(p))
}

// What a caller asks for in vain is still a close that can be sent.
func TestCheckClose(t *testing.T) {
	tests := []struct {
		code   StatusCode
		reason string
		sent   StatusCode
		text   string
		err    error
	}{
		{1000, "", 1000, "", nil},
		{1005, "", 1005, "", nil},
		{1005, "why", 1011, "", errReasonAlone},
		{1006, "why", 1011, "", fmt.Errorf("%w: 1006", errCloseCode)},
		{0, "", 1011, "", fmt.Errorf("%w: 0", errCloseCode)},
		{1001, "a\xffb", 1001, "a\ufffdb", errCloseReason},
		{1001, strings.Repeat("\xffa", 100), 1001, strings.Repeat("\ufffda", 30) + "\ufffd", errCloseReason},
	}
	for _, tt := range tests {
		code, reason, err := checkClose(tt.code, tt.reason)
		assert.Equal(t, tt.sent, code)
		assert.Equal(t, tt.text, reason)
		assert.Equal(t, tt.err, err)
		_, err = AppendClosePayload(nil, code, reason)
		assert.NoError(t, err, "what is left can be sent")
	}
}

// What parses is what Append writes, and what Append writes parses; a refusal is
// 1002 or 1007.
func FuzzClosePayload(f *testing.F) {
	for _, s := range []string{"", "03", "03e8", "03e8 627965", "03ed", "03e8 ff", "0fa0 e282ac"} {
		f.Add(wire(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		code, reason, err := ParseClosePayload(p)
		if err != nil {
			require.Contains(t, []StatusCode{StatusProtocolError, StatusInvalidFramePayloadData}, CloseStatus(err))
		} else if len(p) <= maxControlPayload {
			again, err := AppendClosePayload(nil, code, reason)
			require.NoError(t, err)
			require.Equal(t, string(p), string(again))
		}
		if len(p) < 2 {
			return
		}
		code, reason, asked := checkClose(StatusCode(p[0])<<8|StatusCode(p[1]), string(p[2:]))
		again, err := AppendClosePayload(nil, code, reason)
		require.NoError(t, err)
		require.LessOrEqual(t, len(again), maxControlPayload)
		gotCode, gotReason, err := ParseClosePayload(again)
		require.NoError(t, err)
		require.Equal(t, code, gotCode)
		require.Equal(t, reason, gotReason)
		if asked == nil {
			require.True(t, strings.HasPrefix(string(p[2:]), reason))
		}
	})
}
