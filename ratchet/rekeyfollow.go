package ratchet

import (
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// openRekey opens a part of a rekey (docs/design/rekey.md, Following one).
func openRekey(d *edit, f incoming) (Message, error) {
	p, err := proto.ParsePart(f.data)
	if err != nil {
		return Message{}, d.unread(f, outcome.Malformed(err))
	}
	if d.st.phase == Left || d.st.phase == Removed || d.holdsRoot(p.Name) {
		return Message{}, d.unread(f, outcome.ErrStale)
	}
	whole, err := d.collect(f, p)
	if whole == nil {
		return Message{}, err
	}
	k, err := rekey.Look(d.rekeySelf(), p.Name, rekey.Source(f.source), whole)
	if err != nil {
		return Message{}, d.unread(f, outcome.Malformed(err))
	}
	d.forget(f.name)
	if len(p.Hashes) > 1 {
		d.retry(d.st.orphans.Value().Others()...) // copies of its parts are of no use any more
	}
	kept, k := d.st.rekeys.Value().Keep(k)
	d.setRekeys(kept)
	d.followRekey(k, slices.Collect(d.st.forest.All()))
	return Message{}, nil
}

// holdsRoot reports whether the root is held that a rekey of a name makes.
func (d *edit) holdsRoot(n proto.Name) bool {
	for _, r := range d.st.forest.Roots() {
		if proto.NameOfRekey(r.ID) == n {
			e, ok := d.st.forest.Epoch(r.ID)
			return ok && e.Derived()
		}
	}
	return false
}

// lookBehind is how many generations back a member looks for its box: other roots of the newest one, and roots that it passed by a ticket,
// in which it may have messages to read.
const lookBehind = 8

// rekeySelf is this member as it looks for its box.
func (d *edit) rekeySelf() rekey.Self {
	s := rekey.Self{Space: d.st.space, Index: d.st.me().index, Inboxes: d.inboxSecrets(), Depth: dkg.DefaultDepth}
	for _, r := range d.st.forest.Roots() {
		s.Rekey, s.Depth = max(s.Rekey, r.Generation), max(s.Depth, r.Depth)
	}
	s.Rekey -= min(s.Rekey, lookBehind)
	return s
}

// followRekeys tries the rekeys that wait with the epochs that came to be known since it was called last, and with those that it enters.
func (d *edit) followRekeys() {
	for len(d.fresh) > 0 && len(d.st.rekeys.Value().All()) > 0 && d.st.phase == Member {
		var held []epochs.Epoch
		for _, id := range d.fresh {
			if e, ok := d.st.forest.Epoch(id); ok {
				held = append(held, e)
			}
		}
		d.fresh = nil
		for _, k := range d.st.rekeys.Value().All() {
			d.followRekey(k, held)
		}
	}
	d.fresh = nil
}

// followRekey follows one that waits, if one of these epochs is its parent or leads to it.
func (d *edit) followRekey(k rekey.Kept, held []epochs.Epoch) {
	if d.st.phase != Member {
		return
	}
	if d.holdsRoot(k.Name()) { // by another whole of the name
		d.setRekeys(d.st.rekeys.Value().Without(k))
		return
	}
	at, ok := d.parentOf(k, held)
	if !ok {
		return
	}
	try := *d
	switch err := try.rekeyed(k, at, false); {
	case err == nil:
		*d = try
	case errors.Is(err, epochs.ErrWaits): // a further word may give its place
	case errors.Is(err, outcome.ErrNotYet): // there is no room for it now: its messages lead to a ticket where it is not tried again
		d.lacks(at.notice, at.epoch.Root())
	default:
		d.setRekeys(d.st.rekeys.Value().Without(k))
		if errors.Is(err, errShare) {
			d.lacks(at.notice, at.epoch.Root())
		}
	}
}

// errShare: the share of a rekey is not the one that its notice commits to.
var errShare = errors.New("ratchet: share of a rekey")

// rekeyParent is the epoch from which a rekey was made.
type rekeyParent struct {
	epoch  epochs.Epoch
	path   []epochs.Candidate // to it, from an epoch that is held
	notice proto.Notice
}

// parentOf finds the parent of a rekey: one of some epochs held, or the end of the way that begins in one of them.
func (d *edit) parentOf(k rekey.Kept, held []epochs.Epoch) (rekeyParent, bool) {
	opens := func(e epochs.Epoch, path []epochs.Candidate) (rekeyParent, bool) {
		_, commit := e.Ciphers()
		n, err := k.Notice(d.st.space, e.ID(), commit)
		return rekeyParent{e, path, n}, err == nil
	}
	for _, e := range held {
		if at, ok := opens(e, nil); ok {
			return at, true
		}
	}
	way := k.Ways().Own
	for at := range way {
		for _, e := range held {
			if end, path, ok := d.walk(e, way[at:]); ok {
				if p, ok := opens(end, path); ok {
					return p, true
				}
			}
		}
	}
	return rekeyParent{}, false
}

// walk follows a way from an epoch held to its end, and returns the epochs on it that are not held. Nothing is entered.
func (d *edit) walk(e epochs.Epoch, way proto.Way) (end epochs.Epoch, path []epochs.Candidate, ok bool) {
	for _, s := range way {
		p, err := e.OpenCommit(d.st.space, s)
		if err != nil {
			return end, nil, false
		}
		id := e.Child(d.st.space, p.Commit)
		if child, held := d.st.forest.Epoch(id); held {
			e, path = child, nil
			continue
		}
		t, held := d.tp.terms(e.Root())
		if !held {
			return end, nil, false
		}
		key, err := p.VerifyMaker(t.Terms, id)
		if err != nil {
			return end, nil, false
		}
		c, err := d.st.forest.Derive(e, p, key, d.share)
		if err != nil {
			return end, nil, false
		}
		e, path = c.Epoch, append(path, c)
	}
	return e, path, true
}

// rekeyed takes in a rekey whose parent was found: it enters the root, or finds that this member is not listed. Late: it waits for no other
// whole of the root.
func (d *edit) rekeyed(k rekey.Kept, at rekeyParent, late bool) error {
	n := at.notice
	above, ok := d.root(at.epoch.Root())
	if !ok {
		return epochs.ErrUnknown
	}
	if n.Verify(d.st.me().origin) != nil || n.Common.Rekey != above.Rekey()+1 || n.Common.Depth < above.Depth() {
		return rekey.ErrFalse
	}
	var said rekey.Said
	if k.Mine() {
		var err error
		if said, err = k.Open(d.rekeySelf(), n); err != nil {
			return err
		}
		if said.Content.Template.Policy.Suite != above.Suite() {
			return rekey.ErrFalse
		}
	}
	if len(at.path) > 0 {
		f, change, err := d.st.forest.Enter(at.path, epochs.Reading{Own: d.share, Now: d.age()})
		if err != nil {
			return err
		}
		if err := d.admitMakers(&reading{path: at.path}); err != nil {
			return err
		}
		d.grow(f, change)
	}
	d.setRekeys(d.st.rekeys.Value().Without(k))
	if !k.Mine() {
		d.unboxed(k, n, above.ID(), late)
		return nil
	}
	c := said.Content
	terms, err := newRootTerms(d.st.me().origin, n, c.Template, c.Roster)
	if err != nil {
		return rekey.ErrFalse
	}
	if terms.Commitment().Verify(said.Share) != nil {
		return errShare
	}
	if err := d.enterRoot(newRoot{
		terms: terms, above: above.ID(), share: said.Share, x: said.X, inbox: said.Inbox, records: c.Records, said: c.Said, boxes: said.Boxes, owners: said.Owners, seat: said.Seat,
	}); err != nil {
		return err
	}
	d.displaced()
	return nil
}

func ownerAt(n proto.Notice) (k suite.PublicKey) { k, _ = n.Owners.At(n.Signer); return k }

// unboxed takes in the notice of a rekey that has no box for this member: it is gone, or asks (R6, R7), since its dealer knows no inbox key,
// or its joining and the rekey crossed. If there are other wholes, the box of a member that is listed lies in one of them, and it waits.
func (d *edit) unboxed(k rekey.Kept, n proto.Notice, above proto.EpochID, late bool) {
	i := d.st.me().index
	_, p, ok := d.preferred()
	newest := d.st.me().owners
	_, owner := newest.PlaceOf(ownerAt(n))
	_, held := d.root(n.Root())
	if !ok || !n.Owners.Newer(newest) && !owner {
		return // of an owner that was taken off: nobody prefers it, and who is gone by it is gone by no other root
	}
	switch {
	case n.Gone.Has(i):
		d.st.phase = Removed // by whatever root, also a barred one, since who is gone by one is gone by all that come after it (D146)
		d.emit(Event{Kind: WasRemoved})
	case late && held || newest.Newer(n.Owners): // it lacks nothing
	case k.Awaited() != 0 && !late: // also if it stands in another root of the generation by now, which may give way to this one
		d.setRekeys(d.st.rekeys.Value().Await(k, d.now))
	case late || n.Owners.Newer(p.Owners()) || n.Common.Rekey > p.Rekey():
		if k.IsPart() && n.Members.Has(i) && !late {
			d.setRekeys(d.st.rekeys.Value().Await(k, d.now))
			return
		}
		d.lacks(n, above)
	}
}

// wholeWait is for how long a member waits for the whole with its box, once it has seen another one of the rekey: they leave together. Members
// wait up to an hour longer, by their indices, so that not all ask at once.
const wholeWait = hour

// lateWholes returns the wholes without a box for this member that it has waited with for long enough. A whole that lies in the mailbox of a
// device that was off is not late: the mailbox was read to its end since, unless the clock says nothing of that.
func (d *edit) lateWholes() (late []rekey.Kept) {
	wait := wholeWait + minute*millis(d.st.me().index%60)
	for _, k := range d.st.rekeys.Value().All() {
		since := k.Awaited()
		if since != 0 && passed(d.now, since, wait) && (d.st.clock.reached >= since+wholeWait || d.now < since) {
			late = append(late, k)
		}
	}
	return late
}

// giveUpWholes takes in what those say that are late: this member asks, if it still lacks the root. It reports whether there were any.
func (d *edit) giveUpWholes() bool {
	all := d.lateWholes()
	for _, k := range all {
		try := *d
		at, ok := d.parentOf(k, slices.Collect(d.st.forest.All()))
		if d.st.phase == Member && !d.holdsRoot(k.Name()) && ok && try.rekeyed(k, at, true) == nil {
			*d = try
			continue
		}
		if d.setRekeys(d.st.rekeys.Value().Without(k)); d.st.phase == Member && !d.holdsRoot(k.Name()) {
			d.st.rhythm.ask = true // what it was made from is not held any more
		}
	}
	return len(all) > 0
}

// lacks makes this member ask for a root of which it saw the notice. If that has a newer owner list than the root in which it stands, its dealer
// may hold none of those that were made here meanwhile, which the list bars: it asks as of the root above, which the dealer held (D208).
func (d *edit) lacks(n proto.Notice, above proto.EpochID) {
	d.st.rhythm.ask = true
	_, p, ok := d.preferred()
	if list := n.Owners.Rank(); ok && list.Newer(p.Owners().Rank()) && list.Newer(d.st.rhythm.askUntil) {
		d.st.rhythm.askUnder, d.st.rhythm.askUntil = above, list
	}
}

// boxTaken lets go of the box of a member that was read in a root. That of an owner stays: if it is restored from a backup from before the
// rekey, there may be no other owner to box its share (R13).
func (d *edit) boxTaken(root members.Root, i dkg.Index) {
	if root.IsOwner(i) {
		return
	}
	if r, had := d.st.rekeys.Value().Heard(root.ID(), i); had {
		d.setRekeys(r)
	}
}
