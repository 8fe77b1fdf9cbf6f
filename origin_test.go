// Tests of the origin rule. CHECKLIST 19.

package websocket

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func requestFrom(host string, origins ...string) *http.Request {
	return &http.Request{Host: host, Header: http.Header{"Origin": origins}}
}

// CHECKLIST 19: same host by default, with scheme, port, case, null, userinfo
// and percent-encoding.
func TestOriginSameHost(t *testing.T) {
	for _, tc := range []struct {
		origin, host string
		want         bool
	}{
		{"http://example.com", "example.com", true},
		{"https://example.com", "example.com", true}, // TLS ends at a proxy
		{"HTTPS://EXAMPLE.com", "Example.COM", true},
		{"http://example.com:80", "example.com", true},
		{"http://example.com", "example.com:80", true},
		{"https://example.com", "example.com:443", true},
		{"https://example.com:443", "example.com", true},
		{"https://example.com:8443", "example.com:8443", true},
		{"http://example.com:0080", "example.com", true},
		{"http://[::1]:8080", "[::1]:8080", true},
		{"http://[0:0::1]", "[::1]", true},
		{"http://AZaz09-._~", "azAZ09-._~", true},
		{"http://127.0.0.1:3000", "127.0.0.1:3000", true},
		{"https://xn--bcher-kva.example", "xn--bcher-kva.example", true},

		{"https://example.com", "example.com:80", false},
		{"http://example.com", "example.com:443", false},
		{"http://example.com:8080", "example.com", false},
		{"http://example.com", "example.com:8080", false},
		{"http://evil.example", "example.com", false},
		{"http://example.com.evil.example", "example.com", false},
		{"http://evilexample.com", "example.com", false},
		{"http://www.example.com", "example.com", false},
		{"http://example.com.", "example.com", false},
		{"ftp://example.com", "example.com", false},
		{"chrome-extension://example.com", "example.com", false},
		{"null", "null", false},
		{"http://null", "example.com", false},
		{"", "example.com", false},
		{"example.com", "example.com", false},
		{"//example.com", "example.com", false},
		{"http:example.com", "example.com", false},
		{"http://", "example.com", false},
		{"http://:80", "", false},
		{"http://example.com@evil.example", "example.com", false},
		{"http://evil.example@example.com", "example.com", false},
		{"http://user:pass@example.com", "example.com", false},
		{"http://example%2ecom", "example.com", false},
		{"http://evil.example%2f.example.com", "example.com", false},
		{"http://example.com/", "example.com", false},
		{"http://example.com?x", "example.com", false},
		{"http://example.com#x", "example.com", false},
		{"http://example.com\\.evil.example", "example.com", false},
		{"http://example.com:80:80", "example.com", false},
		{"http://example.com:99999", "example.com", false},
		{"http://example.com:+80", "example.com", false},
		{"http://example.com:0", "example.com", false},
		{"http://exämple.com", "exämple.com", false},
		{"http://[::1", "[::1", false},
		{"http://[::1%25lo]", "[::1%25lo]", false},
		{"http://[127.0.0.1]", "[127.0.0.1]", false},
		{"http://[a]", "[a]", false},
		{"http://[::1]x", "[::1]x", false},
		{"http://[::1:80", "[::1]:80", false},
		{"http://example.com http://example.com", "example.com", false},
		{" http://example.com", "example.com", false},
		{"http://example.com\x00", "example.com", false},
	} {
		err := checkOrigin(requestFrom(tc.host, tc.origin), nil)
		if tc.want {
			assert.NoError(t, err, "%s to %s", tc.origin, tc.host)
		} else {
			assert.Error(t, err, "%s to %s", tc.origin, tc.host)
		}
	}
}

func TestRFC6455_4_2_1_NoOriginPasses(t *testing.T) {
	assert.NoError(t, checkOrigin(&http.Request{Host: "example.com", Header: http.Header{}}, nil))
	assert.ErrorContains(t, checkOrigin(requestFrom("a", "http://a", "http://a"), nil), "2 Origin headers")
}

// CHECKLIST 19: the error says what was compared.
func TestOriginErrorSaysWhatWasCompared(t *testing.T) {
	patterns, err := parseOriginPatterns([]string{"*.example.org", "https://a.example"})
	require.NoError(t, err)
	err = checkOrigin(requestFrom("example.com:8080", "https://evil.example"), patterns)
	assert.EqualError(t, err, `origin "https://evil.example" (evil.example port 443) is not the request's Host `+
		`"example.com:8080" and matches none of OriginPatterns`, "whom else the server knows is not the client's business")
	err = checkOrigin(requestFrom("example.com", "null"), patterns)
	assert.ErrorContains(t, err, "origin null")
}

// CHECKLIST 19: allow-all is spelled out.
func TestOriginPatterns(t *testing.T) {
	for _, tc := range []struct {
		pattern, origin string
		want            bool
	}{
		{"*", "https://anything.example:1", true},
		{"*", "null", true},
		{"*", "rubbish", true},
		{"example.org", "http://example.org", true},
		{"example.org", "https://example.org", true},
		{"EXAMPLE.org", "https://Example.ORG", true},
		{"example.org", "https://example.org:8443", false},
		{"example.org:8443", "https://example.org:8443", true},
		{"example.org:443", "https://example.org", true},
		{"example.org:443", "http://example.org", false},
		{"example.org:*", "https://example.org:8443", true},
		{"example.org:80[0-9][0-9]", "https://example.org:8081", true},
		{"example.org", "https://example.org.evil.example", false},
		{"example.org", "https://www.example.org", false},
		{"*.example.org", "https://www.example.org", true},
		{"*.example.org", "https://a.b.example.org", true},
		{"*.example.org", "https://example.org", false},
		{"*.example.org", "https://evilexample.org", false},
		{"https://example.org", "http://example.org", false},
		{"https://example.org", "https://example.org", true},
		{"https://*", "https://example.org", true},
		{"https://*", "null", false},
		{"https://*", "https://user@example.org", false},
		{"*.*", "null", false},
		{"null", "null", true},
		{"n*", "null", false},
		{"[a-c].example", "https://b.example", true},
		{"[::1]:8080", "http://[::1]:8080", true},
		{"http://[::1]:*", "http://[::1]:9", true},
		{"[::1]", "http://[::2]", false},
		{"bücher.example", "https://xn--bcher-kva.example", true},
		{"*.bücher.example", "https://a.xn--bcher-kva.example", true},
		{"chrome-extension://abc", "chrome-extension://abc", true},
		{"file://", "file://", true},
		{"AZaz09+-.://a", "azAZ09+-.://a", true},
		{"*://a", "1b://a", false},
		{"*://a", ".b://a", false},
		{"*://a", "b!://a", false},
		{"*://a", "b:://a", false},
		{"*://a", "b@://a", false},
		{"*://a", "b[://a", false},
		{"*://a", "b`://a", false},
		{"*://a", "b{://a", false},
		{"[ab]", "http://b", true},
		{"[ab]:81", "http://b:81", true},
		{"[::1]", "http://[::1]", true},
		{"capacitor://localhost", "capacitor://localhost", true},
	} {
		patterns, err := parseOriginPatterns([]string{tc.pattern})
		require.NoError(t, err, tc.pattern)
		err = checkOrigin(requestFrom("example.com", tc.origin), patterns)
		assert.Equal(t, tc.want, err == nil, "%s under pattern %s: %v", tc.origin, tc.pattern, err)
	}
	for _, bad := range []string{"https://", "", "[", "https://[", "a:[", "[://a", "https://example.org/", "a@b", "a%2eb", "[::1]x", "::1", "::1]", "xn--ü.example", "bü*.example"} {
		_, err := parseOriginPatterns([]string{"good.example", bad})
		assert.ErrorContains(t, err, "OriginPatterns", bad)
	}
}

// FuzzOrigin: an origin that passes as the request's own host is one that
// net/url, another parser, puts on that very host.
func FuzzOrigin(f *testing.F) {
	f.Add("http://example.com", "example.com", "*.example.com")
	f.Add("https://EXAMPLE.com:443", "example.com", "https://[a-z]:80")
	f.Add("http://[::1]:80", "[::1]", "[::1]:*")
	f.Add("http://a@b", "b", "*")
	f.Fuzz(func(t *testing.T, origin, host, pattern string) {
		if patterns, err := parseOriginPatterns([]string{pattern}); err == nil {
			_ = checkOrigin(requestFrom(host, origin), patterns)
		}
		if checkOrigin(requestFrom(host, origin), nil) != nil {
			return
		}
		u, err := url.Parse(origin)
		require.NoError(t, err)
		own, err := url.Parse("//" + host)
		require.NoError(t, err)
		require.Nil(t, u.User)
		require.Empty(t, u.Path+u.RawQuery+u.Fragment)
		if !strings.Contains(host, "[") { // addresses have several spellings
			require.Equal(t, strings.ToLower(own.Hostname()), strings.ToLower(u.Hostname()))
		}
		require.Contains(t, []string{"http", "https"}, u.Scheme)
	})
}

// "null" is the origin of pages that have none, in any case, and no host of that name.
func TestOriginPatternNull(t *testing.T) {
	for _, text := range []string{"null", "NULL"} {
		patterns, err := parseOriginPatterns([]string{text})
		require.NoError(t, err)
		r := &http.Request{Host: "example.com", Header: http.Header{"Origin": {"null"}}}
		require.NoError(t, checkOrigin(r, patterns))
		r.Header.Set("Origin", "http://null")
		require.Error(t, checkOrigin(r, patterns))
	}
}
