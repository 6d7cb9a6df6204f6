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

// String implements state.Event: it returns one line for a log.
func (c Conflict) String() string {
	if c.Own {
		return fmt.Sprintf("conflict about this member itself (index %d)", c.Index)
	}
	return fmt.Sprintf("conflict about member %d", c.Index)
}

// pendingIntroduction is told to owners: somebody asks to be let in with the invite of an older root. It was on its way
// during a rekey, or is a dead link; only a person can tell.
type pendingIntroduction struct {
	Request [32]byte // the first half of H(request)
	Index   dkg.Index
	Key     PublicKey
}

// String implements state.Event: it returns one line for a log.
func (p pendingIntroduction) String() string {
	return fmt.Sprintf("introduction of index %d with an invite of an older root", p.Index)
}

// LeavePending is told to owners: a member left, and can read until they rekey.
type LeavePending struct{ Index dkg.Index }

// String implements state.Event: it returns one line for a log.
func (l LeavePending) String() string { return fmt.Sprintf("member %d left; a rekey is due", l.Index) }

// Introduced: a member was let in.
type Introduced struct {
	Index dkg.Index
	Key   PublicKey
}

// String implements state.Event: it returns one line for a log.
func (i Introduced) String() string { return fmt.Sprintf("member %d introduced", i.Index) }

// statementRefused: a message was read, but the statement, introduction or key update in it was refused.
type statementRefused struct {
	Index  dkg.Index // of the sender
	Reason error
}

// String implements state.Event: it returns one line for a log.
func (s statementRefused) String() string {
	return fmt.Sprintf("statement of member %d refused: %v", s.Index, s.Reason)
}
