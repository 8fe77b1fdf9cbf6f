// Frames joined into messages: limit and text check.

package websocket

import (
	"math"
	"strconv"
)

// A message of bounded size may take maxFrames frames, and another for each
// frameShare bytes of the bound, so that empty and tiny ones cannot keep a reader
// busy for ever. Between two frames with something in them there may be maxFrames
// control frames.
const (
	maxFrames  = 1 << 17
	frameShare = 64
)

// A joiner keeps what there is of the current message.
type joiner struct {
	limit     int64       // bytes a message that begins may have, 0 for no bound
	bound     int64       // limit as the current message began
	kind      MessageType // of the current message, 0 between messages
	announced bool        // handed out as a stream: its bytes are not kept
	packed    bool        // it is compressed
	frames    int64       // data frames of the current message
	controls  int32       // control frames since the last of them that was not empty
	size      int64       // bytes of the current message, the current frame whole
	text      textCheck
	buf       []byte // the message so far, if it is kept
}

// data begins a data frame. Of a message's first frame, packed says that the
// message is compressed.
func (j *joiner) data(op Opcode, length int64, packed bool) *CloseError {
	if j.kind == 0 {
		j.kind, j.bound, j.packed = MessageType(op), j.limit, packed
	}
	j.frames++
	if length > 0 {
		j.controls = 0
	}
	if j.bound == 0 {
		return nil
	}
	if length > j.most()-j.size {
		return errTooLong(j.bound)
	}
	j.size += length
	if most := maxFrames + j.bound/frameShare; j.frames > most {
		return failure(StatusMessageTooBig, "message in more than "+strconv.FormatInt(most, 10)+" frames", ErrMessageTooBig)
	}
	return nil
}

// most returns how many bytes the message's frames may have. Compressed, they may be
// more than the message has, which the inflation counts: a compressor that is flushed
// after each byte makes seven of it, or eleven. They are not kept, but take time.
func (j *joiner) most() int64 {
	if !j.packed {
		return j.bound
	}
	more := 15*min(j.bound, math.MaxInt64/32) + 16*j.frames + 1<<10
	return j.bound + min(more, math.MaxInt64-j.bound)
}

// errTooLong is the failure of a message that is longer than bound.
func errTooLong(bound int64) *CloseError {
	return failure(StatusMessageTooBig, "message longer than "+strconv.FormatInt(bound, 10)+" bytes", ErrMessageTooBig)
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

// check returns what checks the payload of the message's frames, or nil if it may
// be anything. What is compressed is checked once it is inflated.
func (j *joiner) check() *textCheck {
	if j.kind == MessageText && !j.packed {
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

// A Message is what Messages hands out.
type Message struct {
	Type MessageType
	Data []byte // valid until the loop's body ends; Clone to keep it
}

// Clone returns a copy of m that stays valid.
func (m Message) Clone() Message {
	return Message{Type: m.Type, Data: append(make([]byte, 0, len(m.Data)), m.Data...)}
}
