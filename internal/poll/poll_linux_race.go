//go:build linux && race

// Package poll makes the system calls on sockets that the transports need. In
// this build they are the ordinary ones, which the race detector can see.
package poll

import "syscall"

// Recv receives into p. The descriptor must be non-blocking.
func Recv(fd uintptr, p []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

// Send sends what it can of p. The descriptor must be non-blocking.
func Send(fd uintptr, p []byte) (int, error) {
	for {
		n, err := syscall.Write(int(fd), p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

// Send2 is Send for two buffers, one after the other.
func Send2(fd uintptr, p, q []byte) (int, error) {
	n, err := Send(fd, p)
	if err != nil || n < len(p) {
		return n, err
	}
	m, err := Send(fd, q)
	if err == syscall.EAGAIN && n > 0 {
		err = nil
	}
	return n + m, err
}
