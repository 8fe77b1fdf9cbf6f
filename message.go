// Frames joined into messages: limit, text check.

package websocket

import "strconv"

// maxFrames bounds how many frames, and how many control frames between them, a
// message of bounded size may take, so that empty and tiny ones cannot keep a
// reader busy for ever.
const maxFrames = 1 << 17

// A joiner keeps what there is of the current message.
type joiner struct {
	limit     int64       // bytes a message that begins may have, 0 for no bound
	bound     int64       // limit as the current message began
	kind      MessageType // of the current message, 0 between messages
	announced bool        // handed out as a stream: its bytes are not kept
	frames    int32       // data frames of the current message
	controls  int32       // control frames between them
	size      int64       // bytes of the current message, the current frame whole
	text      textCheck
	buf       []byte // the message so far, if it is kept
}

// data begins a data frame.
func (j *joiner) data(op Opcode, length int64) *CloseError {
	if j.kind == 0 {
		j.kind, j.bound = MessageType(op), j.limit
	}
	j.frames++
	if j.bound == 0 {
		return nil
	}
	if length > j.bound-j.size {
		return failure(StatusMessageTooBig, "message longer than "+strconv.FormatInt(j.bound, 10)+" bytes", ErrMessageTooBig)
	}
	j.size += length
	if j.frames > maxFrames {
		return failure(StatusMessageTooBig, "message in more than "+strconv.Itoa(maxFrames)+" frames", ErrMessageTooBig)
	}
	return nil
}

// control counts a control frame, which may come between the frames of a
// message (RFC 6455, section 5.4).
func (j *joiner) control() *CloseError {
	if j.kind == 0 || j.bound == 0 {
		return nil
	}
	if j.controls++; j.controls > maxFrames {
		return failure(StatusPolicyViolation, "more than "+strconv.Itoa(maxFrames)+" control frames in a message", nil)
	}
	return nil
}

// check returns what checks the payload of the message, or nil if it may be
// anything.
func (j *joiner) check() *textCheck {
	if j.kind == MessageText {
		return &j.text
	}
	return nil
}

// end ends the message. The caller has taken buf before.
func (j *joiner) end() *CloseError {
	whole := j.text.whole()
	*j = joiner{limit: j.limit}
	if !whole {
		return errText()
	}
	return nil
}

// errText: "1007 indicates that an endpoint is terminating the connection
// because it has received data within a message that was not consistent with
// the type of the message (e.g., non-UTF-8 data within a text message)" (RFC
// 6455, section 7.4.1).
func errText() *CloseError {
	return failure(StatusInvalidFramePayloadData, "text message is not valid UTF-8", ErrInvalidText)
}
