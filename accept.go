// Connections accepted without net/http: the opening handshake over a net.Conn.

package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed86893212/websocket/internal/bufpool"
)

const (
	requestBuffer = 2 << 10
	lingerBytes   = 256 << 10
	maxBackoff    = time.Second
	maxIdle       = 16
)

// errPassed is the error of a handshake that was none: the connection has been
// given to the Fallback.
var errPassed = errors.New("websocket: the request is not for a WebSocket")

// A doorman accepts connections for a gate. Its methods block; they are safe
// for concurrent use.
type doorman struct {
	gate     *gate
	ev       *Events
	fallback *fallback // nil: none

	usher usher // nil: none

	mu     sync.Mutex
	closed bool
	under  map[*visit]net.Conn // handshakes under way

	running sync.WaitGroup // goroutines that have a connection
	idle    atomic.Int32   // those that wait for one
}

// An usher sees to connections that come close behind another.
type usher interface {
	// learn is shown what a listener has accepted, which stays as it is.
	learn(nc net.Conn)
	// rush is called after that. It may accept others that come soon, and returns
	// when nothing comes any more, or what comes cannot be accepted.
	rush()
	// close ends what it has begun and not handed on.
	close()
}

// A reception is what a listener's connections have in common whose handshakes are
// performed on event loops.
type reception struct {
	m        *doorman
	blocking bool // callbacks run on goroutines of their own
	// admit counts a connection in, unless none are wanted any more; gone counts
	// it out again.
	admit func() bool
	gone  func()
}

// newDoorman returns a doorman for connections that come to addr and are driven
// by ev. It has to be closed.
func newDoorman(opts *ListenOptions, ev *Events, addr net.Addr) (*doorman, error) {
	g, err := newGate(opts)
	if err != nil {
		return nil, err
	}
	m := &doorman{gate: g, ev: ev, under: map[*visit]net.Conn{}}
	if g.passes {
		m.fallback = newFallback(opts.Fallback, g, addr)
	}
	return m, nil
}

// close ends the handshakes under way and the Fallback's connections. Those of
// WebSockets are not the doorman's any more.
func (m *doorman) close() {
	m.mu.Lock()
	m.closed = true
	for _, nc := range m.under {
		closeHard(nc)
	}
	m.mu.Unlock()
	if m.usher != nil {
		m.usher.close()
	}
	if m.fallback != nil {
		m.fallback.close()
	}
}

// spawn has f called on a goroutine that serve waits for. It returns false after
// close.
func (m *doorman) spawn(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.running.Go(f)
	return true
}

// latest returns when a handshake that begins now must have ended, the zero time
// for never.
func (m *doorman) latest() time.Time {
	if m.gate.bound <= 0 {
		return time.Time{}
	}
	return time.Now().Add(m.gate.bound)
}

// begin puts nc under the doorman's close, and a deadline on it.
func (m *doorman) begin(v *visit, nc net.Conn, by time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return net.ErrClosed
	}
	m.under[v] = nc
	if !by.IsZero() {
		_ = nc.SetDeadline(by) // not every transport has deadlines
	}
	return nil
}

// end takes what begin has put there away, unless it has been closed.
func (m *doorman) end(v *visit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.under, v)
	if m.closed {
		return net.ErrClosed
	}
	return nil
}

// admit performs the opening handshake with whoever is at the other end of nc,
// and bounds it in time. What came of it is in v. An error means that nc is
// closed or somebody else's: it is errPassed or a *HandshakeError.
func (m *doorman) admit(v *visit, nc net.Conn) error {
	err := m.begin(v, nc, m.latest())
	if err == nil {
		err = m.shake(v, nc)
		if err == nil && v.refused != nil { // close may end that as well
			err = reply(v, nc)
		}
		if late := m.end(v); err == nil {
			err = late
		}
	}
	if err == nil && v.refused == nil {
		err = reply(v, nc)
	}
	switch {
	case err != nil:
		closeHard(nc) // nobody waits for an answer
		return handshakeError(0, "", err)
	case v.refused != nil:
		m.turnAway(v, nc)
		return v.refused
	case v.passed:
		m.fallback.take(nc, v.est.buffered)
		return errPassed
	}
	return nil
}

// decline does what the decision in v is, which was made elsewhere: a refusal, or
// the way to the Fallback. p is what has come over nc.
func (m *doorman) decline(v *visit, nc net.Conn, p []byte, by time.Time) {
	if v.passed {
		m.fallback.take(nc, p)
		return
	}
	err := m.begin(v, nc, by)
	if err == nil {
		_, err = nc.Write(v.reply)
		if late := m.end(v); err == nil {
			err = late
		}
	}
	if err != nil {
		closeHard(nc)
		return
	}
	m.turnAway(v, nc)
}

// turnAway ends the connection behind a refusal.
func (m *doorman) turnAway(v *visit, nc net.Conn) {
	v.refused.report(m.gate.up.opts.Trace, fmt.Sprint(nc.RemoteAddr()))
	linger(nc)
}

// shake reads the request.
func (m *doorman) shake(v *visit, nc net.Conn) error {
	p := bufpool.Get(requestBuffer)
	defer func() { bufpool.Put(p) }() // it may have moved
	for whole := false; !whole; {
		var err error
		if p, err = receive(nc, p); err != nil {
			return fmt.Errorf("reading the request: %w", err)
		}
		var n int
		if n, whole = m.gate.read(v, p, m.ev, nc); !whole || v.refused != nil {
			continue
		}
		if v.passed {
			n = 0 // the Fallback reads it again
		}
		if n < len(p) {
			v.est.buffered = slices.Clone(p[n:])
		}
	}
	return nil
}

// reply writes the answer, if there is one, within the time that is left of the
// handshake's. With it "the server considers the WebSocket connection to be
// established" (RFC 6455, section 4.2.2), and the doorman's close must not touch it.
func reply(v *visit, nc net.Conn) error {
	if !v.passed {
		if _, err := nc.Write(v.reply); err != nil {
			return fmt.Errorf("writing the answer: %w", err)
		}
	}
	_ = nc.SetDeadline(time.Time{})
	return nil
}

// receive appends what comes over nc to p, which it may move.
func receive(nc net.Conn, p []byte) ([]byte, error) {
	p = bufpool.Grow(p, requestBuffer/2)
	for range maxIdleReads { // a transport may read nothing now and then
		n, err := nc.Read(p[len(p):cap(p)])
		if n > 0 {
			return p[:len(p)+n], nil // the error will come again
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return p, err
		}
	}
	return p, io.ErrNoProgress
}

// linger closes nc so that the client can read the answer: a plain close resets
// a connection with unread bytes, and the answer with it.
func linger(nc net.Conn) {
	defer nc.Close()
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = nc.SetReadDeadline(time.Now().Add(lingerTime))
	rest := bufpool.Get(requestBuffer)
	defer bufpool.Put(rest)
	for total := 0; total < lingerBytes; {
		n, err := nc.Read(rest[:cap(rest)])
		if err != nil || n == 0 {
			return
		}
		total += n
	}
}

// serve accepts connections from l and hands those that have become WebSockets
// to take, on several goroutines at once, until l fails. Then it closes m, and
// returns why, after all of them; net.ErrClosed if l has been closed. d is take's
// until it returns.
func (m *doorman) serve(l net.Listener, take func(nc net.Conn, d *decision)) error {
	defer m.running.Wait()
	defer m.close() // or clients who send nothing would be waited for
	next := make(chan net.Conn)
	defer close(next)
	backoff := time.Duration(0)
	for {
		nc, err := l.Accept()
		if passes(err) { // out of descriptors, for example: others have to go first
			backoff = min(max(2*backoff, 5*time.Millisecond), maxBackoff)
			time.Sleep(backoff)
			continue
		}
		if err != nil {
			return err
		}
		backoff = 0
		if m.usher != nil {
			m.usher.learn(nc)
		}
		select {
		case next <- nc: // somebody is idle
		default:
			m.running.Go(func() { m.attend(nc, next, take) })
		}
		if m.usher != nil {
			m.usher.rush()
		}
	}
}

// passes reports whether a failure to accept is one that passes.
func passes(err error) bool {
	temporary, ok := err.(interface{ Temporary() bool })
	// A deadline that has passed is temporary as well, for package net; want of memory is not.
	return ok && temporary.Temporary() && !errors.Is(err, os.ErrDeadlineExceeded) || isShortage(err)
}

// attend admits nc and the connections that come from next after it, as long as
// there are few who do: a goroutine whose stack has grown is worth keeping.
func (m *doorman) attend(nc net.Conn, next <-chan net.Conn, take func(nc net.Conn, d *decision)) {
	for more := true; more; {
		m.attendOne(nc, take)
		if m.idle.Add(1) <= maxIdle {
			nc, more = <-next
		} else {
			more = false
		}
		m.idle.Add(-1)
	}
}

// attendOne admits nc and lets take have it.
func (m *doorman) attendOne(nc net.Conn, take func(nc net.Conn, d *decision)) {
	v := m.gate.visit()
	defer v.free()
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in a callback
			_ = m.end(v)
			_ = nc.Close()
		}
	}()
	if m.admit(v, nc) == nil {
		take(nc, &v.decision)
	}
	returned = true
}

// A fallback is an http.Server for connections whose first bytes have been
// read.
type fallback struct {
	server *http.Server
	addr   net.Addr
	conns  chan net.Conn
	done   chan struct{}
	served chan struct{}
	once   sync.Once
}

func newFallback(h http.Handler, g *gate, addr net.Addr) *fallback {
	f := &fallback{addr: addr, conns: make(chan net.Conn), done: make(chan struct{}), served: make(chan struct{})}
	f.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.TLS, _ = r.Context().Value(tlsStateKey{}).(*tls.ConnectionState)
			h.ServeHTTP(w, r)
			if _, err := w.Write(nil); err == nil { // nobody has hijacked it
				boundRest(http.NewResponseController(w), g.bound)
			}
		}),
		ReadHeaderTimeout: g.bound,
		MaxHeaderBytes:    g.limit,
		ConnContext:       withTLSState,
	}
	// The next request may ask for a WebSocket: proxies use connections again.
	f.server.SetKeepAlivesEnabled(false)
	go func() {
		defer close(f.served)
		_ = f.server.Serve(f) // ends with close
	}()
	return f
}

// boundRest bounds what net/http does once the handler has returned: it sends the rest of
// the answer, and waits for that of the request.
func boundRest(rc *http.ResponseController, bound time.Duration) {
	now := time.Now()
	_ = rc.SetReadDeadline(now.Add(lingerTime))
	if bound > 0 {
		_ = rc.SetWriteDeadline(now.Add(bound))
	}
}

// tlsStateKey is the context key of a *tls.ConnectionState: net/http looks for
// it in a *tls.Conn alone.
type tlsStateKey struct{}

func withTLSState(ctx context.Context, nc net.Conn) context.Context {
	secure, ok := nc.(*replayedConn).Conn.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return ctx
	}
	state := secure.ConnectionState()
	return context.WithValue(ctx, tlsStateKey{}, &state)
}

// take gives the fallback a connection that sent p.
func (f *fallback) take(nc net.Conn, p []byte) {
	select {
	case f.conns <- &replayedConn{Conn: nc, first: slices.Clone(p)}:
	case <-f.done:
		_ = nc.Close()
	}
}

// close ends the server and its connections.
func (f *fallback) close() {
	_ = f.server.Close()
	_ = f.Close() // the server may not have got as far as to know it
	<-f.served
}

// Accept returns the next connection; fallback is the server's net.Listener.
func (f *fallback) Accept() (net.Conn, error) {
	select {
	case nc := <-f.conns:
		return nc, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (f *fallback) Close() error {
	f.once.Do(func() { close(f.done) })
	return nil
}

// Addr returns where the connections have come to.
func (f *fallback) Addr() net.Addr { return f.addr }

// A replayedConn is a net.Conn whose first bytes have been read before.
type replayedConn struct {
	net.Conn
	first []byte
}

// Read returns the first bytes again, then what follows.
func (c *replayedConn) Read(p []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.first)
	if c.first = c.first[n:]; len(c.first) == 0 {
		c.first = nil // lets the memory go
	}
	return n, nil
}

// CloseWrite passes on what net/http does so that its last answer arrives.
func (c *replayedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
