package ratchet

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
)

// When an owner rekeys by itself (R3).
const (
	rekeyFetched  = hour    // wall clock, since the end of the mailbox was reached: what is there may be another owner's rekey
	rekeyEvery    = hour    // wall clock, between two that nobody asked for
	rekeyTurn     = hour    // wall clock, that the owner of each place waits longer, so that one of them does it
	rekeyUnlisted = 64      // members that were heard, and that the notice does not list
	repostEvery   = day     // wall clock
	repostFor     = 7 * day // pruning clock
	repostAfter   = hour    // wall clock, that something waited that nothing opens
	rekeyFollowed = 2       // members that were read in the root: others have it from them
	intervalTurn  = 3 * day // of the interval, what rekeyTurn is of the others
)

// rekeyDue reports whether something is due about rekeys: one is being prepared or to be begun, or one is to be posted again or forgotten.
func (d *edit) rekeyDue() bool {
	if d.st.phase != Member {
		return false
	}
	x := d.st.rekeys.Value()
	_, begin := d.beginDue()
	return d.draftDue(x.Draft) || begin || len(d.reposts(x.Posted)) > 0 || slices.ContainsFunc(x.Posted, d.postedIsOver)
}

// draftDue reports whether something can be done about a rekey that is being prepared.
func (d *edit) draftDue(x rekey.Draft) bool {
	w := x.Wish()
	e, r, ok := d.preferred()
	return ok && !x.IsZero() && (d.outdated(w) || d.mayDeal(w) && d.mayFinish(e, w, r))
}

// maintainRekey does what is due about rekeys.
func (d *edit) maintainRekey() error {
	x := d.st.rekeys.Value()
	before := len(x.Posted)
	x.Posted = slices.DeleteFunc(slices.Clone(x.Posted), d.postedIsOver)
	again := d.reposts(x.Posted)
	for _, k := range again {
		x.Posted[k].Last = d.now
		if err := d.postRekey(x.Posted[k]); err != nil {
			return err
		}
	}
	if len(x.Posted) < before || len(again) > 0 {
		d.setRekeys(x)
	}
	if d.draftDue(x.Draft) {
		return d.continueRekey()
	}
	if w, due := d.beginDue(); due {
		for k := range x.Posted {
			x.Posted[k].Wish = rekey.Wish{}
		}
		d.setRekeys(x)
		return d.beginRekey(w)
	}
	if len(x.Posted) == before && len(again) == 0 {
		return outcome.ErrTooSoon // what is to be posted again waits for the outbox
	}
	return nil
}

// continueRekey makes the next boxes, unless another root did meanwhile what the draft was for.
func (d *edit) continueRekey() error {
	x := d.st.rekeys.Value()
	_, r, ok := d.preferred()
	if !ok {
		return outcome.ErrPhase
	}
	if d.outdated(x.Draft.Wish()) {
		if x.Draft = x.Draft.Unsigned(); x.Draft.Wish().IsZero() || !d.mayDeal(x.Draft.Wish()) {
			x.Draft = rekey.Draft{}
			d.setRekeys(x)
			return nil
		}
		d.setRekeys(x)
	}
	if w := x.Draft.Wish(); len(w.Remove) > 0 && d.open(w, r).IsZero() && !r.ListsGone() {
		x.Draft = rekey.Draft{}
		d.setRekeys(x)
		return nil
	}
	return d.sealRekey()
}

// outdated reports whether another owner list took the place of the one that a rekey was to carry.
func (d *edit) outdated(w rekey.Wish) bool { return !w.Signed.IsZero() && !d.counts(w.Signed) }

// open returns what of a wish is not so in a root.
func (d *edit) open(w rekey.Wish, r members.Root) (left rekey.Wish) {
	for _, i := range w.Remove {
		if !r.Gone(i) {
			left.Remove = append(left.Remove, i)
		}
	}
	if w.Policy != r.Policy() {
		left.Policy = w.Policy
	}
	left.Owners, left.Signed = w.Owners, w.Signed
	rights := rightsOf(r)
	for _, g := range w.Roles {
		if _, known := r.ListedBinding(g.Index); known && !r.Gone(g.Index) && rights[g.Index] != g.Rights {
			left.Roles = append(left.Roles, g)
		}
	}
	return left
}

// overtaken returns what the rekeys that this device made were to change, and is not so because other roots took their places. A new owner
// list is none of that: it bars the others.
func (d *edit) overtaken(r members.Root) (w rekey.Wish) {
	for _, p := range d.st.rekeys.Value().Posted {
		if !p.Wish.IsZero() && !d.isAbove(p.Root, r.ID()) {
			w = w.And(p.Wish)
		}
	}
	w.Owners, w.Signed = nil, proto.OwnerList{}
	return d.open(w, r)
}

// isAbove reports whether a root is another one held, or one that led to it.
func (d *edit) isAbove(above, root proto.EpochID) bool {
	for range maxRoots {
		if root == above {
			return true
		}
		t, ok := d.tp.terms(root)
		if !ok {
			return false
		}
		root = d.standing(t).Above
	}
	return false
}

// reposts returns which of the rekeys that were posted are to be posted again. All are, if nobody may have followed the last one, since that
// needs those before; or if somebody may be in another branch, whose parts do not come here either. What is sent there waits here.
func (d *edit) reposts(all []rekey.Posted) (due []int) {
	if len(all) == 0 || d.unsent { // what was posted before lies in the outbox yet, or what would lie behind it
		return nil
	}
	if d.followed(all[len(all)-1]) && !d.st.orphans.Value().UnreadSince(d.now-repostAfter) {
		return nil
	}
	for k, p := range all {
		if len(p.Of()) > 0 && passed(d.now, p.Last, repostEvery) {
			due = append(due, k)
		}
	}
	return due
}

// postedIsOver reports whether nobody can need any more what was posted.
func (d *edit) postedIsOver(p rekey.Posted) bool {
	_, held := d.root(p.Root)
	return !held || d.st.clock.age(p.Since) >= repostFor
}

// followed reports whether two others, or all of fewer, were read in the root of a rekey; of one of several wholes two of those who have their
// boxes in each, since others have their boxes from them.
func (d *edit) followed(p rekey.Posted) bool {
	r, ok := d.root(p.Root)
	if !ok {
		return true
	}
	by := func(has func(dkg.Index) bool) bool {
		heard, others := 0, 0
		for i := range r.All() {
			if i == d.st.me().index || r.Gone(i) || !has(i) {
				continue
			}
			if others++; r.Heard(i) {
				heard++
			}
		}
		return heard >= min(rekeyFollowed, others)
	}
	of := p.Of()
	if len(of) < 2 {
		return by(func(dkg.Index) bool { return true })
	}
	return !slices.ContainsFunc(of, func(b proto.Bitmap) bool { return !by(b.Has) })
}

// beginDue reports whether this owner is to begin a rekey that nobody asked for, and what it is to change.
func (d *edit) beginDue() (rekey.Wish, bool) {
	e, r, ok := d.preferred()
	if !ok || !d.mayDeal(rekey.Wish{}) || !d.st.rekeys.Value().Draft.IsZero() || !d.fetched() {
		return rekey.Wish{}, false
	}
	if d.unanswered(rekeyUnanswered) {
		return rekey.Wish{}, false
	}
	if made := d.st.rekeys.Value().Made; made != 0 && !passed(d.now, made, rekeyEvery) {
		return rekey.Wish{}, false
	}
	if w := d.overtaken(r); !w.IsZero() || d.strangersOwn(r) {
		return w, true
	}
	place, _ := d.place(r)
	_, entered := e.Seen()
	if root, held := d.st.forest.Epoch(r.ID()); held {
		_, entered = root.Seen()
	}
	turn := millis(place)
	if d.outsiders(r) {
		return rekey.Wish{}, d.st.clock.age(entered) >= turn*rekeyTurn
	}
	every := millis(r.Policy().RekeyInterval) * hour
	return rekey.Wish{}, every > 0 && d.st.clock.age(entered) >= every+turn*intervalTurn
}

// outsiders reports whether somebody belongs to the space whom the preferred root does not list, or the other way round.
func (d *edit) outsiders(r members.Root) bool {
	return r.ListsGone() || r.Unlisted() >= rekeyUnlisted || len(d.uncovered(r)) > 0
}

// uncovered returns who was heard in another root that is not newer, and is not known in the preferred one.
func (d *edit) uncovered(r members.Root) (out []members.Binding) {
	for row := range d.st.roots.All() {
		if old, ok := d.root(row.id); ok && old.ID() != r.ID() && old.Rekey() <= r.Rekey() {
			out = append(out, r.Uncovered(old, d.now)...)
		}
	}
	slices.SortStableFunc(out, func(a, b members.Binding) int { return cmp.Compare(a.Index, b.Index) })
	return slices.CompactFunc(out, func(a, b members.Binding) bool { return a.Index == b.Index })
}

// gives says how this member gives the share of the preferred root to one that asks from an older one.
func (d *edit) gives(r members.Root) func(proto.Asked, members.Binding) members.Giving {
	return func(a proto.Asked, b members.Binding) members.Giving {
		others := d.st.rekeys.Value().Box(r.ID(), a.Index) != nil || d.maskedFor(r, b).IsOpen() // can give it, too
		switch {
		case d.dealsFrom(r) && others:
			return members.Boxes
		case d.dealsFrom(r):
			return members.BoxesAlone
		case others:
			return members.HandsOn
		}
		return members.Nothing
	}
}

// dealsFrom reports whether the evals are those of a root.
func (d *edit) dealsFrom(r members.Root) bool {
	return d.ev.CanDeal() && proto.EpochID(d.ev.Root()) == r.ID()
}

// maskedFor returns the record by which a member came that a root does not list, if its masked share is there.
func (d *edit) maskedFor(r members.Root, b members.Binding) proto.Record {
	if _, listed := r.Listed(b.Index); !listed && !b.Credential.IsZero() {
		for _, x := range r.Open() {
			if x.Certificate.Admission == b.Credential.Binding.Admission {
				return x
			}
		}
	}
	return proto.Record{}
}
