// What most connections of an event loop do not need.

package websocket

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
)

// An aside is what most connections do not need: how they end, and what is to be
// done where callbacks run on goroutines of their own, one after the other.
type aside struct {
	leaving *parting // since the peer's close frame or a failure

	mu            sync.Mutex
	working       bool // a goroutine does
	begins        bool // it has not begun
	again         bool // there is more to do
	in, out, word bool
}

// note notes what is to be done, and reports whether a goroutine is to be
// started for it.
func (b *aside) note(in, out, word bool) (start bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.in, b.out, b.word, b.again = b.in || in, b.out || out, b.word || word, true
	start = !b.working
	b.working, b.begins = true, b.begins || start
	return start
}

// next returns what is to be done now. With more false, the goroutine ends.
func (b *aside) next() (in, out, word, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	in, out, word, more = b.in, b.out, b.word, b.again
	b.in, b.out, b.word, b.again = false, false, false, false
	b.working, b.begins = more, false
	return in, out, word, more
}

// unheard reports whether there is something to receive for a goroutine that has not begun.
func (b *aside) unheard() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.in && b.begins
}

// A callError is the error of a system call on a connection. Few ask for more than that
// it is one, so what net says of it is made for those who do. It does not keep the
// connection.
type callError struct {
	op            string
	err           error
	local, remote netip.AddrPort
}

func (e *callError) Error() string   { return e.asNet().Error() }
func (e *callError) Unwrap() error   { return e.asNet() }
func (e *callError) Timeout() bool   { return e.asNet().Timeout() }
func (e *callError) Temporary() bool { return e.asNet().Temporary() }

func (e *callError) asNet() *net.OpError {
	return &net.OpError{
		Op: e.op, Net: "tcp", Err: os.NewSyscallError(e.op, e.err),
		Source: net.TCPAddrFromAddrPort(e.local), Addr: net.TCPAddrFromAddrPort(e.remote),
	}
}

// A heldRaw is a descriptor for socket options and facts, which mu keeps open. It is
// negative once closed.
type heldRaw struct {
	mu *sync.Mutex
	fd *int32
}

func (r heldRaw) Control(f func(fd uintptr)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if *r.fd < 0 {
		return net.ErrClosed
	}
	f(uintptr(*r.fd))
	return nil
}

func (heldRaw) Read(func(fd uintptr) bool) error  { return errors.ErrUnsupported }
func (heldRaw) Write(func(fd uintptr) bool) error { return errors.ErrUnsupported }
