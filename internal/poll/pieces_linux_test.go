//go:build linux && !race

package poll

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// arrived waits until n bytes can be received.
func arrived(t *testing.T, fd uintptr, n int) {
	require.Eventually(t, func() bool {
		have, err := unix.IoctlGetUint32(int(fd), unix.SIOCINQ)
		return err == nil && int(have) >= n
	}, 10*time.Second, time.Millisecond)
}

// The system tells of a reset once. It must not be lost behind what came before.
func TestRecvLargeThenReset(t *testing.T) {
	for _, sent := range []int{128 << 10, 128<<10 + 1} {
		fd, _, b := connect(t)
		transfer(t, fd, b, pattern(8*large))
		go b.Write(pattern(sent))
		arrived(t, fd, sent)
		require.NoError(t, b.SetLinger(0))
		require.NoError(t, b.Close())
		room := make([]byte, large)
		total := 0
		for {
			n, err := recvPieces(fd, room, 64<<10)
			total += n
			if n == 0 {
				require.Equal(t, syscall.ECONNRESET, err)
				break
			}
			require.NoError(t, err)
		}
		require.Equal(t, sent, total)
	}
}

// Not every socket tells what there is to receive. Nothing may be left behind there:
// the transports take a receipt with room left over for all there was.
func TestRecvPiecesUntold(t *testing.T) {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_USERSOCK)
	if err != nil {
		t.Skip("no netlink:", err)
	}
	defer unix.Close(s)
	require.NoError(t, unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	self, err := unix.Getsockname(s)
	require.NoError(t, err)
	_, err = unix.IoctlGetUint32(s, unix.SIOCINQ)
	require.Error(t, err)

	const piece = 1000
	for range 2 {
		require.NoError(t, unix.Sendto(s, make([]byte, piece), 0, self))
	}
	room := make([]byte, 5*piece)
	n, err := recvPieces(uintptr(s), room, piece)
	require.NoError(t, err)
	require.Equal(t, 2*piece, n)
	_, err = recvPieces(uintptr(s), room, piece)
	require.Equal(t, syscall.EAGAIN, err)
}
