package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
)

// Conflict: two things that say they are of one member contradict each other: two commits from one parent, two
// introductions of one index, or something of one's own that one does not know of. It is no proof against anyone.
type Conflict struct {
	Index dkg.Index
	Own   bool // it is about this member itself: its state is not its newest, or somebody forges
}

// Event implements state.Event.
func (c Conflict) Event() string {
	if c.Own {
		return fmt.Sprintf("conflict about this member itself (index %d)", c.Index)
	}
	return fmt.Sprintf("conflict about member %d", c.Index)
}

// PendingIntroduction is told to owners: somebody asks to be let in with the invite of an older root. It was on its way
// during a rekey, or is a dead link; only a person can tell.
type PendingIntroduction struct {
	Request [32]byte // the first half of H(request)
	Index   dkg.Index
	Key     PublicKey
}

// Event implements state.Event.
func (p PendingIntroduction) Event() string {
	return fmt.Sprintf("introduction of index %d with an invite of an older root", p.Index)
}

// LeavePending is told to owners: a member left, and can read until they rekey.
type LeavePending struct{ Index dkg.Index }

// Event implements state.Event.
func (l LeavePending) Event() string { return fmt.Sprintf("member %d left; a rekey is due", l.Index) }

// AfterRemoval: a message of a member that was removed arrived after the rekey that removed it.
type AfterRemoval struct{ Index dkg.Index }

// Event implements state.Event.
func (a AfterRemoval) Event() string { return fmt.Sprintf("message of removed member %d", a.Index) }

// Introduced: a member was let in.
type Introduced struct {
	Index dkg.Index
	Key   PublicKey
}

// Event implements state.Event.
func (i Introduced) Event() string { return fmt.Sprintf("member %d introduced", i.Index) }

// StatementRefused: a message was read, but the statement, introduction or key update in it was refused.
type StatementRefused struct {
	Index  dkg.Index // of the sender
	Reason error
}

// Event implements state.Event.
func (s StatementRefused) Event() string {
	return fmt.Sprintf("statement of member %d refused: %v", s.Index, s.Reason)
}

// RosterMissing: a ticket can be entered once the roster is there that lies at an address.
type RosterMissing struct{ Address [16]byte }

// Event implements state.Event.
func (r RosterMissing) Event() string {
	return fmt.Sprintf("ticket without the roster at %x", r.Address)
}

// String implements state.Event.
func (c Conflict) String() string { return c.Event() }

// String implements state.Event.
func (p PendingIntroduction) String() string { return p.Event() }

// String implements state.Event.
func (l LeavePending) String() string { return l.Event() }

// String implements state.Event.
func (a AfterRemoval) String() string { return a.Event() }

// String implements state.Event.
func (i Introduced) String() string { return i.Event() }

// String implements state.Event.
func (s StatementRefused) String() string { return s.Event() }

// String implements state.Event.
func (r RosterMissing) String() string { return r.Event() }
