// permessage-deflate (RFC 7692): its header, and what both sides agree on.

package websocket

import (
	"errors"
	"strconv"
	"strings"
)

// deflateName is the extension's name (RFC 7692, section 7).
const deflateName = "permessage-deflate"

// The sizes that a sliding window may have, as logarithms (RFC 7692, section
// 7.1.2).
const (
	minWindowBits = 8
	maxWindowBits = 15
)

// anyWindowBits stands for client_max_window_bits without a value: the server
// may choose one (RFC 7692, section 7.1.2.2).
const anyWindowBits = 0xff

// deflateParams are the parameters of permessage-deflate in an offer or in an
// answer (RFC 7692, section 7.1). A number of bits is 0 if it is not there.
type deflateParams struct {
	serverNoContextTakeover bool
	clientNoContextTakeover bool
	serverMaxWindowBits     uint8
	clientMaxWindowBits     uint8
}

// set takes in one parameter. It returns what is wrong with it, "" if nothing
// is. valued tells whether there is a value.
func (p *deflateParams) set(name, value string, valued bool) (flaw string) {
	switch name {
	case "server_no_context_takeover":
		return setFlag(&p.serverNoContextTakeover, name, valued)
	case "client_no_context_takeover":
		return setFlag(&p.clientNoContextTakeover, name, valued)
	case "server_max_window_bits":
		return setBits(&p.serverMaxWindowBits, name, value)
	case "client_max_window_bits":
		if !valued && p.clientMaxWindowBits == 0 {
			p.clientMaxWindowBits = anyWindowBits
			return ""
		}
		return setBits(&p.clientMaxWindowBits, name, value)
	}
	return name + " is unknown"
}

func setFlag(there *bool, name string, valued bool) (flaw string) {
	switch {
	case *there:
		return name + " is there twice"
	case valued:
		return name + " has a value"
	}
	*there = true
	return ""
}

// setBits: "a decimal integer value without leading zeroes between 8 to 15,
// inclusive" (RFC 7692, section 7.1.2.1).
func setBits(bits *uint8, name, value string) (flaw string) {
	if *bits != 0 {
		return name + " is there twice"
	}
	n, err := strconv.ParseUint(value, 10, 8)
	if err != nil || n < minWindowBits || n > maxWindowBits || value[0] == '0' {
		return name + " is " + strconv.Quote(value) + ", not 8 to 15"
	}
	*bits = uint8(n)
	return ""
}

// append appends p as an element of a header.
func (p deflateParams) append(dst []byte) []byte {
	dst = append(dst, deflateName...)
	if p.serverNoContextTakeover {
		dst = append(dst, "; server_no_context_takeover"...)
	}
	if p.clientNoContextTakeover {
		dst = append(dst, "; client_no_context_takeover"...)
	}
	if p.serverMaxWindowBits != 0 {
		dst = append(dst, "; server_max_window_bits="...)
		dst = strconv.AppendUint(dst, uint64(p.serverMaxWindowBits), 10)
	}
	switch p.clientMaxWindowBits {
	case 0:
	case anyWindowBits:
		dst = append(dst, "; client_max_window_bits"...)
	default:
		dst = append(dst, "; client_max_window_bits="...)
		dst = strconv.AppendUint(dst, uint64(p.clientMaxWindowBits), 10)
	}
	return dst
}

// String returns p as an element of a header.
func (p deflateParams) String() string { return string(p.append(make([]byte, 0, 128))) }

// A deflation is permessage-deflate as one side does it: what it wants before
// the handshake, what was agreed on after it. The zero deflation is none.
type deflation struct {
	send, receive deflateWindow
	level         int8 // negative: this side compresses nothing
	threshold     int  // messages smaller than this are not compressed
}

// A deflateWindow is the sliding window of one direction.
type deflateWindow struct {
	bits     uint8 // 0: the extension is not in use
	takeover bool  // it is kept from one message to the next
}

// newDeflation returns what c asks for. The error tells which field is wrong.
func newDeflation(c *Compression) (deflation, error) {
	if c == nil {
		return deflation{}, nil
	}
	d := deflation{
		send:      deflateWindow{bits: maxWindowBits, takeover: c.SendTakeover && c.Level >= 0},
		receive:   deflateWindow{bits: maxWindowBits, takeover: c.ReceiveTakeover},
		level:     int8(min(max(c.Level, -1), maxCompressionLevel)),
		threshold: int(orDefault(int64(c.Threshold), DefaultCompressionThreshold)),
	}
	if d.level == 0 {
		d.level = DefaultCompressionLevel
	}
	if c.Level > maxCompressionLevel {
		return d, errors.New("option Compression: Level is " + strconv.Itoa(c.Level) + ", more than " + strconv.Itoa(maxCompressionLevel))
	}
	if err := wantBits(&d.send.bits, "SendWindowBits", c.SendWindowBits); err != nil {
		return d, err
	}
	return d, wantBits(&d.receive.bits, "ReceiveWindowBits", c.ReceiveWindowBits)
}

func wantBits(bits *uint8, field string, n int) error {
	if n == 0 {
		return nil
	}
	if n < minWindowBits || n > maxWindowBits {
		return errors.New("option Compression: " + field + " is " + strconv.Itoa(n) + ", not 8 to 15")
	}
	*bits = uint8(n)
	return nil
}

// answer returns a server's answer to an offer. There is no valid offer that it
// could not accept.
func (d *deflation) answer(offer deflateParams) deflateParams {
	a := deflateParams{
		// "MUST include [it] if the received offer does", and may without
		// (RFC 7692, sections 7.1.1.1 and 7.1.1.2).
		serverNoContextTakeover: offer.serverNoContextTakeover || !d.send.takeover,
		clientNoContextTakeover: offer.clientNoContextTakeover || !d.receive.takeover,
	}
	// "the same or smaller value as the offer" (section 7.1.2.1). Without one in
	// the offer, it lets the client save memory.
	a.serverMaxWindowBits = d.send.bits
	switch offered := offer.serverMaxWindowBits; {
	case offered != 0:
		a.serverMaxWindowBits = min(offered, d.send.bits)
	case d.send.bits == maxWindowBits:
		a.serverMaxWindowBits = 0
	}
	limit := min(offer.clientMaxWindowBits, d.receive.bits)
	switch {
	case limit == 0 && d.receive.bits < maxWindowBits:
		// The answer "MUST NOT include" client_max_window_bits (section
		// 7.1.2.2): this client's window cannot be limited, so it is not kept.
		a.clientNoContextTakeover = true
	case limit < maxWindowBits:
		a.clientMaxWindowBits = limit
	}
	return a
}

// offers returns what a client offers, the preferred one first. The second is for
// servers that cannot limit windows: theirs is not kept then, and of the client's
// the server need not know how small it is.
func (d *deflation) offers() [2]deflateParams {
	offer := deflateParams{
		serverNoContextTakeover: !d.receive.takeover,
		clientNoContextTakeover: !d.send.takeover,
		clientMaxWindowBits:     anyWindowBits,
	}
	first := offer
	if d.send.bits < maxWindowBits {
		first.clientMaxWindowBits = d.send.bits
	}
	if d.receive.bits < maxWindowBits {
		first.serverMaxWindowBits = d.receive.bits
		offer.serverNoContextTakeover = true
	}
	return [2]deflateParams{first, offer}
}

// appendOffers appends the client's header.
func (d *deflation) appendOffers(dst []byte) []byte {
	offers := d.offers()
	dst = offers[0].append(dst)
	if offers[1] != offers[0] {
		dst = offers[1].append(append(dst, ", "...))
	}
	return dst
}

// check returns what is wrong with a server's answer, "" if it is one that the
// client can accept (RFC 7692, section 7.1).
func (d *deflation) check(answer deflateParams) (flaw string) {
	offers := d.offers()
	flaw = answer.breaks(offers[0])
	if flaw == "" || answer.breaks(offers[1]) == "" {
		return ""
	}
	return flaw
}

// breaks returns what the answer p lacks of an offer, "" if nothing. All that an
// answer may have without being asked for is fine with us.
func (p deflateParams) breaks(offer deflateParams) (flaw string) {
	switch {
	case offer.serverNoContextTakeover && !p.serverNoContextTakeover:
		return "server_no_context_takeover was asked for and is not there"
	case offer.serverMaxWindowBits == 0:
		return ""
	case p.serverMaxWindowBits == 0:
		return "server_max_window_bits was asked for and is not there"
	case p.serverMaxWindowBits > offer.serverMaxWindowBits:
		return "server_max_window_bits is larger than was asked for"
	}
	return ""
}

// agreed returns d after an answer, for the side that role says.
func (d deflation) agreed(role Role, answer deflateParams) deflation {
	server := deflateWindow{bits: orMaxBits(answer.serverMaxWindowBits), takeover: !answer.serverNoContextTakeover}
	client := deflateWindow{bits: orMaxBits(answer.clientMaxWindowBits), takeover: !answer.clientNoContextTakeover}
	if role == RoleServer {
		d.send, d.receive = server, client
		return d
	}
	d.receive = server
	// A client may use less than it is allowed (RFC 7692, sections 7.1.1.2 and
	// 7.1.2.2).
	d.send.bits = min(d.send.bits, client.bits)
	d.send.takeover = d.send.takeover && client.takeover
	return d
}

func orMaxBits(bits uint8) uint8 {
	if bits == 0 {
		return maxWindowBits
	}
	return bits
}

// An extension is one element of a Sec-WebSocket-Extensions header.
type extension struct {
	name          string
	deflateParams        // if it is permessage-deflate
	flaw          string // why these are not valid, "" if they are
}

// maxExtensions is how many extensions of a header are looked at, however long it is.
const maxExtensions = 64

// parseExtensions appends the first extensions of a header, which may be spread over
// several lines, to dst. ok tells whether it is well formed: where it is not,
// RFC 6455, section 9.1, has the connection failed.
func parseExtensions(dst []extension, lines []string) (list []extension, ok bool) {
	had := len(dst)
	for _, line := range lines {
		s := extensionScanner{rest: line}
		for more := true; more; more = s.take(',') {
			s.space()
			if s.rest == "" || s.rest[0] == ',' {
				continue // lists may have empty elements (RFC 9110, section 5.6.1.2)
			}
			x, ok := s.extension()
			if !ok {
				return dst, false
			}
			if len(dst)-had < maxExtensions {
				dst = append(dst, x)
			}
		}
		if s.rest != "" {
			return dst, false
		}
	}
	return dst, len(dst) > had
}

// An extensionScanner takes a header line apart from its front.
type extensionScanner struct{ rest string }

// extension takes one extension with its parameters.
func (s *extensionScanner) extension() (x extension, ok bool) {
	if x.name, ok = s.token(); !ok {
		return x, false
	}
	s.space()
	for s.take(';') {
		s.space()
		name, ok := s.token()
		if !ok {
			return x, false
		}
		s.space()
		var value string
		valued := s.take('=')
		if valued {
			s.space()
			if value, ok = s.value(); !ok {
				return x, false
			}
			s.space()
		}
		if x.name == deflateName && x.flaw == "" {
			x.flaw = x.set(name, value, valued)
		}
	}
	return x, true
}

// value takes a token or a quoted string, which must be a token too once it is
// unquoted (RFC 6455, section 9.1).
func (s *extensionScanner) value() (value string, ok bool) {
	if !s.take('"') {
		return s.token()
	}
	var b []byte
	for !s.take('"') {
		s.take('\\')
		if s.rest == "" || !isTokenByte(s.rest[0]) {
			return "", false
		}
		b = append(b, s.rest[0])
		s.rest = s.rest[1:]
	}
	return string(b), len(b) > 0
}

func (s *extensionScanner) token() (token string, ok bool) {
	n := 0
	for n < len(s.rest) && isTokenByte(s.rest[n]) {
		n++
	}
	token, s.rest = s.rest[:n], s.rest[n:]
	return token, n > 0
}

// take takes b if it is next.
func (s *extensionScanner) take(b byte) bool {
	if s.rest == "" || s.rest[0] != b {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *extensionScanner) space() { s.rest = strings.TrimLeft(s.rest, " \t") }

// isTokenByte reports whether b may be in a token (RFC 9110, section 5.6.2).
func isTokenByte(b byte) bool { return tokenBytes[b] }

var tokenBytes = byteSet("!#$%&'*+-.^_`|~" + alphanumeric)

const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func byteSet(members string) (set [256]bool) {
	for i := range len(members) {
		set[members[i]] = true
	}
	return set
}

// acceptExtensions returns a server's answer to a client's header: the first
// valid offer is accepted, and there is none for a header without one ("MUST
// decline", RFC 7692, section 7.1). ok is false if the header is malformed.
func (d *deflation) acceptExtensions(lines []string) (answer deflateParams, accepted, ok bool) {
	var room [4]extension
	list, ok := parseExtensions(room[:0], lines)
	for _, x := range list {
		if ok && x.name == deflateName && x.flaw == "" {
			return d.answer(x.deflateParams), true, true
		}
	}
	return deflateParams{}, false, ok
}

// parseAgreed returns what a header says that a server has answered, and what is
// wrong with it: it may have nothing but permessage-deflate, once.
func parseAgreed(lines []string) (answer deflateParams, flaw string) {
	var room [2]extension
	list, ok := parseExtensions(room[:0], lines)
	switch {
	case !ok:
		return answer, "it is malformed"
	case list[0].name != deflateName:
		return answer, strconv.Quote(list[0].name) + " was not offered"
	case list[0].flaw != "":
		return answer, list[0].flaw
	case list[0].clientMaxWindowBits == anyWindowBits:
		return answer, "client_max_window_bits has no value"
	case len(list) > 1 && list[1].name == deflateName:
		return answer, deflateName + " is there twice"
	case len(list) > 1:
		return answer, strconv.Quote(list[1].name) + " was not offered"
	}
	return list[0].deflateParams, ""
}
