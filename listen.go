// What a listener without net/http does with a request.

package websocket

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// DefaultMaxHeaderBytes is ListenOptions.MaxHeaderBytes where that is 0.
const DefaultMaxHeaderBytes = 16 << 10

// ListenOptions configures a listener that is served without net/http. A nil
// *ListenOptions and the zero value are good defaults. The struct is read, never
// changed, and may be shared.
type ListenOptions struct {
	// Upgrade are the options of the opening handshakes and of the connections.
	// Nil means the defaults. HandshakeTimeout bounds all of a handshake here:
	// TLS, if there is any, reading the request and writing the answer.
	Upgrade *UpgradeOptions

	// Accept, if set, decides on each opening handshake that has passed all
	// other checks: it looks at the path and the header, and chooses what the
	// connection gets. An error refuses the handshake. If its tree holds a
	// *HandshakeError with a StatusCode of 300 to 599, that status, its Header
	// and its Reason are the answer; otherwise 403 and the error's text are. A
	// panic is contained: it answers 500 and is reported (see Trace.Panicked).
	//
	// Accept may be called from several goroutines at once, and connections may
	// wait for it: it should return quickly. Without Accept, CheckOrigin and
	// ChooseSubprotocol no http.Request is made, which makes handshakes cheaper.
	Accept func(h *Handshake) error

	// Fallback, if set, gets the requests that do not ask for a WebSocket, on
	// an http.Server of the listener's own. After its answer the connection is
	// closed, since the next request may be for a WebSocket. If it is nil, they
	// are answered with 426, or 405 if they are not GET, or 505 if they are of
	// HTTP/1.0. Requests that are not HTTP, or that break its grammar, never
	// reach it. HandshakeTimeout bounds the header and what is left of the answer
	// when the handler returns; what the handler waits for it bounds itself, with
	// an http.ResponseController.
	Fallback http.Handler

	// MaxHeaderBytes bounds a request's first line and header. 0 means
	// DefaultMaxHeaderBytes; negative means the most there can be, 1 MiB. A
	// longer one is answered with 431. There may be 100 fields in it, and 8 KiB
	// in the first line, beyond which the answer is 414.
	MaxHeaderBytes int

	_ [0]func() // not comparable, so that fields may be added
}

// A Handshake is an opening handshake that ListenOptions.Accept decides on
// (RFC 6455, section 4.2).
type Handshake struct {
	// Request is the client's. It has no body, and its context never ends. It
	// may be kept.
	Request *http.Request

	// Subprotocol is what the answer will say, "" for none. To change it has no
	// effect: see UpgradeOptions.ChooseSubprotocol.
	Subprotocol string

	// Header is empty and goes out with the answer, less what belongs to the
	// handshake itself or describes content.
	Header http.Header

	// Events will drive the connection: those of the listener unless Accept
	// sets others.
	Events *Events

	// UserData will be the connection's Conn.UserData, from Events.Open on.
	UserData any
}

// A gate is ListenOptions, checked. It decides on requests and does no I/O. It
// is safe for concurrent use.
type gate struct {
	up     *upgrader
	accept func(*Handshake) error
	passes bool          // there is a Fallback
	asks   bool          // somebody wants to see an http.Request
	limit  int           // bytes of a head
	bound  time.Duration // of a handshake, 0: none
}

// newGate returns the gate for opts. The error tells what is wrong with them.
func newGate(opts *ListenOptions) (*gate, error) {
	if opts == nil {
		opts = &ListenOptions{}
	}
	up := newUpgrader(opts.Upgrade)
	if up.err != nil {
		return nil, fmt.Errorf("websocket: %w", up.err)
	}
	const most = 1 << 20
	limit := int(orDefault(int64(opts.MaxHeaderBytes), DefaultMaxHeaderBytes))
	if limit == 0 || limit > most {
		limit = most
	}
	return &gate{
		up:     up,
		accept: opts.Accept,
		passes: opts.Fallback != nil,
		asks:   opts.Accept != nil || up.opts.CheckOrigin != nil || up.opts.ChooseSubprotocol != nil,
		limit:  limit,
		bound:  orDefault(up.opts.HandshakeTimeout, DefaultHandshakeTimeout),
	}, nil
}

// A decision says what becomes of a connection after its first request.
type decision struct {
	reply   []byte          // to be sent, unless passed
	refused *HandshakeError // after the reply comes the end
	passed  bool            // to the Fallback, with all that the client sent

	// Of a handshake that is granted. What follows the head is still to be put
	// into est.buffered.
	est  established
	ev   *Events // nil: the listener's
	user any
}

// A visit is a connection's first request and the decision on it. It lives on
// the heap, so that goroutines can do with small stacks.
type visit struct {
	arrival
	decision
}

var visits = sync.Pool{New: func() any {
	v := &visit{}
	v.arrival.reset()
	return v
}}

// visit returns a visit to read a request in.
func (g *gate) visit() *visit {
	v := visits.Get().(*visit)
	v.head.limit = g.limit
	return v
}

// free gives the memory back, that of the reply too.
func (v *visit) free() {
	v.forget()
	visits.Put(v)
}

// forget makes v as good as new.
func (v *visit) forget() {
	const most = 4 << 10
	reply := v.reply[:0]
	if cap(reply) > most {
		reply = nil
	}
	v.decision = decision{reply: reply}
	v.arrival.reset()
}

// read takes in p, all bytes that have come over a connection. It returns
// false as long as more must come; then it is to be called with them too. After
// true there is a decision, and n is where the request ends in p.
func (g *gate) read(v *visit, p []byte, ev *Events, from caller) (n int, whole bool) {
	n, flaw := v.head.read(p)
	switch {
	case flaw != nil:
		v.refuse(refusal(flaw.status, "%s", flaw.reason), "")
	case n == 0:
		return 0, false
	default:
		g.decide(v, ev, from)
	}
	return n, true
}

// decide decides on the request that v holds.
func (g *gate) decide(v *visit, ev *Events, from caller) {
	r := v.handshake()
	switch {
	// RFC 9110, section 7.8: "A server MUST ignore an Upgrade header field that is received in
	// an HTTP/1.0 request."
	case g.passes && (v.head.minor == 0 || !httpguts.HeaderValuesContainsToken(r.Header["Upgrade"], "websocket")):
		v.passed = true
	case !v.head.hasPath() && authority(r.RequestURI) == "" && r.Method == http.MethodGet:
		v.refuse(refusal(http.StatusBadRequest, "the request's target %q is not a path", r.RequestURI), r.Method)
	case g.asks:
		g.ask(v, ev, from)
	default:
		key, agreed, refused := g.up.check(r)
		if refused != nil {
			v.refuse(refused, r.Method)
			return
		}
		g.grant(v, key, &agreed, &Handshake{Events: ev})
	}
}

// ask decides together with the callbacks of the options.
func (g *gate) ask(v *visit, ev *Events, from caller) {
	r, err := v.request(from)
	if err != nil {
		v.refuse(handshakeError(http.StatusBadRequest, "", err), "")
		return
	}
	method := r.Method
	defer func() {
		if value := recover(); value != nil {
			reportPanic(g.up.opts.Trace, value, debug.Stack())
			v.refuse(refusal(http.StatusInternalServerError, "the server failed"), method)
		}
	}()
	key, agreed, refused := g.up.check(r)
	if refused != nil {
		v.refuse(refused, method)
		return
	}
	h := &Handshake{Request: r, Subprotocol: agreed.subprotocol, Header: http.Header{}, Events: ev}
	if g.accept != nil {
		if err := g.accept(h); err != nil {
			v.refuse(refusedBy(err, http.StatusForbidden), method)
			return
		}
	}
	g.grant(v, key, &agreed, h)
}

// grant lets a handshake through.
func (g *gate) grant(v *visit, key string, agreed *agreement, h *Handshake) {
	v.reply = appendResponse(v.reply[:0], key, agreed, h.Header)
	v.est.role, v.est.settings, v.est.agreement = RoleServer, g.up.set, *agreed
	v.ev, v.user = h.Events, h.UserData
}

// refuse answers with the status, the header and the reason of e, which ends
// the connection.
func (v *visit) refuse(e *HandshakeError, method string) {
	v.reply, v.refused = appendRefusal(v.reply[:0], e, method, time.Now()), e
}

// appendRefusal appends an answer with the status, the header and the reason of
// e, after which the connection ends.
func appendRefusal(dst []byte, e *HandshakeError, method string, now time.Time) []byte {
	body := e.Reason + "\n"
	// RFC 9112, section 4: the space goes before a missing reason as well.
	dst = append(strconv.AppendInt(append(dst, "HTTP/1.1 "...), int64(e.StatusCode), 10), ' ')
	dst = append(append(dst, http.StatusText(e.StatusCode)...), "\r\n"...)
	dst = append(now.UTC().AppendFormat(append(dst, "Date: "...), http.TimeFormat), "\r\n"...)
	// RFC 9110, section 7.8: who sends Upgrade names it in Connection.
	connection := "close"
	if _, found := e.Header["Upgrade"]; found {
		connection = "Upgrade, close"
	}
	dst = appendField(dst, "Connection", connection)
	dst = appendField(dst, "Content-Type", "text/plain; charset=utf-8")
	dst = appendField(dst, "X-Content-Type-Options", "nosniff")
	dst = appendField(dst, "Content-Length", strconv.Itoa(len(body)))
	dst = append(appendFields(dst, e.Header, isRefusalHeader), "\r\n"...)
	if method == http.MethodHead || e.StatusCode == http.StatusNotModified {
		return dst // RFC 9110, sections 9.3.2 and 15.4.5: no content
	}
	return append(dst, body...)
}

// isRefusalHeader reports whether a header is in every refusal already, or has
// no place in one.
func isRefusalHeader(canonical string) bool {
	return slices.Contains([]string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Te", "Trailer", "Date",
	}, canonical) || isContentHeader(canonical) || canonical == "X-Content-Type-Options"
}
