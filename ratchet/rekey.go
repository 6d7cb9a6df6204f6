package ratchet

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
)

// sealAtOnce is how many boxes a call seals at most: 50 ms of one processor.
const sealAtOnce = 512

// Remove returns the step with which an owner removes members: they can read nothing that is sent in the new root that it makes (§10). In a
// space of more than 512 members Maintain makes the rest of the boxes, and Due says so. Public invites are closed; whoever was invited
// alone can still come. A direct invite that nobody came by is ended by it like a member: its link and ticket are a member's state. It
// returns ErrPhase for a member that is no owner or cannot make a rekey now, ErrPolicy for an index that is none of these, and ErrTooLong for more members than a rekey holds: 3,000 with the hybrid KEM.
func Remove(indices ...dkg.Index) Step {
	return Step{func(d *edit) error {
		if err := d.prepareRemoval(indices...); err != nil {
			return err
		}
		return d.beginRekey(indices...)
	}}
}

// isDirect reports whether an index is that of a direct invite.
func isDirect(r members.Root, i dkg.Index) bool {
	return slices.ContainsFunc(slices.Concat(r.Open(), r.Used()), func(x proto.Record) bool {
		return x.Certificate.Kind == dkg.Direct && x.Certificate.First == i
	})
}

// prepareRemoval checks that members can be removed, and ends the invites by which they could come back.
func (d *edit) prepareRemoval(indices ...dkg.Index) error {
	_, r, ok := d.preferred()
	if !ok || !d.mayDeal() {
		return ErrPhase
	}
	for _, i := range indices {
		_, listed := r.Listed(i)
		if i == d.st.me().index || !listed && !r.Heard(i) && !isDirect(r, i) {
			return ErrPolicy
		}
	}
	return d.endInvitesOf(r, indices)
}

// Rekey returns the step with which an owner gives all members new shares. It returns ErrPhase and ErrTooLong like Remove.
func Rekey() Step {
	return Step{func(d *edit) error {
		if !d.mayDeal() {
			return ErrPhase
		}
		return d.beginRekey()
	}}
}

// mayDeal reports whether this device can make a rekey now: it holds an owner's key of the newest list, stands in an epoch with a place for
// a rekey, and did not come from a copy since its last ticket.
func (d *edit) mayDeal() bool {
	e, _, ok := d.preferred()
	k := d.st.owner.Value()
	if !ok || d.st.phase != Member || k.isNone() || d.st.rhythm.restored {
		return false
	}
	_, owner := d.st.me().owners.PlaceOf(k.owner.Public)
	return owner && e.HasRekeyPlace()
}

// beginRekey begins a rekey, or adds to the one that is being prepared, and makes as much of it as a call may.
func (d *edit) beginRekey(remove ...dkg.Index) error {
	x := d.st.rekeys.Value()
	if x.Draft.IsZero() {
		x.Draft = rekey.NewDraft(remove...)
	} else {
		x.Draft = x.Draft.Removing(remove...)
	}
	d.setRekeys(x)
	return d.sealRekey()
}

// sealRekey makes the next boxes, and with the last one the rekey.
func (d *edit) sealRekey() error {
	e, r, ok := d.preferred()
	if !ok || !d.mayDeal() {
		return ErrPhase
	}
	x := d.st.rekeys.Value()
	stay := d.staying(e, r, x.Draft.Removes())
	to := d.recipients(r, stay)
	draft, left, err := x.Draft.Seal(d.st.space, to, d.seal)
	if err != nil { // of 2^425 polynomials one has a share that is 0
		x.Draft = rekey.NewDraft(x.Draft.Removes()...)
		d.setRekeys(x)
		return nil
	}
	x.Draft = draft
	d.setRekeys(x)
	if left > 0 {
		return nil
	}
	return d.deal(e, r, stay, to)
}

// staying returns the members that a rekey lists (R2).
func (d *edit) staying(e epochs.Epoch, r members.Root, removed []dkg.Index) []members.Binding {
	all := append(r.Stay(d.st.forest.MakersAbove(e.ID())), d.uncovered(r)...)
	slices.SortFunc(all, func(a, b members.Binding) int { return cmp.Compare(a.Index, b.Index) })
	return slices.DeleteFunc(all, func(b members.Binding) bool {
		_, gone := slices.BinarySearch(removed, b.Index)
		return gone
	})
}

// recipients returns those whose inbox key is known, with the key that counts.
func (d *edit) recipients(r members.Root, stay []members.Binding) (out []rekey.Recipient) {
	me := d.st.me()
	seats := map[dkg.Index]bool{me.index: true}
	for _, held := range r.Seats() {
		for _, i := range held {
			seats[i] = true
		}
	}
	for _, b := range stay {
		k, ok := b.InboxKey()
		if b.Maker == me.maker() {
			k, ok = me.newest().secret.Public, true
		}
		if ok {
			out = append(out, rekey.Recipient{Index: b.Index, Inbox: k, Seat: seats[b.Index]})
		}
	}
	return out
}

// deal finishes the draft: it enters the root and posts the rekey.
func (d *edit) deal(e epochs.Epoch, r members.Root, stay []members.Binding, to []rekey.Recipient) error {
	x, owner := d.st.rekeys.Value(), d.st.owner.Value().owner
	place, ok := d.st.me().owners.PlaceOf(owner.Public)
	t, held := d.tp.terms(r.ID())
	if !ok || !held {
		return ErrPhase
	}
	var roster proto.Roster
	for _, b := range stay {
		roster = append(roster, proto.RosterEntry{Index: b.Index, Signing: b.Key, Body: b.Body})
	}
	gone := r.GoneSet().Union(proto.NewBitmap(x.Draft.Removes()...))
	open, err := invites.Continue(d.ev, r, gone)
	if err != nil {
		return err
	}
	_, commit := e.Ciphers()
	var evals dkg.Evals
	plan := rekey.Plan{
		Space: d.st.space, Owner: owner, Owners: d.st.me().owners, Policy: r.Policy(), Depth: r.Depth(), Cursor: open.Cursor,
		Roster: roster, Gone: gone, Recipients: to, Invites: open.Secrets(),
		Parent: rekey.Parent{
			ID: e.ID(), Rekey: r.Rekey(), Commit: commit, Ways: proto.Ways{Own: commits(d.st.forest, d.st.space, proto.EpochID{}, e.ID(), 4)},
			Keys: d.dealKeys(e.ID()),
		},
		Records: func(n rekey.New) (records []proto.Record) {
			evals, records, err = open.Reissue(n.Polynomial, n.ID, n.Template, place, owner, roster)
			return records
		},
	}
	made, whole, failed := x.Draft.Make(plan)
	if failed != nil || err != nil {
		return cmp.Or(failed, err)
	}
	terms, err := newRootTerms(t.origin, made.Notice, made.Template, made.Roster, made.Gone)
	if err != nil {
		return err
	}
	s, err := made.Polynomial.Share(d.st.me().index)
	if err != nil {
		return err
	}
	x.Draft, x.Posted, x.Made = rekey.Draft{}, rekey.NewPosted(made.ID, whole, d.age(), d.now), max(d.now, 1)
	d.setRekeys(x)
	if err := d.postRekey(); err != nil {
		return err
	}
	return d.enterRoot(newRoot{
		terms: terms, above: r.ID(), share: s, x: made.X, inbox: d.st.me().newest().secret.Public, records: made.Records, boxes: made.Boxes, evals: evals, dealt: true,
	})
}

// postRekey puts the parts of the rekey that was made last into the outbox: boxes leave before the body.
func (d *edit) postRekey() error {
	p := d.st.rekeys.Value().Posted
	split, err := proto.Split(proto.TypeRekey, proto.NameOfRekey(p.Root), p.Whole(), d.max)
	if err != nil {
		return outcome.ErrTooLong
	}
	for _, part := range split {
		d.send(part.Frame())
	}
	return nil
}

// endInvitesOf closes the public invites that are open, and takes back those that some members asked for (§9).
func (d *edit) endInvitesOf(r members.Root, removed []dkg.Index) error {
	e, _, _ := d.preferred()
	var names []proto.InviteName
	for _, x := range r.Open() {
		if x.Certificate.Kind == dkg.Public {
			names = append(names, x.Certificate.Name())
		}
	}
	for _, g := range d.st.duties.Value().given {
		if slices.Contains(removed, g.asker) {
			names = append(names, g.name)
		}
	}
	for _, n := range names {
		if said, err := invites.End(r, d.invitesOwner(), e.ID(), n); err == nil {
			if err := d.stateAll(said, nil); err != nil {
				return err
			}
			_, r, _ = d.preferred()
		}
	}
	return nil
}

// dealKeys returns what gives the keys of a root that is made below an epoch.
func (d *edit) dealKeys(parent proto.EpochID) func(proto.Place, secret.Bytes) (proto.EpochKeys, error) {
	return func(at proto.Place, x secret.Bytes) (proto.EpochKeys, error) {
		return d.st.forest.DealKeys(parent, at, x)
	}
}
