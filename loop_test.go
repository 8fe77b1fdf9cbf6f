package websocket

import (
	"net"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Closing from outside and from inside while a loop stands in the transport.
func TestCloseALoop(t *testing.T) {
	overTransports(t, func(t *testing.T, pair func(testing.TB) (net.Conn, net.Conn)) {
		t.Run("CloseNow from outside", func(t *testing.T) {
			_, server := connectPair(t, pair)
			done := make(chan error, 1)
			go func() { done <- echo(server, "messages") }()
			time.Sleep(5 * time.Millisecond)
			require.NoError(t, server.CloseNow())
			require.NoError(t, <-done)
			<-server.Done()
		})
		for _, leave := range []bool{true, false} {
			t.Run("CloseNow in the body", func(t *testing.T) {
				client, server := connectPair(t, pair)
				go client.WriteText(bg, "x")
				for range server.Messages(bg) {
					require.NoError(t, server.CloseNow())
					assert.Equal(t, StateClosed, server.State())
					assert.ErrorIs(t, server.Err(), net.ErrClosed)
					assert.ErrorIs(t, server.WriteText(bg, "late"), net.ErrClosed)
					if leave {
						break
					}
				}
				<-server.Done()
			})
		}
		t.Run("CloseNow while the body is busy", func(t *testing.T) {
			client, server := connectPair(t, pair)
			go client.WriteText(bg, "x")
			for range server.Messages(bg) {
				closed := make(chan error, 1)
				go func() { closed <- server.CloseNow() }()
				require.NoError(t, <-closed)
				assert.ErrorIs(t, server.WriteText(bg, "late"), net.ErrClosed)
			}
			<-server.Done()
		})
	})
}

// A connection that waits for its next message does not keep the last one, which
// is too large here for any pool.
func TestLoopKeepsNoMessage(t *testing.T) {
	overTransports(t, func(t *testing.T, pair func(testing.TB) (client, server net.Conn)) {
		client, server := connectPair(t, pair, ConnConfig{Heartbeat: -1, MaxMessageSize: 4 << 20})
		got := make(chan weak.Pointer[byte], 1)
		ended := make(chan error, 1)
		go func() {
			ev := &Events{Message: func(_ *Conn, _ MessageType, p []byte) { got <- weak.Make(&p[0]) }}
			ended <- ev.Serve(bg, server)
		}()
		go func() { _ = client.CloseRead(bg) }()
		require.NoError(t, client.Write(bg, MessageBinary, make([]byte, 3<<20)))
		message := <-got
		waitUntil(t, func() bool {
			runtime.GC()
			return message.Value() == nil
		})
		require.NoError(t, client.CloseNow())
		<-ended
	})
}
