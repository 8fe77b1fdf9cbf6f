// What connections fail with on Plan 9, which has no numbers for it.

package wstest

import "errors"

// The errors of connections that are reset, shut and refused.
var (
	ErrReset   = errors.New("connection reset")
	ErrShut    = errors.New("connection shut")
	ErrRefused = errors.New("connection refused")
)
