//go:build !unix

package state_test

import "testing"

// reportCPU reports nothing: this system is not asked for the CPU time of a process.
func reportCPU(*testing.B) (end func(n int)) { return func(int) {} }
