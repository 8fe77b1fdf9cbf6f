// A request that was read without net/http's server, as an http.Request.

package websocket

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
)

// A caller is who sent a request, for those who ask.
type caller interface{ RemoteAddr() net.Addr }

// An arrival is a request under way and the memory to judge it by, ready after
// reset. The strings in it are not used again, so they may be kept; the rest may
// not.
type arrival struct {
	head requestHead

	known  http.Request // whose header has the handshake's fields alone
	values [handshakeKinds][]string
	shown  [handshakeKinds]int // how many of them stand in that header
}

// handshakeNames are the canonical names of the fields that a handshake is
// judged by.
var handshakeNames = [handshakeKinds]string{
	headUpgrade:    "Upgrade",
	headConnection: "Connection",
	headKey:        "Sec-Websocket-Key",
	headVersion:    "Sec-Websocket-Version",
	headProtocol:   "Sec-Websocket-Protocol",
	headExtensions: "Sec-Websocket-Extensions",
	headOrigin:     "Origin",
}

// reset forgets the request and keeps the memory.
func (a *arrival) reset() {
	a.head.reset()
	if a.known.Header == nil {
		a.known.Header = make(http.Header, len(handshakeNames))
	}
	a.known = http.Request{Header: a.known.Header, Body: http.NoBody}
	for kind, values := range a.values {
		if len(values) > 0 {
			clear(values)
			a.values[kind] = values[:0]
		}
	}
}

// handshake returns the request with what a handshake is judged by and nothing
// else. It is for the rules of this package alone, and valid until reset.
func (a *arrival) handshake() *http.Request {
	h, r := &a.head, &a.known
	for i := range h.fields {
		if f := &h.fields[i]; f.kind < handshakeKinds {
			a.values[f.kind] = append(a.values[f.kind], h.of(f.value))
		}
	}
	for kind, values := range a.values {
		// As many values as last time are where those were, so the header has
		// them: as a rule one request is like another.
		if len(values) == a.shown[kind] {
			continue
		}
		if a.shown[kind] = len(values); len(values) == 0 {
			delete(r.Header, handshakeNames[kind])
		} else {
			r.Header[handshakeNames[kind]] = values
		}
	}
	headOnto(r, h)
	return r
}

// request returns the whole request, to keep.
func (a *arrival) request(from caller) (*http.Request, error) {
	h := &a.head
	u, err := url.ParseRequestURI(h.of(h.target))
	if err != nil {
		return nil, err
	}
	r := &http.Request{URL: u, Header: make(http.Header, len(h.fields)), Body: http.NoBody}
	one := make([]string, len(h.fields)) // one value for each name, as a rule
	for i := range h.fields {
		f := &h.fields[i]
		if f.kind == headHost || f.kind == headCoding {
			continue // stand in the request itself, as with net/http
		}
		name := textproto.CanonicalMIMEHeaderKey(h.of(f.name))
		if values, found := r.Header[name]; found {
			r.Header[name] = append(values, h.of(f.value))
			continue
		}
		one[i] = h.of(f.value)
		r.Header[name] = one[i : i+1 : i+1]
	}
	headOnto(r, h)
	if addr := from.RemoteAddr(); addr != nil {
		r.RemoteAddr = addr.String()
	}
	if secure, ok := from.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := secure.ConnectionState()
		r.TLS = &state
	}
	return r, nil
}

// authority returns the host and port of a request's target in absolute-form, "" for any
// other: "a server MUST accept the absolute-form in requests" (RFC 9112, section 3.2.2).
func authority(target string) string {
	u, err := url.ParseRequestURI(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || !validHost([]byte(u.Host)) {
		return ""
	}
	return u.Host
}

// headOnto fills in what is no header field.
func headOnto(r *http.Request, h *requestHead) {
	r.Method = h.of(h.method)
	r.RequestURI = h.of(h.target)
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, int(h.minor)
	if h.minor != 1 {
		r.Proto = "HTTP/1." + string('0'+rune(h.minor))
	}
	r.Host = h.of(h.host)
	if !h.hasPath() {
		// "the origin server MUST ignore the received Host header field (if any) and
		// instead use the host information of the request-target" (RFC 9112, section 3.2.2)
		r.Host = cmp.Or(authority(r.RequestURI), r.Host)
	}
	r.ContentLength = h.length
	if h.length < 0 {
		r.TransferEncoding = []string{"chunked"} // no other coding passes
	}
}
