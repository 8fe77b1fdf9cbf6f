package main

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// perSource is how many connections share a source address: ports are 16 bits,
// and some of them are other people's.
const perSource = 5000

// dial connects to addr, waiting, from the i-th connection's source address.
func dial(addr netip.AddrPort, i int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd) //nolint:errcheck // it is err that matters
		}
	}()
	patience := unix.NsecToTimeval(int64(10 * time.Second))
	if err := errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		// Leaving with RST keeps ports from waiting in TIME_WAIT.
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
	); err != nil {
		return -1, fmt.Errorf("socket options: %w", err)
	}
	if addr.Addr().IsLoopback() {
		source := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + i/perSource%250)}}
		if err := unix.Bind(fd, &source); err != nil {
			return -1, fmt.Errorf("bind: %w", err)
		}
	}
	to := unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	if err := unix.Connect(fd, &to); err != nil {
		return -1, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

// recv and send never wait, and tell the scheduler nothing: there is nobody
// else to run.
func recv(fd int, p []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), e
}

func send(fd int, p []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(n), e
}

// A poller is an epoll instance whose events carry an index.
type poller struct {
	fd     int
	events [256]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &poller{fd: fd}, err
}

func (p *poller) add(fd, index int, events uint32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(index)})
}

func (p *poller) change(fd, index int, events uint32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(index)})
}

// wait returns the events there are, or if wait is true the first to come
// within a few milliseconds.
func (p *poller) wait(wait bool) ([]unix.EpollEvent, error) {
	timeout := uintptr(0)
	if wait {
		timeout = 5
	}
	n, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), timeout, 0, 0)
	if e == syscall.EINTR {
		n, e = 0, 0
	}
	if e != 0 {
		return nil, fmt.Errorf("epoll_wait: %w", e)
	}
	return p.events[:n], nil
}
