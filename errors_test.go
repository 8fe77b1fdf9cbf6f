package websocket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRFC6455_7_4_1_Names(t *testing.T) {
	for code, name := range map[StatusCode]string{
		0: "status 0", 1000: "normal closure", 1001: "going away", 1002: "protocol error", 1003: "unsupported data",
		1004: "status 1004", 1005: "no status received", 1006: "abnormal closure", 1007: "invalid frame payload data",
		1008: "policy violation", 1009: "message too big", 1010: "mandatory extension", 1011: "internal error",
		1012: "service restart", 1013: "try again later", 1014: "bad gateway", 1015: "TLS handshake",
		1016: "status 1016", 3000: "status 3000", 4999: "status 4999", 65535: "status 65535",
	} {
		assert.Equal(t, name, code.String())
	}
}

// CHECKLIST 15: the error says which side closed, with which code.
func TestCloseErrorSentences(t *testing.T) {
	for want, err := range map[string]*CloseError{
		"websocket: closed: 1000 (normal closure)":                        {Code: StatusNormalClosure},
		"websocket: closed by the peer: 1001 (going away): bye":           {Code: StatusGoingAway, Reason: "bye", Remote: true},
		"websocket: closed by the peer: 4321: bye":                        {Code: 4321, Reason: "bye", Remote: true},
		"websocket: connection failed: 1002 (protocol error): bad opcode": failure(StatusProtocolError, "bad opcode", nil),
	} {
		assert.EqualError(t, err, want)
	}
}

func TestCloseErrorMatches(t *testing.T) {
	big := failure(StatusMessageTooBig, "too long", ErrMessageTooBig)
	assert.ErrorIs(t, big, ErrMessageTooBig)
	assert.NotErrorIs(t, big, ErrInvalidText)
	assert.False(t, big.Remote)
	assert.ErrorIs(t, fmt.Errorf("read: %w", errText()), ErrInvalidText)
	assert.NoError(t, errors.Unwrap(failure(StatusProtocolError, "", nil)))
}

func TestCloseStatus(t *testing.T) {
	ce := &CloseError{Code: StatusGoingAway}
	assert.Equal(t, StatusGoingAway, CloseStatus(ce))
	assert.Equal(t, StatusGoingAway, CloseStatus(fmt.Errorf("outside: %w", errors.Join(io.EOF, ce))))
	assert.Zero(t, CloseStatus(nil))
	assert.Zero(t, CloseStatus(io.EOF))
	assert.Zero(t, CloseStatus(ErrHeartbeat))
}

func TestSentinelsAreApart(t *testing.T) {
	all := []error{ErrTaken, ErrConcurrentRead, ErrMessageTooBig, ErrSendLimit, ErrHeartbeat, ErrInvalidText}
	for i, a := range all {
		assert.Regexp(t, "^websocket: ", a.Error())
		for j, b := range all {
			assert.Equal(t, i == j, errors.Is(a, b), "%v and %v", a, b)
		}
	}
}

// Our name stands once in an error's text, in front.
func TestClosedErrorText(t *testing.T) {
	const text = "websocket: use of closed connection"
	for want, cause := range map[string]error{
		text:                     nil,
		text + ": no pong":       errors.New("websocket: no pong"),
		text + ": reset":         errors.New("reset"),
		text + ": websocket: ":   errors.New("websocket: "),
		text + ": another one's": errors.New("another one's"),
	} {
		err := errClosed(cause)
		assert.Equal(t, want, err.Error())
		require.ErrorIs(t, err, net.ErrClosed)
		if cause != nil {
			require.ErrorIs(t, err, cause)
		}
	}
}
