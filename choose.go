// The choice among transports.

package websocket

import (
	"crypto/tls"
	"net"
	"reflect"
	"sync"
)

// newTransport chooses the transport for nc.
func newTransport(nc net.Conn) transport {
	if t := newRawTransport(nc); t != nil {
		return t
	}
	if interruptible(nc) {
		return &connTransport{nc: nc}
	}
	return newAheadTransport(connTransport{nc: nc})
}

// interruptible reports whether a read of nc that waits can be woken by a
// deadline, and repeated after it. Of a type we do not know we cannot tell.
func interruptible(nc net.Conn) bool {
	switch nc := nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	case *tls.Conn:
		return interruptible(nc.NetConn())
	}
	return reflect.TypeOf(nc) == pipeType()
}

// pipeType returns the type of net.Pipe's connections.
var pipeType = sync.OnceValue(func() reflect.Type {
	a, b := net.Pipe()
	a.Close()
	b.Close()
	return reflect.TypeOf(a)
})
