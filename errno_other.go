//go:build !plan9

// What other systems say of a connection that the peer has reset.

package websocket

import (
	"errors"
	"syscall"
)

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
