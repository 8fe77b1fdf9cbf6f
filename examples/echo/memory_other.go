//go:build !unix

package main

// freeMemoryOnSignal does nothing: there is no SIGUSR1 here.
func freeMemoryOnSignal() {}
