//go:build linux && !race

// Package poll makes the system calls on sockets that the transports need:
// receiving and sending that never wait.
//
// Because they never wait, they are made without telling the scheduler, which
// would cost a good part of a short call. A long one would fare worse: after 20 µs
// it is taken for a call that waits, and others are woken to do the work of a
// thread that is back the next moment. But the garbage collector has to wait for a
// call that nobody knows of, so there is a bound to what one moves. It is a high
// one: the same in smaller pieces costs more, since the peer is woken, and
// acknowledges, for each.
package poll

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// rawMax is how many bytes a call moves at most, in some 150 µs.
	rawMax = 1 << 20

	// jointMax is how many bytes of two buffers a call moves at most. The kernel is
	// a good deal faster at copying much from one place than from two.
	jointMax = 64 << 10

	recvFlags = unix.MSG_DONTWAIT
	sendFlags = uintptr(unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL)
	moreFlags = sendFlags | unix.MSG_MORE // do not send half a packet yet
)

// Recv receives into p, which must not be empty, without waiting. 0 bytes
// without an error are the end of the stream; syscall.EAGAIN says that there is
// nothing yet.
func Recv(fd uintptr, p []byte) (int, error) {
	if len(p) > rawMax { // apart, for who waits with little stack
		return recvPieces(fd, p, rawMax)
	}
	b := unsafe.Pointer(unsafe.SliceData(p))
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(b), uintptr(len(p)), recvFlags, 0, 0)
		if errno != syscall.EINTR {
			return result(n, errno)
		}
	}
}

// recvPieces is Recv in calls that move no more than most bytes each.
func recvPieces(fd uintptr, p []byte, most int) (n int, err error) {
	n, err = Recv(fd, p[:min(most, len(p))])
	for full := most; n == full && n < len(p) && waits(fd); full += most {
		more, _ := Recv(fd, p[n:min(n+most, len(p))])
		n += more
	}
	return n, err
}

// waits reports whether there is something to receive. To try and see would use up
// an error, which the system tells of once. That is done only where the system
// does not say, as with Multipath TCP before Linux 5.17: a receipt that leaves room
// is taken for all there was, so what it leaves behind would lie there.
func waits(fd uintptr) bool {
	n, err := unix.IoctlGetUint32(int(fd), unix.SIOCINQ)
	return err != nil || n > 0
}

// Send sends what it can of p without waiting. syscall.EAGAIN says that there
// is no room at all; with another error something may have been sent.
func Send(fd uintptr, p []byte) (int, error) {
	if len(p) > rawMax {
		return sendPieces(fd, p, sendFlags)
	}
	b := unsafe.Pointer(unsafe.SliceData(p))
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(b), uintptr(len(p)), sendFlags, 0, 0)
		if errno != syscall.EINTR {
			return result(n, errno)
		}
	}
}

// sendPieces is Send for any length. With moreFlags, something is to follow.
func sendPieces(fd uintptr, p []byte, last uintptr) (n int, err error) {
	for {
		piece, flags := p[n:], last
		if len(piece) > rawMax {
			piece, flags = piece[:rawMax], moreFlags
		}
		sent, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(piece))), uintptr(len(piece)), flags, 0, 0)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN && n > 0:
			return n, nil
		case errno != 0:
			_, err = result(0, errno)
			return n, err
		}
		if n += int(sent); int(sent) < len(piece) || n == len(p) {
			return n, nil
		}
	}
}

// Send2 is Send for two buffers, one after the other.
func Send2(fd uintptr, p, q []byte) (int, error) {
	if len(p)+len(q) > jointMax {
		return sendPieces2(fd, p, q)
	}
	iov := [2]unix.Iovec{{Base: unsafe.SliceData(p)}, {Base: unsafe.SliceData(q)}}
	iov[0].SetLen(len(p))
	iov[1].SetLen(len(q))
	msg := unix.Msghdr{Iov: &iov[0]}
	msg.SetIovlen(2)
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&msg)), sendFlags, 0, 0, 0)
		if errno != syscall.EINTR {
			return result(n, errno)
		}
	}
}

// sendPieces2 is Send2 for any lengths.
func sendPieces2(fd uintptr, p, q []byte) (int, error) {
	n, err := sendPieces(fd, p, moreFlags)
	if err != nil || n < len(p) {
		return n, err
	}
	more, err := sendPieces(fd, q, sendFlags)
	if err == syscall.EAGAIN {
		err = nil
	}
	return n + more, err
}

// result is what the caller gets, without an allocation for the common error.
func result(n uintptr, errno syscall.Errno) (int, error) {
	switch errno {
	case 0:
		return int(n), nil
	case syscall.EAGAIN:
		return 0, syscall.EAGAIN
	}
	return 0, errno
}
