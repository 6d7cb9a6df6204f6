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
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// sealAtOnce is how many boxes a call seals at most: 50 ms of one processor.
const sealAtOnce = 512

// Remove implements step.Taker.
func (d taker) Remove(indices []dkg.Index) error {
	if len(indices) == 0 {
		return ErrPolicy // Rekey says that it removes nobody
	}
	_, r, ok := d.preferred()
	_, owner := d.place(r)
	if _, may := r.Role(d.st.me().maker(), proto.MayRemove); ok && may && !owner {
		if err := d.removable(r, indices); err != nil {
			return err
		}
		return d.removeByRole(r, indices)
	}
	if err := d.prepareRemoval(indices...); err != nil {
		return err
	}
	return d.beginRekey(rekey.Wish{Remove: indices})
}

// isDirect reports whether an index is that of a direct invite.
func isDirect(r members.Root, i dkg.Index) bool {
	return slices.ContainsFunc(slices.Concat(r.Open(), r.Used()), func(x proto.Record) bool {
		return x.Certificate.Kind == dkg.Direct && x.Certificate.First == i
	})
}

// prepareRemoval checks that an owner can remove members, and ends the invites by which they could come back.
func (d *edit) prepareRemoval(indices ...dkg.Index) error {
	d.noteInvites() // some may be those of who is removed
	_, r, ok := d.preferred()
	if !ok || !d.mayDeal(rekey.Wish{}) {
		return ErrPhase
	}
	known := slices.DeleteFunc(slices.Clone(indices), func(i dkg.Index) bool {
		_, known := r.ListedBinding(i)
		return !known && isDirect(r, i)
	})
	if err := d.removable(r, known); err != nil {
		return err
	}
	return d.endInvitesOf(r, indices)
}

// removable returns ErrPolicy unless all indices are those of other members, and of owners only with the root owner key.
func (d *edit) removable(r members.Root, indices []dkg.Index) error {
	for _, i := range indices {
		b, known := r.ListedBinding(i)
		if i == d.st.me().index || !known || d.st.rootOwner.Value().key.IsZero() && slices.Contains(d.st.me().owners.Keys, b.Key) {
			return ErrPolicy
		}
	}
	return nil
}

// Rekey implements step.Taker.
func (d taker) Rekey() error {
	if !d.mayDeal(rekey.Wish{}) {
		return ErrPhase
	}
	return d.beginRekey(rekey.Wish{})
}

// mayDeal reports whether this device can make a rekey now: it is an owner by the newest list, or by the one that it wishes and that is
// signed or that it has the key to sign; it stands in an epoch with a place for a rekey, and is not silent since it came from a copy.
func (d *edit) mayDeal(w rekey.Wish) bool {
	e, r, ok := d.preferred()
	if !ok || d.st.phase != Member || d.silent() || r.Gone(d.st.me().index) {
		return false
	}
	owners, me := d.st.me().owners.Keys, d.st.me().signing.Public
	if named := d.named(w); len(named) > 0 {
		owners = named
	}
	return slices.Contains(owners, me) && e.HasRekeyPlace()
}

// beginRekey begins a rekey, or adds to the one that is being prepared, and makes as much of it as a call may.
func (d *edit) beginRekey(w rekey.Wish) error {
	x := d.st.rekeys.Value()
	if x.Draft.IsZero() {
		x.Draft = rekey.NewDraft(w)
	} else {
		x.Draft = x.Draft.Wishing(w)
	}
	d.setRekeys(x)
	return d.sealRekey()
}

// sealRekey makes the next boxes, and with the last one the rekey.
func (d *edit) sealRekey() error {
	x := d.st.rekeys.Value()
	e, r, ok := d.preferred()
	if !ok || !d.mayDeal(x.Draft.Wish()) {
		return ErrPhase
	}
	stay := d.staying(e, r, x.Draft.Wish())
	owners := d.ownersAfter(x.Draft.Wish(), stay)
	to := d.recipients(stay, owners)
	draft, left, err := x.Draft.Seal(d.st.space, to, d.seal)
	if err != nil { // of 2^425 polynomials one has a share that is 0
		x.Draft = rekey.NewDraft(x.Draft.Wish())
		d.setRekeys(x)
		return nil
	}
	x.Draft = draft
	d.setRekeys(x)
	if left > 0 || !d.mayFinish(e, x.Draft.Wish(), r) {
		return nil
	}
	d.noteInvites() // the rekey continues what has a record
	_, r, _ = d.preferred()
	return d.deal(e, r, dealing{stay, owners, to})
}

// fetched reports whether the end of the mailbox was reached within the last hour. A clock that went back by more says nothing of that.
func (d *edit) fetched() bool {
	since := d.now - d.st.clock.reached
	return since <= rekeyFetched && since >= -rekeyFetched
}

// dealing is for whom a rekey is made.
type dealing struct {
	stay   []members.Binding // who is listed
	owners []suite.PublicKey
	to     []rekey.Recipient // who has a box
}

// staying returns the members that a rekey lists (R2).
func (d *edit) staying(e epochs.Epoch, r members.Root, w rekey.Wish) []members.Binding {
	all := append(r.Stay(d.st.forest.MakersAbove(e.ID())), d.uncovered(r)...)
	slices.SortFunc(all, func(a, b members.Binding) int { return cmp.Compare(a.Index, b.Index) })
	return slices.DeleteFunc(all, func(b members.Binding) bool { return w.Removes(b.Index) })
}

// recipients returns those whose inbox key is known, with the key that counts.
func (d *edit) recipients(stay []members.Binding, owners []suite.PublicKey) (out []rekey.Recipient) {
	me := d.st.me()
	for _, b := range stay {
		k, ok := b.InboxKey()
		if b.Maker == me.maker() {
			k, ok = me.newest().secret.Public, true
		}
		if ok {
			out = append(out, rekey.Recipient{Index: b.Index, Inbox: k, Seat: slices.Contains(owners, b.Key)})
		}
	}
	return out
}

// deal finishes the draft: it enters the root and posts the rekey.
func (d *edit) deal(e epochs.Epoch, r members.Root, with dealing) error {
	x, owner := d.st.rekeys.Value(), d.st.me().signing
	wish := x.Draft.Wish()
	t, held := d.tp.terms(r.ID())
	owners, err := d.ownerList(wish, with.owners, r.Rekey()+1)
	if err != nil || !held {
		return cmp.Or(err, ErrPhase)
	}
	place, ok := owners.PlaceOf(owner.Public)
	if !ok {
		return ErrPhase
	}
	var roster proto.Roster
	for _, b := range with.stay {
		roster = append(roster, proto.RosterEntry{Index: b.Index, Signing: b.Key, Body: b.Body})
	}
	gone := r.GoneSet().Union(proto.NewBitmap(wish.Remove...))
	open, err := invites.Continue(d.ev, r, d.given(), gone)
	if err != nil {
		return err
	}
	_, commit := e.Ciphers()
	var evals dkg.Evals
	policy := wish.Policy
	if policy == (proto.Policy{}) {
		policy = r.Policy()
	}
	plan := rekey.Plan{
		Space: d.st.space, Owner: owner, Owners: owners, Policy: policy, Depth: r.Depth(), Cursor: open.Cursor,
		Roster: roster, Gone: gone, Recipients: with.to, Most: d.most, Invites: open.Secrets(), Inboxes: d.inboxesForNew(r, with),
		Parent: rekey.Parent{
			ID: e.ID(), Rekey: r.Rekey(), Commit: commit, Ways: proto.Ways{Own: commits(d.st.forest, d.st.space, proto.EpochID{}, e.ID(), 4)},
			Keys: d.dealKeys(e.ID()),
		},
		Records: func(n rekey.New) (records []proto.Record) {
			evals, records, err = open.Reissue(n.Polynomial, n.ID, n.Template, place, owner)
			return records
		},
		Said: func(n rekey.New) [][]byte { return d.saidAgain(r, wish, n) },
	}
	made, wholes, failed := x.Draft.Make(plan)
	if failed != nil || err != nil {
		return cmp.Or(failed, err)
	}
	terms, err := newRootTerms(t.origin, made.Notice, made.Template, made.Roster)
	if err != nil {
		return err
	}
	s, err := made.Polynomial.Share(d.st.me().index)
	if err != nil {
		return err
	}
	p := rekey.NewPosted(made.ID, wish, wholes, d.age(), d.now)
	x.Draft, x.Made = rekey.Draft{}, max(d.now, 1)
	d.setRekeys(x.Post(p))
	if err := d.postRekey(p); err != nil {
		return err
	}
	if err := d.enterRoot(newRoot{
		terms: terms, above: r.ID(), share: s, x: made.X, inbox: d.st.me().newest().secret.Public, records: made.Records, said: made.Said, boxes: made.Boxes, evals: evals, dealt: true,
	}); err != nil {
		return err
	}
	d.displaced()
	return nil
}

// inboxesForNew returns the inbox keys of all for an owner that is new: those who came before it was there may not say theirs again soon.
func (d *edit) inboxesForNew(r members.Root, with dealing) (out []proto.KnownInbox) {
	if !slices.ContainsFunc(with.owners, func(k suite.PublicKey) bool { _, old := r.Owners().PlaceOf(k); return !old }) {
		return nil
	}
	for _, b := range with.stay {
		if k := (proto.KnownInbox{Index: b.Index, Update: b.Update}); !b.Update.IsZero() {
			out = append(out, k)
		} else if k.Inbox = b.Inbox; !k.Inbox.IsZero() {
			out = append(out, k)
		}
	}
	return out
}

// postRekey puts the parts of a rekey into the outbox: boxes leave before the body.
func (d *edit) postRekey(p rekey.Posted) error {
	for _, whole := range p.Wholes() {
		split, err := proto.Split(proto.TypeRekey, proto.NameOfRekey(p.Root), whole.Bytes, d.max)
		if err != nil {
			return outcome.ErrTooLong
		}
		for _, part := range split {
			d.send(part.Frame())
		}
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
	for _, x := range r.Open() {
		if d.isForDeviceOf(x.Certificate.Name(), removed) {
			names = append(names, x.Certificate.Name())
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
