package ratchet

import (
	"bytes"
	"cmp"
	"errors"
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
	"github.com/trefoil-im/trefoil/state"
)

// newRoot is a root that a rekey made, as a member enters it.
type newRoot struct {
	terms   rootTerms
	above   proto.EpochID // the root of its parent; of one that a ticket told, the one held that it comes after
	share   dkg.Share
	x       secret.Bytes // empty if it was only told
	inbox   suite.KEMKey // to which its box was, if there was one
	records []proto.Record
	said    [][]byte // by the dealer
	boxes   []rekey.Box
	owners  proto.RekeyOwners
	seat    bool // owners is there
	evals   dkg.Evals
	dealt   bool // this device made it: evals are those of the dealer
}

// enterRoot enters a root whose terms were verified and whose share is the own one. It returns outcome.ErrBound if there is no room for it,
// and errors of epochs.Forest.Rekeyed. An edit that gets one is not to be used.
func (d *edit) enterRoot(in newRoot) error {
	id, n := in.terms.ID(), in.terms.notice
	me := d.st.me()
	if n.Owners.Newer(me.owners) {
		me.owners = n.Owners
		d.setIdentity(me)
	}
	ranks := d.ranks(in.terms)
	root := rootOf(in.terms)
	root.Rank, root.Barred = ranks[id].Place, ranks[id].Barred
	last, err := d.lastRoot(root, in.above, ranks)
	if err != nil {
		return err
	}
	if !last.IsZero() { // before the new one is there, which has no epochs yet if a ticket told it
		d.grow(d.st.forest.GiveUpRoot(last, d.age()))
	}
	f, change := d.st.forest.WithRoot(root, d.age())
	if !in.x.IsZero() {
		if f, change, err = d.st.forest.Rekeyed(epochs.RekeyRoot{
			Root: root, Parent: n.Common.Parent, Place: n.Common.Place(), Check: n.Check,
		}, in.x, d.share, d.age()); err != nil {
			return err
		}
	}
	d.tp = d.tp.with(in.terms)
	r, known := d.root(id)
	if !known {
		r = members.NewRoot(in.terms.Terms)
	}
	old, _ := d.root(in.above)
	_, before, had := d.preferred()
	if !had {
		before = old
	}
	r, opened := r.Succeed(old, in.records, d.st.forest.Entered(), d.now)
	r = d.saidBy(in, d.metBeside(r))
	d.st.roots = d.st.roots.Put(newRootRow(r, in.share))
	d.grow(f, change)
	d.rank(ranks)
	d.unite(id)
	if _, listed := r.Listed(me.index); listed {
		d.tp.link = state.NewSegment(openedLink{})
	}
	d.setRekeys(d.st.rekeys.Value().WithBoxes(id, in.boxes, func(i dkg.Index) bool { return i != me.index && (!r.Heard(i) || r.IsOwner(i)) }))
	d.boxedTo(in.inbox)
	d.dealFrom(in)
	if opened {
		d.retry(d.st.orphans.Value().Untagged()...)
	}
	if known { // messages may have waited that are of members who came to be known now
		d.retry(d.st.orphans.Value().Strangers(slices.Collect(r.All())...)...)
	}
	d.unsaid()
	if !in.x.IsZero() { // of the rekey nothing more is read
		sets, frames := d.st.parts.Value().Without(proto.NameOfRekey(id))
		d.setParts(sets)
		d.retry(frames...)
	}
	if _, now, ok := d.preferred(); ok && had && now.ID() == before.ID() {
		d.reportMembers(before, now)
	}
	d.reportRekeyed(before, had)
	return nil
}

// maxRoots is how many roots are held: K of as many is kept (§2), so who is further behind cannot be answered either.
const maxRoots = 64

// lastRoot returns the root that gives way to one that comes, if as many are held as may be: the last in the order, barred ones before all
// others, and neither the preferred one nor that from which the new one was made. It is zero if there is room. It returns outcome.ErrBound
// if the new one is the last itself.
func (d *edit) lastRoot(root epochs.Root, above proto.EpochID, ranks map[proto.EpochID]rekey.Rank) (last proto.EpochID, err error) {
	if _, held := d.st.forest.Root(root.ID); held || len(d.st.forest.Roots()) < maxRoots {
		return last, nil
	}
	p, _ := d.st.forest.Preferred()
	all := slices.DeleteFunc(append(slices.Clone(d.st.forest.Roots()), root), func(r epochs.Root) bool { return r.ID == above || r.ID == p.Root() })
	last = slices.MaxFunc(all, func(a, b epochs.Root) int {
		x, y := ranks[a.ID], ranks[b.ID]
		switch {
		case x.Barred && !y.Barred:
			return 1
		case y.Barred && !x.Barred:
			return -1
		}
		return cmp.Or(cmp.Compare(b.Generation, a.Generation), cmp.Compare(x.Place, y.Place), bytes.Compare(a.ID[:], b.ID[:]))
	}).ID
	if last == root.ID {
		return last, outcome.ErrBound
	}
	return last, nil
}

// saidBy returns the members of a root with what its dealer said in it, and of a new owner with the inbox keys of all.
func (d *edit) saidBy(in newRoot, r members.Root) members.Root {
	for _, b := range in.said {
		if s, err := proto.ParseStatement(b); err == nil {
			if next, _, err := r.Apply(s, members.Newer, d.now); err == nil {
				r = next
			}
		}
	}
	for _, k := range in.owners.Inboxes {
		if next, err := r.Boxes(k); err == nil {
			r = next
		}
	}
	return r
}

// reportRekeyed reports that another root is preferred than before, if one was, and what that changed.
func (d *edit) reportRekeyed(before members.Root, had bool) {
	if _, now, ok := d.preferred(); ok && (!had || now.ID() != before.ID()) {
		d.reportMembers(before, now)
		d.emit(Event{Kind: Rekeyed, Count: len(now.Roster())})
		d.reportRoot(before, now)
	}
}

// reportMembers reports what a rekey changed about the members that this device shows.
func (d *edit) reportMembers(before, now members.Root) {
	c := now.Since(before)
	for _, i := range c.Gone {
		d.emit(Event{Kind: Gone, Index: i})
	}
	for _, k := range c.KeyChanged {
		d.emit(Event{Kind: KeyChanged, Index: k.Index, Old: k.Old, New: k.New})
	}
}

// ranks returns where the roots held, and one that comes to be held, stand.
func (d *edit) ranks(in rootTerms) map[proto.EpochID]rekey.Rank {
	all := []rekey.Standing{d.standing(in)}
	for row := range d.st.roots.All() {
		if t, ok := d.tp.terms(row.id); ok && row.id != in.ID() {
			all = append(all, d.standing(t))
		}
	}
	return rekey.Order(all, d.st.me().owners)
}

func (d *edit) standing(t rootTerms) rekey.Standing {
	s := rekey.Standing{ID: t.ID(), Rekey: t.Rekey(), Owners: t.Owners(), Signer: ownerAt(t.notice)}
	if e, ok := d.st.forest.Epoch(t.notice.Common.Parent); ok {
		s.Above = e.Root()
	}
	return s
}

// rank tells the forest where the roots stand now.
func (d *edit) rank(ranks map[proto.EpochID]rekey.Rank) {
	for _, r := range d.st.forest.Roots() {
		if now, ok := ranks[r.ID]; ok && (r.Rank != now.Place || r.Barred != now.Barred) {
			r.Rank, r.Barred = now.Place, now.Barred
			d.grow(d.st.forest.WithRoot(r, d.age()))
		}
	}
}

// unite puts together who is gone by a root, by those before, and by the others of its generation, whose signers it lists as owners (R9).
func (d *edit) unite(id proto.EpochID) {
	t, ok := d.tp.terms(id)
	if !ok {
		return
	}
	for row := range d.st.roots.All() {
		o, ok := d.tp.terms(row.id)
		if !ok || row.id == id {
			continue
		}
		if o.Rekey() <= t.Rekey() {
			d.uniteInto(id, o)
		}
		if t.Rekey() <= o.Rekey() {
			d.uniteInto(row.id, t)
		}
	}
}

// uniteInto takes over into a root who is gone by another one.
func (d *edit) uniteInto(id proto.EpochID, other rootTerms) {
	r, ok := d.root(id)
	if !ok {
		return
	}
	if _, owner := r.Owners().PlaceOf(ownerAt(other.notice)); owner {
		d.setRoot(r.Unite(other.notice.Gone))
	}
}

// meet takes in to the roots that are not older than another one that a member of an index was read there for the first time. It may not be
// known to them yet: metBefore does that when it is.
func (d *edit) meet(in members.Root, i dkg.Index) {
	for row := range d.st.roots.All() {
		if t, ok := d.tp.terms(row.id); !ok || t.Rekey() < in.Rekey() || row.id == in.ID() {
			continue
		}
		if r, ok := d.root(row.id); ok {
			if next, change, met := r.Meet(in, i, d.now); met {
				d.changed(next, change)
			}
		}
	}
}

// metBefore takes in to a root which bindings were read in others that are not newer: those of indices of which one came to be
// known, and those that came by an invite of which the record did.
func (d *edit) metBefore(r members.Root, c members.Change) (members.Root, members.Change) {
	if len(c.Came)+len(c.Opened) == 0 || r.Rekey() == 0 {
		return r, c
	}
	for _, other := range d.rootsFrom(r)[1:] {
		if other.Rekey() > r.Rekey() {
			continue
		}
		came := c.Came
		for _, t := range c.Opened {
			if x, _, ok := r.Record(t); ok {
				came = append(slices.Clip(came), other.Covered(x.Certificate)...)
			}
		}
		for _, i := range came {
			var more members.Change
			r, more, _ = r.Meet(other, i, d.now)
			c = c.And(more)
		}
	}
	return r, c
}

// metBeside takes in to a root that is entered which bindings were read in others of its generation.
func (d *edit) metBeside(r members.Root) members.Root {
	for _, other := range d.rootsFrom(r)[1:] {
		if other.Rekey() != r.Rekey() {
			continue
		}
		for i := range other.All() {
			r, _, _ = r.Meet(other, i, d.now)
		}
	}
	return r
}

// reads is not below the number of any first reading, in whatever root.
func (d *edit) reads() (n uint64) {
	for row := range d.st.roots.All() {
		if r, ok := d.root(row.id); ok {
			n = max(n, r.Reads())
		}
	}
	return n
}

// dealFrom brings the evals in step with the preferred root: those of its dealer, or of a seat; else read-only.
func (d *edit) dealFrom(in newRoot) {
	_, r, ok := d.preferred()
	if !ok || d.ev.IsNone() && !in.seat && !in.dealt {
		return
	}
	if proto.EpochID(d.ev.Root()) == r.ID() {
		return
	}
	next := d.ev.ReadOnly()
	if r.ID() == in.terms.ID() && in.dealt {
		next = in.evals
	} else if r.ID() == in.terms.ID() && in.seat {
		if ev, err := d.evalsOf(in); err == nil {
			next = ev
		}
	}
	next, dead := invites.Carry(next, d.ev, d.rootsFrom(r)[1:], d.st.me().signing.Public)
	if next.Succeeds(d.ev) == nil {
		d.ev = next
		d.invitesDead(dead)
	} else {
		d.ev = d.ev.ReadOnly() // of two roots of one generation the other one was its own (R10)
	}
}

// evalsOf returns the evals that the owners' part of a rekey gives, with the invites whose m fits their records.
func (d *edit) evalsOf(in newRoot) (dkg.Evals, error) {
	next := max(in.terms.notice.Common.Cursor, d.ev.Next())
	ev, err := in.owners.Polynomial.Evals(dkg.Terms{
		Root: in.terms.ID(), Generation: in.terms.Rekey(), Depth: in.terms.Depth(), Capacity: dkg.DefaultCapacity, Next: next,
	})
	for _, m := range in.owners.Invites {
		for _, x := range in.records {
			c := x.Certificate
			if err != nil || c.Name() != m.Name {
				continue
			}
			kept, bad := ev.KeepOffer(dkg.Offer{Name: c.Name(), Kind: c.Kind, First: c.First, Count: c.Count, Step: c.Step, M: m.M})
			if bad == nil {
				ev = kept
			} else if !errors.Is(bad, dkg.ErrOrder) {
				err = bad
			}
		}
	}
	return ev, err
}
