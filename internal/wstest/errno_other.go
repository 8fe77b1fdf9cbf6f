//go:build !plan9

// What connections fail with on other systems.

package wstest

import "syscall"

// The errors of connections that are reset, shut and refused.
var (
	ErrReset   error = syscall.ECONNRESET
	ErrShut    error = syscall.EPIPE
	ErrRefused error = syscall.ECONNREFUSED
)
