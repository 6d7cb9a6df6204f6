package asking

import (
	"errors"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Millis is a time in milliseconds since 1970.
type Millis = members.Millis

// Clock is the time of a call: the wall clock, and the pruning clock.
type Clock = members.Clock

// Ends of asking. Package ratchet gives them as its own errors.
var (
	// ErrTaken: another one has the index, and there is no other to be had by the link.
	ErrTaken = errors.New("ratchet: invite is taken")
	// ErrDead: the invite was revoked or closed, or its lifetime is over.
	ErrDead = errors.New("ratchet: invite is dead")
)

// Errors of a call that the state does not allow, and of a refusal.
var (
	// ErrStale: of no request whose key is there.
	ErrStale = errors.New("ratchet: of no request")
	// ErrForged: it does not open, or is none.
	ErrForged = errors.New("ratchet: false refusal")
)

// Change is what an operation did, and what the caller is to do.
type Change struct {
	Post []byte // a frame to be posted; nil: none
	Ask  bool   // a member is to make a new request (Asking.Ask)

	StillWaiting Millis           // wall clock, since when nobody has answered; 0: nothing to be told
	Hint         proto.HintReason // what a member of the space says, or one's own clock; 0: nothing
	Taken        bool             // a member's: somebody else is bound to its index, and it asks on
	Said         proto.Statement  // an owner's, that came with a refusal: to be taken in like one that was read
	Late         bool             // Said came when its request was answered already, or another one was made
	Refused      error            // ErrTaken or ErrDead: asking is over

	EraseSeed bool // the seed of the link is to be erased
	KeyGone   bool // the last ticket key was erased: what no ticket opened is from before joining (§9)
}

// IsZero reports whether nothing happened.
func (c Change) IsZero() bool {
	return c.Post == nil && !c.Ask && c.StillWaiting == 0 && c.Hint == 0 && !c.Taken && c.Said == nil && c.Refused == nil && !c.EraseSeed && !c.KeyGone
}

// Self is what a device says of itself when it asks.
type Self struct {
	Space   state.ID
	Suite   suite.Suite
	Signing suite.SigningKey
	Rest    proto.Rest    // of a joiner
	Inbox   suite.KEMKey  // of a joiner
	Binding proto.Binding // of a member
	Owners  uint64        // counter of the newest owner list that it knows: an older one proves no refusal
}

// Position is where a member stands that asks, and the root as of which it asks.
type Position struct {
	Index     dkg.Index
	Preferred proto.EpochID
	Update    proto.Update // a new inbox key
	Root      proto.EpochID
	K         secret.Bytes     // of that root
	Proof     proto.Credential // if the notice of that root does not list it
}
