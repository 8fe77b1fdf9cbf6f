// The option structs and the one settings value that is built from each.

package websocket

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"
)

// The defaults of the options, used where a field is 0.
const (
	DefaultMaxMessageSize   = 1 << 20
	DefaultHeartbeat        = 30 * time.Second
	DefaultHeartbeatTimeout = 15 * time.Second
	DefaultCloseTimeout     = 5 * time.Second
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultSendLimit        = 1 << 20

	DefaultCompressionLevel     = 3
	DefaultCompressionThreshold = 256
)

// UpgradeOptions configures Upgrade and Handler. A nil *UpgradeOptions and the
// zero value are good defaults. The struct is read, never changed, and may be
// shared by any number of calls.
type UpgradeOptions struct {
	// Subprotocols are the subprotocols this server speaks, the preferred one
	// first. The first that the client offers too is chosen; none is fine
	// (RFC 6455, section 4.2.2). Ignored if ChooseSubprotocol is set.
	Subprotocols []string

	// HandshakeTimeout bounds the writing of the answer; how long the request
	// may take is the http.Server's ReadHeaderTimeout. 0 means
	// DefaultHandshakeTimeout, negative means no bound.
	HandshakeTimeout time.Duration

	// Compression, if not nil, turns on compression with clients that offer it
	// (permessage-deflate, RFC 7692). Conn.Extensions tells what was agreed on.
	Compression *Compression

	// MaxMessageSize bounds a received message in bytes, after inflation, for
	// every way of reading. 0 means DefaultMaxMessageSize, negative means no
	// bound. A longer message fails the connection with StatusMessageTooBig
	// and an error that matches ErrMessageTooBig. So does one in more than 131,072
	// frames and another for each 64 bytes of the bound: nobody is kept busy for
	// ever with empty ones.
	MaxMessageSize int64

	// Heartbeat is the interval: when nothing has come from the peer for so long,
	// a ping is sent. After messages it may take up to a quarter longer. It counts
	// from the first read on. 0 means DefaultHeartbeat, negative means no
	// heartbeat.
	Heartbeat time.Duration

	// HeartbeatTimeout is how long a read then waits for any sign of life
	// before the connection fails with ErrHeartbeat. It runs only while a read
	// waits for input, or while none does and a write gets nothing sent. 0 means
	// DefaultHeartbeatTimeout, negative means no bound.
	HeartbeatTimeout time.Duration

	// CloseTimeout bounds the closing handshake. 0 means DefaultCloseTimeout,
	// negative means no bound.
	CloseTimeout time.Duration

	// SendLimit bounds the queue that Send adds to, in bytes. What a Write has not
	// sent yet stands in it too, but only under an Engine is Write bound by it.
	// 0 means DefaultSendLimit, negative means no bound.
	SendLimit int64

	// NoCoalescing writes every message at once. Without it, replies written
	// while more complete messages have already been received are collected
	// and leave together: when the reader would wait, at 16 KiB, or after 1 ms
	// (as punctual as Go's timers). Where connections have something to receive
	// at the same time, and are done with it within microseconds, the replies of
	// up to 16 of them leave together, or as soon as any of these bounds is
	// reached. An Engine does that, and so do all ways of reading on Linux, where
	// the system allows the sends to be made in one call (io_uring). A connection
	// that is busy alone, or that takes its time between its reply and its next
	// read, waits for nobody. While connections come to Engine.Serve in thousands a
	// second, the event loop that accepts them looks for more only every 0.2 ms or so
	// when it has nothing left to do, which makes each of them cheaper; for those that
	// come with NoCoalescing it does not.
	NoCoalescing bool

	// SkipOutgoingTextCheck sends text messages without checking that they are
	// valid UTF-8, for callers that know that they are.
	SkipOutgoingTextCheck bool

	// Trace, if not nil, is told what happens on the connection.
	Trace *Trace

	// OriginPatterns are the origins that may connect besides the request's
	// own host: "example.com", "*.example.com", "https://example.com:8443",
	// in the syntax of path.Match, compared without regard to case. A pattern
	// without a scheme matches any; one without a port matches the scheme's
	// default port, "example.com:*" any port, and "null" the origin of a page
	// that has none. []string{"*"} lets every web page of the
	// world open connections with its visitor's cookies. A request without an
	// Origin header is not from a browser's page and always passes.
	OriginPatterns []string

	// CheckOrigin, if set, decides instead of OriginPatterns and the same-host
	// rule. An error refuses the request with 403 and is part of the answer; a
	// *HandshakeError in its tree whose StatusCode is between 300 and 599 gives the
	// status, the Header and the Reason of the answer.
	CheckOrigin func(r *http.Request) error

	// ChooseSubprotocol, if set, chooses among what the client offers. It
	// returns one of the offered values or "" for none; an error refuses the
	// request with 400, or as CheckOrigin's does, any other value with 500.
	ChooseSubprotocol func(r *http.Request, offered []string) (string, error)

	_ [0]func() // not comparable, so that fields may be added
}

// DialOptions configures Dial. A nil *DialOptions and the zero value are good
// defaults. The struct is read, never changed, and may be shared.
type DialOptions struct {
	// Subprotocols are offered to the server, the preferred one first. If it
	// chooses none of them, Dial succeeds, and Conn.Subprotocol returns "".
	Subprotocols []string

	// HandshakeTimeout bounds everything Dial does, from the name look-up to
	// the server's answer, besides Dial's context. 0 means
	// DefaultHandshakeTimeout, negative means no bound.
	HandshakeTimeout time.Duration

	// Compression, if not nil, offers compression to the server
	// (permessage-deflate, RFC 7692). Conn.Extensions tells what was agreed on.
	Compression *Compression

	// MaxMessageSize is as in UpgradeOptions.
	MaxMessageSize int64

	// Heartbeat is as in UpgradeOptions.
	Heartbeat time.Duration

	// HeartbeatTimeout is as in UpgradeOptions.
	HeartbeatTimeout time.Duration

	// CloseTimeout is as in UpgradeOptions.
	CloseTimeout time.Duration

	// SendLimit is as in UpgradeOptions.
	SendLimit int64

	// NoCoalescing is as in UpgradeOptions.
	NoCoalescing bool

	// SkipOutgoingTextCheck is as in UpgradeOptions.
	SkipOutgoingTextCheck bool

	// Trace is as in UpgradeOptions.
	Trace *Trace

	// Header is sent with the request. Host sets the Host header; the headers
	// of the handshake itself (RFC 6455, section 4.1) are refused here.
	Header http.Header

	// TLSConfig is used for wss and https URLs and towards https proxies,
	// cloned first. The server's name is taken from the URL where the config
	// has none.
	TLSConfig *tls.Config

	// NetDial, if set, opens the connection to the server or the proxy. It may
	// ignore the address, to dial a unix socket for example. Like NetDialTLS
	// and Proxy it must obey its context.
	NetDial func(ctx context.Context, network, address string) (net.Conn, error)

	// NetDialTLS, if set, opens connections to wss and https servers with the
	// TLS handshake already done, unless there is a proxy between. TLSConfig is
	// not used then. It must not agree on HTTP/2 (tls.Config.NextProtos).
	NetDialTLS func(ctx context.Context, network, address string) (net.Conn, error)

	// Proxy returns the proxy for a request: http, https, socks5 or socks5h
	// with or without credentials, nil for none. Its request has the URL's
	// scheme as http or https. Nil means http.ProxyFromEnvironment's rules.
	Proxy func(r *http.Request) (*url.URL, error)

	// Jar, if set, gives the request's cookies and is told the answer's.
	Jar http.CookieJar

	// Redirects is how many redirects are followed. 0 and negative mean none.
	// Credentials in Header never follow to another host or port, but from ws to
	// wss on the same host, both at their usual ports. No redirect leads from wss
	// or https to ws or http.
	Redirects int

	_ [0]func() // not comparable, so that fields may be added
}

// ConnConfig describes a connection that is past its opening handshake, for
// NewConn. Role has no useful zero value.
type ConnConfig struct {
	// Compression says how this side compresses if Extensions has
	// permessage-deflate: its Level and Threshold, the defaults if nil. The
	// windows, and whether they are kept, are those of Extensions.
	Compression *Compression

	// MaxMessageSize is as in UpgradeOptions.
	MaxMessageSize int64

	// Heartbeat is as in UpgradeOptions.
	Heartbeat time.Duration

	// HeartbeatTimeout is as in UpgradeOptions.
	HeartbeatTimeout time.Duration

	// CloseTimeout is as in UpgradeOptions.
	CloseTimeout time.Duration

	// SendLimit is as in UpgradeOptions.
	SendLimit int64

	// NoCoalescing is as in UpgradeOptions.
	NoCoalescing bool

	// SkipOutgoingTextCheck is as in UpgradeOptions.
	SkipOutgoingTextCheck bool

	// Trace is as in UpgradeOptions.
	Trace *Trace

	// Role says which side of the connection this is.
	Role Role

	// Buffered are bytes of the peer that were read together with its
	// handshake. They are copied.
	Buffered []byte

	// Subprotocol is what the handshake agreed on, "" for none.
	Subprotocol string

	// Extensions is the Sec-WebSocket-Extensions header that the server
	// answered, "" for none. permessage-deflate is the only extension there is.
	Extensions string

	_ [0]func() // not comparable, so that fields may be added
}

// Compression configures permessage-deflate (RFC 7692), which both sides have to
// want. It is the same for a server and a client: what this side sends, what it
// receives. The zero value is a good default: it costs no memory between
// messages. The struct is read, never changed, and may be shared.
//
// Compressors and inflaters are shared by all connections. A connection holds one
// while it works on a message, and between messages at most a window for each
// direction whose takeover is on: the last bytes of the messages before, to which
// the next may refer. That makes short messages that resemble each other several
// times smaller, and costs each connection at most
//
//	window bits         8     9    10    11    12    13    14    15
//	to send, bytes    512  1024    2K    4K    8K   16K   24K   40K
//	to receive        256   512    1K    2K    4K    8K   16K   32K
//
// which grows with what has been sent and received. 12 is a good choice where many
// connections have short messages. A compressed message that is being received
// holds 10 KiB, and without takeover the window besides, until its end has come.
//
// Compression takes much more time than sending does, and pays where the network
// is the bottleneck. A message that has a secret beside what an attacker chose
// tells the attacker of the secret by its length, even on an encrypted connection:
// see MessageType.Uncompressed.
type Compression struct {
	// Level is from 1, the fastest, to 9, the smallest. 0 means
	// DefaultCompressionLevel. Negative means that this side compresses nothing:
	// it only receives compressed messages.
	Level int

	// Threshold is the size in bytes from which a message is compressed. 0 means
	// DefaultCompressionThreshold, negative means every message that is not
	// empty. A message that goes out in fragments is compressed whatever its
	// size. Without takeover a message that would not get smaller goes out
	// uncompressed. MessageType.Compressed and Uncompressed override all that.
	Threshold int

	// SendTakeover keeps a window from one message to the next for what this
	// side sends, unless the peer forbids it. Messages are then compressed one
	// after the other, in the order in which they are sent. Send, and all that
	// writes under an Engine, does not wait for that: what it would have to wait
	// for, a long message or the end of a Writer's, leaves its own uncompressed.
	SendTakeover bool

	// ReceiveTakeover lets the peer do so for what this side receives.
	ReceiveTakeover bool

	// SendWindowBits is the binary logarithm of the size of the window that this
	// side sends with, 8 to 15. 0 means 15; anything else, negative numbers
	// included, is a mistake. A peer may ask for less and gets it.
	SendWindowBits int

	// ReceiveWindowBits is the same for the window that the peer may send with.
	// A peer that cannot limit its window so is not allowed takeover instead.
	ReceiveWindowBits int

	_ [0]func() // not comparable, so that fields may be added
}

// maxCompressionLevel is the highest Level.
const maxCompressionLevel = 9

// Trace holds hooks that are told what happens on a connection. Each may be
// nil. They are called from whatever goroutine does the work, possibly several
// at once, and must return quickly and not panic. They are told facts, never handed
// the Conn, and must neither close it nor wait for Done.
//
// To know which connection it is, give each a Trace of its own:
//
//	opts := &websocket.UpgradeOptions{Trace: traceFor(r)}
//	websocket.Handler(serve, opts).ServeHTTP(w, r)
//
// Under Engine.Serve, Events and Conn.UserData tell connections apart.
type Trace struct {
	// MessageReceived is called for each message as it is handed out, with its size in
	// bytes; for one that Reader or NetConn hands out in pieces, with the last of them.
	MessageReceived func(t MessageType, size int)

	// MessageSent is called for each message as it is accepted for sending.
	MessageSent func(t MessageType, size int)

	// HeartbeatSent is called when a heartbeat ping is sent.
	HeartbeatSent func()

	// Closed is called once when the connection has ended, with its cause.
	Closed func(err error)

	// Refused is called when Handler or Engine.Serve has refused an opening
	// handshake of the client at remoteAddr, with a *HandshakeError. If it is nil,
	// those with status 500 are logged with package log: options are wrong, say, or
	// a ResponseWriter cannot be taken over. Upgrade returns the error instead.
	Refused func(remoteAddr string, err error)

	// Panicked is called with the value and the stack of a panic in a callback
	// or in Handler's serve. If it is nil, the panic is logged with package log.
	Panicked func(value any, stack []byte)
}

// settings is what a connection needs of its options, defaults filled in.
// Negative durations and sizes have become 0, which means none.
type settings struct {
	maxMessageSize        int64
	heartbeat             time.Duration
	heartbeatTimeout      time.Duration
	closeTimeout          time.Duration
	sendLimit             int64
	noCoalescing          bool
	skipOutgoingTextCheck bool
	trace                 *Trace
}

func (o *UpgradeOptions) settings() *settings {
	return newSettings(o.MaxMessageSize, o.Heartbeat, o.HeartbeatTimeout, o.CloseTimeout, o.SendLimit,
		o.NoCoalescing, o.SkipOutgoingTextCheck, o.Trace)
}

func (o *DialOptions) settings() *settings {
	return newSettings(o.MaxMessageSize, o.Heartbeat, o.HeartbeatTimeout, o.CloseTimeout, o.SendLimit,
		o.NoCoalescing, o.SkipOutgoingTextCheck, o.Trace)
}

func (o *ConnConfig) settings() *settings {
	return newSettings(o.MaxMessageSize, o.Heartbeat, o.HeartbeatTimeout, o.CloseTimeout, o.SendLimit,
		o.NoCoalescing, o.SkipOutgoingTextCheck, o.Trace)
}

// ages is as long as anything may take, so short that three of it can be added.
const ages = 90 * 365 * 24 * time.Hour

func newSettings(maxMessageSize int64, heartbeat, heartbeatTimeout, closeTimeout time.Duration, sendLimit int64,
	noCoalescing, skipOutgoingTextCheck bool, trace *Trace,
) *settings {
	return &settings{
		maxMessageSize:        orDefault(maxMessageSize, DefaultMaxMessageSize),
		heartbeat:             min(orDefault(heartbeat, DefaultHeartbeat), ages),
		heartbeatTimeout:      min(orDefault(heartbeatTimeout, DefaultHeartbeatTimeout), ages),
		closeTimeout:          min(orDefault(closeTimeout, DefaultCloseTimeout), ages),
		sendLimit:             orDefault(sendLimit, DefaultSendLimit),
		noCoalescing:          noCoalescing,
		skipOutgoingTextCheck: skipOutgoingTextCheck,
		trace:                 trace,
	}
}

// defaultSettings are those of a connection without options.
var defaultSettings = new(UpgradeOptions).settings()

// sendable checks a message before anything of it is sent.
func (s *settings) sendable(ctx context.Context, t MessageType, p []byte) error {
	if ctx == nil {
		return errNilContext
	}
	if !t.valid() {
		return errMessageType
	}
	if t.kind() == MessageText && !s.skipOutgoingTextCheck && !validText(p) {
		return ErrInvalidText
	}
	return nil
}

// sweepEvery returns how often who has many connections looks after the heartbeats of one, 0
// for never.
func (s *settings) sweepEvery() time.Duration {
	if s.heartbeat <= 0 {
		return 0
	}
	every := s.heartbeat / 8 // what came is known to one sweep, and what is due to another
	if s.heartbeatTimeout > 0 {
		every = min(every, s.heartbeatTimeout/4)
	}
	return max(every, 1)
}

// received tells the trace of a message that has been received, sent of one that was accepted.
func (s *settings) received(t MessageType, size int) {
	if trace := s.trace; trace != nil && trace.MessageReceived != nil {
		trace.MessageReceived(t, size)
	}
}

func (s *settings) sent(t MessageType, size int) {
	if trace := s.trace; trace != nil && trace.MessageSent != nil {
		trace.MessageSent(t, size)
	}
}

// orDefault returns def for 0 and 0, which means none, for negative values.
func orDefault[T ~int64](v, def T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return 0
	}
	return v
}

// reportPanic tells trace of a panic that was contained, or logs it.
func reportPanic(trace *Trace, value any, stack []byte) {
	if trace != nil && trace.Panicked != nil {
		trace.Panicked(value, stack)
		return
	}
	log.Printf("websocket: panic: %v\n%s", value, stack)
}
