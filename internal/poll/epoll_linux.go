//go:build linux

package poll

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a Poller is asked for, and tells of. An error or a hang-up is told as
// both: who receives or sends learns of it.
const (
	In  = unix.EPOLLIN
	Out = unix.EPOLLOUT
	// Once is added to have an event come once, until the next Change.
	Once = unix.EPOLLONESHOT
	// News is added to have an event come only when something new has happened,
	// and after Add and Change.
	News = unix.EPOLLET
)

// An Event says that something may be done with a descriptor: a hint, since it
// may have been done since.
type Event struct {
	what uint32
	id   uint64
}

// ID is what the descriptor was added with.
func (e *Event) ID() uint64 { return e.id }

// In reports whether there may be something to receive.
func (e *Event) In() bool { return e.what&^unix.EPOLLOUT != 0 }

// Out reports whether there may be room to send.
func (e *Event) Out() bool { return e.what&^unix.EPOLLIN != 0 }

// A Poller watches any number of descriptors for one goroutine, which waits in
// Go's own poller, so that it holds up no thread and the scheduler knows of it.
// Add, Change and Wake may be called by anybody.
type Poller struct {
	file *os.File
	rc   syscall.RawConn
	fd   int
	list []unix.EpollEvent
}

// NewPoller returns a Poller that tells of n descriptors at a time at most.
func NewPoller(n int) (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// Only a descriptor that says it does not block is watched by Go's poller.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &Poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, list: make([]unix.EpollEvent, n)}
	if p.rc, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails if it is not watched
	}
	if err != nil {
		_ = p.file.Close()
		return nil, err
	}
	return p, nil
}

// Close gives the Poller up. Nobody may be in Stand.
func (p *Poller) Close() error { return p.file.Close() }

// Stand calls step each time that there may be events to Take, until step says
// that it is done, or the time comes that WakeAt has set: then it returns false.
func (p *Poller) Stand(step func() (done bool)) (done bool, err error) {
	err = p.rc.Read(func(uintptr) bool { return step() })
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, nil
	}
	return true, err
}

// Take appends the events there are now to dst.
func (p *Poller) Take(dst []Event) []Event {
	b := unsafe.Pointer(unsafe.SliceData(p.list))
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(b), uintptr(len(p.list)), 0, 0, 0)
	if errno != 0 {
		return dst // EINTR, at most
	}
	for i := range p.list[:n] {
		e := &p.list[i]
		dst = append(dst, Event{what: e.Events, id: uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32})
	}
	return dst
}

// WakeAt sets when Stand returns for want of events. The zero time is never.
func (p *Poller) WakeAt(at time.Time) { _ = p.file.SetReadDeadline(at) }

// Nap holds its thread up for a little more than d, and whatever else might run on it,
// since the scheduler is not told: it is for less time than a goroutine may well compute
// for.
func Nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_, _, _ = syscall.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
}

// Add watches a descriptor for In, Out or both, for as long as they last.
func (p *Poller) Add(fd int, id uint64, what uint32) error {
	return p.ctl("epoll_ctl", unix.EPOLL_CTL_ADD, fd, id, what)
}

// Change changes what a descriptor is watched for.
func (p *Poller) Change(fd int, id uint64, what uint32) error {
	return p.ctl("epoll_ctl", unix.EPOLL_CTL_MOD, fd, id, what)
}

// Remove watches a descriptor no more.
func (p *Poller) Remove(fd int) { _ = p.ctl("epoll_ctl", unix.EPOLL_CTL_DEL, fd, 0, 0) }

// ctl never waits, so it is made without telling the scheduler.
func (p *Poller) ctl(name string, op, fd int, id uint64, what uint32) error {
	e := unix.EpollEvent{Events: what, Fd: int32(uint32(id)), Pad: int32(uint32(id >> 32))}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError(name, errno)
	}
	return nil
}

// Duplicate returns another descriptor of the same socket.
func Duplicate(rc syscall.RawConn) (int, error) {
	dup := -1
	var err error
	if rcErr := rc.Control(func(fd uintptr) { dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); rcErr != nil {
		err = rcErr
	}
	return dup, os.NewSyscallError("fcntl", err)
}

// Shutdown ends the direction of a socket that how says: unix.SHUT_WR or SHUT_RDWR.
func Shutdown(fd int, how int) { _ = unix.Shutdown(fd, how) }

// Close closes a descriptor. If that may take long, because what is to be sent is waited for,
// a goroutine does it.
func Close(fd int) {
	if Lingers(fd) {
		go func() { _ = unix.Close(fd) }()
	} else {
		_ = unix.Close(fd)
	}
}

// CloseQuick closes a socket that does not linger without telling the scheduler. If
// it is watched by a Poller, nobody else may have its descriptor.
func CloseQuick(fd int) { _, _, _ = syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }
