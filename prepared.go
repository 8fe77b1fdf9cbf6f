// PreparedMessage: built once, sent to many connections.

package websocket

// A PreparedMessage is a message whose frame has been built once, to be sent on
// any number of connections with WritePrepared or SendPrepared. It never
// changes and is safe for concurrent use.
type PreparedMessage struct {
	typ   MessageType
	frame []byte // as a server sends it
	body  int    // where the payload begins in frame
}

// NewPreparedMessage prepares a message of type t. p is copied. The error is
// ErrInvalidText for a text message that is not valid UTF-8, or tells that t is
// not a message type.
func NewPreparedMessage(t MessageType, p []byte) (*PreparedMessage, error) {
	if !t.valid() {
		return nil, errMessageType
	}
	if t == MessageText && !validText(p) {
		return nil, ErrInvalidText
	}
	server := sender{role: RoleServer}
	frame := server.appendHeader(make([]byte, 0, len(p)+maxHeader), Opcode(t), true, len(p))
	body := len(frame)
	return &PreparedMessage{typ: t, frame: append(frame, p...), body: body}, nil
}

// payload returns the message's bytes, which nobody may change.
func (m *PreparedMessage) payload() []byte { return m.frame[m.body:] }
