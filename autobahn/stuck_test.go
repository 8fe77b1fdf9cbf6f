package main

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ends fails a test that waits for more than any of these should take.
func ends(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal(what + " hangs")
	}
}

// tooMuch is a case that sends more than a connection holds that nobody reads.
func tooMuch() *testCase {
	c := largeCase("9.1.6", "", true, 32*mib, 0, 0)
	c.limit = 0
	return c
}

// openAndNeverRead asks a judging server for its first case.
func openAndNeverRead(t *testing.T, addr, agent string) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	_, err = nc.Write([]byte("GET /runCase?case=1&agent=" + agent + " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n" +
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
	require.NoError(t, err)
	_, err = nc.Read(make([]byte, 1)) // the case has begun
	require.NoError(t, err)
}

func TestServerThatNeverReads(t *testing.T) {
	t.Parallel()
	u, err := url.Parse("ws://" + startEcho(t, &echoServer{neverReads: true}))
	require.NoError(t, err)
	env := &environment{patience: 300 * time.Millisecond, target: target{url: u, patience: 10 * time.Second}}
	var r *run
	ends(t, "the case", func() { r = runClient(t.Context(), tooMuch(), env, "test") })
	require.Equal(t, "FAILED/UNCLEAN", r.behavior+"/"+r.behaviorClose)
	require.Equal(t, "The peer did not read what was sent to it within 300ms.", r.result)
}

// A server that accepts connections and answers nothing.
func TestServerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	env := &environment{target: target{url: &url.URL{Scheme: "ws", Host: ln.Addr().String()}, patience: 200 * time.Millisecond}}
	r := runClient(t.Context(), suite()[0], env, "test")
	require.Equal(t, "FAILED/FAILED", r.behavior+"/"+r.behaviorClose)
	require.Equal(t, true, new(reports).detail(r)["wasOpenHandshakeTimeout"])
}

func TestClientThatNeverReads(t *testing.T) {
	t.Parallel()
	s, addr := startJudge(t, "9.1.6", "", "300ms")
	s.cases[0] = tooMuch()
	openAndNeverRead(t, addr, "stuck")
	ends(t, "the server", func() { s.wait("stuck") })
	require.Equal(t, map[string]int{verdictFailed: 1}, s.out.verdicts[false])
}

// A signal ends the context, and a case in progress with it.
func TestClientCommandIsEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	addr := startEcho(t, &echoServer{neverReads: true, opened: cancel})
	var out bytes.Buffer
	var err error
	ends(t, "the command", func() {
		err = command(ctx, []string{"client", "-url", "ws://" + addr, "-out", "", "-cases", "9.1.6", "-patience", "1m"}, &out)
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, out.String(), "a case that was cut short has no verdict")
}

// Another agent's case in progress does not hold up the end that -once asks for.
func TestServerCommandIsEnded(t *testing.T) {
	t.Parallel()
	addr, end := serveOnce(t, "-cases", "9.1.6", "-patience", "1m")
	openAndNeverRead(t, addr, "stuck")
	var said string
	var err error
	ends(t, "the command", func() { said, err = end() })
	require.ErrorIs(t, err, errWorse)
	require.Contains(t, said, "0 cases in", "a case that was cut short has no verdict")
}
