package ratchet

import (
	"github.com/trefoil-im/trefoil/ratchet/internal/next/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// asking is the own requests of a member or a joiner (§9, States), and what became of them.
type asking struct {
	requests []ownRequest      // whose tickets count, the oldest first
	counter  uint64            // the greatest that was used
	sent     []proto.RequestID // the last 256, by which one tells requests that somebody else made under the own key (D68)
}

// ownRequest is a request whose ticket key is there.
type ownRequest struct {
	id      proto.RequestID
	counter uint64
	key     suite.KEMSecret
	asked   proto.EpochID // preferred when it was made; zero for a joiner
	made    Millis        // pruning clock
	posted  Millis        // wall clock
	merged  Millis        // pruning clock of its first ticket, 0 if none came
}

const (
	// maxOwnRequests bounds the requests whose ticket keys are kept: a day's, at one an hour (§9).
	maxOwnRequests = 32
	// maxSent is how many ids of own requests are remembered.
	maxSent = 256
)

// Encode implements state.Piece.
func (a asking) Encode(e *state.Encoder) {
	e.Uint64(a.counter)
	e.Uint32(uint32(len(a.requests)))
	for _, q := range a.requests {
		e.Fixed(q.id[:])
		e.Uint64(q.counter)
		encodeKEMSecret(e, q.key)
		e.Fixed(q.asked[:])
		e.Int64(q.made)
		e.Int64(q.posted)
		e.Int64(q.merged)
	}
	e.Uint32(uint32(len(a.sent)))
	for _, id := range a.sent {
		e.Fixed(id[:])
	}
}

// Decode implements state.Piece.
func (asking) Decode(d *state.Decoder) (a asking, err error) {
	a.counter = d.Uint64()
	for range d.Count(maxOwnRequests, 64) {
		var q ownRequest
		d.Into(q.id[:])
		q.counter = d.Uint64()
		if q.key, err = decodeKEMSecret(d); err != nil {
			return asking{}, err
		}
		d.Into(q.asked[:])
		q.made, q.posted, q.merged = d.Int64(), d.Int64(), d.Int64()
		a.requests = append(a.requests, q)
	}
	for range d.Count(maxSent, 32) {
		var id proto.RequestID
		d.Into(id[:])
		a.sent = append(a.sent, id)
	}
	return a, d.Err()
}
