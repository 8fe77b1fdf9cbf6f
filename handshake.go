// The opening handshake as data (RFC 6455, section 4): what both sides share, and the server's side of it.

package websocket

import (
	"crypto/fips140"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// A HandshakeError is the error of every Upgrade and Dial that did not lead to
// a connection. Match it with errors.As. Its tree holds the cause where there
// is one: an error of the network, of TLS or of a callback, the context's
// error, or os.ErrDeadlineExceeded when HandshakeTimeout passed.
type HandshakeError struct {
	// StatusCode is the HTTP status of the answer that ended the handshake:
	// for Upgrade what was answered to the client, for Dial what the server or
	// the proxy answered. 0 means that there was no answer. 101 means that the
	// server agreed in a way that RFC 6455, section 4.1, does not allow.
	StatusCode int

	// Header is that answer's header: for Upgrade only what the handshake
	// itself put into it, such as Sec-WebSocket-Version; for Dial all of it.
	Header http.Header

	// Body is, for Dial, the start of the answer's body, at most 1 KiB.
	Body []byte

	// Reason is one sentence about what was wrong, with the cause if there is
	// one. Upgrade has sent it to the client as the answer's body.
	Reason string

	err error
}

// Error returns a sentence with the status and what was wrong.
func (e *HandshakeError) Error() string {
	if e.StatusCode == 0 {
		return "websocket: handshake: " + e.Reason
	}
	return "websocket: handshake: " + statusLine(e.StatusCode) + ": " + e.Reason
}

// Unwrap returns the cause, nil if the answer alone is the error.
func (e *HandshakeError) Unwrap() error { return e.err }

// report tells trace of a refusal, or logs it if it is this side's fault.
func (e *HandshakeError) report(trace *Trace, remoteAddr string) {
	switch {
	case trace != nil && trace.Refused != nil:
		trace.Refused(remoteAddr, e)
	case e.StatusCode == http.StatusInternalServerError:
		log.Printf("%v, to %s", e, remoteAddr)
	}
}

// statusLine returns a status as people write it, "403 Forbidden".
func statusLine(code int) string {
	return strings.TrimSuffix(strconv.Itoa(code)+" "+http.StatusText(code), " ")
}

// handshakeError joins a reason and its cause; either may be missing.
func handshakeError(status int, reason string, err error) *HandshakeError {
	if err != nil {
		if reason != "" {
			reason += ": "
		}
		reason += strings.TrimPrefix(err.Error(), "websocket: ")
	}
	return &HandshakeError{StatusCode: status, Reason: clipReason(reason), err: err}
}

// refusedBy is the answer to a request that a callback refuses with err: what the callback says, if
// that is a *HandshakeError with a status of 300 to 599, or else one with the status given.
func refusedBy(err error, status int) *HandshakeError {
	var answer *HandshakeError
	if !errors.As(err, &answer) || answer.StatusCode < 300 || answer.StatusCode > 599 {
		return handshakeError(status, "", err)
	}
	e := handshakeError(answer.StatusCode, "", err)
	e.Header, e.Reason = answer.Header, clipReason(answer.Reason)
	return e
}

// refusal is a HandshakeError without a cause.
func refusal(status int, format string, args ...any) *HandshakeError {
	return &HandshakeError{StatusCode: status, Reason: clipReason(fmt.Sprintf(format, args...))}
}

// clipReason keeps a reason readable, and an answer small, whatever long header the
// reason quotes.
func clipReason(reason string) string {
	const limit = 1 << 10
	if len(reason) <= limit {
		return reason
	}
	return strings.ToValidUTF8(reason[:limit], "") + "…"
}

// handshakeKeySize is the size of a decoded Sec-WebSocket-Key.
const handshakeKeySize = 16

// appendAcceptKey appends the Sec-WebSocket-Accept that answers a
// Sec-WebSocket-Key (RFC 6455, section 4.2.2, step 5.4).
func appendAcceptKey(dst []byte, key string) []byte {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	var room [64]byte // enough for every valid key
	text := append(append(room[:0], key...), guid...)
	var sum [sha1.Size]byte
	// SHA-1 only proves here that the peer read the key; nothing rests on its
	// strength, so a strict FIPS mode need not forbid it.
	fips140.WithoutEnforcement(func() { sum = sha1.Sum(text) })
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// validKey reports whether key is the base64 of 16 bytes. The bits that the
// last character has to spare may be anything: in the RFC's own example of
// section 4.1 they are not zero.
func validKey(key string) bool {
	if len(key) != base64.StdEncoding.EncodedLen(handshakeKeySize) {
		return false // also keeps out the line breaks that the decoder skips
	}
	var raw [handshakeKeySize + 2]byte // what 24 characters can hold
	n, err := base64.StdEncoding.Decode(raw[:], []byte(key))
	return err == nil && n == handshakeKeySize
}

// validToken reports whether s is a token, as subprotocols have to be
// (RFC 6455, section 4.3). Tokens and names of header fields are the same set.
func validToken(s string) bool { return httpguts.ValidHeaderFieldName(s) }

// listElements returns the elements of a comma-separated list that may be
// spread over several header lines, without empty ones (RFC 9110, section 5.6.1).
func listElements(lines []string) []string {
	var elements []string
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.Trim(element, " \t"); element != "" {
				elements = append(elements, element)
			}
		}
	}
	return elements
}

// checkRequest returns the key of a client's opening handshake, or how to
// refuse it. It doesn't look at the Origin nor at the subprotocols.
func checkRequest(r *http.Request) (key string, err *HandshakeError) {
	// RFC 9110, section 7.8: there is no Upgrade in HTTP/2 and HTTP/3. (Over
	// those, RFC 8441 and RFC 9220 open WebSockets with an extended CONNECT.)
	if r.ProtoMajor >= 2 {
		return "", refusal(http.StatusHTTPVersionNotSupported,
			"a WebSocket is opened over HTTP/1.1 here, this request came over HTTP/%d", r.ProtoMajor)
	}
	// RFC 6455, section 4.2.1, item 1: a GET request of HTTP/1.1 or higher.
	if r.Method != http.MethodGet {
		err = refusal(http.StatusMethodNotAllowed, "a WebSocket is opened with GET, not with %q", r.Method)
		err.Header = http.Header{"Allow": {http.MethodGet}}
		return "", err
	}
	if !r.ProtoAtLeast(1, 1) {
		return "", refusal(http.StatusHTTPVersionNotSupported,
			"a WebSocket needs HTTP/1.1, this request came over HTTP/%d.%d", r.ProtoMajor, r.ProtoMinor)
	}
	if err = checkUpgrade(r.Header); err != nil {
		return "", err
	}
	// RFC 6455, section 4.2.1, item 2: a Host with the server's authority.
	if r.Host == "" {
		return "", refusal(http.StatusBadRequest, "the request has no Host")
	}
	// A body would be read as frames here and as a body by a proxy on the way.
	if r.ContentLength != 0 || len(r.TransferEncoding) != 0 {
		return "", refusal(http.StatusBadRequest, "an opening handshake has no body")
	}
	return checkKey(r.Header)
}

// checkUpgrade checks what the client asks to switch to. Each refusal says
// what would be right (RFC 9110, section 15.5.22).
func checkUpgrade(h http.Header) *HandshakeError {
	var reason string
	versions := h["Sec-Websocket-Version"]
	switch {
	case !httpguts.HeaderValuesContainsToken(h["Upgrade"], "websocket"):
		// RFC 6455, section 4.2.1, item 3.
		reason = fmt.Sprintf("this is a WebSocket endpoint; the request's Upgrade is %q and not \"websocket\"", h["Upgrade"])
	case !httpguts.HeaderValuesContainsToken(h["Connection"], "upgrade"):
		// RFC 6455, section 4.2.1, item 4. Proxies like to remove it.
		reason = fmt.Sprintf("this is a WebSocket endpoint; the request's Connection is %q and has no \"Upgrade\"", h["Connection"])
	case len(versions) != 1 || strings.Trim(versions[0], " \t") != "13":
		// RFC 6455, section 4.2.1, item 6, and section 4.4.
		reason = fmt.Sprintf("Sec-WebSocket-Version is %q, only 13 is spoken here", versions)
	default:
		return nil
	}
	if h.Get("Sec-Websocket-Key") != "" && !strings.HasPrefix(reason, "Sec-") {
		reason += " (a proxy on the way has to pass Upgrade and Connection on)"
	}
	err := refusal(http.StatusUpgradeRequired, "%s", reason)
	err.Header = http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
	}
	return err
}

// checkKey returns the one Sec-WebSocket-Key (RFC 6455, section 4.2.1, item 5).
func checkKey(h http.Header) (string, *HandshakeError) {
	keys := h["Sec-Websocket-Key"]
	if len(keys) != 1 {
		// RFC 6455, section 11.3.1: it must not appear more than once.
		return "", refusal(http.StatusBadRequest, "the request has %d Sec-WebSocket-Key headers, not one", len(keys))
	}
	key := strings.Trim(keys[0], " \t")
	if !validKey(key) {
		return "", refusal(http.StatusBadRequest, "Sec-WebSocket-Key %q is not the base64 of 16 bytes", key)
	}
	return key, nil
}

// offeredSubprotocols returns what the client offers, in its order
// (RFC 6455, section 4.2.1, item 8). A name given twice is harmless.
func offeredSubprotocols(h http.Header) ([]string, *HandshakeError) {
	lines := h["Sec-Websocket-Protocol"]
	if len(lines) == 0 {
		return nil, nil
	}
	offered := listElements(lines)
	if len(offered) == 0 {
		return nil, refusal(http.StatusBadRequest, "Sec-WebSocket-Protocol is empty")
	}
	for _, name := range offered {
		if !validToken(name) {
			return nil, refusal(http.StatusBadRequest, "Sec-WebSocket-Protocol: %q is not a token", name)
		}
	}
	return offered, nil
}

// chooseSubprotocol returns the server's choice, "" for none
// (RFC 6455, section 4.2.2, step 4: "selecting one of the values").
func chooseSubprotocol(r *http.Request, opts *UpgradeOptions) (string, *HandshakeError) {
	offered, refused := offeredSubprotocols(r.Header)
	if refused != nil {
		return "", refused
	}
	if opts.ChooseSubprotocol == nil {
		for _, name := range opts.Subprotocols {
			if slices.Contains(offered, name) {
				return name, nil
			}
		}
		return "", nil
	}
	chosen, err := opts.ChooseSubprotocol(r, offered)
	if err != nil {
		return "", refusedBy(err, http.StatusBadRequest)
	}
	if chosen != "" && !slices.Contains(offered, chosen) {
		return "", refusal(http.StatusInternalServerError, "ChooseSubprotocol chose %q, offered were %q", chosen, offered)
	}
	return strings.Clone(chosen), nil // the Conn keeps it, and not the header with it
}

// checkSubprotocolNames checks the list in the options of either side
// (RFC 6455, section 4.1, item 10: tokens, "all unique").
func checkSubprotocolNames(names []string) error {
	for i, name := range names {
		if !validToken(name) {
			return fmt.Errorf("option Subprotocols: %q is not a token", name)
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("option Subprotocols: %q is there twice", name)
		}
	}
	return nil
}

// appendResponse appends the server's opening handshake (RFC 6455, section
// 4.2.2, step 5). Of extra it takes what a 101 may carry.
func appendResponse(dst []byte, key string, agreed *agreement, extra http.Header) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"...)
	dst = append(appendAcceptKey(append(dst, "Sec-WebSocket-Accept: "...), key), "\r\n"...)
	if agreed.subprotocol != "" {
		dst = appendField(dst, "Sec-WebSocket-Protocol", agreed.subprotocol)
	}
	if agreed.extensions != "" {
		dst = appendField(dst, "Sec-WebSocket-Extensions", agreed.extensions)
	}
	dst = appendFields(dst, extra, isAnswerHeader)
	return append(dst, "\r\n"...)
}

// appendFields appends h in the order of its names, without those that drop
// asks to leave out and those that no header field may have.
func appendFields(dst []byte, h http.Header, drop func(canonical string) bool) []byte {
	var few [8]string
	names := few[:0]
	for name := range h {
		if httpguts.ValidHeaderFieldName(name) && !drop(http.CanonicalHeaderKey(name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range h[name] {
			dst = appendField(dst, name, value)
		}
	}
	return dst
}

// appendField appends one header line. A byte that could end the line, or any
// other control character, becomes a space, as in net/http.
func appendField(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), ": "...)
	value = strings.Trim(value, " \t\r\n")
	if httpguts.ValidHeaderFieldValue(value) {
		return append(append(dst, value...), "\r\n"...)
	}
	for i := range len(value) {
		b := value[i]
		if b < ' ' && b != '\t' || b == 0x7f {
			b = ' '
		}
		dst = append(dst, b)
	}
	return append(dst, "\r\n"...)
}

// isHandshakeHeader reports whether a header belongs to the handshake or to
// the connection, and so to this package alone.
func isHandshakeHeader(canonical string) bool {
	switch canonical {
	case "Connection", "Upgrade", "Keep-Alive", "Proxy-Connection",
		"Content-Length", "Transfer-Encoding", "Te", "Trailer", "Expect":
		return true
	}
	return strings.HasPrefix(canonical, "Sec-Websocket-")
}

// isAnswerHeader reports whether a header must not or need not go out with a
// 101, which has no content (RFC 9110, section 15.2).
func isAnswerHeader(canonical string) bool {
	return canonical == "X-Content-Type-Options" || isContentHeader(canonical) || isHandshakeHeader(canonical)
}

// isContentHeader reports whether a header describes the content that it goes out with.
func isContentHeader(canonical string) bool {
	return strings.HasPrefix(canonical, "Content-") && !strings.HasPrefix(canonical, "Content-Security-Policy")
}

// newChallengeKey returns a Sec-WebSocket-Key with 16 bytes of random
// (RFC 6455, section 4.1, item 7: "MUST be selected randomly").
func newChallengeKey(random io.Reader) (string, error) {
	var nonce [handshakeKeySize]byte
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(nonce[:]), nil
}

// checkRequestHeader checks what the caller of Dial wants to send besides the
// handshake. Unlike a server's answer, a request is refused rather than mended.
func checkRequestHeader(h http.Header) error {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("option Header: %q is not the name of a header", name)
		}
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case canonical == "Sec-Websocket-Protocol":
			return fmt.Errorf("option Header: %s is set by option Subprotocols", name)
		case canonical == "Sec-Websocket-Extensions":
			return fmt.Errorf("option Header: %s is set by option Compression", name)
		case isHandshakeHeader(canonical):
			return fmt.Errorf("option Header: %s belongs to the handshake", name)
		case canonical == "Host" && (len(values) != 1 || values[0] == "" || !httpguts.ValidHostHeader(values[0])):
			return fmt.Errorf("option Header: %q is not one valid Host", values)
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return fmt.Errorf("option Header: %s has a value with a byte that is not allowed", name)
			}
		}
	}
	return nil
}

// appendRequest appends the client's opening handshake (RFC 6455, section
// 4.1). r.Header holds what goes along; its names and values are valid.
func appendRequest(dst []byte, r *http.Request, key string, subprotocols []string, wanted *deflation) []byte {
	dst = append(append(dst, "GET "...), r.URL.RequestURI()...)
	dst = appendField(append(dst, " HTTP/1.1\r\n"...), "Host", r.Host)
	dst = append(dst, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"...)
	dst = appendField(dst, "Sec-WebSocket-Key", key)
	if len(subprotocols) > 0 {
		dst = appendField(dst, "Sec-WebSocket-Protocol", strings.Join(subprotocols, ", "))
	}
	if wanted.receive.bits != 0 {
		dst = append(wanted.appendOffers(append(dst, "Sec-WebSocket-Extensions: "...)), "\r\n"...)
	}
	dst = appendFields(dst, r.Header, isHandshakeHeader)
	return append(dst, "\r\n"...)
}

// checkResponse checks a server's opening handshake (RFC 6455, section 4.1,
// the second list) and returns what it agreed on.
func checkResponse(resp *http.Response, key string, offered []string, wanted *deflation) (a agreement, err error) {
	h := resp.Header
	// Item 1. RFC 9110, section 7.8: HTTP/1.0 can't switch protocols, nor can HTTP/2.
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.ProtoMajor != 1 || resp.ProtoMinor < 1 {
		return a, fmt.Errorf("the answer is %s %s and does not switch protocols", resp.Proto, statusLine(resp.StatusCode))
	}
	// Item 2. To switch to anything more than a WebSocket was not asked for.
	protocols := listElements(h["Upgrade"])
	if len(protocols) == 0 || slices.ContainsFunc(protocols, func(p string) bool { return !equalFold(p, "websocket") }) {
		return a, fmt.Errorf("the answer's Upgrade is %q, not \"websocket\"", h["Upgrade"])
	}
	// Item 3.
	if !httpguts.HeaderValuesContainsToken(h["Connection"], "upgrade") {
		return a, fmt.Errorf("the answer's Connection is %q, without \"Upgrade\"", h["Connection"])
	}
	// Item 4; section 11.3.3: it must not appear more than once.
	accept, want := h["Sec-Websocket-Accept"], string(appendAcceptKey(nil, key))
	if len(accept) != 1 || strings.Trim(accept[0], " \t") != want {
		return a, fmt.Errorf("the answer's Sec-WebSocket-Accept is %q, not %q", accept, want)
	}
	// Item 5.
	if err := a.checkExtensions(h, wanted); err != nil {
		return a, err
	}
	// Item 6; section 11.3.4: it must not appear more than once. Upper and
	// lower case are different names.
	chosen, found := h["Sec-Websocket-Protocol"]
	if !found {
		return a, nil
	}
	if len(chosen) != 1 || !slices.Contains(offered, strings.Trim(chosen[0], " \t")) {
		return a, fmt.Errorf("the answer's subprotocol is %q, offered were %q", chosen, offered)
	}
	a.subprotocol = strings.Trim(chosen[0], " \t")
	return a, nil
}

// equalFold compares without regard to the case of ASCII letters. (That of
// package strings knows more letters: it takes the Kelvin sign for a k.)
func equalFold(s, lower string) bool {
	return len(s) == len(lower) && strings.EqualFold(s, lower)
}
