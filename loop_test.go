package websocket

import (
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An end of the stream that comes on the same edge as data must be noticed by a
// loop that does not ask again after a short receipt (Go's poller tells of an
// edge once).
func TestLoopNoticesTheEndThatCameWithData(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, end := range []string{"FIN", "RST"} {
		for _, mode := range []string{"messages", "serve"} {
			t.Run(end+" "+mode, func(t *testing.T) {
				client, nc := tcpPair(t)
				defer client.Close()
				server, err := NewConn(nc, &ConnConfig{Role: RoleServer, Heartbeat: -1})
				require.NoError(t, err)
				done := make(chan error, 1)
				go func() { done <- echo(server, mode) }()
				time.Sleep(10 * time.Millisecond) // it waits for input now
				raw, err := client.(*net.TCPConn).SyscallConn()
				require.NoError(t, err)
				frame := sender{role: RoleClient, newKey: newMaskingKey}
				p := frame.appendFrame(nil, OpText, true, []byte("last"))
				if end == "RST" {
					client.(*net.TCPConn).SetLinger(0)
				}
				// No scheduling point between data and end.
				require.NoError(t, raw.Control(func(fd uintptr) {
					syscall.Write(int(fd), p)
					if end == "FIN" {
						syscall.Shutdown(int(fd), syscall.SHUT_WR)
					}
				}))
				if end == "RST" {
					client.Close()
				}
				select {
				case err := <-done:
					if end == "FIN" {
						assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
					}
					assert.Error(t, err)
				case <-time.After(5 * time.Second):
					server.CloseNow()
					t.Fatal("the end was not noticed")
				}
			})
		}
	}
}

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
