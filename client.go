// The client's door: a URL becomes a Conn.

package websocket

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// userAgent is sent unless Header has a User-Agent.
const userAgent = "Go-websocket-client/1.0"

// Dial opens a WebSocket to a URL with the scheme ws, wss, http or https
// (RFC 6455, sections 3 and 4.1). nil options are good defaults. A user name
// and a password in the URL are sent as basic Authorization, unless Header has
// an Authorization.
//
// ctx bounds the opening handshake and nothing after it, and so does
// HandshakeTimeout: everything from the name look-up over proxies, TLS and
// redirects to the server's answer. The functions of the options that dial
// have to obey the context that they are given. Where package net opens no
// connections (GOOS js and wasip1), Dial needs NetDial.
//
// Every error is a *HandshakeError. It has the server's or the proxy's answer
// if there was one, matches ctx.Err() if ctx ended first, and
// os.ErrDeadlineExceeded if HandshakeTimeout passed first; otherwise it wraps
// the error of the network, of TLS or of a function of the options. Nothing is
// left open after an error.
//
// Dial may be called from any number of goroutines, also with the same options.
// Handshakes with the same server are not made to wait for each other, as section 4.1
// would have it: who dials very often should limit how many do at a time.
func Dial(ctx context.Context, url string, opts *DialOptions) (*Conn, error) {
	nc, est, err := dial(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	return newConn(nc, est), nil
}

// dial is Dial up to the Conn.
func dial(ctx context.Context, rawURL string, opts *DialOptions) (net.Conn, established, error) {
	if opts == nil {
		opts = &DialOptions{}
	}
	d, err := newDialing(rawURL, opts)
	if ctx == nil {
		err = errNilContext
	}
	if err != nil {
		return nil, established{}, handshakeError(0, "", err)
	}
	bounded, cancel := ctx, context.CancelFunc(func() {})
	timeout := orDefault(opts.HandshakeTimeout, DefaultHandshakeTimeout)
	if timeout > 0 {
		bounded, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	nc, err := d.run(bounded)
	if err != nil {
		return nil, established{}, dialError(ctx, bounded, timeout, err)
	}
	return nc, d.est, nil
}

// dialError says whose fault an error is. What a closed connection or an
// interrupted look-up reports is only the echo of a context that ended.
func dialError(ctx, bounded context.Context, timeout time.Duration, err error) error {
	he, judged := err.(*HandshakeError) //nolint:errorlint // one further down is a caller's own
	switch {
	case judged && he.StatusCode != 0:
		return he // an answer is worth more than the time it took
	case contextEnd(ctx) != nil:
		return handshakeError(0, "given up"+stoppedAt(err), contextEnd(ctx))
	case contextEnd(bounded) != nil:
		return handshakeError(0, fmt.Sprintf("not done within %v%s", timeout, stoppedAt(err)), os.ErrDeadlineExceeded)
	case judged:
		return he
	}
	return handshakeError(0, "", err)
}

// stoppedAt tells, in brackets, the step that an error stopped, without what it
// says of a connection that was closed under it.
func stoppedAt(err error) string {
	text := strings.TrimPrefix(err.Error(), "websocket: handshake: ")
	var op *net.OpError
	if errors.As(err, &op) && errors.Is(op, net.ErrClosed) {
		text = strings.TrimSuffix(text, ": "+op.Error())
	}
	return " (" + text + ")"
}

// contextEnd returns why ctx ended, nil if it goes on. The network keeps the
// deadline by a clock of its own and may notice first.
func contextEnd(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); err != nil && cause != err {
		return fmt.Errorf("%w: %w", err, cause)
	}
	deadline, ok := ctx.Deadline()
	if err == nil && ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return err
}

// dialing is one call of Dial: where it has got to, over redirects.
type dialing struct {
	opts      *DialOptions
	url       *url.URL
	auth      string // Authorization from the first URL, "" for none
	elsewhere bool   // a redirect has led to another host
	redirects int    // how many more are followed
	deflate   deflation
	est       established
}

func newDialing(rawURL string, opts *DialOptions) (*dialing, error) {
	u, err := parseTarget(rawURL)
	if err != nil {
		return nil, err
	}
	if err := checkSubprotocolNames(opts.Subprotocols); err != nil {
		return nil, err
	}
	if err := checkRequestHeader(opts.Header); err != nil {
		return nil, err
	}
	deflate, err := newDeflation(opts.Compression)
	if err != nil {
		return nil, err
	}
	d := &dialing{opts: opts, url: u, redirects: opts.Redirects, deflate: deflate}
	if u.User != nil {
		d.auth, u.User = basicAuth(u.User), nil
	}
	return d, nil
}

// run goes from URL to URL until one of them gives a connection or an error.
func (d *dialing) run(ctx context.Context) (net.Conn, error) {
	for {
		nc, next, err := d.attempt(ctx)
		if next == nil {
			return nc, err
		}
		// RFC 9110, section 15.4, asks to consider removing header fields "where
		// there are security implications". They don't come back when a later
		// redirect returns to the first host.
		if !staysAt(d.url, next) {
			d.elsewhere = true
		}
		d.url = next
		d.redirects--
	}
}

// attempt makes one handshake with d.url. It returns a connection that is past
// it, or the URL of a redirect to follow, or an error.
func (d *dialing) attempt(ctx context.Context) (net.Conn, *url.URL, error) {
	// RFC 6455, section 4.1, item 7: "selected randomly for each connection",
	// so also for each hop of a redirect.
	key, err := newChallengeKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	request := d.request()
	nc, err := openRoute(ctx, d.opts, request.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	stop := guard(ctx, nc)
	next, err := d.shake(nc, request, key)
	whole := stop()
	if err == nil && next == nil && whole {
		_ = nc.SetDeadline(time.Time{}) // NetDial may have left one
		return nc, nil, nil
	}
	closeHard(nc)
	if err == nil && !whole {
		return nil, nil, ctx.Err()
	}
	return nil, next, err
}

// request returns the request for d.url, without the handshake's own headers.
func (d *dialing) request() *http.Request {
	r := &http.Request{
		Method: http.MethodGet,
		URL:    d.url,
		Host:   hostHeader(d.url),
		Header: make(http.Header, len(d.opts.Header)+2),
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	has := make(map[string]bool)
	var cookies []string
	for name, values := range d.opts.Header {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case d.elsewhere && isCredential(canonical):
			continue
		case canonical == "Host":
			r.Host = values[0]
		case canonical == "Cookie":
			cookies = append(cookies, values...)
		default:
			r.Header[name] = slices.Clone(values)
		}
		has[canonical] = true
	}
	if d.auth != "" && !d.elsewhere && !has["Authorization"] {
		r.Header["Authorization"] = []string{d.auth}
	}
	if !has["User-Agent"] {
		r.Header["User-Agent"] = []string{userAgent}
	}
	if d.opts.Jar != nil {
		for _, cookie := range d.opts.Jar.Cookies(d.url) {
			// As net/http writes it, without what only a Set-Cookie has.
			pair := (&http.Cookie{Name: cookie.Name, Value: cookie.Value, Quoted: cookie.Quoted}).String()
			if pair != "" { // an invalid name
				cookies = append(cookies, pair)
			}
		}
	}
	if len(cookies) > 0 {
		// RFC 6265, section 5.4: no more than one Cookie header.
		r.Header["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
	return r
}

// shake exchanges the handshake over nc and judges the answer. What is agreed
// on is in d.est, unless there is a redirect to follow.
func (d *dialing) shake(nc net.Conn, r *http.Request, key string) (*url.URL, error) {
	a, err := exchange(nc, appendRequest(make([]byte, 0, 512), r, key, d.opts.Subprotocols, &d.deflate), r.Method)
	if err != nil {
		return nil, handshakeError(0, "no answer from "+r.URL.Host, err)
	}
	if d.opts.Jar != nil {
		if cookies := a.resp.Cookies(); len(cookies) > 0 {
			d.opts.Jar.SetCookies(r.URL, cookies)
		}
	}
	if isRedirect(a.resp.StatusCode) {
		return d.redirect(a)
	}
	if a.resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, a.asError("the server does not open a WebSocket here")
	}
	agreed, err := checkResponse(a.resp, key, d.opts.Subprotocols, &d.deflate)
	if err != nil {
		return nil, a.asError(err.Error())
	}
	agreed.response = completeResponse(a.resp, nc, r)
	d.est = established{
		role:      RoleClient,
		settings:  d.opts.settings(),
		buffered:  a.buffered(),
		agreement: agreed,
	}
	return nil, nil
}

// redirect returns where an answer leads, or why it is not followed.
func (d *dialing) redirect(a *answer) (*url.URL, error) {
	location := a.resp.Header.Get("Location")
	switch {
	case location == "":
		return nil, a.asError("the redirect has no Location")
	case d.opts.Redirects <= 0:
		return nil, a.asError(fmt.Sprintf("redirects are not followed, this one leads to %q", location))
	case d.redirects <= 0:
		return nil, a.asError(fmt.Sprintf("more than %d redirects, the last one leads to %q", d.opts.Redirects, location))
	}
	next, err := redirectTarget(d.url, location)
	if err != nil {
		return nil, a.asError(fmt.Sprintf("%v; Location is %q", err, location))
	}
	return next, nil
}

// completeResponse makes resp what Conn.Response returns.
func completeResponse(resp *http.Response, nc net.Conn, r *http.Request) *http.Response {
	resp.Body = http.NoBody
	resp.Request = r
	if secure, ok := nc.(*tls.Conn); ok {
		state := secure.ConnectionState()
		resp.TLS = &state
	}
	return resp
}
