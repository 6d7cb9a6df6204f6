package ratchet

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// giveShare puts the share of a root into a ticket for a member that asks from an older one: boxed by this owner, else the box of the
// rekey, else what its link opens.
func (d *edit) giveShare(b *proto.TicketBody, a proto.Asked, r members.Root, from members.Binding) {
	if box := d.st.rekeys.Value().Box(r.ID(), a.Index); box != nil {
		b.ShareForm, b.ShareBox = proto.RekeyShare, box
		return
	}
	b.Masked = d.maskedFor(r, from).Masked
}

// enterToldRoot enters a root that a ticket told, made by a rekey that this member did not follow. It returns ErrStale for one that comes
// after the preferred one, and without a share.
func (d *edit) enterToldRoot(own asking.Own, c proto.CheckedTicket) error {
	b := c.Body
	terms, err := newRootTerms(b.Origin, b.Root.Notice, b.Template, b.Root.Roster)
	if err != nil {
		return forged(err)
	}
	share, x, inbox, ok := d.shareOf(terms, b)
	if !ok {
		return fmt.Errorf("%w: ticket without a share", outcome.ErrStale)
	}
	if err := d.enterTold(newRoot{terms: terms, share: share, x: x, inbox: inbox}); err != nil {
		return err
	}
	if _, listed := terms.Listed(d.st.me().index); listed {
		return nil
	}
	return d.coveredBy(b.Certificate, terms.ID())
}

// enterTold enters a root that a ticket told. It may be of a lower generation than the preferred one, which its newer owner list bars (D208).
func (d *edit) enterTold(in newRoot) error {
	if _, p, ok := d.preferred(); ok {
		if in.terms.Rekey() < p.Rekey() && !in.terms.Owners().Newer(p.Owners()) {
			return fmt.Errorf("%w: ticket of an older root", outcome.ErrStale)
		}
		for _, r := range d.rootsFrom(p) {
			if r.Rekey() <= in.terms.Rekey() {
				in.above = r.ID()
				break
			}
		}
	}
	try := *d
	if try.enterRoot(in) == nil {
		*d = try
		return nil
	}
	in.x = secret.Bytes{} // its parent is not known, or only told
	switch err := d.enterRoot(in); {
	case errors.Is(err, outcome.ErrBound):
		return fmt.Errorf("%w: ticket of a root for which there is no room", outcome.ErrStale)
	case err != nil:
		return forged(err)
	}
	return nil
}

// deriveToldRoot takes in the box of a rekey that a further ticket hands on, of a root that is held and was only told: x derives it, and
// what was sent there before is read. A box that does not open or does not fit changes nothing.
func (d *edit) deriveToldRoot(c proto.CheckedTicket) {
	e, held := d.st.forest.Epoch(c.Root.ID())
	t, known := d.tp.terms(c.Root.ID())
	if !held || !known || e.Derived() || c.Body.ShareForm != proto.RekeyShare {
		return
	}
	parent, ok := d.st.forest.Epoch(t.notice.Common.Parent)
	box, inbox, opens := rekey.OpenHandedOn(d.rekeySelf(), c.Body.ShareBox)
	if !ok || !opens || t.Commitment().Verify(box.Share) != nil {
		return
	}
	try := *d
	if try.enterRoot(newRoot{terms: t, above: parent.Root(), share: box.Share, x: box.X, inbox: inbox}) == nil {
		*d = try
	}
}

// coveredBy notes the certificate of a root that does not list this member, and lets it know itself there.
func (d *edit) coveredBy(c proto.Certificate, root proto.EpochID) error {
	me := d.st.me()
	r, ok := d.root(root)
	if !ok || c.IsZero() || me.binding.IsZero() || c.Admission != me.binding.Admission {
		return fmt.Errorf("%w: certificate in a ticket", outcome.ErrForged)
	}
	r, _, err := r.Introduce(proto.Introduction{
		Credential: proto.Credential{Certificate: c, Binding: me.binding}, Rest: me.rest, Inbox: me.inboxes[0].secret.Public,
	}, members.Via{})
	if err != nil {
		return forged(err)
	}
	if next, _, err := r.ReadFrom(me.maker(), d.reads()); err == nil {
		r = next
	}
	d.setRoot(r)
	me.certificates = append(append([]proto.Certificate(nil), me.certificates...), c)
	d.setIdentity(me)
	return nil
}

// shareOf returns the own share of a root that a ticket tells; if a box of the rekey gave it, x and the inbox key to which it was.
func (d *edit) shareOf(t rootTerms, b proto.TicketBody) (s dkg.Share, x secret.Bytes, inbox suite.KEMKey, ok bool) {
	me, i, right := d.rekeySelf(), d.st.me().index, func(s dkg.Share) bool { return t.Commitment().Verify(s) == nil }
	if b.ShareForm == proto.RekeyShare {
		if box, to, ok := rekey.OpenHandedOn(me, b.ShareBox); ok && right(box.Share) {
			return box.Share, box.X, to, true
		}
	}
	for _, k := range d.st.rekeys.Value().All() {
		if k.Name() != proto.NameOfRekey(t.ID()) {
			continue
		}
		if box, to, ok := k.OwnBox(me); ok && right(box.Share) {
			return box.Share, box.X, to, true
		}
	}
	if b.ShareForm == proto.BoxedShare {
		if s, err := d.boxedShare(i, b.ShareBox); err == nil && right(s) {
			return s, x, inbox, true
		}
	}
	if l, ok := d.opened(); ok {
		if s, err := invites.OpenShare(l, b.Masked, i, t.Commitment()); err == nil {
			return s, x, inbox, true
		}
	}
	return s, x, inbox, false
}

// comesAfter reports whether a root held comes after the preferred one in the order of §5: a ticket of it is of no use.
func (d *edit) comesAfter(root proto.EpochID) bool {
	p, ok := d.st.forest.Preferred()
	return ok && p.Root() != root && d.st.forest.Before(p.Position(), epochs.Position{Root: root})
}
