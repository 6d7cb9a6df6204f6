package invite

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
)

// Status says what became of an invite.
type Status uint8

// The statuses. An invite is open until it is used or revoked; both are final.
const (
	Open    Status = 1
	Used    Status = 2
	Revoked Status = 3
)

// String returns the status's name in lower case.
func (s Status) String() string {
	switch s {
	case Open:
		return "open"
	case Used:
		return "used"
	case Revoked:
		return "revoked"
	}
	return "no status"
}

// Invite is what the dealer knows of one that it made.
type Invite struct {
	Index  dkg.Index // the place it holds; for ratchet.Revoke
	Kind   dkg.Kind
	Status Status
	Member ratchet.PublicKey // who came by it; the zero key unless it is Used and its member is still in the space
}

// List returns the invites of the present root in ascending order of their places; none for a member that is not the
// dealer. An invite counts as used from the moment at which this device saw its introduction.
func List(s ratchet.Space) []Invite {
	members := make(map[dkg.Index]ratchet.PublicKey)
	for _, m := range ratchet.Members(s) {
		members[m.Index] = m.Key
	}
	var out []Invite
	for r := range s.Evals().Records() {
		if r.Kind == dkg.Held {
			continue
		}
		in := Invite{Index: r.Index, Kind: r.Kind}
		switch r.Status {
		case dkg.Issued:
			in.Status = Open
		case dkg.Redeemed:
			in.Status, in.Member = Used, members[r.Index]
		case dkg.Revoked:
			in.Status = Revoked
		}
		out = append(out, in)
	}
	return out
}
