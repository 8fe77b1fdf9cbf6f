// Tests of the head of a request, RFC 9112.

package websocket

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket/internal/wstest"
)

// browserRequest is an opening handshake as browsers send it.
const browserRequest = "GET /chat?room=1 HTTP/1.1\r\nHost: example.com:8080\r\nConnection: Upgrade\r\nPragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\nOrigin: http://example.com:8080\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br\r\n" +
	"Accept-Language: en-US,en;q=0.9\r\nCookie: session=0123456789abcdef; theme=dark\r\nSec-WebSocket-Key: " + sampleKey + "\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"

// readHead reads p as it would arrive whole.
func readHead(p []byte, limit int) (*requestHead, int, *headFlaw) {
	h := &requestHead{limit: limit}
	n, flaw := h.read(p)
	return h, n, flaw
}

// readHeadIn reads p as it arrives in pieces.
func readHeadIn(limit int, pieces ...[]byte) (*requestHead, int, *headFlaw) {
	h := &requestHead{limit: limit}
	var p []byte
	for _, piece := range pieces {
		p = append(bytes.Clone(p), piece...) // the buffer may move
		if n, flaw := h.read(p); n != 0 || flaw != nil {
			return h, n, flaw
		}
	}
	return h, 0, nil
}

func TestRequestHead(t *testing.T) {
	h, n, flaw := readHead([]byte(browserRequest+"\x81\x80"), 1<<10)
	require.Nil(t, flaw)
	assert.Equal(t, len(browserRequest), n, "what follows the head is left alone")
	assert.Equal(t, "GET", h.of(h.method))
	assert.Equal(t, "/chat?room=1", h.of(h.target))
	assert.Equal(t, "example.com:8080", h.of(h.host))
	assert.EqualValues(t, 1, h.minor)
	assert.Zero(t, h.length)
	require.Len(t, h.fields, 13)
	assert.Equal(t, "Upgrade", h.of(h.fields[5].name))
	assert.Equal(t, "websocket", h.of(h.fields[5].value))
	assert.Equal(t, headUpgrade, h.fields[5].kind)
	kinds := map[headKind]int{}
	for _, f := range h.fields {
		kinds[f.kind]++
	}
	assert.Equal(t, map[headKind]int{
		headUpgrade: 1, headConnection: 1, headKey: 1, headVersion: 1, headExtensions: 1, headOrigin: 1, headHost: 1, headOther: 6,
	}, kinds)
}

func TestRequestHeadEverySplit(t *testing.T) {
	for _, request := range []string{
		browserRequest, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "GET /\x00 HTTP/1.1\r\n",
		"GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 1000),
	} {
		want, n, flaw := readHead([]byte(request), 1<<10)
		for a, b := range wstest.Splits([]byte(request)) {
			got, gotN, gotFlaw := readHeadIn(1<<10, a, b)
			require.Equal(t, flaw, gotFlaw, "%.20q cut at %d", request, len(a))
			require.Equal(t, n, gotN)
			if n != 0 {
				require.Equal(t, *want, *got)
			}
		}
	}
}

func TestRequestHeadIncomplete(t *testing.T) {
	for i := range len(browserRequest) {
		_, n, flaw := readHead([]byte(browserRequest[:i]), 1<<10)
		require.Nil(t, flaw)
		require.Zero(t, n, "%d bytes are no head", i)
	}
}

// CHECKLIST 20: nothing gets past that another parser may read otherwise.
func TestRFC9112_RequestHeadStrict(t *testing.T) {
	// Each is what follows the request line.
	header := func(lines ...string) string {
		return "GET / HTTP/1.1\r\nHost: example.com\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	}
	for _, tc := range []struct {
		name    string
		request string
		status  int // 0: well formed
		reason  string
	}{
		{"as it should be", header("X: y"), 0, ""},
		{"no blank after the colon", header("X:y"), 0, ""},
		{"blanks around a value", header("X: \t y \t "), 0, ""},
		{"an empty value", header("X:"), 0, ""},
		{"bytes beyond ASCII in a value", header("X: b\xc3\xbccher"), 0, ""},
		{"a tab in a value", header("X: a\tb"), 0, ""},
		{"a body", header("Content-Length: 5"), 0, ""},
		{"a chunked body", header("transfer-encoding: Chunked"), 0, ""},
		{"HTTP/1.0 without a Host", "GET / HTTP/1.0\r\n\r\n", 0, ""},
		{"HTTP/1.9", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", 0, ""},
		{"percent-encoding", "GET /%C3%bc?100% HTTP/1.1\r\nHost: a\r\n\r\n", 0, ""},
		{"absolute-form", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 0, ""},
		{"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0, ""},
		{"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, ""},
		{"an IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0, ""},

		// Section 2.2.
		{"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "carriage return"},
		{"bare LF after a field", header("X: y\nZ: z"), 400, "carriage return"},
		{"bare LF as the last line", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "carriage return"},
		{"bare CR in a value", header("X: y\rZ: z"), 400, "control character"},
		{"two CR", header("X: y\r"), 400, "control character"},
		{"bare CR in a name", header("X\r: y"), 400, "no valid name"},
		{"an empty line in front", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not HTTP"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "not HTTP"},
		// Section 3.
		{"no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not HTTP"},
		{"a method that is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method"},
		{"no target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"},
		{"no version", "GET /\r\nHost: a\r\n\r\n", 400, "request line"},
		{"two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
		{"a blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
		{"a tab for a blank", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"},
		{"a blank at the end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "target"},
		{"NUL in the target", "GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
		{"a control character in the target", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
		{"bytes beyond ASCII in the target", "GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
		{"a fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
		{"broken percent-encoding", "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
		{"percent-encoding at the edges of hex", "GET /%0a%9f%A0%F9 HTTP/1.1\r\nHost: a\r\n\r\n", 0, ""},
		{"percent-encoding behind hex", "GET /%g0 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
		{"percent-encoding before hex", "GET /%0@ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
		{"percent-encoding that is not hex", "GET /%20%4g HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
		{"lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", 400, "HTTP version"},
		{"a long version", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400, "HTTP version"},
		{"a version without a dot", "GET / HTTP/1,1\r\nHost: a\r\n\r\n", 400, "HTTP version"},
		{"a version of letters", "GET / HTTP/x.1\r\nHost: a\r\n\r\n", 400, "HTTP version"},
		{"a minor version of letters", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400, "HTTP version"},
		{"HTTP/2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "only HTTP/1.1"},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "only HTTP/1.1"},
		{"HTTP/0.9", "GET / HTTP/0.9\r\n\r\n", 505, "only HTTP/1.1"},
		// Section 3.2.
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400, "0 Host fields"},
		{"two Hosts", header("Host: example.com"), 400, "2 Host fields"},
		{"two Hosts in different case", header("hOST: other"), 400, "2 Host fields"},
		{"a Host with userinfo", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, "Host is not valid"},
		{"a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host is not valid"},
		{"a Host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host is not valid"},
		// Section 5.
		{"no colon", header("X"), 400, "no valid name"},
		{"no name", header(": y"), 400, "no valid name"},
		{"a blank before the colon", header("X : y"), 400, "no valid name"},
		{"a tab before the colon", header("X\t: y"), 400, "no valid name"},
		{"a name that is no token", header("X(: y"), 400, "no valid name"},
		{"a name beyond ASCII", header("\xc3\xbc: y"), 400, "no valid name"},
		{"NUL in a name", header("X\x00: y"), 400, "no valid name"},
		{"NUL in a value", header("X: \x00"), 400, "control character"},
		{"DEL in a value", header("X: a\x7f"), 400, "control character"},
		{"obs-fold", header("X: y", " z"), 400, "folded"},
		{"obs-fold with a tab", header("X: y", "\tSec-WebSocket-Key: x"), 400, "folded"},
		{"a blank before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "folded"},
		{"a line of blanks", header("X: y", "  "), 400, "folded"},
		// Section 6.
		{"two Content-Lengths", header("Content-Length: 0", "Content-Length: 0"), 400, "more than one Content-Length"},
		{"a list of lengths", header("Content-Length: 0, 0"), 400, "Content-Length is not"},
		{"an empty length", header("Content-Length:"), 400, "Content-Length is not"},
		{"a signed length", header("Content-Length: +1"), 400, "Content-Length is not"},
		{"a huge length", header("Content-Length: 9999999999999999999"), 400, "Content-Length is not"},
		{"both lengths", header("Content-Length: 0", "Transfer-Encoding: chunked"), 400, "ambiguous"},
		{"chunked twice", header("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400, "ambiguous"},
		{"chunked in HTTP/1.0", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "ambiguous"},
		{"another coding", header("Transfer-Encoding: identity"), 501, "chunked"},
		{"a list of codings", header("Transfer-Encoding: gzip, chunked"), 501, "chunked"},
		{"a coding in disguise", header("Transfer-Encoding: \x0bchunked"), 400, "control character"},
		// Bounds.
		{"100 fields", header(strings.Repeat("X: y\r\n", 98) + "X: y"), 0, ""},
		{"101 fields", header(strings.Repeat("X: y\r\n", 99) + "X: y"), 431, "100 fields"},
		{"a long header", header("X: " + strings.Repeat("y", 16<<10)), 431, "longer than 16384"},
		{"a header without an end", header("X: y")[:20] + strings.Repeat("y", 16<<10), 431, "longer than 16384"},
		{"a long target", "GET /" + strings.Repeat("y", 8<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414, "request line"},
		{"a target without an end", "GET /" + strings.Repeat("y", 8<<10), 414, "request line"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, n, flaw := readHead([]byte(tc.request), 16<<10)
			if tc.status == 0 {
				require.Nil(t, flaw)
				assert.Equal(t, len(tc.request), n)
				return
			}
			require.NotNil(t, flaw)
			assert.Equal(t, tc.status, flaw.status, flaw.reason)
			assert.Contains(t, flaw.reason, tc.reason)
		})
	}
}

// CHECKLIST 23: the limit holds to the byte, however the head arrives.
func TestRequestHeadLimit(t *testing.T) {
	p := []byte(browserRequest)
	_, n, flaw := readHead(p, len(p))
	assert.Nil(t, flaw)
	assert.Equal(t, len(p), n)
	_, _, flaw = readHead(p, len(p)-1)
	require.NotNil(t, flaw)
	assert.Equal(t, 431, flaw.status)
	_, _, flaw = readHead(p[:len(p)-1], len(p)-1)
	require.NotNil(t, flaw, "known before the next byte")
	_, _, flaw = readHead(p[:len(p)-2], len(p)-1)
	assert.Nil(t, flaw)
}

// What a request says of itself in ways that are easily mixed up.
func TestRequestHeadKinds(t *testing.T) {
	for name, want := range map[string]headKind{
		"Host": headHost, "ORIGIN": headOrigin, "upgrade": headUpgrade, "Connection": headConnection,
		"Content-Length": headLength, "TRANSFER-encoding": headCoding, "Sec-WebSocket-Key": headKey,
		"sec-websocket-version": headVersion, "Sec-Websocket-Protocol": headProtocol, "SEC-WEBSOCKET-EXTENSIONS": headExtensions,
		"Hos": headOther, "Hosts": headOther, "Trailer-Encoding1": headOther, "Sec_WebSocket_Key": headOther,
		"Sec-WebSocket-Kez": headOther, "Content_Length": headOther, "Cookie": headOther,
	} {
		assert.Equal(t, want, kindOf([]byte(name)), name)
	}
}

// sameAsNetHTTP compares a request with what net/http reads.
func sameAsNetHTTP(t *testing.T, p []byte, got *http.Request) {
	t.Helper()
	want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p)))
	require.NoError(t, err, "net/http refuses %q", p)
	delete(want.Header, "Host")
	if _, found := got.Header["Cache-Control"]; !found && want.Header.Get("Pragma") == "no-cache" {
		delete(want.Header, "Cache-Control") // net/http makes it up
	}
	describe := func(r *http.Request) string {
		return fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.URL, " ", r.Proto, r.ProtoMajor, r.ProtoMinor, " ", r.Host, " ",
			r.ContentLength, r.TransferEncoding)
	}
	assert.Equal(t, describe(want), describe(got))
	assert.True(t, maps.EqualFunc(want.Header, got.Header, func(a, b []string) bool {
		return strings.Join(a, "\n") == strings.Join(b, "\n") && len(a) == len(b)
	}), "%v is not %v", want.Header, got.Header)
}

// The whole input gives what the split input gives, what is accepted reads the
// same in net/http, and handshakes are judged alike by the fast and by the
// whole request.
func FuzzRequestHead(f *testing.F) {
	for _, request := range []string{
		browserRequest, rawRequest + "\r\n", "GET / HTTP/1.1\r\nHost: a\r\nx-a: 1\r\nX-A: 2\r\n\r\n", "POST /a HTTP/1.1\r\nHost:a\r\ncontent-length: 1\r\n\r\nx",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET http://a/ HTTP/1.0\r\n\r\n", "GET http://b:80/?a%20b HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n",
	} {
		f.Add([]byte(request), uint16(9))
	}
	u := newUpgrader(&UpgradeOptions{Subprotocols: []string{"chat"}})
	f.Fuzz(func(t *testing.T, p []byte, cut uint16) {
		head, n, flaw := readHead(p, 1<<10)
		at := min(int(cut), len(p))
		again, m, flaw2 := readHeadIn(1<<10, p[:at], p[at:])
		require.Equal(t, flaw, flaw2)
		require.Equal(t, n, m)
		if n == 0 || flaw != nil {
			return
		}
		require.Equal(t, head, again)
		if !head.hasPath() && authority(head.of(head.target)) == "" || bytes.Contains(bytes.ToLower(p[:n]), []byte("\ntrailer")) {
			return // net/http knows about other targets and about trailers
		}
		a := &arrival{}
		a.reset()
		a.head.limit = 1 << 10
		_, _ = a.head.read(p)
		r, err := a.request(&scriptedConn{})
		require.NoError(t, err)
		sameAsNetHTTP(t, p[:n], r)
		key, subprotocol, refused := u.check(r)
		key2, subprotocol2, refused2 := u.check(a.handshake())
		assert.Equal(t, key, key2)
		assert.Equal(t, subprotocol, subprotocol2)
		assert.Equal(t, refused, refused2)
	})
}
