// Status codes, and every error a caller can match.

package websocket

import (
	"errors"
	"strconv"
)

// StatusCode tells why a connection was closed (RFC 6455, section 7.4).
type StatusCode uint16

// The status codes of RFC 6455, section 7.4.1, and of the IANA registry that
// continues it. Codes 3000 to 3999 are registered by libraries and
// frameworks, 4000 to 4999 are free for applications.
const (
	StatusNormalClosure           StatusCode = 1000
	StatusGoingAway               StatusCode = 1001
	StatusProtocolError           StatusCode = 1002
	StatusUnsupportedData         StatusCode = 1003
	StatusNoStatusReceived        StatusCode = 1005 // never on the wire: the peer's close frame was empty
	StatusAbnormalClosure         StatusCode = 1006 // never on the wire, nor in an error of this package: there was no close frame
	StatusInvalidFramePayloadData StatusCode = 1007
	StatusPolicyViolation         StatusCode = 1008
	StatusMessageTooBig           StatusCode = 1009
	StatusMandatoryExtension      StatusCode = 1010
	StatusInternalError           StatusCode = 1011
	StatusServiceRestart          StatusCode = 1012
	StatusTryAgainLater           StatusCode = 1013
	StatusBadGateway              StatusCode = 1014
	StatusTLSHandshake            StatusCode = 1015 // never on the wire, nor in an error of this package: the TLS handshake failed
)

// String returns the code's name in the registry, such as "going away", or
// "status 4000" for a code that has none there.
func (code StatusCode) String() string {
	if name := code.name(); name != "" {
		return name
	}
	return "status " + strconv.Itoa(int(code))
}

// name returns the code's name in the registry, "" if it has none.
func (code StatusCode) name() string {
	switch code {
	case StatusNormalClosure:
		return "normal closure"
	case StatusGoingAway:
		return "going away"
	case StatusProtocolError:
		return "protocol error"
	case StatusUnsupportedData:
		return "unsupported data"
	case StatusNoStatusReceived:
		return "no status received"
	case StatusAbnormalClosure:
		return "abnormal closure"
	case StatusInvalidFramePayloadData:
		return "invalid frame payload data"
	case StatusPolicyViolation:
		return "policy violation"
	case StatusMessageTooBig:
		return "message too big"
	case StatusMandatoryExtension:
		return "mandatory extension"
	case StatusInternalError:
		return "internal error"
	case StatusServiceRestart:
		return "service restart"
	case StatusTryAgainLater:
		return "try again later"
	case StatusBadGateway:
		return "bad gateway"
	case StatusTLSHandshake:
		return "TLS handshake"
	}
	return ""
}

// sendable reports whether the code may stand in a close frame: those of RFC
// 6455, section 7.4.1, and of the registry but for the ones that "MUST NOT be
// set as a status code in a Close control frame", and 3000 to 4999.
func (code StatusCode) sendable() bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}

// The errors a caller may want to match with errors.Is, besides those of the
// standard library: the error of a call on a connection that has been closed
// matches net.ErrClosed, that of a time-out os.ErrDeadlineExceeded, and that of a
// peer which went away without a close frame io.ErrUnexpectedEOF.
var (
	// ErrTaken is returned by a method that reads when Events.Serve,
	// Engine.Attach, CloseRead or NetConn has taken over the reading side.
	ErrTaken = errors.New("websocket: the reading side has been taken over")

	// ErrConcurrentRead is returned when a read is started while another one
	// is under way, also from inside the body of a Messages loop.
	ErrConcurrentRead = errors.New("websocket: another read is under way")

	// ErrMessageTooBig is matched by the error of a connection that failed
	// because a message was longer than MaxMessageSize.
	ErrMessageTooBig = errors.New("websocket: message too big")

	// ErrSendLimit is returned by Send, SendPrepared, SendPing and Ping, and by
	// every way of writing under an Engine, when the message would not fit into
	// what is left of SendLimit. Nothing of it was queued. CloseNow drops a peer
	// that is too slow; Close may wait for it.
	ErrSendLimit = errors.New("websocket: send queue is full")

	// ErrHeartbeat is matched by the error of a connection whose peer did not
	// answer a heartbeat in time. That error matches os.ErrDeadlineExceeded too.
	ErrHeartbeat = errors.New("websocket: no answer to the heartbeat")

	// ErrInvalidText is returned when a text message that is not valid UTF-8
	// is written, before anything of it is sent; and it is matched by the error
	// of a connection that failed because the peer sent such a message.
	ErrInvalidText = errors.New("websocket: text is not valid UTF-8")

	// ErrEngineClosed is returned by an Engine that has been shut down.
	ErrEngineClosed = errors.New("websocket: engine closed")
)

// What is wrong with an argument.
var (
	errNilContext  = errors.New("websocket: nil context")
	errMessageType = errors.New("websocket: message type is neither text nor binary")
	errNotPrepared = errors.New("websocket: message was not made by NewPreparedMessage")
)

// A CloseError is the cause of a connection that ended with a status code:
// the peer's close frame, or a failure that this side found and reported.
// Match it with errors.As, or take the code alone with CloseStatus.
type CloseError struct {
	// Code is the status code of the close frame: what the peer sent if it
	// sent one, otherwise that of the failure, which is what this side sent
	// unless it had begun to close before. StatusNoStatusReceived stands for a
	// close frame without a body.
	Code StatusCode

	// Reason is the text that goes with it: this side's, where the peer only
	// repeats the code. It is valid UTF-8.
	Reason string

	// Remote tells whether the peer began the closing handshake.
	Remote bool

	failed bool  // this side failed the connection (RFC 6455, section 7.1.7)
	wraps  error // the sentinel this failure matches, or nil
}

// Error returns a sentence with who closed, the code and the reason.
func (e *CloseError) Error() string {
	s := "websocket: closed: "
	switch {
	case e.failed:
		s = "websocket: connection failed: "
	case e.Remote:
		s = "websocket: closed by the peer: "
	}
	return s + e.detail()
}

// detail returns the code and the reason.
func (e *CloseError) detail() string {
	s := strconv.Itoa(int(e.Code))
	if name := e.Code.name(); name != "" {
		s += " (" + name + ")"
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// Unwrap returns ErrMessageTooBig or ErrInvalidText where one of them was the
// reason to fail the connection, otherwise nil.
func (e *CloseError) Unwrap() error { return e.wraps }

// CloseStatus returns the status code of the *CloseError in err's tree, or 0
// if there is none.
func CloseStatus(err error) StatusCode {
	var ce *CloseError
	if errors.As(err, &ce) {
		return ce.Code
	}
	return 0
}

// failure is the one way a core part reports that the connection must be
// failed: the code for the peer and the reason for both.
func failure(code StatusCode, reason string, wraps error) *CloseError {
	return &CloseError{Code: code, Reason: reason, failed: true, wraps: wraps}
}
