package invites

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Continued is the invites of a root that stay open in the one that a rekey makes, as far as their dealer has m of them.
type Continued struct {
	Cursor dkg.Index // past everything that somebody has, had or may come to have
	space  state.ID
	open   []continued
}

type continued struct {
	offer  dkg.Offer
	record proto.Record
}

// Continue returns the invites that stay open when some are gone, and the cursor, which is past what was given in all roots (Last). It
// returns dkg.ErrIndex if the depth has no more indices.
func Continue(ev dkg.Evals, r members.Root, given dkg.Index, gone proto.Bitmap) (Continued, error) {
	if given > 0 {
		if err := given.Check(r.Depth()); err != nil {
			return Continued{}, err
		}
	}
	out := Continued{Cursor: max(ev.Next(), given+1), space: r.Space()}
	for o := range ev.Offers() {
		x, ok := r.Invite(o.Name)
		if ok && x.IsOpen() && !(o.Count == 1 && gone.Has(o.First)) {
			out.open = append(out.open, continued{o, x})
		}
	}
	return out, nil
}

// Secrets returns m of each, for the owners.
func (c Continued) Secrets() (out []proto.OpenInvite) {
	for _, x := range c.open {
		out = append(out, proto.OpenInvite{Name: x.offer.Name, M: x.offer.M})
	}
	return out
}

// Reissue returns the evals of a new root, and the records with which the invites go on there: certificate and masked share are new, index
// and keys are those of the link.
func (c Continued) Reissue(p dkg.Polynomial, root proto.EpochID, t proto.Template, place uint8, owner suite.SigningKey) (dkg.Evals, []proto.Record, error) {
	ev, err := p.Evals(dkg.Terms{Root: root, Generation: t.Rekey, Depth: t.Depth, Capacity: dkg.DefaultCapacity, Next: c.Cursor})
	if err != nil {
		return dkg.Evals{}, nil, err
	}
	var out []proto.Record
	for _, x := range c.open {
		if ev, err = ev.KeepOffer(x.offer); err != nil {
			return dkg.Evals{}, nil, err
		}
		again, err := under(ev, x.offer, x.record, c.space, t.Public, root, place, owner)
		if err != nil {
			return dkg.Evals{}, nil, err
		}
		out = append(out, again)
	}
	return ev, out, nil
}

// under returns the record of an invite under another root: certificate and masked share are new.
func under(ev dkg.Evals, x dkg.Offer, was proto.Record, space state.ID, public dkg.Commitment, root proto.EpochID, place uint8, owner suite.SigningKey) (proto.Record, error) {
	v, err := ev.Hide(x, proto.MaskOf(x.M, space, public))
	if err != nil {
		return proto.Record{}, err
	}
	cert := was.Certificate
	cert.Root, cert.Owner = root, place
	return proto.NewRecord(owner, space, cert.Sign(owner, space), was.RequestKey, v), nil
}
