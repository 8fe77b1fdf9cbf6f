package websocket

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// headerRules are headers that break a rule, on a connection that got before
// first. No payload follows: they are refused without it.
var headerRules = []struct {
	name   string
	role   Role // of this side
	before string
	wire   string
	code   StatusCode
	reason string
}{
	// RFC 6455, section 5.1. CHECKLIST 8.
	{"5_1_ClientNotMasked", RoleServer, "", "81 05", 1002, "frame from a client is not masked"},
	{"5_1_ClientPingNotMasked", RoleServer, "", "89 00", 1002, "frame from a client is not masked"},
	{"5_1_ClientContinuationNotMasked", RoleServer, "01 80 00*4", "80 00", 1002, "frame from a client is not masked"},
	{"5_1_ServerMasked", RoleClient, "", "81 85 37fa213d", 1002, "masked frame from a server"},
	{"5_1_ServerCloseMasked", RoleClient, "", "88 80 00000000", 1002, "masked frame from a server"},

	// RFC 6455, section 5.2. CHECKLIST 7.
	{"5_2_RSV1", RoleServer, "", "c1 85 01020304", 1002, "frame with a reserved bit set"},
	{"5_2_RSV2", RoleServer, "", "a1 85 01020304", 1002, "frame with a reserved bit set"},
	{"5_2_RSV3", RoleClient, "", "91 05", 1002, "frame with a reserved bit set"},
	{"5_2_RSV1OnContinuation", RoleClient, "01 00", "c0 00", 1002, "frame with a reserved bit set"},
	{"5_2_RSV1OnPing", RoleClient, "", "c9 00", 1002, "frame with a reserved bit set"},
	{"5_2_RSV2OnClose", RoleServer, "", "a8 80 01020304", 1002, "frame with a reserved bit set"},
	{"5_2_RSV3OnPong", RoleServer, "", "9a 80 01020304", 1002, "frame with a reserved bit set"},
	{"5_2_AllRSVOnText", RoleClient, "", "f1 05", 1002, "frame with a reserved bit set"},

	// CHECKLIST 1, 9.
	{"5_2_ReservedOpcode", RoleServer, "", "83", 1002, "frame with a reserved opcode"},
	{"5_2_LengthTopBit", RoleServer, "", "82 ff 80", 1002, "frame length has its most significant bit set"},
	{"5_2_LengthAllBits", RoleClient, "", "82 7f ff", 1002, "frame length has its most significant bit set"},
	{"5_2_LengthNotMinimal", RoleServer, "", "82 fe 0001", 1002, "frame length is not encoded in the fewest bytes"},
	{"5_5_ControlTooLong", RoleServer, "", "89 fe", 1002, "control frame longer than 125 bytes"},
	{"5_5_ControlInFragments", RoleServer, "", "09", 1002, "fragmented control frame"},
	{"5_2_LongestIsTooBig", RoleClient, "", "82 7f 7f ff*7", 1009, "message longer than 1048576 bytes"},
	{"5_4_SumIsTooBig", RoleClient, "02 01 00", "80 7f 7f ff*7", 1009, "message longer than 1048576 bytes"},

	// RFC 6455, section 5.4.
	{"5_4_ContinuationWithoutMessage", RoleClient, "", "80 05", 1002, "continuation frame without a message"},
	{"5_4_ContinuationWithoutMessageNotFinal", RoleServer, "", "00 85 01020304", 1002, "continuation frame without a message"},
	{"5_4_ContinuationAfterMessage", RoleClient, "01 01 61 80 01 62", "80 00", 1002, "continuation frame without a message"},
	{"5_4_ContinuationAfterWholeMessage", RoleClient, "81 01 61", "00 00", 1002, "continuation frame without a message"},
	{"5_4_NewMessageBeforeEnd", RoleClient, "01 01 61", "81 01", 1002, "new message before the last one ended"},
	{"5_4_NewFragmentBeforeEnd", RoleClient, "02 01 61", "01 01", 1002, "new message before the last one ended"},
	{"5_4_NewMessageAfterPing", RoleClient, "02 01 61 89 00", "82 01", 1002, "new message before the last one ended"},
}

func TestRFC6455Header(t *testing.T) {
	for _, tt := range headerRules {
		t.Run(tt.name, func(t *testing.T) {
			before, b := wire(tt.before), wire(tt.wire)
			want := fmt.Sprintf("fail %d %s", tt.code, tt.reason)
			for _, way := range allWays {
				everySplit(b, func(pieces ...[]byte) {
					f := newFeed(t, tt.role, DefaultMaxMessageSize, way)
					f.write(before)
					had := len(f.found)
					for _, p := range pieces[:len(pieces)-1] {
						f.write(p)
						require.Len(t, f.found, had, "found before the last byte, fed %x", pieces)
					}
					f.write(pieces[len(pieces)-1])
					require.Equal(t, want, f.found[len(f.found)-1], "%s, fed %x", way, pieces)
				})
			}
		})
	}
}

// A header in pieces is the same as a whole one, also behind another frame.
func TestReceiverSpill(t *testing.T) {
	for _, tt := range headerTable {
		if tt.header.RSV1 || tt.header.RSV2 || tt.header.RSV3 {
			continue
		}
		b := wire(tt.wire)
		role := RoleClient
		if tt.header.Masked {
			role = RoleServer
		}
		everySplit(b, func(pieces ...[]byte) {
			r := receiver{role: role, open: tt.header.Opcode == OpContinuation}
			for i, p := range pieces {
				require.False(t, r.busy)
				n, err := r.header(p)
				require.Nil(t, err, "%s: %v", tt.name, err)
				require.Equal(t, len(p), n, "%s: piece %d of %x", tt.name, i, pieces)
			}
			require.True(t, r.busy)
			require.Zero(t, r.cut)
			assert.Equal(t, tt.header.PayloadLength, r.left)
			assert.Equal(t, tt.header.Opcode, r.op)
			assert.Equal(t, tt.header.Final, r.final)
			assert.Equal(t, maskingKey(tt.header.MaskingKey), r.key)
		})
		r := receiver{role: role, open: tt.header.Opcode == OpContinuation}
		n, err := r.header(append(b, "payload and more"...))
		require.Nil(t, err)
		assert.Equal(t, len(b), n, "%s: nothing behind the header is taken", tt.name)
	}
}

// RFC 6455, section 5.3: the key goes on over any pieces of the payload, and
// what comes behind the payload stays as it is.
func TestRFC6455_5_3_PayloadInPieces(t *testing.T) {
	const text = "a payload in pieces"
	masked := []byte(text)
	Mask(masked, [4]byte{1, 2, 3, 4}, 0)
	everySplit(masked, func(pieces ...[]byte) {
		r := receiver{role: RoleServer}
		_, err := r.header(append(wire("81"), 0x80|byte(len(text)), 1, 2, 3, 4))
		require.Nil(t, err)
		got := ""
		for _, p := range pieces {
			p = append([]byte(nil), p...)
			if len(got)+len(p) == len(text) {
				p = append(p, "next"...)
				n := len(p) - 4
				q, _ := r.payload(p, nil)
				require.Len(t, q, n)
				require.Equal(t, "next", string(p[n:]))
				got += string(q)
				continue
			}
			q, _ := r.payload(p, nil)
			got += string(q)
		}
		require.Equal(t, text, got)
		require.Zero(t, r.left)
	})
}
