package poll

import (
	"bytes"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// large is more than a few calls move.
const large = 3<<20 + 12345

// connect returns both ends of a TCP connection, and the descriptor of the first.
func connect(t testing.TB) (fd uintptr, a, b *net.TCPConn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	other, err := l.Accept()
	require.NoError(t, err)
	a, b = nc.(*net.TCPConn), other.(*net.TCPConn)
	t.Cleanup(func() { a.Close(); b.Close() })
	rc, err := a.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, rc.Control(func(f uintptr) { fd = f }))
	return fd, a, b
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

func TestRecvLarge(t *testing.T) {
	fd, _, b := connect(t)
	room := make([]byte, large)
	_, err := Recv(fd, room)
	require.Equal(t, syscall.EAGAIN, err)

	transfer(t, fd, b, pattern(large))

	require.NoError(t, b.CloseWrite())
	require.Eventually(t, func() bool {
		n, err := Recv(fd, room)
		return n == 0 && err == nil
	}, 10*time.Second, time.Millisecond)
}

// transfer sends p to the other end, which receives it. The system makes room for
// as much as that, from then on.
func transfer(t *testing.T, fd uintptr, b net.Conn, p []byte) {
	go b.Write(p)
	room := make([]byte, len(p))
	for have := room; len(have) > 0; {
		n, err := Recv(fd, have)
		if err != syscall.EAGAIN {
			require.NoError(t, err)
			require.NotZero(t, n)
		}
		have = have[n:]
	}
	require.True(t, bytes.Equal(p, room))
}

func TestSendLarge(t *testing.T) {
	for _, head := range []int{0, 10, 300 << 10, large - 100, large} {
		fd, a, b := connect(t)
		want := pattern(large)
		got := make(chan []byte, 1)
		go func() {
			p, _ := io.ReadAll(b)
			got <- p
		}()
		for p, q := want[:head], want[head:]; len(p)+len(q) > 0; {
			var n int
			var err error
			switch {
			case len(p) == 0:
				n, err = Send(fd, q)
			default:
				n, err = Send2(fd, p, q)
			}
			if err == syscall.EAGAIN {
				require.Zero(t, n)
				time.Sleep(time.Millisecond)
				continue
			}
			require.NoError(t, err)
			k := min(n, len(p))
			p, q = p[k:], q[n-k:]
		}
		require.NoError(t, a.CloseWrite())
		require.True(t, bytes.Equal(want, <-got))
	}
}

func TestSendToNobody(t *testing.T) {
	fd, _, b := connect(t)
	require.NoError(t, b.SetLinger(0))
	require.NoError(t, b.Close())
	p := pattern(large)
	require.Eventually(t, func() bool {
		n, err := Send2(fd, p[:10], p[10:])
		return n == 0 && (err == syscall.ECONNRESET || err == syscall.EPIPE)
	}, 10*time.Second, time.Millisecond)
}
