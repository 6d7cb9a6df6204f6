// Package porttest finds a place to listen at for a server that a test kills and starts again at the same place.
package porttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports below those that operating systems give away: whoever asks for any port, or connects, gets one from 32768 on (Linux) or
// from 49152 on (others), and so might have that of a server which is not running for a moment.
const (
	first = 10_000
	end   = 32_768
)

// Address returns an address of this machine at which nobody listens now. Nobody will but a test that has drawn the same port of
// some 20,000.
func Address(tb testing.TB) string {
	tb.Helper()
	for range 1000 {
		address := fmt.Sprint("127.0.0.1:", first+rand.IntN(end-first))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	tb.Fatal("porttest: no port is free")
	return ""
}
