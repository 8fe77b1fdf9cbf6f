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
		have, err := unix.IoctlGetInt(int(fd), unix.SIOCINQ)
		return err == nil && have >= n
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
