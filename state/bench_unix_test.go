//go:build unix

package state_test

import (
	"syscall"
	"testing"
	"time"
)

// reportCPU reports the CPU time of an operation from now to the end of the benchmark. The time of others on the machine is not
// in it.
func reportCPU(b *testing.B) (end func(n int)) {
	start := cpuTime()
	return func(n int) { b.ReportMetric(float64(cpuTime()-start)/float64(n), "cpu-ns/op") }
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
