// The opening handshake (RFC 6455, section 4), both sides, on plain bytes.

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func newKey() string {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// A target is a server under test.
type target struct {
	url      *url.URL
	insecure bool          // do not check the certificate of a wss server
	patience time.Duration // for connecting and for the handshake
}

func parseTarget(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return nil, fmt.Errorf("not a ws or wss URL: %q", raw)
	}
	return u, nil
}

func (t target) connect(ctx context.Context) (net.Conn, error) {
	port := t.url.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[t.url.Scheme]
	}
	d := &net.Dialer{Timeout: t.patience}
	addr := net.JoinHostPort(t.url.Hostname(), port)
	if t.url.Scheme == "wss" {
		secure := &tls.Dialer{NetDialer: d, Config: &tls.Config{
			ServerName:         t.url.Hostname(),
			InsecureSkipVerify: t.insecure,
			NextProtos:         []string{"http/1.1"},
		}}
		return secure.DialContext(ctx, "tcp", addr)
	}
	return d.DialContext(ctx, "tcp", addr)
}

// A request is the client's half of the handshake, as a list of fields that a
// case may change.
type request struct {
	method, version string
	fields          []field
	key             string
}

type field struct{ name, value string }

func (t target) request(offers []deflateParams) *request {
	r := &request{method: "GET", version: "HTTP/1.1", key: newKey()}
	r.fields = []field{
		{"Host", t.url.Host},
		{"User-Agent", "websocket-autobahn"},
		{"Upgrade", "websocket"},
		{"Connection", "Upgrade"},
		{"Sec-WebSocket-Version", "13"},
		{"Sec-WebSocket-Key", r.key},
	}
	if len(offers) > 0 {
		r.set("Sec-WebSocket-Extensions", joinOffers(offers))
	}
	return r
}

func joinOffers(offers []deflateParams) string {
	var s []string
	for _, o := range offers {
		s = append(s, o.String())
	}
	return strings.Join(s, ", ")
}

// set replaces a field, adds it, or removes it if the value is empty.
func (r *request) set(name, value string) {
	i := slices.IndexFunc(r.fields, func(f field) bool { return f.name == name })
	switch {
	case i < 0:
		r.fields = append(r.fields, field{name, value})
	case value == "":
		r.fields = slices.Delete(r.fields, i, i+1)
	default:
		r.fields[i].value = value
	}
}

func (r *request) bytes(u *url.URL) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\n", r.method, u.RequestURI(), r.version)
	for _, f := range r.fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.name, f.value)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// An answer is what a server sent to a request.
type answer struct {
	status int
	header http.Header
	raw    string
	br     *bufio.Reader // whatever follows the header
}

func readAnswer(nc net.Conn) (*answer, error) {
	br := bufio.NewReaderSize(nc, 64<<10)
	raw, err := readHead(br)
	if err != nil {
		return nil, fmt.Errorf("no answer to the handshake: %w", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(raw)), nil)
	if err != nil {
		return nil, fmt.Errorf("the answer to the handshake is no HTTP: %w", err)
	}
	resp.Body.Close()
	return &answer{status: resp.StatusCode, header: resp.Header, raw: raw, br: br}, nil
}

// readHead reads up to and including the empty line.
func readHead(br *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := br.ReadString('\n')
		head.WriteString(line)
		switch {
		case err != nil:
			return head.String(), err
		case strings.TrimRight(line, "\r\n") == "":
			return head.String(), nil
		case head.Len() > 64<<10:
			return head.String(), errors.New("the header is too long")
		}
	}
}

func hasToken(h http.Header, name, token string) bool {
	for _, v := range h.Values(name) {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// check is section 4.1: what a client must find in the answer. The result is
// the compression agreed on, or nil.
func (a *answer) check(key string, offers []deflateParams) (*deflateParams, error) {
	switch {
	case a.status != http.StatusSwitchingProtocols:
		return nil, fmt.Errorf("the server answered %d, not 101", a.status)
	case !hasToken(a.header, "Upgrade", "websocket"):
		return nil, errors.New("the answer has no Upgrade: websocket")
	case !hasToken(a.header, "Connection", "upgrade"):
		return nil, errors.New("the answer has no Connection: Upgrade")
	case a.header.Get("Sec-WebSocket-Accept") != acceptKey(key):
		return nil, errors.New("the answer has a wrong Sec-WebSocket-Accept")
	case a.header.Get("Sec-WebSocket-Protocol") != "":
		return nil, errors.New("the server chose a subprotocol that was not offered")
	}
	deflate, others, err := parseExtensions(strings.Join(a.header.Values("Sec-WebSocket-Extensions"), ","))
	switch {
	case err != nil:
		return nil, err
	case len(others) > 0 || len(deflate) > 1 || len(deflate) == 1 && len(offers) == 0:
		return nil, errors.New("the server chose an extension that was not offered")
	case len(deflate) == 1 && deflate[0].clientBitsHint:
		return nil, fmt.Errorf("%w: client_max_window_bits without a value", errDeflateParams)
	case len(deflate) == 1:
		return &deflate[0], nil
	}
	return nil, nil //nolint:nilnil // no compression, and nothing wrong
}

// requestProblem is section 4.2.1: what a server must find in a request.
func requestProblem(r *http.Request) error {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	switch {
	case r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1):
		return errors.New("not a GET of HTTP/1.1")
	case !hasToken(r.Header, "Upgrade", "websocket") || !hasToken(r.Header, "Connection", "upgrade"):
		return errors.New("not a request to upgrade to websocket")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return errors.New("not version 13")
	case err != nil || len(key) != 16:
		return errors.New("not a Sec-WebSocket-Key")
	}
	return nil
}

// A reply is the server's half of the handshake.
type reply struct {
	status string
	fields []field
}

func newReply(r *http.Request, agreed *deflateParams) *reply {
	rep := &reply{status: "101 Switching Protocols", fields: []field{
		{"Server", "websocket-autobahn"},
		{"Upgrade", "websocket"},
		{"Connection", "Upgrade"},
		{"Sec-WebSocket-Accept", acceptKey(r.Header.Get("Sec-WebSocket-Key"))},
	}}
	if agreed != nil {
		rep.fields = append(rep.fields, field{"Sec-WebSocket-Extensions", agreed.String()})
	}
	return rep
}

func (r *reply) set(name, value string) {
	q := request{fields: r.fields}
	q.set(name, value)
	r.fields = q.fields
}

func (r *reply) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %s\r\n", r.status)
	for _, f := range r.fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.name, f.value)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}
