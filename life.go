// The states of a connection, and what its callers are told of its end.

package websocket

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// State is how far a connection is. The browser's CONNECTING has no counterpart
// here: there is no Conn before the opening handshake has succeeded.
type State uint32

// The states of a connection.
const (
	StateOpen    State = 1 // messages can be sent and received
	StateClosing State = 2 // the closing handshake has begun
	StateClosed  State = 3 // it has ended
)

// String returns "open", "closing" or "closed", "invalid state" for anything else.
func (s State) String() string {
	switch s {
	case StateOpen:
		return "open"
	case StateClosing:
		return "closing"
	case StateClosed:
		return "closed"
	}
	return "invalid state"
}

var (
	// errClosing is what a writer returns once the close frame has been queued.
	errClosing = errors.New("websocket: closing")
	// errShut is what it returns after the end.
	errShut = errors.New("websocket: shut")
)

// An endError is an error that ended a connection and matches another too.
type endError struct {
	text  string
	wraps []error
}

func (e *endError) Error() string   { return e.text }
func (e *endError) Unwrap() []error { return e.wraps }

var (
	errNoHeartbeat error = &endError{ErrHeartbeat.Error(), []error{ErrHeartbeat, os.ErrDeadlineExceeded}}

	errNoClose error = &endError{
		"websocket: the peer went without a close frame: unexpected EOF",
		[]error{io.ErrUnexpectedEOF},
	}

	errCloseTimeout error = &endError{
		"websocket: the peer did not answer the close frame in time",
		[]error{os.ErrDeadlineExceeded},
	}
)

// A closedError is what a call gets on a connection that has been closed. Few ask for its text.
type closedError struct {
	cause error // nil if nobody has said why
}

var errClosedPlain error = &closedError{}

// errClosed returns a closedError.
func errClosed(cause error) error {
	if cause == nil {
		return errClosedPlain
	}
	return &closedError{cause}
}

func (e *closedError) Error() string {
	const text = "websocket: use of closed connection"
	if e.cause == nil {
		return text
	}
	return text + ": " + trimName(e.cause.Error())
}

func (e *closedError) Unwrap() []error {
	if e.cause == nil {
		return []error{net.ErrClosed}
	}
	return []error{net.ErrClosed, e.cause}
}

// trimName takes our name off the front of a text that gets it again.
func trimName(s string) string {
	const name = "websocket: "
	if len(s) > len(name) && s[:len(name)] == name {
		return s[len(name):]
	}
	return s
}

// A life is how far a connection has come, and why it ended.
type life struct {
	mu     sync.Mutex
	state  atomic.Uint32 // of type State; no need for mu
	began  bool          // this side began the closing handshake, or just closed
	ending bool          // somebody gives everything up
	gone   bool          // everything has been given up
	fate   *fate         // nil until there is something in it
}

// A fate is what there is to know of a connection's end, which nobody asks for as
// long as it is idle.
type fate struct {
	cause error         // the first one counts
	ended chan struct{} // closed when everything has been given up; made when first asked for
	by    time.Duration // when it ends whatever happens, as the alarm counts; 0 for never
	own   CloseError    // what this side has closed with, if it was first

	putOff uint8 // how often that has been
}

func (l *life) isOpen() bool   { return State(l.state.Load()) == StateOpen }
func (l *life) isClosed() bool { return State(l.state.Load()) == StateClosed }

// foretell returns fate, which it makes if there is none. The caller holds mu.
func (l *life) foretell() *fate {
	if l.fate == nil {
		l.fate = new(fate)
	}
	return l.fate
}

// cause returns why the connection ends, nil if nobody has said. The caller holds
// mu.
func (l *life) cause() error {
	if l.fate == nil {
		return nil
	}
	return l.fate.cause
}

// endBy returns when it ends whatever happens, 0 for never. The caller holds mu.
func (l *life) endBy() time.Duration {
	if l.fate == nil {
		return 0
	}
	return l.fate.by
}

// noAnswer is the cause of the end if the peer's close frame has not come in time.
func (l *life) noAnswer() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fate == nil || l.fate.own.Code == 0 {
		return errCloseTimeout
	}
	text := "websocket: the peer did not answer the close frame (" + l.fate.own.detail() + ") in time"
	return &endError{text, []error{os.ErrDeadlineExceeded}}
}

// done returns a channel that is closed when everything has been given up.
func (l *life) done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.foretell()
	if f.ended == nil {
		f.ended = make(chan struct{})
		if l.gone {
			close(f.ended)
		}
	}
	return f.ended
}

// over says, maybe more than once, that everything has been given up.
func (l *life) over() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return
	}
	l.gone = true
	if l.fate != nil && l.fate.ended != nil {
		close(l.fate.ended)
	}
}

// close makes an open connection closing, on behalf of this side or the peer.
// The caller holds mu.
func (l *life) close(began bool) bool {
	if !l.state.CompareAndSwap(uint32(StateOpen), uint32(StateClosing)) {
		return false
	}
	l.began = began
	return true
}

// blame sets the cause, unless there is one. The caller holds mu.
func (l *life) blame(cause error) {
	if cause != nil && l.cause() == nil {
		l.foretell().cause = cause
	}
}

// afterEnd is the error of a call that came after the end, or after this side
// has begun to close.
func (l *life) afterEnd() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errClosed(l.cause())
}

// atEnd is the error of a call that was under way as the connection ended.
func (l *life) atEnd() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	cause := l.cause()
	if l.began || cause == nil {
		return errClosed(cause)
	}
	return cause
}

// err returns the cause of the end, nil before it.
func (l *life) err() error {
	if !l.isClosed() {
		return nil
	}
	return l.reason()
}

// reason returns the cause of an end that has begun.
func (l *life) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if cause := l.cause(); cause != nil {
		return cause
	}
	return errClosed(nil)
}

// writeError says what a caller is told whose write got err. open tells whether
// the connection had not ended as the call began.
func (l *life) writeError(err error, open bool) error {
	switch {
	case err == nil:
		return nil
	case err == errShut && open:
		return l.atEnd()
	case err == errShut || err == errClosing:
		return l.afterEnd()
	}
	return err
}

// meant reports whether err has a status that tells of an end that was meant. That of a
// browser whose page calls close without a code is StatusNoStatusReceived.
func meant(err error) bool {
	switch CloseStatus(err) {
	case StatusNormalClosure, StatusGoingAway, StatusNoStatusReceived:
		return true
	}
	return false
}

// endedWell reports whether err, from a read, tells of an end that was meant: this side
// closed, or the peer did.
func (l *life) endedWell(err error) bool {
	if !l.isClosed() && !errors.Is(err, net.ErrClosed) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began {
		return true
	}
	return meant(l.cause())
}
