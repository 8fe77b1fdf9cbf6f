// Engine: many connections on few goroutines.

package websocket

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"
)

// EngineOptions configures NewEngine. A nil *EngineOptions and the zero value are
// good defaults. The struct is read, never changed, and may be shared.
type EngineOptions struct {
	// Loops is how many event loops there are. 0 and negative values mean one
	// for each processor that Go uses (runtime.GOMAXPROCS).
	Loops int

	// Blocking says that callbacks may wait: for a database, a lock, another
	// connection. They then run on goroutines of their own, one for each
	// connection that has something to do, instead of holding up their loop and
	// with it all its other connections. It costs about a microsecond for each
	// receipt.
	Blocking bool

	// NoIOUring has each receive and each send made by a system call of its own. By
	// default, those of connections that have something to do at the same time are
	// made together, with io_uring, on systems that have it (Linux 5.6) and allow
	// it; many containers do not, and where system calls are filtered (seccomp) it
	// is not tried. Nothing waits in the ring: it does what recv and send do, but
	// tools that watch system calls do not see it. With Blocking it is never
	// used. For connections without an Engine, see NoCoalescing.
	NoIOUring bool

	_ [0]func() // not comparable, so that fields may be added
}

// An Engine drives any number of connections with callbacks, on a few goroutines.
// A connection that waits needs neither a goroutine nor a buffer. Attach hands
// one over. An Engine comes from NewEngine; the zero Engine is not usable.
//
// That is so for TCP connections on Linux. Others (TLS, other kinds of net.Conn,
// other systems) are served all the same, each by a goroutine as Events.Serve
// does it.
//
// Callbacks run on the loop of their connection and must not wait for anything,
// unless Blocking is set. An Engine is safe for concurrent use.
type Engine struct {
	opts EngineOptions

	mu     sync.Mutex
	loops  []*engineLoop
	spent  []*engineLoop              // loops that have been stopped
	accept map[*net.Listener]struct{} // those that Serve is at; not all can be compared
	next   int                        // the loop of the next connection
	own    map[*Conn]struct{}         // served by a goroutine each
	closed bool
	hurry  bool          // without a handshake
	count  int           // connections whose Close has not returned
	idle   chan struct{} // closed when count is 0 and closed is set
}

// NewEngine starts an Engine. Shutdown must be called in the end. nil opts are good
// defaults. The error is the system's, for example that it has no descriptors left.
func NewEngine(opts *EngineOptions) (*Engine, error) {
	e := &Engine{own: map[*Conn]struct{}{}, accept: map[*net.Listener]struct{}{}, idle: make(chan struct{})}
	if opts != nil {
		e.opts = *opts
	}
	if e.opts.Loops <= 0 {
		e.opts.Loops = runtime.GOMAXPROCS(0)
	}
	for range e.opts.Loops {
		l, err := newEngineLoop(e.opts.Blocking, e.opts.NoIOUring, e.gone)
		if err != nil {
			e.stop()
			return nil, err
		}
		if l != nil {
			e.loops = append(e.loops, l)
		}
	}
	return e, nil
}

// Attach takes c over and returns at once; from then on ev's callbacks are called
// for what happens on it, Open first and Close last. What has been received
// already is not lost. The function that Handler runs may return: c stays open.
//
// On c the usual methods work, with these differences. Other reads return
// ErrTaken. Nothing waits for the engine: Write, WriteText, WritePrepared and a
// Writer's fragments queue as Send does, behind an open Writer too, and return
// ErrSendLimit when the queue is full; Close begins the closing handshake and
// returns (wait for Done, or Events.Close). What SyscallConn returned before Attach
// is of no use after it. In callbacks, Ping and Flush must not be called: they could
// only wait out their context. Nor should Writer while another goroutine's is open,
// for whose end it waits.
//
// The error is ErrTaken or ErrConcurrentRead if the reading side is not free,
// matches net.ErrClosed if the connection has ended, and is ErrEngineClosed
// after Shutdown. c is still the caller's then, and nothing is called.
func (e *Engine) Attach(c *Conn, ev *Events) error {
	if c == nil || ev == nil {
		return errors.New("websocket: Attach needs a Conn and Events")
	}
	if c.l.isClosed() {
		return c.l.afterEnd()
	}
	l, err := e.admit()
	if err != nil {
		return err
	}
	if err := c.l.drive(ev.Drain != nil); err != nil {
		e.gone()
		return err
	}
	c.l.wr.neverWait()
	c.l.attach()
	if l == nil || !l.attach(c, ev) {
		e.serve(c, ev)
	}
	switch closed, hurry := e.ending(); { // since c was admitted
	case hurry:
		_ = c.l.closeNow()
	case closed:
		c.l.beginClose(StatusGoingAway, "")
	}
	return nil
}

// ending reports whether connections are to be closed, and whether at once.
func (e *Engine) ending() (closed, hurry bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed, e.hurry
}

// Serve accepts connections from l, performs the opening handshake without
// net/http, and drives those that become WebSockets with ev, or with what
// opts.Accept chooses. nil opts are good defaults. It is for servers to which very
// many clients come back at once; Handler and Attach do the same behind net/http.
//
// Serve blocks until l fails and returns why; it is ErrEngineClosed after
// Shutdown, which closes l also if it came first, and an error that says what is
// wrong with opts if they are. When l fails, the handshakes under way and what the
// Fallback does are ended; the connections that have become WebSockets stay.
//
// On Linux, connections that come to a *net.TCPListener close behind others are
// accepted from its descriptor, with the socket options that l gives to the first,
// and their handshakes are performed on the event loops. A deadline of l is not
// looked at as long as they come. In a throng, of 6,400 a second or more, the loop
// that accepts them waits a little for more (see UpgradeOptions.NoCoalescing), and
// whatever else it drives with it. Where opts have callbacks that see the handshake,
// each has a goroutine instead, as it has everywhere else.
func (e *Engine) Serve(l net.Listener, opts *ListenOptions, ev *Events) error {
	if l == nil || ev == nil {
		return errors.New("websocket: Serve needs a net.Listener and Events")
	}
	m, err := newDoorman(opts, ev, l.Addr())
	if err != nil {
		return err
	}
	defer m.close()
	loops, ok := e.listen(&l)
	if !ok {
		_ = l.Close() // or clients would come, and nobody accept them
		return ErrEngineClosed
	}
	m.usher = newRusher(l, loops, &reception{m: m, blocking: e.opts.Blocking, admit: e.enroll, gone: e.gone})
	err = m.serve(l, func(nc net.Conn, d *decision) {
		c := newConn(nc, d.est)
		if d.user != nil {
			c.SetUserData(d.user)
		}
		if e.Attach(c, cmp.Or(d.ev, ev)) != nil { // the engine has been shut down
			late := time.AfterFunc(lingerTime, func() { _ = c.CloseNow() })
			_ = c.Close(StatusGoingAway, "")
			late.Stop()
		}
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.accept, &l)
	if e.closed {
		return ErrEngineClosed
	}
	return err
}

// listen notes a listener to be closed by Shutdown, unless it has been called. It
// returns the loops there are, for each listener another one first.
func (e *Engine) listen(l *net.Listener) (loops []*engineLoop, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, false
	}
	e.accept[l] = struct{}{}
	first := len(e.accept) % max(len(e.loops), 1)
	return slices.Concat(e.loops[first:], e.loops[:first]), true
}

// enroll counts a connection, unless there are to be none any more.
func (e *Engine) enroll() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.count++
	}
	return !e.closed
}

// admit counts a connection and chooses its loop, nil if there are none.
func (e *Engine) admit() (*engineLoop, error) {
	if !e.enroll() {
		return nil, ErrEngineClosed
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.loops) == 0 {
		return nil, nil
	}
	e.next = (e.next + 1) % len(e.loops)
	return e.loops[e.next], nil
}

// gone counts a connection out.
func (e *Engine) gone() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count--; e.count == 0 && e.closed {
		close(e.idle)
	}
}

// serve drives a connection that no loop can.
func (e *Engine) serve(c *Conn, ev *Events) {
	e.mu.Lock()
	e.own[c] = struct{}{}
	e.mu.Unlock()
	go func() {
		defer e.gone()
		defer func() {
			e.mu.Lock()
			delete(e.own, c)
			e.mu.Unlock()
		}()
		_ = ev.serve(context.Background(), c)
	}()
}

// Len returns the number of connections that are attached: each counts until its
// Events.Close has returned.
func (e *Engine) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count
}

// Shutdown closes all connections with StatusGoingAway, waits until they have
// ended and their Close callbacks have returned, and gives up what the engine
// holds. Attach returns ErrEngineClosed from then on. If ctx ends first, the
// connections that are left are closed without a handshake, and Shutdown returns
// ctx's error without waiting for callbacks. Calling it again waits too. It must
// not be called from a callback.
func (e *Engine) Shutdown(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	e.mu.Lock()
	if !e.closed {
		e.closed = true
		if e.count == 0 {
			close(e.idle)
		}
	}
	accept := slices.Collect(maps.Keys(e.accept))
	e.mu.Unlock()
	for _, l := range accept {
		_ = (*l).Close() // which may call the Engine
	}
	e.closeAll(func(c *Conn) { c.l.beginClose(StatusGoingAway, "") })
	select {
	case <-e.idle:
	case <-ctx.Done():
	}
	if e.Len() == 0 {
		e.stop()
		return nil
	}
	e.mu.Lock()
	e.hurry = true
	e.mu.Unlock()
	e.closeAll(func(c *Conn) { _ = c.l.closeNow() })
	go func() {
		<-e.idle
		e.stop()
	}()
	return ctx.Err()
}

// closeAll calls end for each connection.
func (e *Engine) closeAll(end func(c *Conn)) {
	e.mu.Lock()
	own := make([]*Conn, 0, len(e.own))
	for c := range e.own {
		own = append(own, c)
	}
	loops := e.loops
	e.mu.Unlock()
	for _, l := range loops {
		l.each(end)
	}
	for _, c := range own {
		end(c)
	}
}

// stop ends the loops, and waits for that, which does not take long.
func (e *Engine) stop() {
	e.mu.Lock()
	for _, l := range e.loops {
		l.stop()
	}
	e.spent = append(e.spent, e.loops...)
	e.loops = nil
	spent := e.spent // by others, too
	e.mu.Unlock()
	for _, l := range spent {
		l.wait()
	}
}
