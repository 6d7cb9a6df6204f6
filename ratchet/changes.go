package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
)

// grow takes in what became of the forest: what it opens is to be tried, what it lacks is carried, and what happened is
// reported. Every change of the forest goes through it.
func (d *edit) grow(f epochs.Forest, c epochs.Change) {
	d.st.forest = f
	if len(c.Entered)+len(c.Derived)+len(c.Changed)+len(c.Dropped) > 0 {
		x, retry := d.st.orphans.Value().Advance(orphans.Progress{
			Entered: c.Entered, Changed: slices.Concat(c.Derived, c.Changed), Dropped: c.Dropped,
		}, d.known())
		d.setOrphans(x)
		d.retry(retry...)
	}
	if !c.Replaced.IsZero() {
		d.setLines(d.st.lines.Value().replaced(f, c.Replaced))
	}
	for _, m := range c.Twins {
		d.emit(Event{Kind: Conflict, Index: m.Index, Key: PublicKey{m.Key}, Own: m.Index == d.st.me().index})
	}
	for _, r := range c.Unread {
		d.emit(Event{Kind: Unread, Epoch: r.Epoch, First: r.First, End: r.End})
	}
	if c.GivenUp > 0 {
		d.emit(Event{Kind: EpochsGivenUp, Count: c.GivenUp})
	}
	if c.Alone {
		d.emit(Event{Kind: Alone})
	}
	if len(c.Dropped) > 0 {
		d.dropRoots()
	}
	d.fresh = slices.Concat(d.fresh, c.Entered, c.Derived, c.Changed)
}

// heard tries what bounds held up when somebody is read, or sends, in an epoch in or below which it was not before (§7, D48).
func (d *edit) heard(e epochs.Epoch, i dkg.Index) {
	if x := d.st.orphans.Value(); !e.Heard(i) && x.Candidates() > 0 {
		d.retry(x.Bounded()...)
	}
}

// dropRoots erases the share, terms and members of roots of which no epoch is held.
func (d *edit) dropRoots() {
	for row := range d.st.roots.All() {
		if !d.st.forest.HoldsOf(row.id) {
			d.st.roots = d.st.roots.Drop(segmap.ByID(row.id))
			d.tp = d.tp.without(row.id)
			d.st.forest = d.st.forest.WithoutRoot(row.id)
			d.setRekeys(d.st.rekeys.Value().WithoutRoot(row.id))
		}
	}
}

// sharedChains reports what this member sent in epochs of others: another binding of its index shares its chains there, so that
// nobody may have read it (D46).
func (d *edit) sharedChains() {
	for e := range d.st.forest.All() {
		if n := d.st.forest.Sent(e.ID()); n > 0 && e.Maker() != d.st.me().maker() {
			d.emit(Event{Kind: Unread, Epoch: e.ID(), End: n})
		}
	}
}

// changed takes in what became of the members of a root, and reports it. It returns the root with what others that are not newer say of whose
// binding came to be known.
func (d *edit) changed(r members.Root, c members.Change) members.Root {
	r, c = d.metBefore(r, c)
	d.setRoot(r)
	if len(c.Came) > 0 {
		d.retry(d.st.orphans.Value().Strangers(c.Came...)...)
	}
	for _, i := range c.Arrived {
		b, _ := r.ListedBinding(i)
		d.emit(Event{Kind: Arrived, Index: i, Key: PublicKey{b.Key}})
	}
	if len(c.Arrived) > 0 {
		d.oweRecent()
	}
	for _, i := range c.Conflicts {
		d.emit(Event{Kind: Conflict, Index: i, Own: i == d.st.me().index})
		if i == d.st.me().index && hasTwin(r, d.st.me()) {
			d.sharedChains()
		}
	}
	for _, k := range c.KeyChanged {
		d.emit(Event{Kind: KeyChanged, Index: k.Index, Old: k.Old, New: k.New})
		if k.Index == d.st.me().index {
			d.displaced()
		}
	}
	for _, i := range c.Appointed {
		d.emit(Event{Kind: RoleChanged, Index: i})
	}
	if c.Titled {
		d.emit(Event{Kind: TitleChanged})
	}
	for _, i := range c.Profiled {
		d.emit(Event{Kind: ProfileChanged, Index: i})
	}
	_, owner := d.place(r)
	for _, i := range c.Gone {
		own := i == d.st.me().index
		if own && d.st.phase == Left {
			continue // it said so itself
		}
		d.emit(Event{Kind: Gone, Index: i, Own: own})
		if owner {
			d.emit(Event{Kind: LeavePending, Index: i})
		}
	}
	for _, i := range c.LetInGone {
		if owner {
			d.emit(Event{Kind: LetInGone, Index: i})
		}
	}
	if _, p, ok := d.preferred(); ok && len(c.Erased) > 0 {
		d.settleInvites(p) // m goes with v
		d.unsaid()
	}
	if len(c.Opened) > 0 {
		d.retry(d.st.orphans.Value().Untagged()...)
	}
	return r
}
