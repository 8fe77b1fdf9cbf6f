// Tests of what a listener makes of requests: RFC 6455, section 4.2, without net/http.

package websocket

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// callerAt is a caller without anything else.
type callerAt string

func (c callerAt) RemoteAddr() net.Addr {
	addr, _ := net.ResolveTCPAddr("tcp", string(c))
	return addr
}

// decideOn is what a listener with these options makes of a request.
func decideOn(t *testing.T, opts *ListenOptions, request string, ev *Events) decision {
	t.Helper()
	g, err := newGate(opts)
	require.NoError(t, err)
	v := g.visit()
	defer v.free()
	n, whole := g.read(v, []byte(request), ev, callerAt("192.0.2.1:1234"))
	require.True(t, whole)
	if v.refused == nil {
		assert.Equal(t, len(request), n)
	}
	d := v.decision
	d.reply = bytes.Clone(d.reply)
	return d
}

// replyOf parses a reply as net/http does.
func replyOf(t *testing.T, d decision, method string) (*http.Response, string) {
	t.Helper()
	br := bufio.NewReader(bytes.NewReader(d.reply))
	resp, err := http.ReadResponse(br, &http.Request{Method: method})
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Zero(t, br.Buffered(), "nothing follows the answer")
	return resp, string(body)
}

func TestListenGrants(t *testing.T) {
	ev := &Events{}
	d := decideOn(t, &ListenOptions{Upgrade: &UpgradeOptions{Subprotocols: []string{"chat"}, Heartbeat: -1}},
		rawRequest+"Origin: http://example.com\r\nSec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n", ev)
	require.Nil(t, d.refused)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(d.reply)), nil)
	require.NoError(t, err)
	_, err = checkResponse(resp, sampleKey, []string{"x", "chat"}, &deflation{})
	require.NoError(t, err)
	assert.Equal(t, "chat", resp.Header.Get("Sec-WebSocket-Protocol"))
	assert.Equal(t, RoleServer, d.est.role)
	assert.Equal(t, "chat", d.est.subprotocol)
	assert.Zero(t, d.est.settings.heartbeat)
	assert.Same(t, ev, d.ev)
	assert.Nil(t, d.user)
	assert.False(t, d.passed)
}

// The same requests are refused as by Upgrade, whether somebody looks at them
// or not.
func TestListenRefusesAsUpgradeDoes(t *testing.T) {
	upgrade := &UpgradeOptions{Subprotocols: []string{"chat"}}
	watched := *upgrade
	watched.ChooseSubprotocol = func(*http.Request, []string) (string, error) { return "", nil }
	for name, request := range map[string]string{
		"POST":              strings.Replace(rawRequest, "GET", "POST", 1) + "\r\n",
		"HEAD":              strings.Replace(rawRequest, "GET", "HEAD", 1) + "\r\n",
		"HTTP/1.0":          strings.Replace(rawRequest, "HTTP/1.1", "HTTP/1.0", 1) + "\r\n",
		"no upgrade":        "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
		"no connection":     strings.Replace(rawRequest, "Connection: Upgrade", "Connection: close", 1) + "\r\n",
		"version 8":         strings.Replace(rawRequest, "Version: 13", "Version: 8", 1) + "\r\n",
		"two versions":      rawRequest + "Sec-WebSocket-Version: 13\r\n\r\n",
		"two keys":          rawRequest + "Sec-WebSocket-Key: " + sampleKey + "\r\n\r\n",
		"a short key":       strings.Replace(rawRequest, sampleKey, "c2hvcnQ=", 1) + "\r\n",
		"an empty Host":     strings.Replace(rawRequest, "example.com", "", 1) + "\r\n",
		"a body":            rawRequest + "Content-Length: 1\r\n\r\n",
		"a chunked body":    rawRequest + "Transfer-Encoding: chunked\r\n\r\n",
		"another origin":    rawRequest + "Origin: https://example.org\r\n\r\n",
		"two origins":       rawRequest + "Origin: http://example.com\r\nOrigin: http://example.com\r\n\r\n",
		"a bad subprotocol": rawRequest + "Sec-WebSocket-Protocol: a b\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
			require.NoError(t, err)
			w := httptest.NewRecorder()
			_, err = Upgrade(w, r, upgrade)
			var want *HandshakeError
			require.ErrorAs(t, err, &want)

			d := decideOn(t, &ListenOptions{Upgrade: upgrade}, request, nil)
			assert.Equal(t, want, d.refused)
			resp, body := replyOf(t, d, r.Method)
			assert.Equal(t, w.Code, resp.StatusCode)
			assert.True(t, resp.Close)
			assert.Equal(t, w.Header().Get("Content-Type"), resp.Header.Get("Content-Type"))
			assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
			_, err = http.ParseTime(resp.Header.Get("Date"))
			assert.NoError(t, err)
			for _, name := range []string{"Allow", "Upgrade", "Sec-WebSocket-Version"} {
				assert.Equal(t, w.Header().Values(name), resp.Header.Values(name), name)
			}
			if r.Method == "HEAD" {
				assert.Empty(t, body)
			} else {
				assert.Equal(t, w.Body.String(), body)
			}
			again := decideOn(t, &ListenOptions{Upgrade: &watched}, request, nil)
			if name == "a bad subprotocol" {
				assert.Equal(t, 400, again.refused.StatusCode)
			} else {
				assert.Equal(t, d.refused, again.refused)
			}
		})
	}
}

// RFC 9110, section 7.8: Upgrade is named in Connection.
func TestListenRefusalNamesUpgrade(t *testing.T) {
	d := decideOn(t, nil, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", nil)
	assert.Contains(t, string(d.reply), "HTTP/1.1 426 Upgrade Required\r\n")
	assert.Contains(t, string(d.reply), "\r\nConnection: Upgrade, close\r\n")
	assert.Contains(t, string(d.reply), "\r\nUpgrade: websocket\r\n")
	d = decideOn(t, nil, strings.Replace(rawRequest, "GET", "POST", 1)+"\r\n", nil)
	assert.Contains(t, string(d.reply), "\r\nConnection: close\r\n")
}

func TestListenBadHTTP(t *testing.T) {
	d := decideOn(t, &ListenOptions{Fallback: http.NotFoundHandler()}, "GET / HTTP/1.1\nHost: a\n\n", nil)
	require.NotNil(t, d.refused, "what is not HTTP never reaches the Fallback")
	resp, body := replyOf(t, d, "GET")
	assert.Equal(t, 400, resp.StatusCode)
	assert.Contains(t, body, "carriage return")
}

// A target is a path, or the absolute-form, whose host counts then (RFC 9112, section
// 3.2.2).
func TestListenTargets(t *testing.T) {
	var seen *http.Request
	asks := &ListenOptions{Accept: func(h *Handshake) error { seen = h.Request; return nil }}
	for _, opts := range []*ListenOptions{nil, asks} {
		for _, target := range []string{"ftp://example.com/", "http:///", "http://user@example.com/", "http://%00/", "http:example.com", "*", "example.com:80"} {
			d := decideOn(t, opts, strings.Replace(rawRequest, "GET / ", "GET "+target+" ", 1)+"\r\n", nil)
			require.NotNil(t, d.refused, target)
			assert.Equal(t, 400, d.refused.StatusCode, target)
		}
		for _, target := range []string{"http://other.example:81/a?b", "HTTPS://other.example:81", "http://other.example:81?b"} {
			request := strings.Replace(rawRequest, "GET / ", "GET "+target+" ", 1)
			d := decideOn(t, opts, request+"Origin: http://other.example:81\r\n\r\n", nil)
			assert.Nil(t, d.refused, target)
			d = decideOn(t, opts, request+"Origin: http://example.com\r\n\r\n", nil)
			require.NotNil(t, d.refused, "the Host field does not count")
			assert.Equal(t, 403, d.refused.StatusCode)
		}
	}
	assert.Equal(t, "other.example:81", seen.Host)
	assert.Equal(t, "other.example:81", seen.URL.Host)
}

func TestListenNotModified(t *testing.T) {
	d := decideOn(t, &ListenOptions{Accept: func(*Handshake) error { return &HandshakeError{StatusCode: 304, Reason: "as before"} }}, rawRequest+"\r\n", nil)
	require.NotNil(t, d.refused)
	assert.True(t, strings.HasSuffix(string(d.reply), "\r\n\r\n"), "no content (RFC 9110, section 15.4.5)")
}

func TestListenFallbackGets(t *testing.T) {
	opts := &ListenOptions{Fallback: http.NotFoundHandler()}
	for request, passed := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                                       true,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n":                 true,
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n":                                   true,
		"GET / HTTP/1.0\r\n\r\n":                                                  true,
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n":                       true,
		rawRequest + "\r\n":                                                       false,
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, WebSocket\r\n\r\n":            false,
		"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n":                false,
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nupgrade: websocket\r\n\r\n": false,
	} {
		d := decideOn(t, opts, request, nil)
		assert.Equal(t, passed, d.passed, request)
		assert.Equal(t, passed, len(d.reply) == 0, request)
	}
}

func TestListenAccept(t *testing.T) {
	ev, others := &Events{}, &Events{}
	var got *http.Request
	d := decideOn(t, &ListenOptions{
		Upgrade: &UpgradeOptions{Subprotocols: []string{"chat"}},
		Accept: func(h *Handshake) error {
			assert.Equal(t, "chat", h.Subprotocol)
			assert.Same(t, ev, h.Events)
			assert.Equal(t, "192.0.2.1:1234", h.Request.RemoteAddr)
			assert.Equal(t, "1", h.Request.URL.Query().Get("room"))
			assert.Equal(t, "/chat", h.Request.URL.Path)
			cookie, err := h.Request.Cookie("session")
			if assert.NoError(t, err) {
				assert.Equal(t, "7", cookie.Value)
			}
			http.SetCookie(headerWriter(h.Header), &http.Cookie{Name: "a", Value: "1"})
			h.Header.Set("Sec-WebSocket-Accept", "mine")
			h.Header.Set("X-Split", "a\r\nb")
			got, h.Events, h.UserData = h.Request, others, "alice"
			return nil
		},
	}, strings.Replace(rawRequest, "GET /", "GET /chat?room=1", 1)+"Cookie: session=7\r\nSec-WebSocket-Protocol: chat\r\n\r\n", ev)
	require.Nil(t, d.refused)
	assert.Same(t, others, d.ev)
	assert.Equal(t, "alice", d.user)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(d.reply)), nil)
	require.NoError(t, err)
	_, err = checkResponse(resp, sampleKey, []string{"chat"}, &deflation{})
	require.NoError(t, err)
	assert.Equal(t, []string{"a=1"}, resp.Header["Set-Cookie"])
	assert.Equal(t, []string{"a  b"}, resp.Header["X-Split"])

	// The request may be kept: the next one leaves it alone.
	decideOn(t, nil, strings.Replace(rawRequest, "example.com", "other", 1)+"\r\n", nil)
	assert.Equal(t, "example.com", got.Host)
	assert.Equal(t, []string{"Upgrade"}, got.Header["Connection"])
	got.Header.Add("Connection", "close")
	assert.Equal(t, []string{"13"}, got.Header["Sec-Websocket-Version"], "no two fields share memory")
}

// headerWriter is as much of a ResponseWriter as http.SetCookie needs.
type headerWriter http.Header

func (h headerWriter) Header() http.Header       { return http.Header(h) }
func (headerWriter) Write(p []byte) (int, error) { return len(p), nil }
func (headerWriter) WriteHeader(int)             {}

func TestListenAcceptRefuses(t *testing.T) {
	private := errors.New("who are you?")
	for _, tc := range []struct {
		name   string
		err    error
		status int
		reason string
	}{
		{"any error", private, 403, "who are you?"},
		{"a status", &HandshakeError{StatusCode: 401, Reason: "log in first", Header: http.Header{"Www-Authenticate": {"Basic"}}}, 401, "log in first"},
		{"a redirect", &HandshakeError{StatusCode: 307, Header: http.Header{"Location": {"/there"}, "Content-Length": {"9"}}}, 307, ""},
		{"no status", &HandshakeError{Reason: "odd"}, 403, "handshake: odd"},
		{"a status that is no refusal", &HandshakeError{StatusCode: 101, Reason: "odd"}, 403, "odd"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := decideOn(t, &ListenOptions{Accept: func(*Handshake) error { return tc.err }}, rawRequest+"\r\n", nil)
			require.NotNil(t, d.refused)
			assert.ErrorIs(t, d.refused, tc.err)
			resp, body := replyOf(t, d, "GET")
			assert.Equal(t, tc.status, resp.StatusCode)
			assert.Contains(t, body, tc.reason)
			var answer *HandshakeError
			if errors.As(tc.err, &answer) {
				assert.Equal(t, answer.Header.Get("Www-Authenticate"), resp.Header.Get("Www-Authenticate"))
				assert.Equal(t, answer.Header.Get("Location"), resp.Header.Get("Location"))
			}
		})
	}
}

// CHECKLIST 31: a panic in a callback is contained and reported.
func TestListenPanics(t *testing.T) {
	var reported any
	trace := &Trace{Panicked: func(value any, _ []byte) { reported = value }}
	for _, opts := range []*ListenOptions{
		{Accept: func(*Handshake) error { panic("oops") }, Upgrade: &UpgradeOptions{Trace: trace}},
		{Upgrade: &UpgradeOptions{Trace: trace, CheckOrigin: func(*http.Request) error { panic("oops") }}},
	} {
		reported = nil
		d := decideOn(t, opts, rawRequest+"\r\n", nil)
		require.NotNil(t, d.refused)
		resp, body := replyOf(t, d, "GET")
		assert.Equal(t, 500, resp.StatusCode)
		assert.NotContains(t, body, "oops")
		assert.Equal(t, "oops", reported)
	}
}

func TestListenCheckOrigin(t *testing.T) {
	seen := ""
	opts := &ListenOptions{Upgrade: &UpgradeOptions{CheckOrigin: func(r *http.Request) error {
		seen = r.Header.Get("X-Token")
		return errors.New("no")
	}}}
	d := decideOn(t, opts, rawRequest+"x-token: 7\r\n\r\n", nil)
	require.NotNil(t, d.refused)
	assert.Equal(t, 403, d.refused.StatusCode)
	assert.Equal(t, "7", seen, "callbacks see the whole header")
}

func TestListenOptions(t *testing.T) {
	_, err := newGate(&ListenOptions{Upgrade: &UpgradeOptions{OriginPatterns: []string{"["}}})
	assert.ErrorContains(t, err, "websocket: option OriginPatterns")
	for maxBytes, want := range map[int]int{0: DefaultMaxHeaderBytes, -1: 1 << 20, 2 << 20: 1 << 20, 100: 100} {
		g, err := newGate(&ListenOptions{MaxHeaderBytes: maxBytes})
		require.NoError(t, err)
		assert.Equal(t, want, g.limit)
	}
	g, err := newGate(nil)
	require.NoError(t, err)
	assert.Equal(t, DefaultHandshakeTimeout, g.bound)
	g, err = newGate(&ListenOptions{Upgrade: &UpgradeOptions{HandshakeTimeout: -1}})
	require.NoError(t, err)
	assert.Equal(t, time.Duration(0), g.bound)
}

// A visit that is used again knows nothing of the one before.
func TestVisitForgets(t *testing.T) {
	g, err := newGate(nil)
	require.NoError(t, err)
	used := &visit{}
	used.arrival.reset()
	for _, request := range []string{
		browserRequest, "GET / HTTP/1.0\r\n\r\n", rawRequest + "Content-Length: 3\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
		rawRequest + "Cookie: " + strings.Repeat("x", 12<<10) + "\r\n\r\n", rawRequest + "\r\n",
	} {
		fresh := &visit{}
		fresh.arrival.reset()
		for _, v := range []*visit{used, fresh} {
			v.head.limit = g.limit
			n, whole := g.read(v, []byte(request), &Events{}, callerAt(""))
			require.True(t, whole)
			require.Equal(t, len(request), n)
		}
		assert.Equal(t, fresh.known, used.known)
		assert.Equal(t, fresh.est, used.est)
		assert.Equal(t, fresh.refused, used.refused)
		assert.Equal(t, string(fresh.reply[:40]), string(used.reply[:40]))

		values := used.values[headKey]
		used.forget()
		assert.Empty(t, used.head.text)
		assert.Empty(t, used.reply)
		assert.Equal(t, decision{reply: used.reply}, used.decision)
		for _, value := range values {
			assert.Empty(t, value, "the pool keeps no request")
		}
	}
}

// BenchmarkListen is reading a request and putting the answer together.
func BenchmarkListen(b *testing.B) {
	for _, bc := range []struct {
		name    string
		opts    *ListenOptions
		request string
	}{
		{"small", nil, rawRequest + "\r\n"},
		{"browser", nil, browserRequest},
		{"browser, Accept", &ListenOptions{Accept: func(*Handshake) error { return nil }}, browserRequest},
	} {
		b.Run(bc.name, func(b *testing.B) {
			g, err := newGate(bc.opts)
			require.NoError(b, err)
			request := []byte(bc.request)
			from := callerAt("192.0.2.1:1234")
			b.ReportAllocs()
			for b.Loop() {
				v := g.visit()
				if g.read(v, request, nil, from); v.refused != nil {
					b.Fatal(v.refused)
				}
				v.free()
			}
		})
	}
}

// RFC 9112, section 4: the space is there without a reason as well. What describes the content is ours,
// a policy for it is not.
func TestListenRefusalHead(t *testing.T) {
	d := decideOn(t, &ListenOptions{Accept: func(*Handshake) error {
		return &HandshakeError{StatusCode: 499, Reason: "gone", Header: http.Header{
			"Content-Security-Policy": {"default-src 'none'"}, "Content-Language": {"en"},
		}}
	}}, rawRequest+"\r\n", nil)
	head := string(d.reply)
	assert.True(t, strings.HasPrefix(head, "HTTP/1.1 499 \r\n"), head)
	assert.Contains(t, head, "\r\nContent-Security-Policy: default-src 'none'\r\n")
	assert.NotContains(t, head, "Content-Language")
	assert.NotContains(t, string(appendResponse(nil, sampleKey, &agreement{}, http.Header{"Content-Language": {"en"}})), "Content-")
}

// OPTIONS * and CONNECT host:port have no path either, but what is wrong with them is the method.
func TestListenWithoutPath(t *testing.T) {
	for request, status := range map[string]int{
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n":            405,
		"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n":      405,
		"GET * HTTP/1.1\r\nHost: a\r\n\r\n":                400,
		"GET http://a\"b/ HTTP/1.1\r\nHost: a\r\n\r\n":     400,
		"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n":     400,
		"OPTIONS http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n": 400,
	} {
		for _, accept := range []func(*Handshake) error{nil, func(*Handshake) error { return nil }} {
			if accept == nil && status == 400 && request[0] == 'O' {
				continue
			}
			d := decideOn(t, &ListenOptions{Accept: accept}, request, nil)
			if assert.NotNil(t, d.refused, request) {
				assert.Equal(t, status, d.refused.StatusCode, request)
			}
		}
	}
}

// One large reply does not stay with the memory for all others.
func TestVisitForgetsLargeReply(t *testing.T) {
	v := &visit{decision: decision{reply: make([]byte, 4<<10)}}
	v.forget()
	assert.NotZero(t, cap(v.reply))
	v.reply = make([]byte, 4<<10+1)
	v.forget()
	assert.Zero(t, cap(v.reply))
}

func TestRefusedByStatus(t *testing.T) {
	for status, want := range map[int]int{299: 403, 300: 300, 599: 599, 600: 403} {
		assert.Equal(t, want, refusedBy(&HandshakeError{StatusCode: status}, 403).StatusCode)
	}
}

// RFC 9110, section 7.8: "A server MUST ignore an Upgrade header field that is received in an
// HTTP/1.0 request."
func TestUpgradeOfHTTP10IsIgnored(t *testing.T) {
	request := strings.Replace(rawRequest, "HTTP/1.1", "HTTP/1.0", 1) + "\r\n"
	assert.True(t, decideOn(t, &ListenOptions{Fallback: http.NotFoundHandler()}, request, nil).passed)
	assert.Equal(t, 505, decideOn(t, nil, request, nil).refused.StatusCode)
}
