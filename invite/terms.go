package invite

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
)

// Unit is what the number of places of a public invite is a multiple of. It is part of the format.
const Unit = 16

// Terms say what an invite is to be. Private, Public and Direct make them. The zero Terms are none.
type Terms struct {
	kind     dkg.Kind
	count    uint32
	lifetime time.Duration
}

// Private are the terms of an invite for one person. Its link works until it was used, was taken back, or is older than its lifetime:
// 0 for ever, else counted in hours, of which one that has begun is full.
func Private(lifetime time.Duration) Terms { return Terms{dkg.Private, 1, lifetime} }

// Public are the terms of an invite for whoever has its link, as many as count says: a multiple of Unit. Each of them takes a place of
// its own. The lifetime is that of Private.
func Public(count uint32, lifetime time.Duration) Terms { return Terms{dkg.Public, count, lifetime} }

// Direct are the terms of an invite for a person that a session leads to: it comes with its ticket, so that who gets both is a member at
// once. The lifetime is that of Private.
func Direct(lifetime time.Duration) Terms { return Terms{dkg.Direct, 1, lifetime} }

// Kind returns the kind of the invite, 0 of the zero Terms.
func (t Terms) Kind() dkg.Kind { return t.kind }

// Count returns how many may come by it.
func (t Terms) Count() uint32 { return t.count }

// Lifetime returns how long it is open, 0 for ever.
func (t Terms) Lifetime() time.Duration { return t.lifetime }

// Made is an invite that was made. The space that comes with it must be durable before the link leaves the device.
type Made struct {
	// Name names the invite among those of the space: for step.EndInvite, and in the ledger.
	Name [16]byte
	Link Link
	// Ticket are the frames of the ticket of a direct invite. With the link they are a member's state: they travel in a session only.
	Ticket [][]byte
}
