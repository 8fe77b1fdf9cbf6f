// What carries the bytes of a connection.

package websocket

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/seed86893212/websocket/internal/bufpool"
)

// A transport carries the bytes of one connection. One goroutine at a time
// reads and one at a time flushes; the rest may be called by anybody.
type transport interface {
	// read waits until the peer has sent something and returns how much. The
	// bytes are in p if that has any room, otherwise in in, which is empty when it
	// is called. It returns errWoken while wakeRead is on.
	read(in *input, p []byte) (int, error)

	// stand calls s.step each time that there may be something to receive, until
	// that says that it is done or the transport is woken (errWoken). Inside
	// step, recv receives as read does but returns 0 instead of waiting.
	// probes tells that it has done so on the word of the last receipt alone:
	// what ended the stream since might not wake anybody. A transport that
	// does not stand has none of these.
	stands() bool
	stand(s stepper) error
	recv(in *input, p []byte) (int, error)
	probes() bool

	// flush calls s.step, which calls send, until that says that it is done.
	// After a send that returned errAgain it waits for room first. It returns
	// errWoken while wakeWrite is on.
	flush(s stepper) error
	send(p, q []byte) (int, error)

	// try sends s as send does, outside a flush and without waiting for room. It
	// is only for a transport whose sends do not wait.
	try(s *sending) (n int, err error)

	// queue is try with the send made by j, together with others. It reports whether
	// that will be done: s must be of one piece. queued returns what came of it.
	queue(j joint, s *sending) bool
	queued(j joint, s *sending) (n int, err error)

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

	// needRoom asks for the flusher's resume to be called once there is room.
	// It reports whether that will be done: only a transport with a driver does,
	// and nobody may wait in one.
	needRoom() bool

	localAddr() net.Addr
	remoteAddr() net.Addr
	rawConn() (syscall.RawConn, error)
}

// A joint makes the sends of many connections together.
type joint interface {
	// add adds s, if there is room. fd is to stay open until the sends have been
	// made; hold sees to that itself. Both report whether s has been added.
	add(fd uintptr, s *sending) bool
	hold(rc syscall.RawConn, s *sending) bool

	// result returns what came of s.
	result(s *sending) (n int, err error)
}

// A stepper does something step by step. Each step says whether all is done.
type stepper interface{ step() (done bool) }

// A sending is something to send in one or two pieces, and what came of it.
type sending struct {
	p, q []byte
	n    int
	err  error
}

var (
	// errWoken is returned by a transport whose caller has been woken.
	errWoken = errors.New("websocket: woken")
	// errAgain says that there is no room to send anything for now.
	errAgain = errors.New("websocket: send again later")
)

// An input holds bytes that were received and not yet taken in. While nothing
// is received it holds nothing.
type input struct{ *chunk }

// A chunk is what was received at one go: those of buf's bytes from r to w that have
// not been taken in.
type chunk struct {
	buf  []byte
	r, w int
}

// Chunks come from pools: those for chunkSize bytes with their buffers, others
// without.
var bigChunks, chunks = sync.Pool{New: func() any { return &chunk{buf: make([]byte, chunkSize)} }},
	sync.Pool{New: func() any { return new(chunk) }}

// chunkSize is how much is received at a time where a buffer is taken only once
// there is something to receive. A message of 64 KiB fits with its header, and the
// allocator would round up anything that does to this.
const chunkSize = 72 << 10

// empty reports whether everything has been taken in.
func (in *input) empty() bool { return in.chunk == nil || in.r == in.w }

func (in *input) bytes() []byte {
	if in.chunk == nil {
		return nil
	}
	return in.buf[in.r:in.w]
}

func (in *input) free() {
	if in.chunk != nil {
		in.giveBack()
	}
}

func (in *input) giveBack() {
	c := in.chunk
	in.chunk, c.r, c.w = nil, 0, 0
	if len(c.buf) == chunkSize {
		bigChunks.Put(c)
		return
	}
	bufpool.Put(c.buf)
	c.buf = nil
	chunks.Put(c)
}

// fill gives in a buffer of size bytes to be read to. in holds nothing.
func (in *input) fill(size int) []byte {
	if size == chunkSize {
		in.chunk = bigChunks.Get().(*chunk)
	} else {
		in.chunk = chunks.Get().(*chunk)
		in.buf = bufpool.Get(size)[:size]
	}
	return in.buf
}

// lend gives in somebody's buffer to be read to, until takeBack. in holds nothing.
func (in *input) lend(p []byte) {
	in.chunk = chunks.Get().(*chunk)
	in.buf = p
}

func (in *input) takeBack() {
	in.buf = nil
	in.free()
}

// longAgo is a deadline in the past: it wakes whoever waits.
var longAgo = time.Unix(1, 0)
