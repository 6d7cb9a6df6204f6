package invite

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
)

// Status says what became of an invite.
type Status uint8

// The statuses. An invite is open until it is one of the others, which are final.
const (
	Open    Status = 1 // somebody may still come by it
	Used    Status = 2 // every place was taken
	Ended   Status = 3 // taken back
	Expired Status = 4 // older than its lifetime
)

// String returns the status's name in lower case.
func (s Status) String() string {
	switch s {
	case Open:
		return "open"
	case Used:
		return "used"
	case Ended:
		return "ended"
	case Expired:
		return "expired"
	}
	return "no status"
}

// Invite is what an owner knows of an invite of its space.
type Invite struct {
	Name   [16]byte
	Kind   dkg.Kind
	Status Status
	// First is the first place that it holds, Count how many there are, and Step how far they are apart: 1 and 1 unless it is public.
	First dkg.Index
	Count uint32
	Step  uint8
	// Expires is when its lifetime is over, to the hour; the zero time if never.
	Expires time.Time
	// Members are the places of those who came by it, in ascending order: whose first message was read, whether they are in the space
	// still or not. ratchet.Members says who they are.
	Members []dkg.Index
}
