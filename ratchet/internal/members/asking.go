package members

import "github.com/trefoil-im/trefoil/ratchet/internal/proto"

// NextCounter returns the counter of a member's next request: its time in milliseconds since 1970, or one more than the last
// one, or than the counter of the hint "old counter", if that is greater. A hint has no proof: a value above
// proto.MaxHintCounter is ignored, so that a liar cannot use the counters up (D67). 0 is no hint.
func NextCounter(now, last, hinted uint64) uint64 {
	if hinted > proto.MaxHintCounter {
		hinted = 0
	}
	return max(now, last+1, hinted+1)
}
