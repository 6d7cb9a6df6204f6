package ratchet

import (
	"cmp"
	"slices"

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
	rekeyFollowed = 2       // members that were read in the root: others have it from them
	intervalTurn  = 3 * day // of the interval, what rekeyTurn is of the others
)

// rekeyDue reports whether something is due about rekeys: one is being prepared or to be begun, or one is to be posted again or forgotten.
func (d *edit) rekeyDue() bool {
	if d.st.phase != Member {
		return false
	}
	x := d.st.rekeys.Value()
	_, _, ok := d.preferred()
	return ok && (!x.Draft.IsZero() && d.mayDeal() || d.repostDue(x.Posted) || d.followed(x.Posted) || d.beginDue())
}

// maintainRekey does what is due about rekeys.
func (d *edit) maintainRekey() error {
	x := d.st.rekeys.Value()
	if d.followed(x.Posted) {
		x.Posted = rekey.Posted{}
		d.setRekeys(x)
	}
	if d.repostDue(x.Posted) {
		x.Posted.Last = d.now
		d.setRekeys(x)
		if err := d.postRekey(); err != nil {
			return err
		}
	}
	switch {
	case !x.Draft.IsZero() && d.mayDeal():
		return d.continueRekey()
	case d.beginDue():
		return d.beginRekey()
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
	removes, left := x.Draft.Removes(), false
	for _, i := range removes {
		left = left || !r.Gone(i)
	}
	if len(removes) > 0 && !left && !r.ListsGone() {
		x.Draft = rekey.Draft{}
		d.setRekeys(x)
		return nil
	}
	return d.sealRekey()
}

// repostDue reports whether the rekey that was made last is to be posted again: nobody may have followed it.
func (d *edit) repostDue(p rekey.Posted) bool {
	return !p.IsZero() && !d.followed(p) && passed(d.now, p.Last, repostEvery)
}

// followed reports whether a rekey needs no posting any more: two others, or all of fewer, were read in its root, or it is old.
func (d *edit) followed(p rekey.Posted) bool {
	if p.IsZero() {
		return false
	}
	r, ok := d.root(p.Root)
	if !ok || d.st.clock.age(p.Since) >= repostFor {
		return true
	}
	heard, others := 0, 0
	for i := range r.All() {
		if i == d.st.me().index || r.Gone(i) {
			continue
		}
		if others++; r.Heard(i) {
			heard++
		}
	}
	return heard >= min(rekeyFollowed, others)
}

// beginDue reports whether this owner is to begin a rekey that nobody asked for.
func (d *edit) beginDue() bool {
	e, r, ok := d.preferred()
	if !ok || !d.mayDeal() || !d.st.rekeys.Value().Draft.IsZero() || d.now-d.st.clock.reached > rekeyFetched {
		return false
	}
	if made := d.st.rekeys.Value().Made; made != 0 && !passed(d.now, made, rekeyEvery) {
		return false
	}
	place, _ := d.st.me().owners.PlaceOf(d.st.owner.Value().owner.Public)
	_, entered := e.Seen()
	if root, held := d.st.forest.Epoch(r.ID()); held {
		_, entered = root.Seen()
	}
	turn := Millis(place)
	if d.outsiders(r) {
		return d.st.clock.age(entered) >= turn*rekeyTurn
	}
	every := Millis(r.Policy().RekeyInterval) * hour
	return every > 0 && d.st.clock.age(entered) >= every+turn*intervalTurn
}

// outsiders reports whether somebody belongs to the space whom the preferred root does not list, or the other way round.
func (d *edit) outsiders(r members.Root) bool {
	return r.ListsGone() || r.Unlisted() >= rekeyUnlisted || len(d.uncovered(r)) > 0
}

// uncovered returns who was heard in an older root and is not known in the preferred one.
func (d *edit) uncovered(r members.Root) (out []members.Binding) {
	for row := range d.st.roots.All() {
		if old, ok := d.root(row.id); ok && old.Rekey() < r.Rekey() {
			out = append(out, r.Uncovered(old, d.now)...)
		}
	}
	slices.SortStableFunc(out, func(a, b members.Binding) int { return cmp.Compare(a.Index, b.Index) })
	return slices.CompactFunc(out, func(a, b members.Binding) bool { return a.Index == b.Index })
}

// gives says how this member gives the share of the preferred root to one that asks from an older one.
func (d *edit) gives(r members.Root) func(proto.Asked, members.Binding) members.Giving {
	return func(a proto.Asked, b members.Binding) members.Giving {
		switch {
		case d.dealsFrom(r):
			return members.Boxes
		case d.st.rekeys.Value().Box(r.ID(), a.Index) != nil, d.maskedFor(r, b).IsOpen():
			return members.HandsOn
		}
		return members.Nothing
	}
}

// dealsFrom reports whether the evals are those of a root.
func (d *edit) dealsFrom(r members.Root) bool {
	id, _ := d.ev.Root()
	return d.ev.CanDeal() && proto.EpochID(id) == r.ID() && !d.st.owner.Value().isNone()
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
