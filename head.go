// The head of an HTTP/1.1 request (RFC 9112), as it comes in.

package websocket

import (
	"bytes"
	"strconv"
	"strings"
)

const (
	maxRequestLine = 8 << 10 // RFC 9112, section 3, asks for at least 8,000
	maxHeadFields  = 100
)

// The statuses of requests that cannot be read (RFC 9110, section 15).
const (
	statusBadRequest          = 400
	statusURITooLong          = 414
	statusHeadTooLarge        = 431
	statusNotImplemented      = 501
	statusVersionNotSupported = 505
)

// A headFlaw tells why a request cannot be read. Whatever follows on that
// connection must not be read either: the peer may think that it is something
// else.
type headFlaw struct {
	status int
	reason string
}

// A span is a piece of a head's text.
type span struct{ from, to int32 }

// A headKind tells the fields that matter here from all others.
type headKind uint8

// The first are those that a handshake is judged by.
const (
	headUpgrade headKind = iota
	headConnection
	headKey
	headVersion
	headProtocol
	headExtensions
	headOrigin
	headHost
	headLength
	headCoding
	headOther

	handshakeKinds = headOrigin + 1
)

// A headField is a line of the header.
type headField struct {
	name, value span
	kind        headKind
}

// A requestHead reads the head of one request, however its bytes arrive. It is
// as strict as the grammar: where two parsers could see two requests in the
// same bytes, it sees none. A zero requestHead with a limit is ready; reset
// makes it so again.
type requestHead struct {
	limit int // bytes of the whole head

	// Once the head is whole:
	text           string
	method, target span
	fields         []headField
	minor          uint8 // HTTP/1.minor
	length         int64 // of the body; -1: it is chunked
	host           span

	at    int  // where the line begins that is not whole yet
	seen  int  // there is no line feed between at and here
	begun bool // the request line has been taken in
	count [headOther + 1]uint8
}

// reset forgets the request and keeps the memory.
func (h *requestHead) reset() {
	*h = requestHead{limit: h.limit, fields: h.fields[:0]}
}

// read takes in p: all bytes that have come, those of the last call first. n is
// the length of the head, 0 while it is not whole. What follows it in p is not
// looked at. After a flaw, or once n is not 0, read must not be called again.
func (h *requestHead) read(p []byte) (n int, flaw *headFlaw) {
	if len(p) > 0 && !isTokenByte(p[0]) {
		// No line end may ever come: a TLS handshake looks like this.
		return 0, &headFlaw{statusBadRequest, "this is not HTTP"}
	}
	for flaw == nil {
		i := bytes.IndexByte(p[h.seen:], '\n')
		end := h.seen + i + 1
		if i < 0 {
			end = len(p) + 1 // at the earliest
		}
		if flaw = h.checkLimit(end); flaw != nil {
			break
		}
		if i < 0 {
			h.seen = len(p)
			return 0, nil
		}
		h.seen = end
		line := p[h.at : end-1]
		if len(line) == 0 || line[len(line)-1] != '\r' {
			// RFC 9112, section 2.2, lets a server take it for a line end:
			// not every server does.
			return 0, &headFlaw{statusBadRequest, "a line ends without a carriage return"}
		}
		line = line[:len(line)-1]
		switch {
		case !h.begun:
			flaw = h.requestLine(line)
		case len(line) == 0:
			h.text = string(p[:end])
			return end, h.finish()
		default:
			flaw = h.field(line)
		}
		h.begun, h.at = true, end
	}
	return 0, flaw
}

// checkLimit checks where the line under way ends.
func (h *requestHead) checkLimit(end int) *headFlaw {
	switch {
	case !h.begun && end > min(h.limit, maxRequestLine):
		return &headFlaw{statusURITooLong, "the request line is too long"}
	case end > h.limit:
		return &headFlaw{statusHeadTooLarge, "the header is longer than " + strconv.Itoa(h.limit) + " bytes"}
	}
	return nil
}

// requestLine takes in "method SP request-target SP HTTP-version" (RFC 9112,
// section 3).
func (h *requestHead) requestLine(line []byte) *headFlaw {
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first <= 0 || last <= first+1 {
		return &headFlaw{statusBadRequest, "the request line is not of the form GET /path HTTP/1.1"}
	}
	method, target, version := line[:first], line[first+1:last], line[last+1:]
	for _, b := range method {
		if !isTokenByte(b) {
			return &headFlaw{statusBadRequest, "the method is not a token"}
		}
	}
	if !validTarget(target) {
		return &headFlaw{statusBadRequest, "the request's target is not a URI"}
	}
	if len(version) != 8 || string(version[:5]) != "HTTP/" || !digit(version[5]) || version[6] != '.' || !digit(version[7]) {
		return &headFlaw{statusBadRequest, "the request line does not end in an HTTP version"}
	}
	if version[5] != '1' {
		// The preface of HTTP/2 ends here too (RFC 9113, section 3.4).
		return &headFlaw{statusVersionNotSupported, "only HTTP/1.1 is spoken here"}
	}
	h.method = span{0, int32(first)}
	h.target = span{int32(first + 1), int32(last)}
	h.minor = version[7] - '0'
	return nil
}

// validTarget checks a request-target as far as all its forms have in common,
// and the percent-encoding of a path. (Browsers let a query be anything.)
func validTarget(target []byte) bool {
	for _, b := range target {
		if b <= ' ' || b >= 0x7f || b == '#' {
			return false
		}
	}
	path, _, _ := bytes.Cut(target, []byte{'?'})
	for i := bytes.IndexByte(path, '%'); i >= 0; i = bytes.IndexByte(path, '%') {
		if i+2 >= len(path) || !hexDigit(path[i+1]) || !hexDigit(path[i+2]) {
			return false
		}
		path = path[i+3:]
	}
	return true
}

// field takes in "field-name: OWS field-value OWS" (RFC 9112, section 5).
func (h *requestHead) field(line []byte) *headFlaw {
	if len(h.fields) == maxHeadFields {
		return &headFlaw{statusHeadTooLarge, "the header has more than " + strconv.Itoa(maxHeadFields) + " fields"}
	}
	colon := 0
	for colon < len(line) && isTokenByte(line[colon]) {
		colon++
	}
	switch {
	case line[0] == ' ' || line[0] == '\t':
		// RFC 9112, section 5.2: obs-fold.
		return &headFlaw{statusBadRequest, "a header field is folded over lines"}
	case colon == 0 || colon == len(line) || line[colon] != ':':
		// RFC 9112, section 5.1: "No whitespace is allowed between the field
		// name and colon."
		return &headFlaw{statusBadRequest, "a header field has no valid name"}
	}
	from, to := colon+1, len(line)
	for from < to && blank(line[from]) {
		from++
	}
	for from < to && blank(line[to-1]) {
		to--
	}
	for _, b := range line[from:to] {
		if b < ' ' && b != '\t' || b == 0x7f {
			return &headFlaw{statusBadRequest, "a header field has a control character in it"}
		}
	}
	f := headField{
		name:  span{int32(h.at), int32(h.at + colon)},
		value: span{int32(h.at + from), int32(h.at + to)},
		kind:  kindOf(line[:colon]),
	}
	h.fields = append(h.fields, f)
	h.count[f.kind]++
	switch f.kind {
	case headHost:
		h.host = f.value
		if !validHost(line[from:to]) {
			return &headFlaw{statusBadRequest, "the Host is not valid"}
		}
	case headLength:
		return h.setLength(line[from:to])
	case headCoding:
		if string(line[from:to]) != "chunked" && !foldsTo(line[from:to], "chunked") {
			return &headFlaw{statusNotImplemented, "the only Transfer-Encoding known here is chunked"}
		}
	}
	return nil
}

// setLength takes in Content-Length = 1*DIGIT (RFC 9110, section 8.6).
func (h *requestHead) setLength(value []byte) *headFlaw {
	const maxDigits = 18 // fit into an int64
	if len(value) == 0 || len(value) > maxDigits {
		return &headFlaw{statusBadRequest, "the Content-Length is not valid"}
	}
	h.length = 0
	for _, b := range value {
		if !digit(b) {
			return &headFlaw{statusBadRequest, "the Content-Length is not valid"}
		}
		h.length = h.length*10 + int64(b-'0')
	}
	return nil
}

// finish checks what can only be known at the end.
func (h *requestHead) finish() *headFlaw {
	hosts, lengths, codings := h.count[headHost], h.count[headLength], h.count[headCoding]
	switch {
	case hosts > 1 || hosts == 0 && h.minor > 0:
		// RFC 9112, section 3.2: "MUST respond with a 400".
		return &headFlaw{statusBadRequest, "the request has " + strconv.Itoa(int(hosts)) + " Host fields, not one"}
	case lengths > 1:
		return &headFlaw{statusBadRequest, "the request has more than one Content-Length"}
	case codings > 1 || codings > 0 && (lengths > 0 || h.minor == 0):
		// RFC 9112, section 6.1 and 6.3.
		return &headFlaw{statusBadRequest, "the length of the request's body is ambiguous"}
	case codings > 0:
		h.length = -1
	}
	return nil
}

// of returns the text of s.
func (h *requestHead) of(s span) string { return h.text[s.from:s.to] }

// hasPath reports whether the target is a path, maybe with a query: the
// origin-form of RFC 9112, section 3.2.1.
func (h *requestHead) hasPath() bool { return strings.HasPrefix(h.of(h.target), "/") }

// kindOf knows a field by its name, in whatever case.
func kindOf(name []byte) headKind {
	known, kind := "", headOther
	switch len(name) {
	case 4:
		known, kind = "host", headHost
	case 6:
		known, kind = "origin", headOrigin
	case 7:
		known, kind = "upgrade", headUpgrade
	case 10:
		known, kind = "connection", headConnection
	case 14:
		known, kind = "content-length", headLength
	case 17:
		if known, kind = "sec-websocket-key", headKey; name[0]|0x20 == 't' {
			known, kind = "transfer-encoding", headCoding
		}
	case 21:
		known, kind = "sec-websocket-version", headVersion
	case 22:
		known, kind = "sec-websocket-protocol", headProtocol
	case 24:
		known, kind = "sec-websocket-extensions", headExtensions
	}
	if kind != headOther && foldsTo(name, known) {
		return kind
	}
	return headOther
}

// foldsTo reports whether s is lower, of letters and hyphens, in any case. s
// has no control characters.
func foldsTo(s []byte, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(lower) {
		if s[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

func blank(b byte) bool { return b == ' ' || b == '\t' }

func digit(b byte) bool { return '0' <= b && b <= '9' }

func hexDigit(b byte) bool { return digit(b) || 'a' <= b|0x20 && b|0x20 <= 'f' }

// validHost checks the bytes of uri-host [":" port] (RFC 9110, section 7.2).
func validHost(host []byte) bool {
	for _, b := range host {
		if !hostBytes[b] {
			return false
		}
	}
	return true
}

var hostBytes = byteSet("!$%&'()*+,-.:;=[]_~" + alphanumeric)
