// The payload of close frames, RFC 6455 sections 5.5.1 and 7.4.

package websocket

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxReason is how many bytes of a reason fit behind the code.
const maxReason = maxControlPayload - 2

var (
	errCloseCode   = errors.New("websocket: status code must not be sent in a close frame")
	errCloseReason = errors.New("websocket: close reason is not valid UTF-8")
	errReasonAlone = errors.New("websocket: a close reason cannot be sent without a status code")
)

// AppendClosePayload appends the payload of a close frame to dst (RFC 6455,
// section 5.5.1). StatusNoStatusReceived with an empty reason gives the empty
// payload. A reason of more than 123 bytes is cut before the first character
// that does not fit. The error tells of a code that must not be sent, or of a
// reason that is not UTF-8; nothing is appended then.
func AppendClosePayload(dst []byte, code StatusCode, reason string) ([]byte, error) {
	if code == StatusNoStatusReceived && reason == "" {
		return dst, nil
	}
	if !code.sendable() {
		return dst, fmt.Errorf("%w: %d", errCloseCode, code)
	}
	if !utf8.ValidString(reason) {
		return dst, errCloseReason
	}
	dst = append(dst, byte(code>>8), byte(code))
	return append(dst, cutReason(reason)...), nil
}

// cutReason cuts a valid reason at a character so that it fits.
func cutReason(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	n := maxReason
	for !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// checkClose returns what can be sent for a code and reason that a caller gave,
// and an error if that is not what was asked for.
func checkClose(code StatusCode, reason string) (StatusCode, string, error) {
	switch {
	case code == StatusNoStatusReceived && reason == "":
		return code, "", nil
	case code == StatusNoStatusReceived:
		return StatusInternalError, "", errReasonAlone
	case !code.sendable():
		return StatusInternalError, "", fmt.Errorf("%w: %d", errCloseCode, code)
	case !utf8.ValidString(reason):
		return code, cutReason(strings.ToValidUTF8(reason, "\ufffd")), errCloseReason
	}
	return code, cutReason(reason), nil
}

// ParseClosePayload parses the unmasked payload of a close frame (RFC 6455,
// section 5.5.1). An empty payload gives StatusNoStatusReceived. The error is a
// *CloseError with the code to fail the connection with: for a payload of one
// byte, a code that must not be sent, a reason that is not UTF-8.
func ParseClosePayload(p []byte) (code StatusCode, reason string, err error) {
	code, reason, ce := parseClose(p)
	if ce != nil {
		return 0, "", ce
	}
	return code, reason, nil
}

// parseClose is ParseClosePayload with a typed error.
func parseClose(p []byte) (StatusCode, string, *CloseError) {
	if len(p) == 0 {
		// "If this Close control frame contains no status code, _The WebSocket
		// Connection Close Code_ is considered to be 1005" (section 7.1.5).
		return StatusNoStatusReceived, "", nil
	}
	// "If there is a body, the first two bytes of the body MUST be a 2-byte
	// unsigned integer" (section 5.5.1).
	if len(p) == 1 {
		return 0, "", failure(StatusProtocolError, "close frame with a body of one byte", nil)
	}
	code := StatusCode(p[0])<<8 | StatusCode(p[1])
	if !code.sendable() {
		return 0, "", failure(StatusProtocolError, "close frame with an invalid status code", nil)
	}
	// The reason is text, so section 8.1 holds for it.
	if !utf8.Valid(p[2:]) {
		return 0, "", failure(StatusInvalidFramePayloadData, "close frame whose reason is not valid UTF-8", ErrInvalidText)
	}
	return code, string(p[2:]), nil
}
