// Any net.Conn whose reads can be woken by a deadline.

package websocket

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// How much a connTransport reads at a time: little while it waits, more once
// a read has filled that.
const (
	idleRead = 1 << 10
	busyRead = 16 << 10
)

// A connTransport is any net.Conn whose reads can be woken by a deadline.
type connTransport struct {
	nc   net.Conn
	busy bool // the last read filled its buffer
}

func (t *connTransport) read(in *input, p []byte) (int, error) {
	if len(p) > 0 {
		n, err := t.nc.Read(p)
		return n, wokenOr(n, err)
	}
	size := idleRead
	if t.busy {
		size = busyRead
	}
	n, err := t.nc.Read(in.fill(size))
	t.busy = n == size
	if n <= 0 {
		in.free()
		return 0, wokenOr(0, err)
	}
	in.w = n
	return n, nil // an error comes again with the next read
}

// A connTransport does not stand.
func (t *connTransport) stands() bool                     { return false }
func (t *connTransport) stand(stepper) error              { return errors.ErrUnsupported }
func (t *connTransport) recv(*input, []byte) (int, error) { return 0, errors.ErrUnsupported }
func (t *connTransport) probes() bool                     { return false }
func (t *connTransport) wakeReadAt(time.Time)             {}
func (t *connTransport) hangUp()                          { _ = t.abort() }

// wokenOr gives the error of a read or write that a deadline ended its name.
func wokenOr(n int, err error) error {
	if n > 0 {
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errWoken
	}
	return err
}

func (t *connTransport) flush(s stepper) error {
	for !s.step() {
	}
	return nil
}

// A connTransport's sends wait.
func (t *connTransport) try(*sending) (int, error) { return 0, errAgain }

func (t *connTransport) send(p, q []byte) (int, error) {
	n := 0
	if len(p) > 0 {
		var err error
		if n, err = t.nc.Write(p); err != nil || len(q) == 0 {
			return n, err
		}
	}
	m, err := t.nc.Write(q)
	return n + m, err
}

func (t *connTransport) sendWaits() bool { return true }

func (t *connTransport) wakeRead(on bool) {
	if on {
		t.nc.SetReadDeadline(longAgo)
	} else {
		t.nc.SetReadDeadline(time.Time{})
	}
}

// wakeWrite does nothing: a write deadline would ruin a TLS session for good.
func (t *connTransport) wakeWrite(bool) {}

func (t *connTransport) closeWrite() {
	if c, ok := t.nc.(interface{ CloseWrite() error }); ok {
		if _, overTLS := t.nc.(*tls.Conn); !overTLS { // it may wait, and close sends the same
			_ = c.CloseWrite()
		}
	}
}

func (t *connTransport) close() error { return t.nc.Close() }

// abort closes what is below TLS, so that no farewell is waited for.
func (t *connTransport) abort() error {
	return belowTLS(t.nc).Close()
}

func (t *connTransport) needRoom() bool { return false }

func (t *connTransport) queue(joint, *sending) bool          { return false }
func (t *connTransport) queued(joint, *sending) (int, error) { return 0, errors.ErrUnsupported }
func (t *connTransport) localAddr() net.Addr                 { return t.nc.LocalAddr() }
func (t *connTransport) remoteAddr() net.Addr                { return t.nc.RemoteAddr() }

// rawConn looks below TLS.
func (t *connTransport) rawConn() (syscall.RawConn, error) {
	nc := belowTLS(t.nc)
	if below, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = below.NetConn()
	}
	if sc, ok := nc.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// closeHard closes the connection underneath TLS, whose own Close first tries
// to say goodbye to a peer that may not be listening. What else may be around a
// connection is closed as a whole: only its owner knows what is below it.
func closeHard(nc net.Conn) { _ = belowTLS(nc).Close() }

// belowTLS returns the connection that nc encrypts, maybe more than once, for; nc
// itself if it is not TLS.
func belowTLS(nc net.Conn) net.Conn {
	for {
		secure, ok := nc.(*tls.Conn)
		if !ok {
			return nc
		}
		nc = secure.NetConn()
	}
}
