package websocket

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// both is what wants everything that can be had.
var both = &Compression{SendTakeover: true, ReceiveTakeover: true}

// CHECKLIST 16: what a server makes of an offer. The answer "" is none, and the
// handshake succeeds all the same.
func TestRFC7692_7_1_Answer(t *testing.T) {
	sent12 := &Compression{SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 12}
	received12 := &Compression{SendTakeover: true, ReceiveTakeover: true, ReceiveWindowBits: 12}
	const pmd = "permessage-deflate"
	for _, tc := range []struct {
		section string
		c       *Compression
		offer   string
		answer  string
	}{
		// Section 5: the elements are in order of preference, and parameters in any order.
		{"5", both, pmd, pmd},
		{"5", both, pmd + "; client_max_window_bits", pmd},
		{"5", both, " \t" + pmd + "\t ; client_max_window_bits ,", pmd},
		{"5", both, ",, " + pmd + ",,", pmd},
		{"5", both, "foo, " + pmd, pmd},
		{"5", both, "foo; bar=baz, " + pmd + "; server_max_window_bits=10, " + pmd, pmd + "; server_max_window_bits=10"},
		{"5", both, pmd + "; server_no_context_takeover, " + pmd, pmd + "; server_no_context_takeover"},
		{
			"5", both, pmd + "; client_max_window_bits=9; server_max_window_bits=8; client_no_context_takeover; server_no_context_takeover",
			pmd + "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8; client_max_window_bits=9",
		},
		{"5", both, pmd + "\n" + pmd + "; server_no_context_takeover", pmd},
		{"5", both, "foo\n" + pmd + "; server_no_context_takeover", pmd + "; server_no_context_takeover"},

		// Without the option, or without the name, there is none.
		{"7.1", nil, pmd + "; client_max_window_bits", ""},
		{"7", both, "foo", ""},
		{"7", both, "x-" + pmd + "-foo", ""},
		{"7", both, "x-" + pmd, ""},
		{"7", both, pmd + "-foo; client_max_window_bits", ""},
		{"7", both, "permessage-deflat", ""},
		{"7", both, "foo; " + pmd, ""},
		{"7", both, "foo; x=" + pmd, ""},
		{"7", both, `foo; x="` + pmd + `"`, ""},
		{"7", both, "x-webkit-deflate-frame", ""},
		{"7", both, "permessage-bzip2, permessage-compress", ""},

		// Section 7.1: "A server MUST decline" an offer with a parameter that is
		// unknown, has an invalid value or is there twice; another may do.
		{"7.1", both, pmd + "; foo", ""},
		{"7.1", both, pmd + "; foo=10", ""},
		{"7.1", both, pmd + "; x-server_no_context_takeover", ""},
		{"7.1", both, pmd + "; Server_no_context_takeover", ""},
		{"7.1", both, pmd + "; server_no_context_takeover; server_no_context_takeover", ""},
		{"7.1", both, pmd + "; client_no_context_takeover; client_no_context_takeover", ""},
		{"7.1", both, pmd + "; server_max_window_bits=10; server_max_window_bits=10", ""},
		{"7.1", both, pmd + "; client_max_window_bits; client_max_window_bits", ""},
		{"7.1", both, pmd + "; client_max_window_bits=10; client_max_window_bits", ""},
		{"7.1", both, pmd + "; client_max_window_bits; client_max_window_bits=10", ""},
		{"7.1", both, pmd + "; foo, " + pmd + "; client_max_window_bits=7, " + pmd + "; server_max_window_bits=11", pmd + "; server_max_window_bits=11"},

		// Section 7.1.1.1: asked for it MUST be answered; a server may without.
		{"7.1.1.1", both, pmd + "; server_no_context_takeover", pmd + "; server_no_context_takeover"},
		{"7.1.1.1", both, pmd + "; server_no_context_takeover=1", ""},
		{"7.1.1.1", both, pmd + `; server_no_context_takeover="true"`, ""},
		{"7.1.1.1", &Compression{ReceiveTakeover: true}, pmd, pmd + "; server_no_context_takeover"},
		{"7.1.1.1", &Compression{ReceiveTakeover: true, SendTakeover: true, Level: -1}, pmd, pmd + "; server_no_context_takeover"},

		// Section 7.1.1.2: the client's hint is taken; a server may without.
		{"7.1.1.2", both, pmd + "; client_no_context_takeover", pmd + "; client_no_context_takeover"},
		{"7.1.1.2", both, pmd + "; client_no_context_takeover=x", ""},
		{"7.1.1.2", &Compression{SendTakeover: true}, pmd, pmd + "; client_no_context_takeover"},
		{"7.1.1", &Compression{}, pmd, pmd + "; server_no_context_takeover; client_no_context_takeover"},

		// Section 7.1.2.1: the same or a smaller value.
		{"7.1.2.1", both, pmd + "; server_max_window_bits=8", pmd + "; server_max_window_bits=8"},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=9", pmd + "; server_max_window_bits=9"},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=14", pmd + "; server_max_window_bits=14"},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=15", pmd + "; server_max_window_bits=15"},
		{"7.1.2.1", sent12, pmd + "; server_max_window_bits=15", pmd + "; server_max_window_bits=12"},
		{"7.1.2.1", sent12, pmd + "; server_max_window_bits=12", pmd + "; server_max_window_bits=12"},
		{"7.1.2.1", sent12, pmd + "; server_max_window_bits=11", pmd + "; server_max_window_bits=11"},
		{"7.1.2.1", sent12, pmd, pmd + "; server_max_window_bits=12"},
		{"7.1.2.1", both, pmd + "; server_max_window_bits", ""},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=7", ""},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=16", ""},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=0", ""},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=08", ""},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=010", ""},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=+10", ""},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=-10", ""},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=1e1", ""},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=266", ""},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=99999999999999999999", ""},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=x", ""},

		// Section 7.1.2.2: never answered unless offered, never more than offered.
		{"7.1.2.2", both, pmd + "; client_max_window_bits=8", pmd + "; client_max_window_bits=8"},
		{"7.1.2.2", both, pmd + "; client_max_window_bits=15", pmd},
		{"7.1.2.2", received12, pmd + "; client_max_window_bits", pmd + "; client_max_window_bits=12"},
		{"7.1.2.2", received12, pmd + "; client_max_window_bits=15", pmd + "; client_max_window_bits=12"},
		{"7.1.2.2", received12, pmd + "; client_max_window_bits=10", pmd + "; client_max_window_bits=10"},
		{"7.1.2.2", received12, pmd, pmd + "; client_no_context_takeover"},
		{"7.1.2.2", both, pmd + "; client_max_window_bits=7", ""},
		{"7.1.2.2", both, pmd + "; client_max_window_bits=16", ""},
		{"7.1.2.2", both, pmd + "; client_max_window_bits=255", ""},
		{"7.1.2.2", both, pmd + "; client_max_window_bits=09", ""},

		// RFC 6455, section 9.1: a value may be a quoted string.
		{"RFC 6455, 9.1", both, pmd + `; server_max_window_bits="10"`, pmd + "; server_max_window_bits=10"},
		{
			"RFC 6455, 9.1", both, pmd + `; server_max_window_bits="1\0"; client_max_window_bits = "\9"`,
			pmd + "; server_max_window_bits=10; client_max_window_bits=9",
		},
		{"RFC 6455, 9.1", both, `foo; a="b\-c", ` + pmd, pmd},
	} {
		r := sampleRequest()
		r.Header["Sec-Websocket-Extensions"] = strings.Split(tc.offer, "\n")
		_, agreed, refused := newUpgrader(&UpgradeOptions{Compression: tc.c}).check(r)
		require.Nil(t, refused, tc.offer)
		assert.Equal(t, tc.answer, agreed.extensions, "section %s: %q", tc.section, tc.offer)
		assert.Equal(t, tc.answer != "", agreed.deflate.receive.bits != 0, tc.offer)
	}
}

// CHECKLIST 16: "If a value is received ... that does not conform to the ABNF",
// the connection fails (RFC 6455, section 9.1), on both sides.
func TestRFC6455_9_1_Malformed(t *testing.T) {
	for _, header := range []string{
		"", " ", ",", "permessage-deflate;", "permessage-deflate; ", "; permessage-deflate", "permessage-deflate; ; foo",
		"permessage-deflate foo", "permessage-deflate, foo bar", "permessage-deflate; foo=", "permessage-deflate; =10",
		`permessage-deflate; foo="`, `permessage-deflate; foo=""`, `permessage-deflate; foo="a`, `permessage-deflate; foo="a\`,
		`permessage-deflate; foo="a b"`, `permessage-deflate; foo="a,b"`, `permessage-deflate; foo="a"b`, `permessage-deflate; foo="a\"b"`,
		"permessage-deflate; foo=a=b", "permessage-deflate; foo=a b", "permessage-deflate\x00", "permessage-deflaté",
		"permessage-deflate; server_max_window_bits=10\x00", `"permessage-deflate"`, "permessage-deflate, =", "(foo)",
	} {
		r := sampleRequest()
		r.Header["Sec-Websocket-Extensions"] = []string{header}
		for _, opts := range []*UpgradeOptions{{Compression: both}, nil} { // also who has no extensions
			_, _, refused := newUpgrader(opts).check(r)
			if assert.NotNil(t, refused, "%q", header) {
				assert.Equal(t, 400, refused.StatusCode)
				assert.Contains(t, refused.Reason, "Sec-WebSocket-Extensions")
			}
		}
		var a agreement
		wanted, err := newDeflation(both)
		require.NoError(t, err)
		assert.ErrorContains(t, a.checkExtensions(r.Header, &wanted), "Sec-WebSocket-Extensions", "%q", header)
	}
}

// CHECKLIST 16: what a client offers.
func TestRFC7692_7_1_Offer(t *testing.T) {
	for _, tc := range []struct {
		section string
		c       *Compression
		offer   string
	}{
		{"7.1", nil, ""},
		{"7.1", both, "permessage-deflate; client_max_window_bits"},
		{"7.1.1", &Compression{}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"},
		{"7.1.1.1", &Compression{SendTakeover: true}, "permessage-deflate; server_no_context_takeover; client_max_window_bits"},
		{"7.1.1.2", &Compression{ReceiveTakeover: true}, "permessage-deflate; client_no_context_takeover; client_max_window_bits"},
		{"7.1.1.2", &Compression{SendTakeover: true, ReceiveTakeover: true, Level: -1}, "permessage-deflate; client_no_context_takeover; client_max_window_bits"},
		{"7.1.2.2", &Compression{SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 8}, "permessage-deflate; client_max_window_bits=8, permessage-deflate; client_max_window_bits"},
		{
			"7.1.2.1", &Compression{SendTakeover: true, ReceiveTakeover: true, ReceiveWindowBits: 12},
			"permessage-deflate; server_max_window_bits=12; client_max_window_bits, permessage-deflate; server_no_context_takeover; client_max_window_bits",
		},
		{
			"7.1.2.1", &Compression{SendTakeover: true, ReceiveWindowBits: 9, SendWindowBits: 10},
			"permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10, " +
				"permessage-deflate; server_no_context_takeover; client_max_window_bits",
		},
	} {
		wanted, err := newDeflation(tc.c)
		require.NoError(t, err)
		r, err := http.NewRequest("GET", "http://example.com/", nil)
		require.NoError(t, err)
		raw := string(appendRequest(nil, r, sampleKey, nil, &wanted))
		if tc.offer == "" {
			assert.NotContains(t, raw, "Extensions")
			continue
		}
		assert.Contains(t, raw, "\r\nSec-WebSocket-Extensions: "+tc.offer+"\r\n", "section %s", tc.section)
	}
}

// CHECKLIST 16: what a client makes of an answer: flaw is "" where it is fine.
func TestRFC7692_7_1_CheckAnswer(t *testing.T) {
	const pmd = "permessage-deflate"
	window := func(bits uint8, takeover bool) deflateWindow { return deflateWindow{bits, takeover} }
	received12 := &Compression{SendTakeover: true, ReceiveTakeover: true, ReceiveWindowBits: 12, SendWindowBits: 11}
	for _, tc := range []struct {
		section       string
		c             *Compression
		answer        string
		flaw          string
		send, receive deflateWindow
	}{
		{"7.1", both, pmd, "", window(15, true), window(15, true)},
		{"7.1", nil, pmd, "none were offered", deflateWindow{}, deflateWindow{}},
		{"RFC 6455, 4.1", both, "foo", `"foo" was not offered`, deflateWindow{}, deflateWindow{}},
		{"RFC 6455, 4.1", both, "x-" + pmd, "was not offered", deflateWindow{}, deflateWindow{}},
		{"RFC 6455, 4.1", both, pmd + ", foo", `"foo" was not offered`, deflateWindow{}, deflateWindow{}},
		{"RFC 6455, 4.1", both, pmd + ", " + pmd, "twice", deflateWindow{}, deflateWindow{}},
		{"RFC 6455, 4.1", both, pmd + "\n" + pmd, "twice", deflateWindow{}, deflateWindow{}},

		// Section 7.1: the client MUST fail the connection.
		{"7.1", both, pmd + "; foo", "foo is unknown", deflateWindow{}, deflateWindow{}},
		{"7.1", both, pmd + "; server_no_context_takeover; server_no_context_takeover", "twice", deflateWindow{}, deflateWindow{}},
		{"7.1", both, pmd + "; client_no_context_takeover=1", "has a value", deflateWindow{}, deflateWindow{}},
		{"7.1", both, pmd + "; server_max_window_bits=7", "not 8 to 15", deflateWindow{}, deflateWindow{}},
		{"7.1", both, pmd + "; server_max_window_bits", "not 8 to 15", deflateWindow{}, deflateWindow{}},
		{"7.1", both, pmd + "; client_max_window_bits=16", "not 8 to 15", deflateWindow{}, deflateWindow{}},
		{"7.1.2.2", both, pmd + "; client_max_window_bits", "client_max_window_bits has no value", deflateWindow{}, deflateWindow{}},

		// Unasked, both are allowed and obeyed.
		{"7.1.1.1", both, pmd + "; server_no_context_takeover", "", window(15, true), window(15, false)},
		{"7.1.1.2", both, pmd + "; client_no_context_takeover", "", window(15, false), window(15, true)},
		{"7.1.2.1", both, pmd + "; server_max_window_bits=8", "", window(15, true), window(8, true)},
		{"7.1.2.2", both, pmd + `; client_max_window_bits="8"`, "", window(8, true), window(15, true)},

		// Asked for, they must be there.
		{"7.1.1.1", &Compression{}, pmd, "server_no_context_takeover was asked for", deflateWindow{}, deflateWindow{}},
		{"7.1.1.1", &Compression{}, pmd + "; server_no_context_takeover", "", window(15, false), window(15, false)},
		{"7.1.1.2", &Compression{ReceiveTakeover: true}, pmd, "", window(15, false), window(15, true)},
		{"7.1.2.1", received12, pmd, "server_max_window_bits was asked for", deflateWindow{}, deflateWindow{}},
		{"7.1.2.1", received12, pmd + "; server_max_window_bits=13", "larger", deflateWindow{}, deflateWindow{}},
		{"7.1.2.1", received12, pmd + "; server_max_window_bits=12", "", window(11, true), window(12, true)},
		{"7.1.2.1", received12, pmd + "; server_max_window_bits=10", "", window(11, true), window(10, true)},
		{"7.1.2.1", received12, pmd + "; server_no_context_takeover", "", window(11, true), window(15, false)}, // the second offer
		{"7.1.2.2", received12, pmd + "; server_no_context_takeover; client_max_window_bits=10", "", window(10, true), window(15, false)},
		{"7.1.2.2", received12, pmd + "; server_no_context_takeover; client_max_window_bits=15", "", window(11, true), window(15, false)},
	} {
		wanted, err := newDeflation(tc.c)
		require.NoError(t, err)
		var a agreement
		err = a.checkExtensions(http.Header{"Sec-Websocket-Extensions": strings.Split(tc.answer, "\n")}, &wanted)
		if tc.flaw != "" {
			assert.ErrorContains(t, err, tc.flaw, "section %s: %q", tc.section, tc.answer)
			continue
		}
		require.NoError(t, err, "section %s: %q", tc.section, tc.answer)
		assert.Equal(t, strings.ReplaceAll(tc.answer, `"`, ""), a.extensions)
		assert.Equal(t, tc.send, a.deflate.send, "section %s: %q", tc.section, tc.answer)
		assert.Equal(t, tc.receive, a.deflate.receive, "section %s: %q", tc.section, tc.answer)
	}
	var a agreement
	require.NoError(t, a.checkExtensions(http.Header{}, &deflation{receive: window(15, true)}), "no answer is no compression")
	assert.Zero(t, a)
}

// Whatever two sides want, they agree on windows that both keep to, and nobody
// gets more than it wants.
func TestRFC7692_7_1_Agreement(t *testing.T) {
	var wishes []*Compression
	for _, bits := range []int{0, 8, 12, 15} {
		for _, more := range []int{0, 9, 15} {
			for n := range 4 {
				wishes = append(wishes, &Compression{SendTakeover: n&1 != 0, ReceiveTakeover: n&2 != 0, SendWindowBits: bits, ReceiveWindowBits: more})
			}
		}
	}
	for _, c := range wishes {
		client, err := newDeflation(c)
		require.NoError(t, err)
		for _, s := range wishes {
			server, err := newDeflation(s)
			require.NoError(t, err)
			var at, of agreement
			require.NoError(t, at.chooseExtensions(http.Header{"Sec-Websocket-Extensions": {string(client.appendOffers(nil))}}, &server))
			require.NoError(t, of.checkExtensions(http.Header{"Sec-Websocket-Extensions": {at.extensions}}, &client))
			require.Equal(t, at.extensions, of.extensions)
			for _, way := range []struct{ sent, received, wantSent, wantReceived deflateWindow }{
				{at.deflate.send, of.deflate.receive, server.send, client.receive},
				{of.deflate.send, at.deflate.receive, client.send, server.receive},
			} {
				require.NotZero(t, way.sent.bits)
				require.LessOrEqual(t, way.sent.bits, way.received.bits, at.extensions)
				require.LessOrEqual(t, way.sent.bits, way.wantSent.bits, at.extensions)
				require.True(t, way.received.takeover || !way.sent.takeover, at.extensions)
				require.True(t, way.wantSent.takeover || !way.sent.takeover, at.extensions)
				require.True(t, way.wantReceived.takeover || !way.received.takeover, at.extensions)
				require.True(t, way.received.bits <= way.wantReceived.bits || !way.received.takeover, "memory that is kept: %s", at.extensions)
			}
		}
	}
}

func TestCompressionOption(t *testing.T) {
	got, err := newDeflation(&Compression{})
	require.NoError(t, err)
	assert.Equal(t, deflation{
		send: deflateWindow{bits: 15}, receive: deflateWindow{bits: 15},
		level: DefaultCompressionLevel, threshold: DefaultCompressionThreshold,
	}, got)
	got, err = newDeflation(&Compression{Level: -5, Threshold: -5, SendTakeover: true, SendWindowBits: 8, ReceiveWindowBits: 15})
	require.NoError(t, err)
	assert.Equal(t, deflation{send: deflateWindow{bits: 8}, receive: deflateWindow{bits: 15}, level: -1}, got)
	for _, c := range []*Compression{
		{Level: 10},
		{Level: 1 << 20},
		{SendWindowBits: 7},
		{SendWindowBits: 16},
		{SendWindowBits: -1},
		{ReceiveWindowBits: 7},
		{ReceiveWindowBits: 1 << 20},
		{ReceiveWindowBits: -1},
	} {
		_, err := newDeflation(c)
		assert.ErrorContains(t, err, "option Compression: ", "%+v", c)
		_, _, refused := newUpgrader(&UpgradeOptions{Compression: c}).check(sampleRequest())
		require.NotNil(t, refused)
		assert.Equal(t, 500, refused.StatusCode)
		_, err = newDialing("ws://example.com", &DialOptions{Compression: c})
		assert.ErrorContains(t, err, "option Compression: ")
	}
}

// NewConn takes the windows from the header that the handshake agreed on.
func TestAgreedAlready(t *testing.T) {
	const header = "permessage-deflate; server_no_context_takeover; client_max_window_bits=10"
	server := deflateWindow{bits: 15}
	client := deflateWindow{bits: 10, takeover: true}
	for _, c := range []*Compression{nil, {}, {SendWindowBits: 8, ReceiveWindowBits: 8}} {
		a, err := agreedAlready(&ConnConfig{Role: RoleServer, Extensions: header, Compression: c, Subprotocol: "chat"})
		require.NoError(t, err)
		assert.Equal(t, agreement{subprotocol: "chat", extensions: header, deflate: deflation{server, client, DefaultCompressionLevel, DefaultCompressionThreshold}}, a)
		a, err = agreedAlready(&ConnConfig{Role: RoleClient, Extensions: header, Compression: c})
		require.NoError(t, err)
		assert.Equal(t, agreement{extensions: header, deflate: deflation{client, server, DefaultCompressionLevel, DefaultCompressionThreshold}}, a)
	}
	a, err := agreedAlready(&ConnConfig{Role: RoleClient, Extensions: header, Compression: &Compression{Level: 9, Threshold: 5}})
	require.NoError(t, err)
	assert.Equal(t, deflation{client, server, 9, 5}, a.deflate)
	a, err = agreedAlready(&ConnConfig{Role: RoleClient, Compression: both})
	require.NoError(t, err)
	assert.Zero(t, a)
	for header, reason := range map[string]string{
		" ":                           "malformed",
		"foo":                         "foo",
		"permessage-deflate, foo":     "foo",
		"permessage-deflate; foo":     "foo is unknown",
		"permessage-deflate; a=\x00":  "malformed",
		"permessage-deflate; a, b; c": "a is unknown",
		"permessage-deflate; client_max_window_bits": "no value",
	} {
		_, err := agreedAlready(&ConnConfig{Role: RoleClient, Extensions: header})
		assert.ErrorContains(t, err, reason)
	}
	_, err = agreedAlready(&ConnConfig{Role: RoleClient, Extensions: header, Compression: &Compression{Level: 11}})
	assert.ErrorContains(t, err, "Level")
}

// A header that a browser sends costs nothing but the answer.
func TestExtensionsAllocate(t *testing.T) {
	wanted, err := newDeflation(both)
	require.NoError(t, err)
	lines := []string{"permessage-deflate; client_max_window_bits"}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, accepted, ok := wanted.acceptExtensions(lines); !accepted || !ok {
			t.Error("not accepted")
		}
	}))
}

// FuzzExtensions: a header is the same in one line and in several; and what a
// server answers is well formed, fits one of the offers, and never goes beyond
// what the server wants.
func FuzzExtensions(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits", byte(0))
	f.Add("foo; a=b, permessage-deflate; server_max_window_bits=\"1\\0\"; client_no_context_takeover", byte(1))
	f.Add("permessage-deflate; x, permessage-deflate; server_no_context_takeover; client_max_window_bits=9", byte(0xa6))
	f.Fuzz(func(t *testing.T, header string, want byte) {
		list, ok := parseExtensions(nil, []string{header})
		apart, okApart := parseExtensions(nil, strings.Split(header, ","))
		require.Equal(t, ok, okApart)
		d, err := newDeflation(&Compression{
			SendTakeover: want&1 != 0, ReceiveTakeover: want&2 != 0,
			SendWindowBits: 8 + int(want>>2&7), ReceiveWindowBits: 8 + int(want>>5),
		})
		require.NoError(t, err)
		answer, accepted, okAnswer := d.acceptExtensions([]string{header})
		require.Equal(t, ok, okAnswer)
		require.True(t, ok || !accepted)
		if !ok {
			return
		}
		require.Equal(t, list, apart)
		fits, valid := false, false
		for _, x := range list {
			offer := x.deflateParams
			require.True(t, x.name == deflateName || offer == deflateParams{})
			valid = valid || x.name == deflateName && x.flaw == ""
			fits = fits || x.name == deflateName && x.flaw == "" && answer.breaks(offer) == "" &&
				answer.clientMaxWindowBits <= offer.clientMaxWindowBits
		}
		require.Equal(t, valid, accepted)
		if !accepted {
			return
		}
		require.True(t, fits, "%q is answered by %q", header, answer)
		again, flaw := parseAgreed([]string{answer.String()})
		require.Empty(t, flaw)
		require.Equal(t, answer, again)
		got := d.agreed(RoleServer, answer)
		require.LessOrEqual(t, got.send.bits, d.send.bits)
		require.True(t, d.send.takeover || !got.send.takeover)
		require.True(t, !got.receive.takeover || d.receive.takeover && got.receive.bits <= d.receive.bits)
	})
}

// Of a header that has more extensions than anybody offers, the first are looked at.
func TestManyExtensions(t *testing.T) {
	d, err := newDeflation(&Compression{})
	require.NoError(t, err)
	for n, want := range map[int]bool{maxExtensions - 1: true, maxExtensions: false} {
		_, accepted, ok := d.acceptExtensions([]string{strings.Repeat("x,", n) + "permessage-deflate"})
		assert.True(t, ok)
		assert.Equal(t, want, accepted)
	}
	_, _, ok := d.acceptExtensions([]string{strings.Repeat("x,", maxExtensions) + "="})
	assert.False(t, ok)
}
