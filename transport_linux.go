// Raw TCP on Linux: no buffer while idle, calls that never wait.

package websocket

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/seed86893212/websocket/internal/poll"
)

// rawRead is how much a rawTransport reads at a time, into a buffer that it
// takes once there is something to read.
const rawRead = 64 << 10

// A rawTransport is a TCP connection whose descriptor is read and written
// directly, so that no buffer need wait for input.
type rawTransport struct {
	nc *net.TCPConn
	rc syscall.RawConn

	// What read was called with and found. The callback is stored once, so that
	// a read allocates nothing.
	in     *input
	p      []byte
	n      int
	err    error
	onRead func(fd uintptr) bool

	readFD  uintptr // while somebody stands in RawConn.Read
	drained bool    // the last receipt took all there was
	turn    func() bool
	onStand func(fd uintptr) bool

	fd      uintptr // while flushing
	again   bool    // the last send found no room
	step    func() bool
	onWrite func(fd uintptr) bool
}

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
	t.onRead, t.onStand, t.onWrite = t.readable, t.standing, t.writable
	return t
}

func (t *rawTransport) read(in *input, p []byte) (int, error) {
	t.in, t.p, t.n, t.err = in, p, 0, nil
	err := t.rc.Read(t.onRead)
	n := t.n
	if n == 0 && err == nil {
		if err = t.err; err == nil {
			err = io.EOF
		}
	}
	t.in, t.p, t.err = nil, nil, nil
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

// readable receives once; it returns false to wait until there is something.
// Entering RawConn.Read forgets what readiness was known, so it always tries
// before it waits.
func (t *rawTransport) readable(fd uintptr) bool {
	p := t.p
	if len(p) == 0 {
		p = t.in.fill(rawRead)
	}
	n, err := poll.Recv(fd, p)
	if n > 0 {
		t.n = n
		if len(t.p) == 0 {
			t.in.w = n
		}
		return true
	}
	if len(t.p) == 0 {
		t.in.free()
	}
	if err == syscall.EAGAIN {
		return false
	}
	t.err = err
	return true
}

func (t *rawTransport) stands() bool { return true }

func (t *rawTransport) stand(turn func() bool) error {
	t.turn = turn
	err := t.rc.Read(t.onStand)
	t.turn = nil
	return t.name("read", err)
}

// standing is called when there may be something to receive.
func (t *rawTransport) standing(fd uintptr) bool {
	t.readFD, t.drained = fd, false
	return t.turn()
}

// recv does not ask again after a receipt that left room: there was no more.
func (t *rawTransport) recv(in *input, p []byte) (int, error) {
	if t.drained {
		return 0, errAgain
	}
	own := len(p) == 0
	if own {
		p = in.fill(rawRead)
	}
	n, err := poll.Recv(t.readFD, p)
	if n > 0 {
		t.drained = n < len(p)
		if own {
			in.w = n
		}
		return n, nil
	}
	if own {
		in.free()
	}
	switch {
	case err == syscall.EAGAIN:
		return 0, errAgain
	case err == nil:
		return 0, io.EOF
	}
	return 0, t.name("read", err)
}

// probes reports whether an end of the stream may have come with the last bytes
// received, on one edge, of which the poller tells but once.
func (t *rawTransport) probes() bool { return t.drained }

func (t *rawTransport) flush(step func() bool) error {
	t.step = step
	err := t.rc.Write(t.onWrite)
	t.step = nil
	return t.name("write", err)
}

// writable calls step until it is done; it returns false to wait for room.
func (t *rawTransport) writable(fd uintptr) bool {
	t.fd = fd
	for {
		t.again = false
		if t.step() {
			return true
		}
		if t.again {
			return false
		}
	}
}

func (t *rawTransport) send(p, q []byte) (n int, err error) {
	switch {
	case len(q) == 0:
		n, err = poll.Send(t.fd, p)
	case len(p) == 0:
		n, err = poll.Send(t.fd, q)
	default:
		n, err = poll.Send2(t.fd, p, q)
	}
	if err == syscall.EAGAIN {
		t.again = true
		return 0, errAgain
	}
	return n, t.name("write", err)
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
func (t *rawTransport) close() error   { return t.nc.Close() }
func (t *rawTransport) abort() error   { return t.nc.Close() }
func (t *rawTransport) conn() net.Conn { return t.nc }
