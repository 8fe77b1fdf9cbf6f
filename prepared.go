// PreparedMessage: checked and compressed once, sent to many connections.

package websocket

import "github.com/seed86893212/websocket/internal/flate"

// A PreparedMessage is a message that has been checked once, to be sent on any
// number of connections with WritePrepared or SendPrepared. Where compression
// was agreed on, it is compressed once for each size of window and level in use, not
// for each connection: so it does not refer to earlier messages, though later ones
// may refer to it. It never changes and is safe for concurrent use. Nil and the
// zero PreparedMessage are not messages: they are refused.
type PreparedMessage struct {
	typ     MessageType
	payload []byte       // which nobody may change
	shared  flate.Shared // its compressed forms
}

// made returns an error for what NewPreparedMessage did not make.
func (m *PreparedMessage) made() error {
	if m == nil || !m.typ.valid() {
		return errNotPrepared
	}
	return nil
}

// NewPreparedMessage prepares a message of type t. p is copied. The error is
// ErrInvalidText for a text message that is not valid UTF-8, or tells that t is
// not a message type.
func NewPreparedMessage(t MessageType, p []byte) (*PreparedMessage, error) {
	if !t.valid() {
		return nil, errMessageType
	}
	if t.kind() == MessageText && !validText(p) {
		return nil, ErrInvalidText
	}
	return &PreparedMessage{typ: t, payload: append(make([]byte, 0, len(p)), p...)}, nil
}
