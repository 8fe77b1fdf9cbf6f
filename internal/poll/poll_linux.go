//go:build linux && !race

// Package poll makes the system calls on sockets that the transports need:
// receiving and sending that never wait.
//
// Because they never wait and move little at a time, they are made without
// telling the scheduler, which would cost a good part of the call. The garbage
// collector has to wait for such a call, so large ones are made the ordinary
// way.
package poll

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// rawMax is how many bytes a call moves at most that the scheduler does not
	// know of.
	rawMax = 64 << 10

	recvFlags = unix.MSG_DONTWAIT
	sendFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
)

// Recv receives into p, which must not be empty, without waiting. 0 bytes
// without an error are the end of the stream; syscall.EAGAIN says that there is
// nothing yet.
func Recv(fd uintptr, p []byte) (int, error) {
	b := unsafe.Pointer(unsafe.SliceData(p))
	for {
		var n uintptr
		var errno syscall.Errno
		if len(p) <= rawMax {
			n, _, errno = syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(b), uintptr(len(p)), recvFlags, 0, 0)
		} else {
			n, _, errno = syscall.Syscall6(unix.SYS_RECVFROM, fd, uintptr(b), uintptr(len(p)), recvFlags, 0, 0)
		}
		if errno != syscall.EINTR {
			return result(n, errno)
		}
	}
}

// Send sends what it can of p without waiting. syscall.EAGAIN says that there
// is no room at all.
func Send(fd uintptr, p []byte) (int, error) {
	b := unsafe.Pointer(unsafe.SliceData(p))
	for {
		var n uintptr
		var errno syscall.Errno
		if len(p) <= rawMax {
			n, _, errno = syscall.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(b), uintptr(len(p)), sendFlags, 0, 0)
		} else {
			n, _, errno = syscall.Syscall6(unix.SYS_SENDTO, fd, uintptr(b), uintptr(len(p)), sendFlags, 0, 0)
		}
		if errno != syscall.EINTR {
			return result(n, errno)
		}
	}
}

// Send2 is Send for two buffers, one after the other.
func Send2(fd uintptr, p, q []byte) (int, error) {
	iov := [2]unix.Iovec{{Base: unsafe.SliceData(p)}, {Base: unsafe.SliceData(q)}}
	iov[0].SetLen(len(p))
	iov[1].SetLen(len(q))
	msg := unix.Msghdr{Iov: &iov[0]}
	msg.SetIovlen(2)
	for {
		var n uintptr
		var errno syscall.Errno
		if len(p)+len(q) <= rawMax {
			n, _, errno = syscall.RawSyscall6(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&msg)), sendFlags, 0, 0, 0)
		} else {
			n, _, errno = syscall.Syscall6(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&msg)), sendFlags, 0, 0, 0)
		}
		if errno != syscall.EINTR {
			return result(n, errno)
		}
	}
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
