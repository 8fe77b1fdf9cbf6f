//go:build linux

package poll

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Batch makes many receipts, or sends, in one system call. Where entering the
// system is dear, as it mostly is under a hypervisor or with the page tables of
// user and kernel kept apart, that is most of what a short one costs.
//
// It is an io_uring that nothing waits in: each operation does what it can at
// once, as Recv and Send do, and all are done when Do returns. A Batch is for one
// goroutine at a time.
type Batch struct {
	fd     int
	rings  []byte // the kernel's memory for both queues
	memory []byte // and for the entries of the first
	sq     queue
	cq     queue
	asked  []sqe
	told   []cqe

	ops    []batched
	broken error // why the ring is asked no more: each operation is a call
}

// A batched is one operation, and its result.
type batched struct {
	p     []byte // the system knows of it as a number only
	fd    int32
	sends bool
	made  bool
	res   int32
}

// A queue is one of the ring's.
type queue struct {
	head, tail *atomic.Uint32
	mask       uint32
}

// An sqe is a struct io_uring_sqe, a cqe a struct io_uring_cqe.
type sqe struct {
	opcode   uint8
	flags    uint8
	ioprio   uint16
	fd       int32
	off      uint64
	addr     uint64
	length   uint32
	msgFlags uint32
	userData uint64
	_        [3]uint64
}

type cqe struct {
	userData uint64
	res      int32
	flags    uint32
}

// ringParams is a struct io_uring_params.
type ringParams struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32

	_  [3]uint32
	sq struct{ head, tail, ringMask, ringEntries, flags, dropped, array, _, _, _ uint32 }
	cq struct{ head, tail, ringMask, ringEntries, overflow, cqes, flags, _, _, _ uint32 }
}

const (
	opSend = 26 // IORING_OP_SEND
	opRecv = 27 // IORING_OP_RECV

	offRings = 0          // IORING_OFF_SQ_RING
	offSQEs  = 0x10000000 // IORING_OFF_SQES

	featSingleMmap = 1 << 0 // IORING_FEAT_SINGLE_MMAP
	enterGetEvents = 1 << 0 // IORING_ENTER_GETEVENTS

	batchMax = 1 << 20 // bytes that an operation moves at most
)

// NewBatch returns a Batch for n operations at a time, a power of two. The error
// says why there is none: old systems have no io_uring, and many containers and
// hardened systems forbid it. A filter of system calls may end the process for
// asking, so where there is one, nobody asks.
func NewBatch(n int) (*Batch, error) {
	if filtered() {
		return nil, errors.ErrUnsupported
	}
	var p ringParams
	fd, _, errno := syscall.RawSyscall(unix.SYS_IO_URING_SETUP, uintptr(n), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	b := &Batch{fd: int(fd), ops: make([]batched, 0, n)}
	if err := b.share(&p); err != nil {
		b.Close()
		return nil, err
	}
	if err := b.try(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// filtered reports whether a seccomp filter decides which system calls the process
// makes.
func filtered() bool {
	mode, _, errno := syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_SECCOMP, 0, 0)
	return errno != 0 || mode != unix.SECCOMP_MODE_DISABLED
}

// share maps the kernel's memory.
func (b *Batch) share(p *ringParams) (err error) {
	if p.features&featSingleMmap == 0 {
		return errors.ErrUnsupported // before Linux 5.4
	}
	size := max(int(p.sq.array+p.sqEntries*4), int(p.cq.cqes+p.cqEntries*uint32(unsafe.Sizeof(cqe{}))))
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	if b.rings, err = unix.Mmap(b.fd, offRings, size, prot, flags); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	if b.memory, err = unix.Mmap(b.fd, offSQEs, int(p.sqEntries)*int(unsafe.Sizeof(sqe{})), prot, flags); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	at := func(off uint32) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&b.rings[off])) }
	b.sq = queue{head: at(p.sq.head), tail: at(p.sq.tail), mask: at(p.sq.ringMask).Load()}
	b.cq = queue{head: at(p.cq.head), tail: at(p.cq.tail), mask: at(p.cq.ringMask).Load()}
	b.asked = unsafe.Slice((*sqe)(unsafe.Pointer(&b.memory[0])), p.sqEntries)
	b.told = unsafe.Slice((*cqe)(unsafe.Pointer(&b.rings[p.cq.cqes])), p.cqEntries)
	for i := range p.sqEntries { // the entries are used in order
		at(p.sq.array + 4*i).Store(i)
	}
	return nil
}

// try sees whether the ring does what it is for: before Linux 5.6 there are no
// such operations.
func (b *Batch) try() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	defer Close(pair[0])
	defer Close(pair[1])
	said, heard := []byte("websocket"), make([]byte, 16)
	b.Recv(pair[1], heard)
	b.Send(pair[0], said)
	defer b.Reset()
	b.Do()
	_, none := b.Result(0)
	sent, err := b.Result(1)
	if b.broken == nil && (none != syscall.EAGAIN || sent != len(said) || err != nil) {
		b.broken = errors.ErrUnsupported
	}
	return b.broken
}

// Close gives the Batch up.
func (b *Batch) Close() {
	if b.rings != nil {
		_ = unix.Munmap(b.rings)
	}
	if b.memory != nil {
		_ = unix.Munmap(b.memory)
	}
	Close(b.fd)
	*b = Batch{fd: -1, broken: os.ErrClosed}
}

// Full reports whether there is room for no more operations before Reset.
func (b *Batch) Full() bool { return len(b.ops) == cap(b.ops) }

// Recv adds Recv(fd, p), and returns its number for Result. p is on the heap, and
// not empty, nobody may use it before Do, and fd must stay open until then.
func (b *Batch) Recv(fd int, p []byte) (i int) { return b.add(batched{fd: int32(fd), p: p}) }

// Send adds Send(fd, p), as Recv does.
func (b *Batch) Send(fd int, p []byte) (i int) {
	return b.add(batched{fd: int32(fd), p: p, sends: true})
}

func (b *Batch) add(op batched) (i int) {
	b.ops = append(b.ops, op)
	return len(b.ops) - 1
}

// Result returns what came of the operation that was added as number i.
func (b *Batch) Result(i int) (int, error) {
	res := b.ops[i].res
	if res >= 0 {
		return int(res), nil
	}
	return 0, syscall.Errno(-res)
}

// Reset forgets the operations.
func (b *Batch) Reset() {
	clear(b.ops)
	b.ops = b.ops[:0]
}

// Do makes the operations.
func (b *Batch) Do() {
	if b.broken == nil {
		b.broken = b.make()
	}
	for i := range b.ops {
		op := &b.ops[i]
		switch syscall.Errno(-op.res) {
		case syscall.EINTR, syscall.ENOMEM: // the latter may be the ring's own
			op.made = false
		}
		if !op.made {
			op.alone()
		}
	}
}

// alone makes the operation without the ring.
func (op *batched) alone() {
	call := Recv
	if op.sends {
		call = Send
	}
	n, err := call(uintptr(op.fd), op.p)
	op.made, op.res = true, int32(n)
	var errno syscall.Errno
	if errors.As(err, &errno) {
		op.res = -int32(errno)
	}
}

// make makes the operations in the ring, and leaves those to the caller that the
// system does not take.
func (b *Batch) make() error {
	first := b.sq.tail.Load()
	for i := range b.ops {
		op := &b.ops[i]
		e := &b.asked[(first+uint32(i))&b.sq.mask]
		*e = sqe{opcode: opRecv, fd: op.fd, length: uint32(min(len(op.p), batchMax)), msgFlags: unix.MSG_DONTWAIT, userData: uint64(i)}
		if op.sends {
			e.opcode, e.msgFlags = opSend, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL
		}
		e.addr = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(op.p))))
	}
	b.sq.tail.Store(first + uint32(len(b.ops)))
	asked, err := b.submit(len(b.ops))
	if asked < len(b.ops) {
		b.sq.tail.Store(first + uint32(asked)) // the rest has not been looked at
	}
	for told := b.reap(); told < asked; told += b.reap() { // none waits, so this ends at once
		if waited := b.await(); waited != nil {
			b.giveUp(asked)
			return waited
		}
	}
	return err
}

// submit has the kernel take n entries, and returns how many it has.
func (b *Batch) submit(n int) (taken int, err error) {
	for taken < n {
		got, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(b.fd), uintptr(n-taken), 0, 0, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return taken, errno
		case got == 0:
			return taken, syscall.EAGAIN
		default:
			taken += int(got)
		}
	}
	return taken, nil
}

// await waits until an operation has been made.
func (b *Batch) await() error {
	_, _, errno := syscall.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(b.fd), 0, 1, enterGetEvents, 0, 0)
	if errno != 0 && errno != syscall.EINTR {
		return errno
	}
	return nil
}

// giveUp fails those of the first n operations of which the system does not say what
// came of them: to make them again could be to make them twice.
func (b *Batch) giveUp(n int) {
	for i := range b.ops[:n] {
		if op := &b.ops[i]; !op.made {
			op.made, op.res = true, -int32(syscall.EIO)
		}
	}
}

// reap takes the results that there are, and returns how many.
func (b *Batch) reap() (n int) {
	head, tail := b.cq.head.Load(), b.cq.tail.Load()
	for ; head != tail; head++ {
		e := &b.told[head&b.cq.mask]
		op := &b.ops[e.userData]
		op.made, op.res = true, e.res
		n++
	}
	b.cq.head.Store(head)
	return n
}
