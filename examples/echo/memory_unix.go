//go:build unix

package main

import (
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

// freeMemoryOnSignal has SIGUSR1 give unused memory back to the system, so that
// what is left can be measured from outside.
func freeMemoryOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		for range signals {
			runtime.GC()
			debug.FreeOSMemory()
		}
	}()
}
