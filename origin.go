// Which origins may connect (RFC 6455, section 10.2; RFC 6454).

package websocket

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// origin is a scheme with a host and a port, or the host and port of a Host
// header with the scheme that it is compared under. All is lower case.
type origin struct {
	scheme string
	host   string // IPv6 addresses without brackets
	port   uint16 // the scheme's default if none was given; 0: the scheme has none
}

// String returns what is compared: the host and the port.
func (o origin) String() string {
	if o.port == 0 {
		return o.host
	}
	return fmt.Sprintf("%s port %d", o.host, o.port)
}

// defaultPort returns the port of a URL without one.
func defaultPort(scheme string) uint16 {
	switch scheme {
	case "http", "ws":
		return 80
	case "https", "wss":
		return 443
	}
	return 0
}

// parseOrigin parses the value of an Origin header other than "null". It is
// narrower than net/url on purpose: userinfo, a path, percent-encoding and
// letters beyond ASCII have no place in an origin (RFC 6454, section 6.2), and
// each has once made two parsers disagree about the host.
func parseOrigin(s string) (origin, error) {
	scheme, authority, found := strings.Cut(s, "://")
	if !found || !validScheme(scheme) {
		return origin{}, fmt.Errorf("origin %q is not of the form scheme://host", s)
	}
	o, err := parseAuthority(strings.ToLower(scheme), authority)
	if err != nil {
		return origin{}, fmt.Errorf("origin %q: %w", s, err)
	}
	return o, nil
}

// parseAuthority parses host[:port] under a scheme.
func parseAuthority(scheme, authority string) (origin, error) {
	o := origin{scheme: scheme, port: defaultPort(scheme)}
	host, port, hasPort := splitPort(authority)
	if hasPort && port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return origin{}, fmt.Errorf("%q is not a port", port)
		}
		o.port = uint16(n)
	}
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" || !strings.HasSuffix(host, "]") {
			return origin{}, fmt.Errorf("%q is not an IPv6 address", host)
		}
		o.host = addr.String()
		return o, nil
	}
	if host == "" && o.port != 0 {
		return origin{}, fmt.Errorf("there is no host in it")
	}
	for i := range len(host) {
		if b := host[i]; !isHostByte(b) {
			return origin{}, fmt.Errorf("%q is not allowed in a host", b)
		}
	}
	o.host = strings.ToLower(host)
	return o, nil
}

// splitPort cuts host:port at the colon that is not inside brackets.
func splitPort(authority string) (host, port string, found bool) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.IndexByte(authority[i:], ']') >= 0 {
		return authority, "", false
	}
	return authority[:i], authority[i+1:], true
}

// isHostByte reports whether b may be in a host name. A colon or an "@" is not.
func isHostByte(b byte) bool {
	switch {
	case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		return true
	}
	return b == '-' || b == '.' || b == '_' || b == '~'
}

func validScheme(s string) bool {
	for i := range len(s) {
		b := s[i]
		letter := 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
		if !letter && (i == 0 || !('0' <= b && b <= '9' || b == '+' || b == '-' || b == '.')) {
			return false
		}
	}
	return s != ""
}

// originPattern is one of OriginPatterns, taken apart.
type originPattern struct {
	any    bool   // "*"
	null   bool   // "null", the origin that is nobody's
	scheme string // "": any
	host   string // in the syntax of path.Match, or literal
	port   string // "": the default port of the origin's scheme
	ipv6   bool   // host is an address and to be compared as it is
}

// parseOriginPatterns takes the patterns apart, so that a mistake in one is
// known before the first request.
func parseOriginPatterns(patterns []string) ([]originPattern, error) {
	parsed := make([]originPattern, 0, len(patterns))
	for _, text := range patterns {
		p, err := parseOriginPattern(text)
		if err != nil {
			return nil, fmt.Errorf("option OriginPatterns: %q: %w", text, err)
		}
		parsed = append(parsed, p)
	}
	return parsed, nil
}

func parseOriginPattern(text string) (originPattern, error) {
	rest := strings.ToLower(text)
	p := originPattern{any: rest == "*", null: rest == "null"}
	if scheme, after, found := strings.Cut(rest, "://"); found {
		p.scheme, rest = scheme, after
	}
	if strings.ContainsAny(rest, "/@%") || rest == "" && (p.scheme == "" || defaultPort(p.scheme) != 0) {
		return p, fmt.Errorf("a pattern is a host, or scheme://host, either with :port")
	}
	if literal, after, found := strings.Cut(strings.TrimPrefix(rest, "["), "]"); found && rest[0] == '[' {
		// In path.Match, brackets are a set of characters; around an address
		// they are just brackets.
		if addr, err := netip.ParseAddr(literal); err == nil && (after == "" || after[0] == ':') {
			p.host, p.ipv6 = addr.String(), true
			rest = after
		}
	}
	host, port, _ := strings.Cut(rest, ":")
	if strings.Contains(port, ":") {
		return p, fmt.Errorf("an IPv6 address stands in brackets")
	}
	p.port = port
	if !p.ipv6 {
		var err error
		if p.host, err = asciiLabels(host); err != nil {
			return p, err
		}
	}
	return p, p.check()
}

// check reports a pattern that path.Match doesn't understand.
func (p originPattern) check() error {
	for _, part := range [...]string{p.scheme, p.host, p.port} {
		if _, err := path.Match(part, ""); err != nil {
			return err
		}
	}
	return nil
}

// asciiLabels turns the labels that are not ASCII into what browsers send for
// them (UTS 46, RFC 5891), "bücher.example" into "xn--bcher-kva.example".
func asciiLabels(host string) (string, error) {
	if isASCII(host) {
		return host, nil
	}
	labels := strings.Split(host, ".")
	for i, label := range labels {
		if isASCII(label) {
			continue // even if there are bytes in it that are no host's
		}
		ascii, err := idna.Lookup.ToASCII(label)
		if err != nil {
			return "", err
		}
		labels[i] = ascii
	}
	return strings.Join(labels, "."), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// matches reports whether the pattern lets o in. The null origin is not an o.
func (p originPattern) matches(o origin) bool {
	if p.null || p.scheme != "" && !pathMatch(p.scheme, o.scheme) {
		return false
	}
	if p.port == "" && o.port != defaultPort(o.scheme) {
		return false
	}
	if p.port != "" && !pathMatch(p.port, strconv.Itoa(int(o.port))) {
		return false
	}
	if p.ipv6 {
		return p.host == o.host
	}
	return pathMatch(p.host, o.host)
}

// pathMatch is path.Match for patterns that are known to be well formed.
func pathMatch(pattern, s string) bool {
	matched, err := path.Match(pattern, s)
	return matched && err == nil
}

// checkOrigin tells why a request may not connect, nil if it may: it has no
// Origin, comes from the host it is sent to, or matches a pattern.
func checkOrigin(r *http.Request, patterns []originPattern) error {
	for _, p := range patterns {
		if p.any {
			return nil
		}
	}
	values := r.Header["Origin"]
	switch {
	case len(values) == 0:
		// RFC 6455, section 4.2.1, item 7: not a browser's page.
		return nil
	case len(values) > 1:
		return fmt.Errorf("the request has %d Origin headers", len(values))
	case values[0] == "null":
		// RFC 6454, section 7.1: a page that hides where it is from, or a
		// sandboxed frame. "null" is nobody's own host.
		for _, p := range patterns {
			if p.null {
				return nil
			}
		}
		return errors.New("origin null is in none of OriginPatterns")
	}
	o, err := parseOrigin(values[0])
	if err != nil {
		return err
	}
	if sameHost(o, r.Host) {
		return nil
	}
	for _, p := range patterns {
		if p.matches(o) {
			return nil
		}
	}
	// The client gets to see this, so it does not tell whom else the server knows.
	return fmt.Errorf("origin %q (%v) is not the request's Host %q and matches none of OriginPatterns", values[0], o, r.Host)
}

// sameHost reports whether a page of o talks to its own host. A port missing
// in Host is the default of the Origin's scheme, not of this connection's:
// TLS often ends at a proxy in front, and the browser knows better.
func sameHost(o origin, host string) bool {
	if o.scheme != "http" && o.scheme != "https" {
		return false
	}
	own, err := parseAuthority(o.scheme, host)
	return err == nil && o == own
}
