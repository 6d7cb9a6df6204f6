package asking

import (
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// MayAsk reports whether a member's last request is an hour old, so that it may make another one.
func (a Asking) MayAsk(c Clock) bool {
	return !a.joining && a.ended == open && (a.posted == 0 || due(c, a.posted, hour))
}

// Ask returns what a member asks that is to be brought back into step, with the request to be posted. Each request has a ticket key,
// an inbox key and a counter of its own; keys of earlier ones stay for a day. A member that was displaced asks on once a day, as owners may
// have contradicted each other. It returns ErrStale for a joiner.
func (a Asking) Ask(me Self, at Position, c Clock) (Asking, Change, error) {
	if a.joining {
		return a, Change{}, ErrStale
	}
	q := request{kind: proto.Resync, counter: a.next(c), index: at.Index, preferred: at.Preferred, ticket: suite.NewKEMSecret(me.Suite.KEM()), made: c.Age}
	x := proto.Asked{Kind: proto.Resync, Ticket: q.ticket.Public, Counter: q.counter, Index: at.Index, Root: at.Root, Preferred: at.Preferred,
		Credential: at.Proof, Update: at.Update}.Sign(me.Signing, me.Space)
	q.id = x.ID()
	key, tag := proto.ResyncKey(at.K, me.Space, at.Root)
	if key.IsZero() {
		return a, Change{}, fmt.Errorf("%w: no key of the root", suite.ErrInvalid)
	}
	first := len(a.requests) == 0 || a.requests[len(a.requests)-1].answered
	a = a.remember(q)
	if n := len(a.requests); n > maxRequests {
		a.requests = a.requests[n-maxRequests:]
	}
	if first {
		a.since, a.told, a.wait, a.hints = c.Wall, 0, 0, 0
	}
	a.posted, a.wait = c.Wall, min(max(firstWait, 2*a.wait), longestWait)
	if a.ended != open {
		a.wait = longestWait
	}
	return a, Change{Post: x.Seal(me.Space, suite.NewAEAD(key), tag).Frame()}, nil
}
