// The server's door: an HTTP request becomes a Conn.

package websocket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Upgrade answers a client's opening handshake (RFC 6455, section 4.2) and
// returns the connection. nil options are good defaults.
//
// On an error the Conn is nil, the client has already got its answer, and the
// handler just returns. The error is a *HandshakeError with the HTTP status
// that was answered; it wraps the error of CheckOrigin or ChooseSubprotocol
// where one of them refused, and the network's error where the answer could
// not be written.
//
// Headers that are already set on w, such as cookies, go out with the answer.
// Those of the handshake itself and those that describe content do not.
//
// After Upgrade, w and r.Body must not be used any more, the deadlines that
// the http.Server put on the connection are gone, and http.Server.Shutdown
// doesn't know of the connection. r.Context() ends when the handler returns, or
// with the http.Server's BaseContext; unlike Handler's it does not end with the
// connection. HandshakeTimeout bounds the writing of the answer; how long the
// request may take is the http.Server's ReadHeaderTimeout. A handler that goes on
// using the connection keeps net/http's memory for the request alive: Handler does
// without.
//
// w must be net/http's, or have Unwrap (see http.ResponseController) or Hijack; the
// answer is 500 otherwise. The writer of http.TimeoutHandler has neither.
//
// Upgrade may be called from any number of goroutines with the same options.
// Requests over HTTP/2 and HTTP/3 are refused with 505 for now.
func Upgrade(w http.ResponseWriter, r *http.Request, opts *UpgradeOptions) (*Conn, error) {
	var u upgrader // not kept, so it costs no memory
	u.init(opts)
	return u.upgrade(w, r)
}

// Handler returns an http.Handler that upgrades every request as Upgrade does
// and runs serve for each connection. nil options are good defaults; they are
// copied and checked once, and a mistake in them refuses every request with
// 500 and a text that says what is wrong.
//
// serve runs on a goroutine of its own, after net/http has let go of its
// buffers and its stack. Its request is a copy without a body, whose context
// has the values of the original's and is canceled when the connection has
// ended, with the reason as its cause (context.Cause): not when the http.Handler
// returns, nor with the http.Server's BaseContext. Only a read, or a write that fails,
// finds that the peer has gone: if serve only sends, it should call CloseRead. The
// http.Handler returns as soon as serve has been started, so middleware around it
// sees the handshake alone, and not the status 101, which goes out past w.
//
// When serve returns, the connection is closed with StatusNormalClosure if it
// is still open, unless an Engine has taken it over. A panic in serve closes
// it with StatusInternalError and is reported to Trace.Panicked (except for
// http.ErrAbortHandler, which is silent); runtime.Goexit closes it too.
//
// Handler panics if serve is nil. The handler is safe for concurrent use.
func Handler(serve func(c *Conn, r *http.Request), opts *UpgradeOptions) http.Handler {
	if serve == nil {
		panic("websocket: Handler needs a function")
	}
	u := newUpgrader(opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.upgrade(w, r)
		if err != nil { // the client has its answer
			if refused, ok := err.(*HandshakeError); ok && refused.StatusCode != 0 { //nolint:errorlint // it is nothing else
				refused.report(u.opts.Trace, r.RemoteAddr)
			}
			return
		}
		go u.runner(serve, c, connRequest(r, &c.l.link))()
	})
}

// upgrader is UpgradeOptions, checked.
type upgrader struct {
	opts     UpgradeOptions
	set      *settings // of all its connections
	patterns []originPattern
	deflate  deflation
	err      error // what is wrong with the options
}

// newUpgrader returns an upgrader to keep: it shares no memory that the caller
// could change.
func newUpgrader(opts *UpgradeOptions) *upgrader {
	u := &upgrader{}
	u.init(opts)
	u.opts.Subprotocols = slices.Clone(u.opts.Subprotocols)
	return u
}

func (u *upgrader) init(opts *UpgradeOptions) {
	if opts == nil {
		u.set = defaultSettings
		return
	}
	u.opts = *opts
	u.set = opts.settings()
	u.patterns, u.err = parseOriginPatterns(opts.OriginPatterns)
	if u.err == nil {
		u.err = checkSubprotocolNames(opts.Subprotocols)
	}
	if u.err == nil {
		u.deflate, u.err = newDeflation(opts.Compression)
	}
}

func (u *upgrader) upgrade(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	nc, est, err := u.accept(w, r)
	if err != nil {
		return nil, err
	}
	return newConn(nc, est), nil
}

// accept checks the request, takes the connection over and answers.
func (u *upgrader) accept(w http.ResponseWriter, r *http.Request) (net.Conn, established, error) {
	key, agreed, refused := u.check(r)
	if refused != nil {
		return nil, established{}, refuse(w, refused)
	}
	nc, brw, err := http.NewResponseController(w).Hijack()
	if errors.Is(err, http.ErrHijacked) {
		return nil, established{}, handshakeError(0, "", err) // whoever has it now answers
	}
	if err != nil {
		reason := fmt.Sprintf("the connection cannot be taken over from the ResponseWriter (%s)", writerTypes(w))
		return nil, established{}, refuse(w, handshakeError(http.StatusInternalServerError, reason, err))
	}
	buffered := takeBuffered(brw)
	answer := appendResponse(answerRoom(brw), key, &agreed, w.Header())
	if err := u.answer(nc, answer); err != nil {
		closeHard(nc) // nothing can be answered any more
		return nil, established{}, handshakeError(0, "writing the answer", err)
	}
	return nc, established{
		role:      RoleServer,
		settings:  u.set,
		buffered:  buffered,
		agreement: agreed,
	}, nil
}

// check holds every rule that needs no connection.
func (u *upgrader) check(r *http.Request) (key string, agreed agreement, refused *HandshakeError) {
	if u.err != nil {
		return "", agreed, handshakeError(http.StatusInternalServerError, "this server's configuration is wrong", u.err)
	}
	if key, refused = checkRequest(r); refused != nil {
		return "", agreed, refused
	}
	var err error
	if u.opts.CheckOrigin != nil {
		err = u.opts.CheckOrigin(r)
	} else {
		err = checkOrigin(r, u.patterns)
	}
	if err != nil {
		// RFC 6455, section 4.2.2, step 4: "it MUST return an appropriate HTTP
		// error code (e.g., 403 Forbidden)".
		return "", agreed, refusedBy(err, http.StatusForbidden)
	}
	if agreed.subprotocol, refused = chooseSubprotocol(r, &u.opts); refused != nil {
		return "", agreed, refused
	}
	if err = agreed.chooseExtensions(r.Header, &u.deflate); err != nil {
		return "", agreed, handshakeError(http.StatusBadRequest, "", err)
	}
	return key, agreed, nil
}

// answer writes the 101 in time, and leaves no deadline behind: neither its
// own nor what the http.Server's ReadTimeout and WriteTimeout have set.
func (u *upgrader) answer(nc net.Conn, answer []byte) error {
	var deadline time.Time
	if d := orDefault(u.opts.HandshakeTimeout, DefaultHandshakeTimeout); d > 0 {
		deadline = time.Now().Add(d)
	}
	// A transport that knows no deadlines can carry a WebSocket all the same.
	_ = nc.SetWriteDeadline(deadline)
	_, err := nc.Write(answer)
	_ = nc.SetDeadline(time.Time{})
	return err
}

// runner returns what runs serve and ends the connection with it. It begins its
// goroutine and so is on the stack of every idle connection: one frame, no more.
func (u *upgrader) runner(serve func(c *Conn, r *http.Request), c *Conn, r *http.Request) func() {
	return func() {
		returned := false
		defer func() {
			if returned {
				if !c.l.isAttached() {
					_ = c.Close(StatusNormalClosure, "")
				}
				return
			}
			// A panic, or runtime.Goexit if recover gives nothing. The close is
			// deferred so that a hook which panics itself can't leave c open.
			value := recover()
			defer func() { _ = c.Close(StatusInternalError, "") }()
			if value != nil && value != http.ErrAbortHandler {
				reportPanic(u.opts.Trace, value, debug.Stack())
			}
		}()
		serve(c, r)
		returned = true
	}
}

// refuse answers with the status and the reason of e.
func refuse(w http.ResponseWriter, e *HandshakeError) error {
	for name, values := range e.Header {
		w.Header()[name] = slices.Clone(values)
	}
	http.Error(w, e.Reason, e.StatusCode)
	return e
}

// takeBuffered copies what the client sent right after its handshake. The copy
// lets both of net/http's buffers go.
func takeBuffered(brw *bufio.ReadWriter) []byte {
	if brw == nil || brw.Reader == nil || brw.Reader.Buffered() == 0 {
		return nil
	}
	p, _ := brw.Reader.Peek(brw.Reader.Buffered()) // can't fail: it is all there
	return slices.Clone(p)
}

// answerRoom returns where the answer may be put together: what is free of
// net/http's own buffer, which nobody else writes to any more.
func answerRoom(brw *bufio.ReadWriter) []byte {
	if brw == nil || brw.Writer == nil {
		return nil
	}
	return brw.Writer.AvailableBuffer()
}

// writerTypes names the types from w down to the writer that stops the search
// for a Hijacker.
func writerTypes(w http.ResponseWriter) string {
	var types []string
	for range 16 { // a wrapper may unwrap to itself
		types = append(types, fmt.Sprintf("%T", w))
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if _, hijacks := w.(http.Hijacker); hijacks || !ok {
			break
		}
		w = wrapper.Unwrap()
	}
	return strings.Join(types, ", which wraps ")
}

// connRequest returns r as serve gets it.
func connRequest(r *http.Request, l *link) *http.Request {
	r = r.WithContext(&connContext{values: context.WithoutCancel(r.Context()), l: l})
	r.Body = http.NoBody
	return r
}
