package ratchet

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/state"
)

// Space is everything a device holds of one space.
type Space = state.SpaceEncryptionState[State, Template, dkg.Evals]

// Phase is where a member stands in its space.
type Phase uint8

// The phases. Their numbers are part of the stored format.
const (
	Joining Phase = 1 // asked to be let in, no ticket entered yet: can neither send nor read
	Member  Phase = 2
	Removed Phase = 3 // by a rekey or an owner's word: history stays, nothing can be sent
	Left    Phase = 4 // said so; until the next rekey it can still read
)

// String returns the phase's name in lower case.
func (p Phase) String() string {
	switch p {
	case Joining:
		return "joining"
	case Member:
		return "member"
	case Removed:
		return "removed"
	case Left:
		return "left"
	}
	return "no phase"
}
