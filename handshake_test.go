// Tests of the opening handshake as data, RFC 6455, section 4.

package websocket

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sampleKey = "dGhlIHNhbXBsZSBub25jZQ=="

// sampleRequest is a request that every server must accept.
func sampleRequest() *http.Request {
	return &http.Request{
		Method: "GET", Host: "example.com", URL: &url.URL{Path: "/"},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
		Header: http.Header{
			"Upgrade":               {"websocket"},
			"Connection":            {"Upgrade"},
			"Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key":     {sampleKey},
		},
	}
}

// sampleResponse is an answer to sampleKey that every client must accept.
func sampleResponse() *http.Response {
	return &http.Response{
		StatusCode: 101, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Upgrade":              {"websocket"},
			"Connection":           {"Upgrade"},
			"Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		},
	}
}

// CHECKLIST 20: the accept key.
func TestRFC6455_4_2_2_AcceptKey(t *testing.T) {
	for key, want := range map[string]string{
		sampleKey:                  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"x3JJHMbDL1EzLkh9GBhXDw==": "HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
		"uRovscZjNol/umbTt5uKmw==": "rLHCkw/SKsO9GAH/ZSFhBATDKrU=",
	} {
		assert.Equal(t, "> "+want, string(appendAcceptKey([]byte("> "), key)), "accept key of %q", key)
	}
}

func TestRFC6455_4_1_ChallengeKey(t *testing.T) {
	key, err := newChallengeKey(strings.NewReader("the sample nonce"))
	require.NoError(t, err)
	assert.Equal(t, sampleKey, key, "the key is the base64 of 16 bytes of the source")

	_, err = newChallengeKey(strings.NewReader("too short"))
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "a source that dries up is an error, not a weak key")

	first, err := newChallengeKey(rand.Reader)
	require.NoError(t, err)
	second, err := newChallengeKey(rand.Reader)
	require.NoError(t, err)
	assert.NotEqual(t, first, second)
	assert.True(t, validKey(first))
}

// CHECKLIST 25: no part of this package draws from a guessable source.
func TestRandomSourceIsCryptographic(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	cryptographic := false
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, imp := range f.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			assert.False(t, strings.HasPrefix(path, "math/rand"), "%s imports %s", name, path)
			cryptographic = cryptographic || name == "client.go" && path == "crypto/rand"
		}
	}
	assert.True(t, cryptographic, "client.go takes its keys from crypto/rand")
}

func TestRFC6455_4_2_1_Request(t *testing.T) {
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	proto := func(major, minor int) func(*http.Request) {
		return func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = major, minor }
	}
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		status int // 0: accepted
		reason string
	}{
		{"as it should be", func(*http.Request) {}, 0, ""},
		{"HTTP/1.2", proto(1, 2), 0, ""},
		{"upgrade token in another case", set("Upgrade", "WebSocket"), 0, ""},
		{"upgrade token in a list", set("Upgrade", "h2c, websocket"), 0, ""},
		{"upgrade token on another line", set("Upgrade", "h2c", "websocket"), 0, ""},
		{"connection token in another case", set("Connection", "keep-alive, UPGRADE"), 0, ""},
		{"connection token on another line", set("Connection", "keep-alive", "\tupgrade "), 0, ""},
		{"the key of the RFC's section 4.1", set("Sec-Websocket-Key", "AQIDBAUGBwgJCgsMDQ4PEC=="), 0, ""},
		{"blanks around the key", set("Sec-Websocket-Key", " "+sampleKey+"\t"), 0, ""},

		{"POST", func(r *http.Request) { r.Method = "POST" }, 405, `not with "POST"`},
		{"HTTP/1.0", proto(1, 0), 505, "HTTP/1.0"},
		{"HTTP/2", proto(2, 0), 505, "HTTP/2"},
		{"HTTP/3", proto(3, 0), 505, "HTTP/3"},
		{"no upgrade", set("Upgrade"), 426, "Upgrade is [] and not \"websocket\" (a proxy on the way has to pass"},
		{"upgrade to something else", set("Upgrade", "websocket2, h2c"), 426, "websocket2"},
		{"upgrade with a version", set("Upgrade", "websocket/13"), 426, "websocket/13"},
		{"no connection", set("Connection"), 426, "Connection is []"},
		{"connection lost at a proxy", set("Connection", "close"), 426, `"close"`},
		{"connection token as a part", set("Connection", "noupgrade"), 426, "noupgrade"},
		{"no version", set("Sec-Websocket-Version"), 426, "[]"},
		{"version 8", set("Sec-Websocket-Version", "8"), 426, `"8"`},
		{"version list", set("Sec-Websocket-Version", "13, 8"), 426, "13, 8"},
		{"version twice", set("Sec-Websocket-Version", "13", "13"), 426, "only 13"},
		{"no host", func(r *http.Request) { r.Host = "" }, 400, "no Host"},
		{"body", func(r *http.Request) { r.ContentLength = 1 }, 400, "no body"},
		{"chunked body", func(r *http.Request) { r.ContentLength = -1 }, 400, "no body"},
		{"no key", set("Sec-Websocket-Key"), 400, "0 Sec-WebSocket-Key"},
		{"two keys", set("Sec-Websocket-Key", sampleKey, sampleKey), 400, "2 Sec-WebSocket-Key"},
		{"key of 15 bytes", set("Sec-Websocket-Key", base64.StdEncoding.EncodeToString(make([]byte, 15))), 400, "16 bytes"},
		{"key of 17 bytes", set("Sec-Websocket-Key", base64.StdEncoding.EncodeToString(make([]byte, 17))), 400, "16 bytes"},
		{"key of 18 bytes", set("Sec-Websocket-Key", base64.StdEncoding.EncodeToString(make([]byte, 18))), 400, "16 bytes"},
		{"key in another alphabet", set("Sec-Websocket-Key", "__-_scZjNol_umbTt5uKmw=="), 400, "16 bytes"},
		{"key with a line break", set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25j\nZQ="), 400, "16 bytes"},
		{"empty key", set("Sec-Websocket-Key", ""), 400, "16 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := sampleRequest()
			tc.change(r)
			key, err := checkRequest(r)
			if tc.status == 0 {
				require.Nil(t, err)
				assert.True(t, validKey(key))
				return
			}
			require.NotNil(t, err)
			assert.Equal(t, tc.status, err.StatusCode)
			assert.Contains(t, err.Reason, tc.reason)
			assert.Contains(t, err.Error(), "websocket: handshake: "+strconv.Itoa(tc.status)+" ")
			if tc.status == 426 {
				// RFC 6455, section 4.4: the versions that the server speaks.
				assert.Equal(t, []string{"13"}, err.Header["Sec-Websocket-Version"])
				assert.Equal(t, []string{"websocket"}, err.Header["Upgrade"])
			}
		})
	}
}

func TestRFC6455_4_2_2_Subprotocol(t *testing.T) {
	chooser := func(name string, err error) *UpgradeOptions {
		return &UpgradeOptions{ChooseSubprotocol: func(*http.Request, []string) (string, error) { return name, err }}
	}
	names := func(names ...string) *UpgradeOptions { return &UpgradeOptions{Subprotocols: names} }
	for _, tc := range []struct {
		name    string
		offered []string // header lines
		opts    *UpgradeOptions
		want    string
		status  int
	}{
		{"nothing offered", nil, names("chat"), "", 0},
		{"nothing in common", []string{"a, b"}, names("chat"), "", 0},
		{"the server's preference wins", []string{"a,b", "c"}, names("c", "a"), "c", 0},
		{"names are compared with their case", []string{"Chat"}, names("chat"), "", 0},
		{"empty elements are skipped", []string{", ,a,"}, names("a"), "a", 0},
		{"empty", []string{""}, names("a"), "", 400},
		{"not a token", []string{"a b"}, names("a"), "", 400},
		{"line break", []string{"a\r\nX: y"}, names("a"), "", 400},
		{"chosen", []string{"a, b"}, chooser("b", nil), "b", 0},
		{"none chosen", []string{"a, b"}, chooser("", nil), "", 0},
		{"chosen what was not offered", []string{"a, b"}, chooser("c", nil), "", 500},
		{"chosen when nothing was offered", nil, chooser("c", nil), "", 500},
		{"chooser refuses", []string{"a"}, chooser("", errors.New("no")), "", 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := sampleRequest()
			if tc.offered != nil {
				r.Header["Sec-Websocket-Protocol"] = tc.offered
			}
			got, err := chooseSubprotocol(r, tc.opts)
			if tc.status != 0 {
				require.NotNil(t, err)
				assert.Equal(t, tc.status, err.StatusCode)
				return
			}
			require.Nil(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}

// A Conn keeps its subprotocol for long: not in the memory of the request.
func TestSubprotocolDoesNotKeepTheRequest(t *testing.T) {
	r := sampleRequest()
	line := strings.Repeat("x, ", 1000) + "chat"
	r.Header["Sec-Websocket-Protocol"] = []string{line}
	kept := func(s string) bool {
		from, at := uintptr(unsafe.Pointer(unsafe.StringData(line))), uintptr(unsafe.Pointer(unsafe.StringData(s)))
		return at >= from && at < from+uintptr(len(line))
	}
	for name, opts := range map[string]*UpgradeOptions{
		"option": {Subprotocols: []string{"chat"}},
		"callback": {ChooseSubprotocol: func(_ *http.Request, offered []string) (string, error) {
			return offered[len(offered)-1], nil
		}},
	} {
		got, err := chooseSubprotocol(r, opts)
		require.Nil(t, err, name)
		assert.Equal(t, "chat", got, name)
		assert.False(t, kept(got), name)
	}
}

// CHECKLIST 20: CR and LF never reach a header, ours are never doubled.
func TestResponseHeaders(t *testing.T) {
	extra := http.Header{
		"Set-Cookie":               {"a=1", "b=2"},
		"X-Evil":                   {"x\r\nInjected: 1\x00", "\r\n\r\nGET"},
		"X-Na\r\nme":               {"1"},
		"Sec-Websocket-Accept":     {"mine"},
		"sec-websocket-extensions": {"permessage-deflate"},
		"upgrade":                  {"h2c"},
		"CONNECTION":               {"close"},
		"Content-Length":           {"12"},
		"Transfer-Encoding":        {"chunked"},
		"Content-Type":             {"text/plain"},
		"Trailer:X":                {"1"},
		"Empty":                    nil,
	}
	raw := appendResponse(nil, sampleKey, &agreement{subprotocol: "chat"}, extra)
	br := bufio.NewReader(bytes.NewReader(raw))
	resp, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	assert.Equal(t, 101, resp.StatusCode)
	assert.Equal(t, http.Header{
		"Upgrade":                {"websocket"},
		"Connection":             {"Upgrade"},
		"Sec-Websocket-Accept":   {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		"Sec-Websocket-Protocol": {"chat"},
		"Set-Cookie":             {"a=1", "b=2"},
		"X-Evil":                 {"x  Injected: 1", "GET"},
	}, resp.Header)
	assert.Zero(t, br.Buffered(), "nothing after the head")
	chosen, err := checkResponse(resp, sampleKey, []string{"chat"}, &deflation{})
	require.NoError(t, err, "our client accepts it")
	assert.Equal(t, agreement{subprotocol: "chat"}, chosen)
}

// CHECKLIST 20: what a client must refuse.
func TestRFC6455_4_1_Response(t *testing.T) {
	set := func(name string, values ...string) func(*http.Response) {
		return func(r *http.Response) { r.Header[name] = values }
	}
	drop := func(name string) func(*http.Response) {
		return func(r *http.Response) { delete(r.Header, name) }
	}
	for _, tc := range []struct {
		name   string
		change func(*http.Response)
		reason string // "": accepted
	}{
		{"as it should be", func(*http.Response) {}, ""},
		{"upgrade in another case", set("Upgrade", "WebSocket"), ""},
		{"connection in a list", set("Connection", "keep-alive, upgrade"), ""},
		{"connection on several lines", set("Connection", "keep-alive", "UPGRADE"), ""},
		{"blanks around the accept key", set("Sec-Websocket-Accept", " s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\t"), ""},
		{"a subprotocol that was offered", set("Sec-Websocket-Protocol", "chat"), ""},

		{"status 200", func(r *http.Response) { r.StatusCode = 200 }, "200 OK"},
		{"HTTP/1.0", func(r *http.Response) { r.Proto, r.ProtoMinor = "HTTP/1.0", 0 }, "HTTP/1.0"},
		{"no upgrade", drop("Upgrade"), "Upgrade is []"},
		{"another upgrade", set("Upgrade", "h2c"), "h2c"},
		{"more than was asked for", set("Upgrade", "websocket, h2c"), "h2c"},
		{"Kelvin", set("Upgrade", "websoc\u212aet"), "Upgrade is"},
		{"no connection", drop("Connection"), "Connection is []"},
		{"another connection", set("Connection", "close"), "close"},
		{"no accept key", drop("Sec-Websocket-Accept"), "Accept is []"},
		{"another accept key", set("Sec-Websocket-Accept", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="), "HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
		{"accept key in another case", set("Sec-Websocket-Accept", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "Accept is"},
		{"two accept keys", set("Sec-Websocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "x"), "Accept is"},
		{"an extension", set("Sec-Websocket-Extensions", "permessage-deflate"), "none were offered"},
		{"a subprotocol that was not offered", set("Sec-Websocket-Protocol", "other"), "other"},
		{"a subprotocol in another case", set("Sec-Websocket-Protocol", "Chat"), "Chat"},
		{"an empty subprotocol", set("Sec-Websocket-Protocol", ""), "offered were"},
		{"two subprotocols in a list", set("Sec-Websocket-Protocol", "chat, superchat"), "superchat"},
		{"two subprotocols on two lines", set("Sec-Websocket-Protocol", "chat", "superchat"), "superchat"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp := sampleResponse()
			tc.change(resp)
			_, err := checkResponse(resp, sampleKey, []string{"chat", "superchat"}, &deflation{})
			if tc.reason == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Contains(t, err.Error(), tc.reason)
		})
	}
}

func TestRequestHeaderOption(t *testing.T) {
	for name, h := range map[string]http.Header{
		"key":         {"Sec-WebSocket-Key": {"x"}},
		"any of them": {"sec-websocket-foo": {"x"}},
		"subprotocol": {"Sec-WebSocket-Protocol": {"chat"}},
		"upgrade":     {"upgrade": {"x"}},
		"connection":  {"Connection": {"close"}},
		"length":      {"Content-Length": {"1"}},
		"encoding":    {"Transfer-Encoding": {"chunked"}},
		"name":        {"a b": {"x"}},
		"name, CRLF":  {"a\r\nb": {"x"}},
		"value, CRLF": {"A": {"x\r\nB: y"}},
		"value, NUL":  {"A": {"x\x00"}},
		"two hosts":   {"Host": {"a", "b"}},
		"empty host":  {"Host": {""}},
		"bad host":    {"host": {"a b"}},
	} {
		assert.Error(t, checkRequestHeader(h), name)
	}
	assert.NoError(t, checkRequestHeader(http.Header{
		"Host": {"example.com:8080"}, "Authorization": {"Bearer x"}, "Origin": {"https://example.com"}, "X": {"", "ü"},
	}))
}

// CHECKLIST 23: a long header doesn't come back as a long answer.
func TestReasonIsBounded(t *testing.T) {
	r := sampleRequest()
	r.Header.Set("Upgrade", strings.Repeat("ü", 1<<16))
	_, err := checkRequest(r)
	require.NotNil(t, err)
	assert.Less(t, len(err.Reason), 1100)
	assert.Less(t, len(handshakeError(403, "", errors.New(strings.Repeat("x", 1<<16))).Reason), 1100)
}

func TestSubprotocolNamesOption(t *testing.T) {
	assert.NoError(t, checkSubprotocolNames([]string{"chat", "v2.chat"}))
	assert.ErrorContains(t, checkSubprotocolNames([]string{""}), "not a token")
	assert.ErrorContains(t, checkSubprotocolNames([]string{"a,b"}), "not a token")
	assert.ErrorContains(t, checkSubprotocolNames([]string{"a", "a"}), "twice")
}

// FuzzServerHandshake: whatever is accepted has every property that RFC 6455,
// section 4.2.1, asks for, found here in another way; and what is answered is
// one whole response that our own client accepts.
func FuzzServerHandshake(f *testing.F) {
	head := "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	f.Add(head+"Sec-WebSocket-Key: "+sampleKey+"\r\nSec-WebSocket-Version: 13\r\n\r\n", "X: y\r\nSet-Cookie: a")
	f.Add(head+"Sec-WebSocket-Key: "+sampleKey+"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\nOrigin: http://a\r\n\r\n", "")
	f.Add("POST / HTTP/1.0\r\n\r\n", "\r\n\r\n")
	f.Fuzz(func(t *testing.T, raw, extra string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			return
		}
		u := newUpgrader(&UpgradeOptions{Subprotocols: []string{"a", "b"}, Compression: &Compression{ReceiveTakeover: true}})
		key, agreed, refused := u.check(r)
		if refused != nil {
			assert.GreaterOrEqual(t, refused.StatusCode, 400)
			assert.NotEmpty(t, refused.Reason)
			return
		}
		decoded, err := base64.StdEncoding.DecodeString(key)
		require.NoError(t, err)
		require.Len(t, decoded, 16)
		require.Equal(t, "GET", r.Method)
		require.NotEmpty(t, r.Host)
		require.Contains(t, strings.ToLower(strings.Join(r.Header["Upgrade"], ",")), "websocket")
		require.Contains(t, strings.ToLower(strings.Join(r.Header["Connection"], ",")), "upgrade")
		require.Contains(t, strings.Join(r.Header["Sec-Websocket-Protocol"], ","), agreed.subprotocol)

		name, value, _ := strings.Cut(extra, ":")
		br := bufio.NewReader(bytes.NewReader(appendResponse(nil, key, &agreed, http.Header{name: {value}})))
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		require.Zero(t, br.Buffered())
		require.LessOrEqual(t, len(resp.Header), 6)
		wanted := deflation{send: deflateWindow{bits: 15, takeover: true}, receive: deflateWindow{bits: 15, takeover: true}}
		again, err := checkResponse(resp, key, []string{"a", "b"}, &wanted)
		require.NoError(t, err)
		require.Equal(t, agreed.extensions, again.extensions)
	})
}

// FuzzClientHandshake: an answer that is accepted has the one right accept key
// and nothing that was not offered.
func FuzzClientHandshake(f *testing.F) {
	head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	f.Add(head + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	f.Add(head + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n\x81\x00")
	f.Add(head + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_max_window_bits=12\r\n\r\n")
	f.Add("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnever")
	f.Fuzz(func(t *testing.T, raw string) {
		nc := &scriptedConn{in: strings.NewReader(raw)}
		a, err := exchange(nc, nil, "GET")
		if err != nil {
			return
		}
		wanted := deflation{send: deflateWindow{bits: 15}, receive: deflateWindow{bits: 12}}
		chosen, err := checkResponse(a.resp, sampleKey, []string{"chat"}, &wanted)
		if err != nil {
			e := a.asError(err.Error())
			assert.LessOrEqual(t, len(e.Body), maxExcerpt)
			return
		}
		require.Equal(t, 101, a.resp.StatusCode)
		require.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", a.resp.Header.Get("Sec-WebSocket-Accept"))
		if lines := a.resp.Header["Sec-Websocket-Extensions"]; len(lines) > 0 {
			require.Contains(t, chosen.extensions, "permessage-deflate; server_no_context_takeover")
			require.False(t, chosen.deflate.receive.takeover)
		} else {
			require.Empty(t, chosen.extensions)
			require.Zero(t, chosen.deflate)
		}
		require.Contains(t, []string{"", "chat"}, chosen.subprotocol)
		require.True(t, strings.HasSuffix(raw, string(a.buffered())), "what is left over is the end of the input")
	})
}

// As with net/http, what may not be in a header's value becomes a space.
func TestFieldIsMended(t *testing.T) {
	assert.Equal(t, "A: b c\td e~\x80  f\r\n", string(appendField(nil, "A", " b c\td\x7fe~\x80\r\nf\n")))
}

// Only where Upgrade or Connection is missing may a proxy have taken it away.
func TestRefusalSuspectsProxy(t *testing.T) {
	for name, suspected := range map[string]bool{"Upgrade": true, "Connection": true, "Sec-Websocket-Version": false} {
		r := sampleRequest()
		r.Header.Del(name)
		_, err := checkRequest(r)
		require.NotNil(t, err, name)
		assert.Equal(t, suspected, strings.Contains(err.Reason, "a proxy on the way"), name)
	}
}

// RFC 9110, section 15.5.6: a 405 "MUST generate an Allow header field".
func TestMethodNotAllowedNamesGet(t *testing.T) {
	r := sampleRequest()
	r.Method = http.MethodPost
	_, err := checkRequest(r)
	assert.Equal(t, http.Header{"Allow": {"GET"}}, err.Header)
}

// RFC 9110, section 10.1.1: Expect is for requests with content.
func TestExpectIsRefused(t *testing.T) {
	assert.Error(t, checkRequestHeader(http.Header{"Expect": {"100-continue"}}))
}
