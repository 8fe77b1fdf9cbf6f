// What carries the bytes of a connection.

package websocket

import (
	"errors"
	"net"
	"time"

	"github.com/seed86893212/websocket/internal/bufpool"
)

// A transport carries the bytes of one connection. One goroutine at a time
// reads and one at a time flushes; the rest may be called by anybody.
type transport interface {
	// read waits until the peer has sent something and returns how much. The
	// bytes are in p if that has any room, otherwise in in. It returns errWoken
	// while wakeRead is on.
	read(in *input, p []byte) (int, error)

	// stand calls turn each time that there may be something to receive, until
	// turn says that it is done or the transport is woken (errWoken). Inside
	// turn, recv receives as read does but returns errAgain instead of waiting.
	// probes tells that it has done so on the word of the last receipt alone:
	// what ended the stream since might not wake anybody. A transport that
	// does not stand has none of these.
	stands() bool
	stand(turn func() (done bool)) error
	recv(in *input, p []byte) (int, error)
	probes() bool

	// flush calls step, which calls send, until step says that it is done.
	// After a send that returned errAgain it waits for room first. It returns
	// errWoken while wakeWrite is on.
	flush(step func() (done bool)) error
	send(p, q []byte) (int, error)

	// sendWaits tells that send returns only when everything has been written,
	// and cannot be woken other than by close and abort.
	sendWaits() bool

	// wakeRead and wakeWrite wake whoever waits, now and until turned off.
	// wakeReadAt does so at a time to come.
	wakeRead(on bool)
	wakeReadAt(at time.Time)
	wakeWrite(on bool)

	// closeWrite tells the peer that nothing more will come, if it can.
	closeWrite()

	// hangUp ends both directions and wakes everybody, and keeps what the
	// transport holds. It is for a transport that somebody stands in.
	hangUp()

	// close ends the transport in order, abort at once. Both wake everybody, and
	// give up what the transport holds.
	close() error
	abort() error

	conn() net.Conn
}

var (
	// errWoken is returned by a transport whose caller has been woken.
	errWoken = errors.New("websocket: woken")
	// errAgain says that there is no room to send anything for now.
	errAgain = errors.New("websocket: send again later")
)

// An input holds bytes that were received and not yet taken in. While nothing
// is received it holds no buffer.
type input struct {
	buf  []byte
	r, w int
}

func (in *input) bytes() []byte { return in.buf[in.r:in.w] }

func (in *input) free() {
	bufpool.Put(in.buf)
	*in = input{}
}

// fill gives in a buffer of size bytes to be read to. in is empty.
func (in *input) fill(size int) []byte {
	in.buf = bufpool.Get(size)[:size]
	return in.buf
}

// longAgo is a deadline in the past: it wakes whoever waits.
var longAgo = time.Unix(1, 0)
