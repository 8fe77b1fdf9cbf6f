//go:build linux

package micro

import (
	"testing"

	"golang.org/x/sys/unix"
)

// cpu reports the processor time of all threads per operation besides the time
// on the wall: on a machine that is shared, that is the number to look at.
//
//	defer cpu(b)()
func cpu(b *testing.B) func() {
	before := used()
	return func() {
		b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op")
	}
}

// used returns the processor time of this process in nanoseconds.
func used() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are right
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
