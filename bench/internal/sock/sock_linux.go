// Package sock has the system calls of load generators, which wait in epoll
// alone.
package sock

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PerSource is how many connections share a source address: ports are 16 bits,
// and some of them are other people's.
const PerSource = 5000

// Source returns the loopback address that the i-th connection comes from.
func Source(i int) [4]byte {
	block := i / PerSource
	return [4]byte{127, 0, byte(block / 250), byte(2 + block%250)}
}

// Recv and Send never wait, and tell the scheduler nothing: there is nobody
// else to run.
func Recv(fd int, p []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), e
}

// Send is described at Recv.
func Send(fd int, p []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(n), e
}

// A Poller is an epoll instance whose events carry an index.
type Poller struct {
	fd     int
	events [256]unix.EpollEvent
}

// NewPoller returns a Poller that watches nothing yet.
func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &Poller{fd: fd}, err
}

// Add watches a descriptor.
func (p *Poller) Add(fd, index int, events uint32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(index)})
}

// Change changes what a descriptor is watched for.
func (p *Poller) Change(fd, index int, events uint32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(index)})
}

// Wait returns the events there are, or the first to come within timeout (in
// whole milliseconds). The next call overwrites them.
func (p *Poller) Wait(timeout time.Duration) ([]unix.EpollEvent, error) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), uintptr(timeout.Milliseconds()), 0, 0)
	if e == syscall.EINTR {
		n, e = 0, 0
	}
	if e != 0 {
		return nil, fmt.Errorf("epoll_wait: %w", e)
	}
	return p.events[:n], nil
}

// Close gives the Poller up.
func (p *Poller) Close() error { return unix.Close(p.fd) }
