// Package backoff says how long to wait before something that failed is tried again.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Longest is the longest time between two tries, unless the other side asks for more: what was down for long is noticed within
// minutes of its return.
const Longest = 5 * time.Minute

// Wait returns how long to wait after a number of failures in succession, 0 for the first: a second, twice as long each time, up to
// Longest, at least as long as the other side asks for, and up to a quarter more, so that many do not come at the same moment.
func Wait(failures int, least time.Duration) time.Duration {
	wait := max(least, min(Longest, time.Second<<min(failures, 20)))
	return wait + rand.N(wait/4)
}
