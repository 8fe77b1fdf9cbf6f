//go:build !linux

package main

// resident returns 0: the page says that it does not know.
func resident() int64 { return 0 }

// room returns how many connections there can be, with a limit of descriptors
// that is usual where there is one.
func room() int { return 1000 }
