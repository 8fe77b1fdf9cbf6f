package poll

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// newBatch returns a Batch, or skips the test where the system has none.
func newBatch(t *testing.T, n int) *Batch {
	b, err := NewBatch(n)
	if err != nil {
		t.Skip("no io_uring:", err)
	}
	t.Cleanup(b.Close)
	return b
}

// pairs returns n connections: the descriptors of one end, and the other ends.
func pairs(t testing.TB, n int) (fds []int, ends []*net.TCPConn) {
	for range n {
		fd, _, b := connect(t)
		fds, ends = append(fds, int(fd)), append(ends, b)
	}
	return fds, ends
}

// Each operation does what Recv and Send do, and has the result that they have.
func TestBatchMixed(t *testing.T) {
	b := newBatch(t, 8)
	fds, ends := pairs(t, 5)
	_, err := ends[0].Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, ends[2].CloseWrite())
	require.NoError(t, ends[3].SetLinger(0))
	require.NoError(t, ends[3].Close())
	require.Eventually(t, func() bool {
		n, err := unix.IoctlGetInt(fds[0], unix.SIOCINQ)
		return err == nil && n == 5
	}, 10*time.Second, time.Millisecond)
	for _, fd := range fds[2:4] { // the ends arrive
		require.Eventually(t, func() bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return err == nil && n == 1
		}, 10*time.Second, time.Millisecond)
	}

	var p [5][16]byte
	for i := range 4 {
		require.Equal(t, i, b.Recv(fds[i], p[i][:]))
	}
	require.Equal(t, 4, b.Send(fds[4], []byte("bye")))
	require.Equal(t, 5, b.Send(fds[3], []byte("nobody")))
	b.Do()

	for i, want := range []struct {
		n   int
		err error
	}{{5, nil}, {0, syscall.EAGAIN}, {0, nil}, {0, syscall.ECONNRESET}, {3, nil}, {0, syscall.EPIPE}} {
		n, err := b.Result(i)
		assert.Equal(t, want.n, n, "%d", i)
		assert.Equal(t, want.err, err, "%d", i)
	}
	assert.Equal(t, "hello", string(p[0][:5]))
	n, err := ends[4].Read(p[4][:])
	require.NoError(t, err)
	assert.Equal(t, "bye", string(p[4][:n]))
}

// The queues are rings: nothing is mixed up as they go round.
func TestBatchManyRounds(t *testing.T) {
	b := newBatch(t, 4)
	fds, ends := pairs(t, 4)
	in, out := make([]byte, 64), make([]byte, 64)
	for round := range 1000 {
		n := 1 + round%4
		assert.False(t, b.Full())
		for i := range n {
			out[i] = byte(round + i)
			b.Send(fds[i], out[i:i+1])
		}
		assert.Equal(t, n == 4, b.Full())
		b.Do()
		for i := range n {
			sent, err := b.Result(i)
			require.NoError(t, err)
			require.Equal(t, 1, sent)
			_, err = ends[i].Read(in[:1])
			require.NoError(t, err)
			require.Equal(t, byte(round+i), in[0])
		}
		b.Reset()
	}
}

// A send takes what there is room for, as Send does.
func TestBatchSendsWhatFits(t *testing.T) {
	b := newBatch(t, 2)
	fds, ends := pairs(t, 1)
	p := pattern(32 << 20)
	sent := 0
	for sent < len(p) {
		b.Send(fds[0], p[sent:])
		b.Do()
		n, err := b.Result(0)
		b.Reset()
		if err != nil {
			require.Equal(t, syscall.EAGAIN, err)
			break
		}
		require.Positive(t, n)
		sent += n
	}
	require.Less(t, sent, len(p))
	got := make([]byte, sent)
	for have := 0; have < sent; {
		n, err := ends[0].Read(got[have:])
		require.NoError(t, err)
		have += n
	}
	require.Equal(t, p[:sent], got)
}

// A ring that the system does not serve any more does no harm.
func TestBatchBroken(t *testing.T) {
	b := newBatch(t, 4)
	fds, ends := pairs(t, 2)
	null, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Dup3(null, b.fd, unix.O_CLOEXEC)) // which io_uring_enter refuses
	Close(null)
	for range 3 {
		b.Send(fds[0], []byte("a"))
		b.Recv(fds[1], make([]byte, 1))
		b.Do()
		n, err := b.Result(0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		_, err = b.Result(1)
		require.Equal(t, syscall.EAGAIN, err)
		b.Reset()
	}
	require.Error(t, b.broken)
	var p [3]byte
	_, err = io.ReadFull(ends[0], p[:])
	require.NoError(t, err)
	assert.Equal(t, "aaa", string(p[:]), "each once")
	require.NoError(t, ends[0].SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	_, err = ends[0].Read(p[:])
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// An operation that the ring has not made for want of memory, or that was interrupted,
// is made without it.
func TestBatchTriesAlone(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EINTR, syscall.ENOMEM} {
		b := newBatch(t, 2)
		fds, ends := pairs(t, 1)
		b.Send(fds[0], []byte("a"))
		b.broken = os.ErrClosed // so that this stands
		b.ops[0].made, b.ops[0].res = true, -int32(errno)
		b.Do()
		n, err := b.Result(0)
		require.NoError(t, err, errno)
		assert.Equal(t, 1, n)
		var p [1]byte
		_, err = io.ReadFull(ends[0], p[:])
		require.NoError(t, err)
	}
}

// Nothing of a ring is used any more after Close, which may be called twice.
func TestBatchClosed(t *testing.T) {
	b := newBatch(t, 2)
	b.Close()
	assert.Equal(t, Batch{fd: -1, broken: os.ErrClosed}, *b)
	b.Close()
}

// A filter of system calls may end the process for asking whether there is io_uring.
func TestNoBatchWhereFiltered(t *testing.T) {
	filtered, asked := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		all := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}
		prog := unix.SockFprog{Len: uint16(len(all)), Filter: &all[0]}
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if err == nil {
			err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
		}
		filtered <- err
		_, err = NewBatch(16)
		asked <- err
	}()
	if err := <-filtered; err != nil {
		t.Skip("no filter can be installed:", err)
	}
	assert.ErrorIs(t, <-asked, errors.ErrUnsupported)
}

// The garbage collector knows of what the kernel reads and writes.
func TestBatchKeepsMemory(t *testing.T) {
	b := newBatch(t, 16)
	fds, ends := pairs(t, 1)
	for range 16 {
		b.Send(fds[0], []byte{'x', byte(len(b.ops))})
	}
	for range 3 {
		runtime.GC()
	}
	b.Do()
	got := make([]byte, 32)
	for have := 0; have < len(got); {
		n, err := ends[0].Read(got[have:])
		require.NoError(t, err)
		have += n
	}
	for i := range 16 {
		assert.Equal(t, []byte{'x', byte(i)}, got[2*i:2*i+2])
	}
}

func TestNoBatch(t *testing.T) {
	_, err := NewBatch(0)
	assert.Error(t, err) // EINVAL; where there is no io_uring at all, ENOSYS
}

func TestBatchAllocatesNothing(t *testing.T) {
	b := newBatch(t, 2)
	fds, _ := pairs(t, 1)
	p := make([]byte, 8)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		b.Recv(fds[0], p)
		b.Do()
		_, _ = b.Result(0)
		b.Reset()
	}))
}

// What a receipt and a send of 128 bytes cost, each by a call of its own and
// together. The other ends, which are not measured, do the same in between.
func BenchmarkBatch(b *testing.B) {
	const conns, size = 16, 128
	for _, joint := range []bool{false, true} {
		b.Run(map[bool]string{false: "alone", true: "together"}[joint], func(b *testing.B) {
			batch, err := NewBatch(conns)
			if err != nil {
				b.Skip("no io_uring:", err)
			}
			defer batch.Close()
			fds, ends := pairs(b, conns)
			var room [conns][]byte
			for i := range room {
				room[i] = make([]byte, size)
			}
			echo := func() {
				for i, fd := range fds {
					_, _ = Recv(uintptr(fd), room[i])
				}
				for i, fd := range fds {
					_, _ = Send(uintptr(fd), room[i])
				}
			}
			if joint {
				echo = func() {
					for i, fd := range fds {
						batch.Recv(fd, room[i])
					}
					batch.Do()
					batch.Reset()
					for i, fd := range fds {
						batch.Send(fd, room[i])
					}
					batch.Do()
					batch.Reset()
				}
			}
			p := make([]byte, size)
			var took time.Duration
			for b.Loop() {
				for _, end := range ends {
					_, _ = end.Write(p)
				}
				begin := time.Now()
				echo()
				took += time.Since(begin)
				for _, end := range ends {
					_, _ = end.Read(p)
				}
			}
			b.ReportMetric(float64(took.Nanoseconds())/float64(b.N)/conns, "ns/echo")
		})
	}
}
