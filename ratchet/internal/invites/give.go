package invites

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Link returns a link as people get it.
func Link(l proto.Link) (invite.Link, error) { return invite.FromBytes(l.Encode().Expose()) }

// Give returns what hands a link to the member that asked for it, or ErrMember if its inbox key is not known.
func Give(r members.Root, asker dkg.Index, l invite.Link) (proto.InviteGiven, error) {
	b, ok := r.ListedBinding(asker)
	if !ok {
		return proto.InviteGiven{}, ErrMember
	}
	k, ok := b.InboxKey()
	if !ok {
		return proto.InviteGiven{}, ErrMember
	}
	box, err := k.Seal(suite.HPKEInvite, r.Space(), uint32(asker), []byte("#"+l.Fragment()))
	return proto.InviteGiven{Asker: asker, Box: box}, err
}

// Given returns the link that a member gave. It counts from a member with a seat only, and if the link is of this space and of an open
// invite (D73): everybody can box a text. It returns ErrForged, and ErrEarly before the
// record of the invite came.
func Given(r members.Root, s proto.InviteGiven, from, self dkg.Index, inboxes []suite.KEMSecret) (invite.Link, error) {
	if s.Asker != self || !slices.Contains(others(r, 0), from) {
		return invite.Link{}, fmt.Errorf("%w: by a member without a seat", ErrForged)
	}
	var text secret.Bytes
	for _, k := range inboxes {
		if opened, err := k.Open(suite.HPKEInvite, r.Space(), uint32(self), s.Box); err == nil {
			text = opened
			break
		}
	}
	out, err := invite.Find(string(text.Expose()))
	if err != nil {
		return invite.Link{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	l, err := proto.ParseLink(out.Bytes())
	if err != nil {
		return invite.Link{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	keys, err := l.Keys()
	if err != nil || l.Space != r.Space() {
		return invite.Link{}, fmt.Errorf("%w: of another space", ErrForged)
	}
	x, ok := r.Invite(proto.NameOfInvite(keys.Admission.Public))
	if !ok {
		return invite.Link{}, ErrEarly
	}
	if !x.IsOpen() {
		return invite.Link{}, fmt.Errorf("%w: of no invite that is open", ErrForged)
	}
	return out, nil
}
