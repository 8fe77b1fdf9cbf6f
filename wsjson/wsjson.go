// Package wsjson reads and writes JSON messages.
//
//	type Move struct{ From, To string }
//
//	move, err := wsjson.Read[Move](ctx, conn)
//	err = wsjson.Write(ctx, conn, Move{"e7", "e5"})
//
// A message is one JSON value, as encoding/json takes and gives it.
package wsjson

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/seed86893212/websocket"
)

// smallMessage is how long a message may be that is read into memory which is
// used again. It is held while Read waits, and so it is small; Read allocates
// for a longer message when that has come.
const smallMessage = 512

// bigMessage is the size of the largest buffer that is kept after a Write.
const bigMessage = 64 << 10

var errBinary = errors.New("it is a binary message, and JSON is text")

// A DecodeError says that a message came which is not JSON of the type that was
// asked for. The message is gone; the connection is as usable as before, and
// the next read gets the next message.
type DecodeError struct {
	// Type is the type of the message.
	Type websocket.MessageType

	// Err says what is wrong: of encoding/json, among others a
	// *json.SyntaxError or *json.UnmarshalTypeError; or that the message is
	// binary.
	Err error
}

// Error returns a sentence with what is wrong.
func (e *DecodeError) Error() string { return "wsjson: cannot decode the message: " + e.Err.Error() }

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }

// Read waits for the next message on c and decodes it as a T, as json.Unmarshal
// does: unknown fields are ignored, null leaves a T at its zero value. Nothing
// but white space may come after the value. A binary message is refused.
//
// A message that cannot be decoded gives a *DecodeError, and the connection
// stays open: close it, with websocket.StatusInvalidFramePayloadData for
// example, if there is no going on. All other errors are those of
// websocket.Conn.Read; when ctx ends first, nothing is lost. With an error, the
// T is the zero value, never half of a message.
//
// A message stands in memory whole, so its size is bounded by MaxMessageSize.
// Like every read, Read is for one goroutine at a time.
func Read[T any](ctx context.Context, c *websocket.Conn) (T, error) {
	var v T
	if err := read(ctx, c, &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// small has the buffers for small messages.
var small = sync.Pool{New: func() any { return new([smallMessage]byte) }}

func read(ctx context.Context, c *websocket.Conn, v any) error {
	buf := small.Get().(*[smallMessage]byte)
	defer small.Put(buf)
	t, p, err := c.ReadInto(ctx, buf[:])
	if err != nil {
		return err
	}
	if t != websocket.MessageText {
		return &DecodeError{Type: t, Err: errBinary}
	}
	if err := json.Unmarshal(p, v); err != nil { // keeps nothing of p
		return &DecodeError{Type: t, Err: err}
	}
	return nil
}

// Write sends v as JSON in a text message, encoded as json.Marshal does but
// with <, > and & as they are, since a message is not part of a web page. If v
// cannot be encoded, nothing is sent and the connection stays as it was; that
// error wraps the one of encoding/json. All other errors are those of
// websocket.Conn.Write. Write is safe for concurrent use.
func Write(ctx context.Context, c *websocket.Conn, v any) error {
	return encode(v, func(p []byte) error { return c.Write(ctx, websocket.MessageText, p) })
}

// Send queues v as JSON and returns at once, as websocket.Conn.Send does, whose
// errors it returns: websocket.ErrSendLimit if the peer is too slow. Otherwise it is
// like Write. A value for many connections is better encoded once, for
// websocket.NewPreparedMessage.
func Send(c *websocket.Conn, v any) error {
	return encode(v, func(p []byte) error { return c.Send(websocket.MessageText, p) })
}

// encode passes v as JSON to send, which may not keep it.
func encode(v any, send func(p []byte) error) error {
	e := encoders.Get().(*encoder)
	if err := e.json.Encode(v); err != nil {
		return fmt.Errorf("wsjson: cannot encode the message: %w", err) // and e may be half full
	}
	err := send(bytes.TrimSuffix(e.buf.Bytes(), []byte("\n")))
	if e.buf.Cap() <= bigMessage {
		e.buf.Reset()
		encoders.Put(e)
	}
	return err
}

// An encoder is a json.Encoder with what it writes to.
type encoder struct {
	buf  bytes.Buffer
	json *json.Encoder
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.json = json.NewEncoder(&e.buf)
	e.json.SetEscapeHTML(false)
	return e
}}
