// Tests of the URLs that Dial takes, RFC 6455, section 3.

package websocket

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRFC6455_3_URLs(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://example.com":             "http://example.com 80 /",
		"wss://example.com/a?b":        "https://example.com 443 /a?b",
		"WSS://EXAMPLE.com:443/":       "https://example.com 443 /",
		"http://example.com:80/":       "http://example.com 80 /",
		"https://example.com:80/":      "https://example.com:80 80 /",
		"ws://example.com:/":           "http://example.com 80 /",
		"ws://[::1]:8080/%23?%20":      "http://[::1]:8080 8080 /%23?%20",
		"ws://[fe80::1%25eth0]/":       "http://[fe80::1] 80 /",
		"ws://bücher.example/":         "http://xn--bcher-kva.example 80 /",
		"ws://b%C3%BCcher.example/":    "http://xn--bcher-kva.example 80 /",
		"ws://BÜCHER.example/":         "http://xn--bcher-kva.example 80 /",
		"ws://bu\u0308cher.example/":   "http://xn--bcher-kva.example 80 /",
		"ws://bücher。example/":         "http://xn--bcher-kva.example 80 /",
		"ws://ｅxample.com/":            "http://example.com 80 /",
		"ws://exam\u00adple.com/":      "http://example.com 80 /",
		"ws://_a.bücher.example/":      "http://_a.xn--bcher-kva.example 80 /",
		"ws://example.com/ä?ü=a b":     "http://example.com 80 /%C3%A4?%C3%BC=a%20b",
		"ws://example.com//other/path": "http://example.com 80 //other/path",
	} {
		u, err := parseTarget(raw)
		require.NoError(t, err, raw)
		_, port, err := net.SplitHostPort(serverAddress(u))
		require.NoError(t, err)
		assert.Equal(t, want, u.Scheme+"://"+hostHeader(u)+" "+port+" "+u.RequestURI(), raw)
	}
	for raw, reason := range map[string]string{
		"ws://example.com/#":              "fragment",
		"ws://example.com/#a":             "fragment",
		"ftp://example.com/":              `"ftp"`,
		"example.com":                     "no scheme such as ws://",
		"localhost:80":                    "no scheme such as ws://",
		"127.0.0.1:80/a":                  "no scheme such as ws://",
		"[::1]:80":                        "no scheme such as ws://",
		":80":                             "no scheme such as ws://",
		"//example.com:80/":               "no scheme such as ws://",
		"/a:b":                            "no scheme such as ws://",
		"ws:example.com":                  "no host",
		"ws:///a":                         "no host",
		"ws://:80/":                       "no host",
		"ws://example.com:0/":             "port",
		"ws://example.com:65536/":         "port",
		"ws://user:secret@example.com:x/": "port",
		"ws://a b/":                       "",
		"ws://a\r\nb/":                    "",
		"ws://[::1%25lo\r\n]/":            "",
		"ws://a;b/":                       "host",
		"":                                "scheme",
	} {
		_, err := Dial(context.Background(), raw, direct())
		assert.Contains(t, handshakeErrorOf(t, err).Reason, reason, raw)
		assert.NotContains(t, err.Error(), "secret")
	}
}

// FuzzDialURL: of whatever URL is accepted comes one whole request that our own
// server accepts.
func FuzzDialURL(f *testing.F) {
	f.Add("ws://example.com/a?b c")
	f.Add("wss://u:p@[::1%25eth0]:443/%00?\xff")
	f.Add("http://bücher.example:080//")
	f.Fuzz(func(t *testing.T, raw string) {
		opts := direct()
		d, err := newDialing(raw, opts)
		if err != nil {
			return
		}
		br := bufio.NewReader(strings.NewReader(string(appendRequest(nil, d.request(), sampleKey, []string{"chat"}, &deflation{}))))
		r, err := http.ReadRequest(br)
		require.NoError(t, err)
		require.Zero(t, br.Buffered())
		_, _, refused := newUpgrader(nil).check(r)
		require.Nil(t, refused)
		require.Equal(t, hostHeader(d.url), r.Host)
		_, _, err = net.SplitHostPort(serverAddress(d.url))
		require.NoError(t, err)
	})
}

// CHECKLIST 24: what userinfo there is in a URL ends with the first redirect.
func TestRedirectTarget(t *testing.T) {
	from, err := parseTarget("wss://user:pass@example.com/a/b?q")
	require.NoError(t, err)
	for location, want := range map[string]string{
		"c":                        "https://example.com/a/c",
		"/c#f":                     "https://example.com/c",
		"//other.example:443/":     "https://other.example/",
		"wss://x:y@other.example":  "https://other.example",
		"HTTPS://Other.Example:80": "https://other.example:80",
	} {
		to, err := redirectTarget(from, location)
		require.NoError(t, err, location)
		assert.Equal(t, want, to.String(), location)
	}
}
