//go:build unix

package cputest

import (
	"syscall"
	"time"
)

// Used returns the CPU time that the process has used, user and system, and 0 on a system that is not asked for it.
func Used() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // only for a bad argument
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
