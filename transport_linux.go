// Raw TCP on Linux: no buffer while idle, calls that never wait.

package websocket

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed86893212/websocket/internal/poll"
)

// A rawTransport is a TCP connection whose descriptor is read and written
// directly, so that no buffer need wait for input.
type rawTransport struct {
	nc *net.TCPConn
	rc syscall.RawConn

	// What read was called with and found. The callback is stored once, so that
	// a read allocates nothing.
	in     *input // where to read to, in what it has if into
	err    error
	onRead func(fd uintptr) bool
	turns  stepper // nil: a single receipt
	readFD uintptr // while somebody stands in RawConn.Read

	pin     atomic.Uint32 // tells others whether they may use readFD
	into    bool          // in has been lent where to read to
	drained bool          // the last receipt took all there was
	again   bool          // the last send found no room

	fd      uintptr // while somebody stands in RawConn.Write
	steps   stepper
	single  *sending // nil: steps
	onWrite func(fd uintptr) bool
}

// Whether the descriptor is pinned: whoever stands in RawConn.Read keeps it open,
// so that others can send without entering RawConn.Write, which costs about as
// much as all the rest that is ours.
const (
	pinNone = iota
	pinFree
	pinBusy // somebody sends
)

// newRawTransport returns nil if nc is not exactly a TCP connection: a type
// that embeds one may do something of its own with the bytes.
func newRawTransport(nc net.Conn) transport {
	tc, ok := nc.(*net.TCPConn)
	if !ok || tc == nil {
		return nil
	}
	rc, err := tc.SyscallConn()
	if err != nil {
		return nil
	}
	t := &rawTransport{nc: tc, rc: rc}
	t.onRead, t.onWrite = t.readable(), t.writable()
	return t
}

func (t *rawTransport) read(in *input, p []byte) (int, error) {
	t.in, t.err, t.into = in, nil, len(p) > 0
	if t.into {
		in.lend(p)
	}
	err := t.rc.Read(t.onRead)
	n := len(in.bytes())
	if t.into {
		in.takeBack()
	}
	if n == 0 && err == nil {
		if err = t.err; err == nil {
			err = io.EOF
		}
	}
	t.in = nil
	return n, t.name("read", err)
}

// name gives an error of a system call or of the RawConn its usual form.
func (t *rawTransport) name(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errWoken
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return &net.OpError{Op: op, Net: "tcp", Source: t.nc.LocalAddr(), Addr: t.nc.RemoteAddr(), Err: os.NewSyscallError(op, errno)}
	}
	return err
}

// readable returns what is called when there may be something to receive. Outside
// stand it receives once; it returns false to wait until there is something.
// Entering RawConn.Read forgets what readiness was known, so it always tries
// before it waits.
func (t *rawTransport) readable() func(fd uintptr) bool {
	return func(fd uintptr) bool {
		if t.turns != nil {
			t.drained = false
			if t.pin.Load() == pinNone {
				t.readFD = fd
				t.pin.Store(pinFree)
			}
			return t.turns.step()
		}
		var n int
		var err error
		if t.into {
			n, err = poll.Recv(fd, t.in.buf)
			t.in.w = max(n, 0)
		} else {
			n, err = recvFrom(fd, t.in, nil)
		}
		if n > 0 {
			return true
		}
		t.err = err
		return err != syscall.EAGAIN
	}
}

func (t *rawTransport) stands() bool { return true }

func (t *rawTransport) stand(s stepper) error {
	var err error
	// Control keeps the descriptor until it is unpinned, whoever closes nc.
	if closed := t.rc.Control(func(uintptr) { err = t.standPinned(s) }); closed != nil {
		err = closed
	}
	return t.name("read", err)
}

// standPinned is stand for who keeps the descriptor open.
func (t *rawTransport) standPinned(s stepper) error {
	t.turns = s
	defer t.unpin() // a step may panic
	return t.rc.Read(t.onRead)
}

// unpin ends a stand, and waits for a send that uses its descriptor.
func (t *rawTransport) unpin() {
	t.turns = nil
	for t.pin.Load() != pinNone && !t.pin.CompareAndSwap(pinFree, pinNone) {
		runtime.Gosched()
	}
}

// recv does not ask again after a receipt that left room: there was no more.
func (t *rawTransport) recv(in *input, p []byte) (int, error) {
	if t.drained {
		return 0, nil
	}
	n, err := recvFrom(t.readFD, in, p)
	if n > 0 {
		room := len(p)
		if room == 0 {
			room = chunkSize
		}
		t.drained = n < room
		return n, nil
	}
	switch {
	case err == syscall.EAGAIN:
		return 0, nil
	case err == nil:
		return 0, io.EOF
	}
	return 0, t.name("read", err)
}

// probes reports whether an end of the stream may have come with the last bytes
// received, on one edge, of which the poller tells but once.
func (t *rawTransport) probes() bool { return t.drained }

func (t *rawTransport) flush(s stepper) error {
	t.steps = s
	err := t.rc.Write(t.onWrite)
	t.steps = nil
	return t.name("write", err)
}

func (t *rawTransport) try(s *sending) (n int, err error) {
	if t.pin.CompareAndSwap(pinFree, pinBusy) {
		n, err = sendTo(t.readFD, s.p, s.q)
		t.pin.Store(pinFree)
		if err != nil {
			err = t.unsent(err)
		}
		return n, err
	}
	t.single = s
	err = t.rc.Write(t.onWrite)
	t.single = nil
	if err != nil {
		return 0, t.name("write", err)
	}
	return s.n, s.err
}

// writable returns what makes one step after the other until all is done; it
// returns false to wait for room.
func (t *rawTransport) writable() func(fd uintptr) bool {
	return func(fd uintptr) bool {
		t.fd = fd
		if s := t.single; s != nil {
			s.n, s.err = t.send(s.p, s.q)
			return true
		}
		for {
			t.again = false
			if t.steps.step() {
				return true
			}
			if t.again {
				return false
			}
		}
	}
}

func (t *rawTransport) send(p, q []byte) (n int, err error) {
	switch { // as sendTo, but with less stack, of which flush takes much
	case len(q) == 0:
		n, err = poll.Send(t.fd, p)
	case len(p) == 0:
		n, err = poll.Send(t.fd, q)
	default:
		n, err = poll.Send2(t.fd, p, q)
	}
	if err != nil {
		err = t.unsent(err)
	}
	return n, err
}

// unsent says why nothing was sent.
func (t *rawTransport) unsent(err error) error {
	if err == syscall.EAGAIN {
		t.again = true
		return errAgain
	}
	return t.name("write", err)
}

// recvFrom receives what there is into p or, if that is empty, into in.
func recvFrom(fd uintptr, in *input, p []byte) (int, error) {
	if len(p) > 0 {
		return poll.Recv(fd, p)
	}
	n, err := poll.Recv(fd, in.fill(chunkSize))
	if n > 0 {
		in.w = n
	} else {
		in.free()
	}
	return n, err
}

// sendTo sends what it can of p and q.
func sendTo(fd uintptr, p, q []byte) (int, error) {
	switch {
	case len(q) == 0:
		return poll.Send(fd, p)
	case len(p) == 0:
		return poll.Send(fd, q)
	}
	return poll.Send2(fd, p, q)
}

func (t *rawTransport) sendWaits() bool { return false }

func (t *rawTransport) wakeRead(on bool) {
	if on {
		t.nc.SetReadDeadline(longAgo)
	} else {
		t.nc.SetReadDeadline(time.Time{})
	}
}

func (t *rawTransport) wakeWrite(on bool) {
	if on {
		t.nc.SetWriteDeadline(longAgo)
	} else {
		t.nc.SetWriteDeadline(time.Time{})
	}
}

func (t *rawTransport) wakeReadAt(at time.Time) { t.nc.SetReadDeadline(at) }

func (t *rawTransport) hangUp() {
	_ = t.rc.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
}

func (t *rawTransport) closeWrite()    { t.nc.CloseWrite() }
func (t *rawTransport) needRoom() bool { return false }

// The peer is told of the end also while somebody has a duplicate of the descriptor.
func (t *rawTransport) close() error { t.closeWrite(); return t.nc.Close() }
func (t *rawTransport) abort() error { t.hangUp(); return t.nc.Close() }

func (t *rawTransport) queue(j joint, s *sending) bool {
	if !t.pin.CompareAndSwap(pinFree, pinBusy) {
		return j.hold(t.rc, s)
	}
	added := j.add(t.readFD, s)
	if !added {
		t.pin.Store(pinFree)
	}
	return added
}

func (t *rawTransport) queued(j joint, s *sending) (int, error) {
	n, err := j.result(s)
	t.pin.CompareAndSwap(pinBusy, pinFree) // nobody else can have made it that
	if err != nil {
		err = t.unsent(err)
	}
	return n, err
}

func (t *rawTransport) localAddr() net.Addr               { return t.nc.LocalAddr() }
func (t *rawTransport) remoteAddr() net.Addr              { return t.nc.RemoteAddr() }
func (t *rawTransport) rawConn() (syscall.RawConn, error) { return t.nc.SyscallConn() }

// A receipt is the result of receiving once.
type receipt struct {
	n   int
	err error
}
