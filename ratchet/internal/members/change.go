package members

import (
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Change is what an operation did, for the events of the caller.
type Change struct {
	Came       []dkg.Index // a binding came to be known
	Arrived    []dkg.Index // the first message of a binding was read
	Conflicts  []dkg.Index // a second binding of the index is known
	KeyChanged []KeyChange // another binding of the index is listed, by a bind
	Gone       []dkg.Index // not a member any more: left or revoked
	LetInGone  []dkg.Index // a binding of an index that is gone was introduced
	Appointed  []dkg.Index // owners gave the member rights
	Titled     bool        // the title of the space is another one
	Profiled   []dkg.Index // what it says of itself is something else
	Erased     []proto.Tag // tags of invites whose masked share was erased
	Opened     []proto.Tag // tags under which requests open now: those that are retained are to be tried
}

// And returns what two operations did of which bindings came to be known.
func (c Change) And(o Change) Change {
	c.Came = slices.Concat(c.Came, o.Came)
	c.Conflicts = slices.Concat(c.Conflicts, o.Conflicts)
	c.KeyChanged = slices.Concat(c.KeyChanged, o.KeyChanged)
	c.LetInGone = slices.Concat(c.LetInGone, o.LetInGone)
	return c
}

// KeyChange says that an index is listed with another binding.
type KeyChange struct {
	Index    dkg.Index
	Old, New proto.BodyHash
}

// Errors of this package. None of them is the sender's fault for certain but those of package suite.
var (
	// ErrLimit: a bound of §7. The frame is retained.
	ErrLimit = errors.New("ratchet: more than is kept of members")
	// ErrUnknown: the binding or root that is named is not known here. The frame is retained.
	ErrUnknown = errors.New("ratchet: of a member that is not known")
	// ErrStale: it is known, or something that counts before it is.
	ErrStale = errors.New("ratchet: known already")
	// ErrNoEffect: an owner that the root's list does not have said it, or of a newer root (D62).
	ErrNoEffect = errors.New("ratchet: statement that does not count in this root")
)
