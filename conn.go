// Conn: a thin face over both halves of a connection.

package websocket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed86893212/websocket/internal/flate"
)

// A Conn is a WebSocket connection. It comes from Handler, Upgrade, Dial or
// NewConn; the zero Conn is not usable. It must be read for anything to happen
// on it: pings are answered, close frames seen and heartbeats kept by whoever
// reads. One goroutine at a time may read; everything else is safe for
// concurrent use. A connection that is not needed any more must be closed.
type Conn struct {
	l      blocking
	agreed *terms
	user   atomic.Pointer[any]
}

// terms are what a connection keeps of its opening handshake.
type terms struct {
	agreement
	z *deflater // nil if this side compresses nothing
}

// nothingAgreed is what most handshakes agree on.
var nothingAgreed terms

// established is what an opening handshake hands to a connection.
type established struct {
	agreement
	role     Role
	settings *settings
	buffered []byte // the peer's bytes that came with its handshake
}

func newConn(nc net.Conn, est established) *Conn {
	c := new(Conn)
	c.init(newTransport(nc), est)
	return c
}

func (c *Conn) init(t transport, est established) {
	c.agreed = &nothingAgreed
	if est.agreement != nothingAgreed.agreement {
		c.agreed = &terms{est.agreement, newDeflater(est.deflate)}
	}
	c.l.init(t, est.role, est.settings, est.deflate, est.buffered)
}

// NewConn returns a Conn over nc, whose opening handshake has been done by
// other means. The Conn owns nc from then on. A transport that cannot be read
// with deadlines is read ahead by a goroutine of its own, so any net.Conn will
// do. The error tells what is wrong with nc or cfg; nc is still the caller's
// then.
func NewConn(nc net.Conn, cfg *ConnConfig) (*Conn, error) {
	switch {
	case nc == nil:
		return nil, errors.New("websocket: NewConn: no net.Conn")
	case cfg == nil || cfg.Role != RoleClient && cfg.Role != RoleServer:
		return nil, errors.New("websocket: NewConn: Role must be RoleClient or RoleServer")
	}
	agreed, err := agreedAlready(cfg)
	if err != nil {
		return nil, fmt.Errorf("websocket: NewConn: %w", err)
	}
	_ = nc.SetDeadline(time.Time{}) // one that is left over would never let a read wait
	return newConn(nc, established{
		role:      cfg.Role,
		settings:  cfg.settings(),
		buffered:  cfg.Buffered,
		agreement: agreed,
	}), nil
}

// Read waits for the next message and returns it. The bytes are the caller's.
//
// When ctx ends first, Read returns its error; nothing is lost and the
// connection stays usable: the next read goes on where this one stopped. With a
// context that has ended it does so even if a message is at hand. A context is watched until a read with another one, or until the end, so that a
// loop with one context costs nothing.
//
// The read that finds the end of the connection returns its cause, as Err does:
// a *CloseError for the peer's close frame (RFC 6455, section 5.5.1) and for a
// failure found here, such as a message that is too big (ErrMessageTooBig) or
// not UTF-8 (ErrInvalidText); ErrHeartbeat; io.ErrUnexpectedEOF if the peer went
// without a close frame; or the transport's error. Reads that are interrupted by
// this side's Close or CloseNow, and all later ones, return an error that matches
// net.ErrClosed and the cause. While somebody else reads, Read returns
// ErrConcurrentRead, or ErrTaken, which remains after the end.
func (c *Conn) Read(ctx context.Context) (MessageType, []byte, error) {
	return c.l.message(ctx, nil, false)
}

// ReadInto is Read into buf: the message overwrites it from buf[:0], and the
// slice returned is buf's memory if the message fits and larger memory if not.
// Use the result as buf of the next call, and nothing is allocated in the long
// run. With an error the result is buf[:0], and buf is the caller's again.
// Errors, and what happens when ctx ends, are as for Read.
func (c *Conn) ReadInto(ctx context.Context, buf []byte) (MessageType, []byte, error) {
	return c.l.message(ctx, buf, true)
}

// Reader waits for the next message and returns a reader of it, for messages
// that should not stand in memory whole. MaxMessageSize holds all the same. ctx
// covers the reader's calls too, until its SetContext. Errors are as for Read.
func (c *Conn) Reader(ctx context.Context) (MessageType, *MessageReader, error) {
	if err := c.l.take(ctx); err != nil {
		return 0, nil, err
	}
	defer c.l.give()
	if err := c.l.discard(ctx); err != nil {
		return 0, nil, err
	}
	var ev event
	for {
		if err := c.l.next(ctx, &ev); err != nil {
			return 0, nil, err
		}
		if ev.kind == eventStart {
			return ev.typ, &MessageReader{l: &c.l, ctx: ctx, serial: c.l.serial}, nil
		}
	}
}

// Messages returns a loop over the messages to come, without copying them:
//
//	for m, err := range conn.Messages(ctx) { ... }
//
// Take both: with m alone the error is lost, and the body runs for a zero Message
// with it. A message's bytes are valid until the body ends. The loop ends without an
// error when the peer closes with StatusNormalClosure, StatusGoingAway or no status
// (as a browser's close() does), and when this side closes; otherwise it hands out
// the error once, as Read would return it, and ends. When ctx ends, that is ctx's
// error, and the connection stays usable. Leaving the loop early loses nothing.
// Inside the body the connection may be written to and closed, but not read: that is
// ErrConcurrentRead.
func (c *Conn) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		if err := c.l.take(ctx); err != nil {
			if !c.l.endedWell(err) {
				yield(Message{}, err)
			}
			return
		}
		defer c.l.endLoop()
		c.l.rd.grow(true)
		err := c.l.discard(ctx)
		if err == nil {
			r := &ranged{yield: yield}
			err = r.run(ctx, &c.l, r)
		}
		if err != nil && !c.l.endedWell(err) {
			c.l.alarm.enter(false) // nor does a read wait any more
			yield(Message{}, err)
		}
	}
}

// CloseRead takes over the reading side for an application that only writes:
// control frames are answered, and a data message closes the connection with
// StatusPolicyViolation. The context it returns has ctx's values and ends with
// ctx or with the connection, whose error is its cause (context.Cause). When ctx
// ends, the connection stays open and goes on being read until it is closed. Later
// reads return ErrTaken; calling CloseRead again returns the same context. If
// the reading side is not free, the context has ended already, with the reason
// as its cause.
func (c *Conn) CloseRead(ctx context.Context) context.Context {
	if ctx == nil {
		none, cancel := context.WithCancelCause(context.Background())
		cancel(errNilContext)
		return none
	}
	ctx, cancel := context.WithCancelCause(ctx)
	readDone := &c.l.extras().readDone
	if !readDone.CompareAndSwap(nil, &ctx) {
		if done := readDone.Load(); done != nil {
			ctx = *done
		}
		cancel(nil)
		return ctx
	}
	if err := c.l.notFree(c.l.rd.role.drive(true)); err != nil {
		readDone.Store(nil)
		cancel(err)
		return ctx
	}
	go func() {
		defer c.l.give()
		c.l.beat()
		var ev event
		for {
			if err := c.l.next(context.Background(), &ev); err != nil {
				cancel(err)
				return
			}
			if ev.kind == eventStart {
				c.l.beginClose(StatusPolicyViolation, "no data messages are expected")
			}
		}
	}()
	return ctx
}

// Write sends a message of type t. It waits until the message has been handed
// to the transport, or may return earlier while the reading side, or the Engine
// that drives it, has more messages at hand (see UpgradeOptions.NoCoalescing).
// p is not modified and may be reused when Write returns.
//
// A peer that does not read holds Write up until ctx or the connection ends. The
// heartbeat ends that if nothing comes from the peer, or if the goroutine that reads
// is the one in Write. A peer that goes on sending to another goroutine is alive: give
// Write a context with a timeout, or use Send.
//
// nil means that the message is accepted; an error of the transport may come
// back from a later call. When ctx ends first, Write returns its error: if
// nothing of the message had been sent, nothing will be; otherwise its rest is
// still sent, before anything else, and the connection stays usable. (With
// Compression.SendTakeover a message that has been compressed is sent in any case:
// those after it may refer to it.) A text
// message that is not UTF-8 is refused with ErrInvalidText (RFC 6455, section
// 5.6). On a connection that is closing or closed the error matches
// net.ErrClosed and, if there is one, the cause.
func (c *Conn) Write(ctx context.Context, t MessageType, p []byte) error {
	if err := c.l.wr.set.sendable(ctx, t, p); err != nil {
		return err
	}
	if c.agreed.z != nil {
		_, err := c.writePacked(ctx, t, p, nil)
		return err
	}
	_, err := c.l.write(toWaitWith(ctx, &c.l.link), t.opcode(), p, nil)
	return err
}

// write sends a message that has been checked. With an error, accepted tells
// whether its rest will be sent all the same. shared are the compressed forms of a
// prepared message, nil for others.
func (c *Conn) write(ctx context.Context, t MessageType, p []byte, shared *flate.Shared) (accepted bool, err error) {
	if c.agreed.z != nil {
		return c.writePacked(ctx, t, p, shared)
	}
	return c.l.write(toWaitWith(ctx, &c.l.link), t.opcode(), p, nil)
}

// writePacked is write where permessage-deflate was agreed on.
func (c *Conn) writePacked(ctx context.Context, t MessageType, p []byte, shared *flate.Shared) (accepted bool, err error) {
	pc := c.agreed.z.pack(t, p, shared)
	defer pc.free()
	return c.l.write(toWaitWith(ctx, &c.l.link), t.opcode(), p, &pc)
}

// WriteText is Write for a text message in a string.
func (c *Conn) WriteText(ctx context.Context, s string) error {
	return c.Write(ctx, MessageText, stringBytes(s))
}

// WritePrepared is Write for a prepared message.
func (c *Conn) WritePrepared(ctx context.Context, m *PreparedMessage) error {
	if err := m.made(); err != nil {
		return err
	}
	_, err := c.write(ctx, m.typ, m.payload, &m.shared)
	return err
}

// Writer begins a message of type t that is written in fragments (RFC 6455,
// section 5.4), waiting for another such message to end first. ctx covers the
// writer's calls too, until its SetContext. What Send accepts meanwhile is sent
// after the message, or as Close says. Errors are as for Write.
func (c *Conn) Writer(ctx context.Context, t MessageType) (*MessageWriter, error) {
	if err := c.l.wr.set.sendable(ctx, t, nil); err != nil {
		return nil, err
	}
	return newMessageWriter(ctx, &c.l, t, c.agreed.z)
}

// Send queues a message and returns without waiting, so that a slow peer holds
// nobody up. p is copied. If the queue has no room for it left within SendLimit,
// Send returns ErrSendLimit and queues nothing: drop the message, or the peer, with
// CloseNow or with Close on a goroutine of its own, since Close may wait for a slow
// peer up to CloseTimeout. Messages that do not fit into an empty queue never do.
// Other errors are as for Write.
func (c *Conn) Send(t MessageType, p []byte) error {
	if err := c.l.wr.set.sendable(context.Background(), t, p); err != nil {
		return err
	}
	return c.send(t, p, nil)
}

// SendPrepared is Send for a prepared message.
func (c *Conn) SendPrepared(m *PreparedMessage) error {
	if err := m.made(); err != nil {
		return err
	}
	return c.send(m.typ, m.payload, &m.shared)
}

func (c *Conn) send(t MessageType, p []byte, shared *flate.Shared) error {
	open := !c.l.isClosed()
	var err error
	if c.agreed.z != nil {
		pc := c.agreed.z.pack(t, p, shared)
		defer pc.free()
		err = c.l.wr.enqueue(t.opcode(), p, &pc)
	} else {
		err = c.l.wr.enqueue(t.opcode(), p, nil)
	}
	if err != nil {
		return c.l.writeError(err, open)
	}
	c.l.wr.set.sent(t.kind(), len(p))
	return nil
}

// Flush waits until everything accepted so far has been handed to the
// transport. Messages queued behind an unfinished Writer are not waited for.
// Errors are as for Write.
func (c *Conn) Flush(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	open := !c.l.isClosed()
	return c.l.writeError(c.l.wr.flush(toWaitWith(ctx, &c.l.link)), open)
}

// BufferedAmount returns how many bytes have been accepted and not yet handed to
// the transport, frame headers included; 0 after the end.
func (c *Conn) BufferedAmount() int64 { return c.l.wr.size() }

// Ping sends a ping and waits for its pong (RFC 6455, section 5.5.2), for which
// somebody has to be reading (Read, Messages, CloseRead, callbacks): otherwise it
// waits until ctx or the connection ends. So never call it from a callback or a Messages
// loop. A pong to a later ping will do: the peer may answer only the latest (section
// 5.5.3). It returns the time between them. Errors are ctx's, ErrSendLimit if the send
// queue is full, or as for Write.
func (c *Conn) Ping(ctx context.Context) (time.Duration, error) {
	if ctx == nil {
		return 0, errNilContext
	}
	if c.l.isClosed() {
		return 0, c.l.afterEnd()
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p := &c.l.extras().pinger
	sent := time.Now()
	n, answer, err := p.ping(c.SendPing)
	defer p.forget(n)
	if err != nil {
		return 0, err
	}
	if c.l.isClosed() { // perhaps before the ping could be told
		return 0, c.l.atEnd()
	}
	select {
	case <-answer:
		if !c.l.isClosed() {
			return time.Since(sent), nil
		}
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-c.l.done():
	}
	return 0, c.l.atEnd()
}

// SendPing queues a ping and returns without waiting. A payload of more than 125 bytes
// is an error. Events.Pong sees the answer. Other errors are as for Send.
func (c *Conn) SendPing(payload []byte) error {
	if len(payload) > maxControlPayload {
		return errPingSize
	}
	open := !c.l.isClosed()
	return c.l.writeError(c.l.wr.ping(payload), open)
}

var errPingSize = errors.New("websocket: ping payload longer than 125 bytes")

// Close closes the connection: what has been accepted is sent, then a close
// frame with the code and reason (RFC 6455, section 7.1.2), and the peer's answer
// is awaited for CloseTimeout at most. When Close returns, everything has been
// given up, whatever it returns; but called from a callback, while the body of a
// Messages loop runs (also for the error that the loop ends with, and until the loop
// waits for the next message), or on a connection whose reading side has been taken
// over by Events.Serve, NetConn or an Engine it returns at once, and the connection
// ends behind it: wait for Done where that matters. A nil error then says nothing of
// the peer: Err does, after the end.
//
// Otherwise it returns nil if the peer answered with a close frame, or why that did
// not come: an error that matches os.ErrDeadlineExceeded if nothing came in time,
// io.ErrUnexpectedEOF or the system's error if the peer just left, a *CloseError
// if it broke the protocol. If the connection was closing or closed before, the
// error matches net.ErrClosed. A code that must not be sent (section
// 7.4) is an error and closes with StatusInternalError. StatusNoStatusReceived
// with no reason sends a close frame without a body. A reason is cut, between
// characters, to the 123 bytes there is room for. One that is not UTF-8 is an error,
// and is sent with U+FFFD for what is wrong with it.
//
// Messages that come after the call, or have not been read by then, are dropped: to
// get all, let the peer close first.
//
// What Send has accepted behind a Writer of whose message a part has been sent, and not
// its end, is dropped: nothing may come between the two (section 5.4).
func (c *Conn) Close(code StatusCode, reason string) error { return c.l.close(code, reason) }

// CloseNow ends the connection at once, without a handshake: what has not been
// sent is dropped, and everybody who waits returns. It never waits for the peer.
// The error matches net.ErrClosed if the connection had ended before.
func (c *Conn) CloseNow() error { return c.l.closeNow() }

// Done returns a channel that is closed when the connection has ended and
// everything it held has been given up. For that, the body of a Messages loop, or
// a callback, must have returned: never wait for Done in one. Events.Close may still be
// to come.
func (c *Conn) Done() <-chan struct{} { return c.l.done() }

// Err returns why the connection ended, nil before that. See Read for what it
// can be.
func (c *Conn) Err() error { return c.l.err() }

// State returns how far the connection is.
func (c *Conn) State() State { return State(c.l.state.Load()) }

// Subprotocol returns the subprotocol that the handshake agreed on, "" for none.
func (c *Conn) Subprotocol() string { return c.agreed.subprotocol }

// Extensions returns the extensions that the handshake agreed on, as in the
// Sec-WebSocket-Extensions header, "" for none.
func (c *Conn) Extensions() string { return c.agreed.extensions }

// Response returns what the server answered to Dial, without its body; nil on a
// connection that Dial did not open.
func (c *Conn) Response() *http.Response { return c.agreed.response }

// LocalAddr returns the address of this side's transport.
func (c *Conn) LocalAddr() net.Addr { return c.l.transport().localAddr() }

// RemoteAddr returns the address of the peer's transport.
func (c *Conn) RemoteAddr() net.Addr { return c.l.transport().remoteAddr() }

// SetMaxMessageSize bounds, in bytes, the messages that begin from now on: 0 means
// DefaultMaxMessageSize, negative no bound. Only the goroutine that reads may call it.
func (c *Conn) SetMaxMessageSize(n int64) {
	c.l.rd.limitTo(orDefault(n, DefaultMaxMessageSize))
}

// SetUserData keeps v with the connection, for the application.
func (c *Conn) SetUserData(v any) { c.user.Store(&v) }

// UserData returns what was last given to SetUserData, nil at first.
func (c *Conn) UserData() any {
	if v := c.user.Load(); v != nil {
		return *v
	}
	return nil
}

// SyscallConn returns the raw connection of the transport, below TLS, for socket
// options and facts. Reading or writing through it, or waiting in its Read or Write,
// ruins the WebSocket connection, and may hold up others. What it returned before
// Engine.Attach is of no use after that: call it again. The error matches
// errors.ErrUnsupported if there is none.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.l.transport().rawConn() }
