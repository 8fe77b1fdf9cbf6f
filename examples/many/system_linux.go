package main

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// resident returns the resident memory of this process in bytes.
func resident() int64 {
	p, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(p)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

// room returns how many connections there can be: those that this process has
// descriptors for.
func room() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 500
	}
	return max(0, int(min(l.Cur, 25_000))-200) // of ports there are not many more
}
