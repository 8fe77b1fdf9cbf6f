package websocket

import (
	"bufio"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// CHECKLIST 14: Close is bounded, also by a peer that does not listen to TLS's goodbye. A pipe has
// no buffer, so that it has to.
func TestCloseOverTLSIsBounded(t *testing.T) {
	a, b := net.Pipe()
	client := tls.Client(a, trustsTests())
	server := tls.Server(noDeadlines{b}, &tls.Config{Certificates: []tls.Certificate{testCertificate()}, SessionTicketsDisabled: true})
	go func() { _ = server.Handshake() }()
	require.NoError(t, client.Handshake())
	c, err := NewConn(server, &ConnConfig{Role: RoleServer, Heartbeat: -1, CloseTimeout: 100 * time.Millisecond})
	require.NoError(t, err)
	peer := &scriptedPeer{Conn: client, t: t, role: RoleClient, br: bufio.NewReader(client)}
	done := async(func() error { return c.Close(StatusNormalClosure, "") })
	peer.expectClose(StatusNormalClosure)
	peer.send(peer.closeFrame(StatusNormalClosure, "")) // and it reads nothing more
	require.NoError(t, within(t, 4*time.Second, done))
}

// A peer may end its own direction alone, with close_notify: what has been accepted by then is
// sent, whoever drives the connection.
func TestTLSAnswersBeforeTheEnd(t *testing.T) {
	e := newEngine(t, nil)
	echo := &Events{Message: func(c *Conn, typ MessageType, p []byte) { assert.NoError(t, c.Send(typ, p)) }}
	for name, serve := range map[string]func(c *Conn){
		"Serve":  func(c *Conn) { _ = echo.Serve(bg, c) },
		"Engine": func(c *Conn) { assert.NoError(t, e.Attach(c, echo)) },
		"Messages": func(c *Conn) {
			for m, err := range c.Messages(bg) {
				if err != nil {
					return
				}
				_ = c.Write(bg, m.Type, m.Data)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				c, peer := connectScripted(t, tlsPair, RoleServer)
				peer.send(peer.text("a"), peer.text("b"), peer.text("c"))
				require.NoError(t, peer.Conn.(*tls.Conn).CloseWrite())
				go serve(c)
				for _, want := range []string{"a", "b", "c"} {
					_, got, err := peer.next()
					require.NoError(t, err)
					require.Equal(t, want, string(got))
				}
			}
		})
	}
}
