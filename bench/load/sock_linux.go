package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/seed86893212/websocket/bench/internal/sock"
	"golang.org/x/sys/unix"
)

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
		source := unix.SockaddrInet4{Addr: sock.Source(i)}
		if err := unix.Bind(fd, &source); err != nil {
			return -1, fmt.Errorf("bind: %w", err)
		}
	}
	to := unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	if err := connect(fd, &to); err != nil {
		return -1, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

// connect goes on waiting when a signal has interrupted it, as Go's runtime sends them.
func connect(fd int, to unix.Sockaddr) error {
	err := unix.Connect(fd, to)
	if err != unix.EINTR {
		return err
	}
	for err == unix.EINTR {
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 10_000)
	}
	if err != nil {
		return err
	}
	failed, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && failed != 0 {
		err = unix.Errno(failed)
	}
	return err
}

// uninterrupted repeats a call that a signal has interrupted.
func uninterrupted(call func(fd int, p []byte) (int, error), fd int, p []byte) (n int, err error) {
	for {
		if n, err = call(fd, p); err != unix.EINTR {
			return n, err
		}
	}
}

// patience is how long to sleep for events, if at all.
func patience(block bool) time.Duration {
	if block {
		return 5 * time.Millisecond
	}
	return 0
}
