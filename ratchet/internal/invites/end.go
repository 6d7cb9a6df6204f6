package invites

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// manyRevokes is from how many statements on an owner says its revokes in one, so that honest owners never come to the bound of those
// that are kept (D58).
const manyRevokes = 8

// End takes an invite back, or only some of its places, and returns what is to be said: a close of a run, else revokes. Both are final.
// It returns ErrTerms for an invite that is not known or a place that it does not hold, ErrMember for a place with which somebody came,
// and ErrNoOwner. The epoch is the one in which it is said.
func End(r members.Root, o Owner, epoch proto.EpochID, n proto.InviteName, places ...dkg.Index) ([]proto.OwnerStatement, error) {
	x, ok := r.Invite(n)
	if !ok || slices.ContainsFunc(places, func(i dkg.Index) bool { return !x.Certificate.Covers(i) }) {
		return nil, ErrTerms
	}
	if x.Certificate.Kind != dkg.Public {
		places = []dkg.Index{x.Certificate.First}
	}
	if len(places) > 0 {
		return revoke(r, o, epoch, places)
	}
	said, err := o.said(r)
	if err != nil {
		return nil, err
	}
	return []proto.OwnerStatement{proto.Sign(proto.Close{Said: said, Invite: n}, r.Space(), o.Key)}, nil
}

// revoke takes indices back that nobody came with. It returns ErrMember for an index that is a member's, which only a rekey removes, and
// ErrNoOwner.
func revoke(r members.Root, o Owner, epoch proto.EpochID, indices []dkg.Index) ([]proto.OwnerStatement, error) {
	for _, i := range indices {
		if _, listed := r.Listed(i); listed || r.Met(i) {
			return nil, ErrMember
		}
		if err := i.Check(r.Depth()); err != nil {
			return nil, err
		}
	}
	return Expel(r, o, epoch, indices)
}

// Expel takes indices back, whoever came with them: they are gone at once, and a rekey follows. An owner that said many revokes in this
// root says all of them again in as few statements as hold them. It returns ErrNoOwner.
func Expel(r members.Root, o Owner, epoch proto.EpochID, indices []dkg.Index) (out []proto.OwnerStatement, err error) {
	said, err := o.said(r)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(indices)
	if own := revokesOf(r, said.By); len(own) >= manyRevokes {
		for _, s := range own {
			all = append(all, s.Indices...)
		}
	}
	slices.Sort(all)
	for part := range slices.Chunk(slices.Compact(all), proto.MaxRevoked) {
		out = append(out, proto.Sign(proto.Revoke{Said: said, Epoch: epoch, Indices: part}, r.Space(), o.Key))
	}
	return out, nil
}

func revokesOf(r members.Root, by uint8) (out []proto.Revoke) {
	for _, s := range r.Statements() {
		if x, ok := s.(proto.Revoke); ok && x.By == by {
			out = append(out, x)
		}
	}
	return out
}

// Settle ends the offers of invites that are not open any more: used, taken back, closed, or past their lifetime. It returns their
// names.
func Settle(ev dkg.Evals, r members.Root) (dkg.Evals, []proto.InviteName) {
	var ended []proto.InviteName
	for o := range ev.Offers() {
		if x, ok := r.Invite(o.Name); !ok || x.IsOpen() {
			continue
		}
		if next, err := ev.EndOffer(o.Name); err == nil {
			ev, ended = next, append(ended, o.Name)
		}
	}
	return ev, ended
}

// Free returns an index of a run of which nobody is known, and 0 if there is none: who was refused one is told of another.
func Free(r members.Root, c proto.Certificate) dkg.Index {
	for t := range c.Count {
		i := c.First + dkg.Index(t)*dkg.Index(c.Step)
		if _, known := r.ListedBinding(i); !known && !r.Gone(i) {
			return i
		}
	}
	return 0
}
