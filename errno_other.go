//go:build !plan9

// What other systems say of a connection that the peer has reset, and of want of memory.

package websocket

import (
	"errors"
	"syscall"
)

// isShortage reports whether the system has too little memory for a call, for the moment.
func isShortage(err error) bool {
	return errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ENOBUFS)
}

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
