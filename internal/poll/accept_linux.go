//go:build linux

package poll

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An Accepted is a TCP connection as it comes from a listener.
type Accepted struct {
	FD   int // does not block
	From netip.AddrPort
}

// Accept appends the connections that wait at a listening TCP socket to dst, as many
// as there is room for. syscall.EAGAIN says that there were no more, ErrBlocks that
// somebody has made the socket a blocking one, where a call that the scheduler does
// not know of could hold everything up.
func Accept(fd uintptr, dst []Accepted) ([]Accepted, error) {
	flags, _, errno := syscall.RawSyscall(unix.SYS_FCNTL, fd, unix.F_GETFL, 0)
	if errno == 0 && flags&unix.O_NONBLOCK == 0 {
		return dst, ErrBlocks
	}
	var sa unix.RawSockaddrAny
	for range min(queued(fd), cap(dst)-len(dst)) {
		size := uint32(unix.SizeofSockaddrAny)
		n, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, fd, uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)),
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			dst = append(dst, Accepted{FD: int(n), From: addrPort(&sa)})
		case syscall.EAGAIN:
			return dst, syscall.EAGAIN
		case syscall.EINTR, syscall.ECONNABORTED: // it left before it was accepted
		default:
			return dst, errno
		}
	}
	if len(dst) < cap(dst) {
		return dst, syscall.EAGAIN
	}
	return dst, nil
}

// queued returns how many connections wait at a listening socket: to accept one that
// is not there costs as much as one that is. Where the system does not tell, as gVisor
// says 0, there may be any number.
func queued(fd uintptr) int {
	var info unix.TCPInfo // of a listener, Unacked is that
	size := uint32(unsafe.Offsetof(info.Unacked) + unsafe.Sizeof(info.Unacked))
	_, _, errno := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 || info.Unacked == 0 {
		return math.MaxInt
	}
	return int(info.Unacked)
}

// ErrBlocks is the error of Accept on a socket that may block.
var ErrBlocks = errors.New("poll: the socket blocks")

// Local returns the address of a TCP socket.
func Local(fd int) netip.AddrPort {
	var sa unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	_, _, errno := syscall.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return netip.AddrPort{}
	}
	return addrPort(&sa)
}

// addrPort returns an address as package net has it.
func addrPort(sa *unix.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), port(&in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		addr := netip.AddrFrom16(in.Addr)
		if in.Scope_id != 0 {
			addr = addr.WithZone(zone(int(in.Scope_id)))
		}
		return netip.AddrPortFrom(addr, port(&in.Port))
	}
	return netip.AddrPort{}
}

// port is a number in the network's byte order.
func port(p *uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(p))
	return uint16(b[0])<<8 | uint16(b[1])
}

func zone(index int) string {
	if i, err := net.InterfaceByIndex(index); err == nil {
		return i.Name
	}
	return strconv.Itoa(index)
}

// tuned are the options that package net sets on the connections that it accepts.
var tuned = [...]struct{ level, name int }{
	{unix.IPPROTO_TCP, unix.TCP_NODELAY},
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
}

// A Tuning is how net has set the options of a TCP socket.
type Tuning [len(tuned)]int

// TuningOf returns the options of a socket.
func TuningOf(fd int) (t Tuning, err error) {
	for i, o := range tuned {
		if t[i], err = unix.GetsockoptInt(fd, o.level, o.name); err != nil {
			return t, os.NewSyscallError("getsockopt", err)
		}
	}
	return t, nil
}

// Apply sets the options of a socket, and reports whether it had them already.
func (t Tuning) Apply(fd int) (had bool) {
	had = true
	for i, o := range tuned {
		if is, err := unix.GetsockoptInt(fd, o.level, o.name); err != nil || is != t[i] {
			had = false
			_ = unix.SetsockoptInt(fd, o.level, o.name, t[i])
		}
	}
	return had
}

// Lingers reports whether closing a socket may wait for what is to be sent.
func Lingers(fd int) bool {
	l, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER)
	return err != nil || l.Onoff != 0 && l.Linger != 0
}

// Conn returns a socket as a net.Conn that has the options of tuning, and gives fd
// up in any case. It takes a second descriptor for a moment. If there is none, all
// that can be done is to send farewell.
func Conn(fd int, tuning *Tuning, farewell []byte) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		_, _ = Send(uintptr(fd), farewell)
		Shutdown(fd, unix.SHUT_WR)
		return nil, err
	}
	if sc, ok := nc.(syscall.Conn); ok { // net has set them to what it does by default
		if rc, err := sc.SyscallConn(); err == nil {
			_ = rc.Control(func(fd uintptr) { tuning.Apply(int(fd)) })
		}
	}
	return nc, nil
}
