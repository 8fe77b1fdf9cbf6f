// The URLs of WebSockets (RFC 6455, section 3), and where a redirect may lead.

package websocket

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// parseTarget parses the URL that Dial is given. The result is in the form in
// which cookie jars and proxy rules know it: the scheme is http or https, the
// host is ASCII and lower case, without the scheme's default port.
func parseTarget(raw string) (*url.URL, error) {
	// RFC 6455, section 3: fragment identifiers "MUST NOT be used".
	if strings.Contains(raw, "#") {
		return nil, errors.New("a WebSocket URL has no fragment")
	}
	if lacksScheme(raw) {
		return nil, errors.New("the URL has no scheme such as ws://")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, withoutURL(err)
	}
	return u, normalizeTarget(u)
}

// lacksScheme reports whether a URL begins with its host or its path, though that
// may look like a scheme, as in "localhost:80".
func lacksScheme(raw string) bool {
	scheme, rest, found := strings.Cut(raw, ":")
	if !found || scheme == "" || strings.ContainsAny(scheme, "/?[") {
		return true
	}
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' }
	return isDigit(scheme[0]) || rest != "" && isDigit(rest[0])
}

// withoutURL takes the URL out of an error of net/url: there may be a password
// in it.
func withoutURL(err error) error {
	if of, ok := err.(*url.Error); ok && of.Op == "parse" { //nolint:errorlint // not one within a caller's own
		return fmt.Errorf("not a URL: %w", of.Err)
	}
	return err
}

// normalizeTarget checks u and brings it into the form of parseTarget.
func normalizeTarget(u *url.URL) error {
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "http"
	case "wss", "https":
		u.Scheme = "https"
	default:
		return fmt.Errorf("the URL's scheme is %q, not ws, wss, http or https", u.Scheme)
	}
	if u.Opaque != "" || u.Host == "" {
		return errors.New("the URL has no host")
	}
	host, err := normalizeHost(u.Hostname())
	if err != nil {
		return err
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("the URL's port is %q", port)
		}
		if uint16(n) != defaultPort(u.Scheme) {
			host += ":" + strconv.Itoa(int(n))
		}
	}
	u.Host = host
	u.Fragment, u.RawFragment = "", ""
	u.RawQuery = escapeQuery(u.RawQuery)
	return nil
}

// normalizeHost returns the host as it stands in a URL: names in ASCII and
// lower case, IPv6 addresses in brackets.
func normalizeHost(host string) (string, error) {
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is6() || !allHostBytes(addr.Zone()) {
			return "", fmt.Errorf("the URL's host %q is not an IPv6 address", host)
		}
		return "[" + addr.String() + "]", nil
	}
	ascii, err := asciiLabels(strings.ToLower(host))
	if err != nil {
		return "", fmt.Errorf("the URL's host %q: %w", host, err)
	}
	if ascii == "" {
		return "", errors.New("the URL has no host")
	}
	if !allHostBytes(ascii) {
		return "", fmt.Errorf("the URL's host %q has characters that no host has", host)
	}
	return ascii, nil
}

func allHostBytes(s string) bool {
	for i := range len(s) {
		if !isHostByte(s[i]) {
			return false
		}
	}
	return true
}

// escapeQuery escapes what net/url leaves as it is and what would break the
// request line.
func escapeQuery(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// targetAddress returns the host:port to connect to.
func targetAddress(u *url.URL, port uint16) string {
	if p := u.Port(); p != "" {
		return net.JoinHostPort(u.Hostname(), p)
	}
	return net.JoinHostPort(u.Hostname(), strconv.Itoa(int(port)))
}

// serverAddress is targetAddress for the URL of a server.
func serverAddress(u *url.URL) string { return targetAddress(u, defaultPort(u.Scheme)) }

// hostHeader returns the Host for u (RFC 6455, section 4.1, item 4).
func hostHeader(u *url.URL) string { return withoutZone(u.Host) }

// withoutZone takes the zone out of an IPv6 address, maybe in brackets and with a port:
// it means something on this machine only.
func withoutZone(host string) string {
	address, rest, found := strings.Cut(host, "%")
	if !found {
		return host
	}
	if _, port, brackets := strings.Cut(rest, "]"); brackets {
		return address + "]" + port
	}
	return address
}

// basicAuth returns the value of Authorization or Proxy-Authorization for the
// userinfo of a URL (RFC 7617).
func basicAuth(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}

// isRedirect reports whether a status sends the client elsewhere with the same
// request; for GET all five mean that.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirectTarget returns where a redirect from one URL leads.
func redirectTarget(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("the redirect's Location is %w", withoutURL(err))
	}
	// Neither the userinfo that came with the first URL, nor one that the
	// server made up.
	to.User = nil
	if err := normalizeTarget(to); err != nil {
		return nil, fmt.Errorf("redirect: %w", err)
	}
	if from.Scheme == "https" && to.Scheme != "https" {
		return nil, errors.New("a redirect from wss to ws is not followed")
	}
	return to, nil
}

// staysAt reports whether a redirect leads to where it comes from: to the same host and
// port, or from ws to wss on the same host, each at its usual port.
func staysAt(from, to *url.URL) bool {
	secured := from.Scheme == "http" && to.Scheme == "https" && to.Host == from.Host && to.Port() == ""
	return secured || serverAddress(to) == serverAddress(from)
}

// isCredential reports whether a header must not follow a redirect to another
// host. Host is among them: it names the first one.
func isCredential(canonical string) bool {
	switch canonical {
	case "Authorization", "Proxy-Authorization", "Www-Authenticate", "Cookie", "Cookie2", "Host":
		return true
	}
	return false
}
