//go:build !linux

// Elsewhere TCP connections are used as any net.Conn.

package websocket

import "net"

func newRawTransport(net.Conn) transport { return nil }
