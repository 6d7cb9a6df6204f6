package state

import "sync/atomic"

// counters count what a vault did since it was opened.
type counters struct {
	commits, conflicts, loads atomic.Uint64
	sent, deferred, fenced    atomic.Uint64
}
