//go:build !linux

// No event loop of our own that could accept connections.

package websocket

import "net"

func newRusher(net.Listener, []*engineLoop, *reception) usher { return nil }
