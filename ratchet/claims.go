package ratchet

import (
	"cmp"
	"maps"
	"slices"

	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// What a ticket says of epochs is the word of one member, and that member may lie (§9). So what this member derives itself,
// by commits from epochs it holds, does not depend on it; an epoch which only tickets claimed cannot be read, is as the
// last ticket says that named it, and is preferred no longer than until a later request is answered without it. Nothing that
// could be read before a ticket becomes unreadable by it.

// importClaims enters the epochs of a ticket, parents first. It returns the epochs named, with false for those that the ticket
// contradicts although messages can be read in them, and ErrForged if what it says of one is false beyond doubt.
func (d *edit) importClaims(b proto.TicketBody) (named map[proto.EpochID]bool, err error) {
	epochs := slices.Clone(b.Epochs)
	slices.SortStableFunc(epochs, func(x, y proto.TicketEpoch) int { return cmp.Compare(x.Generation, y.Generation) })
	named = make(map[proto.EpochID]bool, len(epochs))
	for _, e := range epochs {
		parent, below := d.st.epoch(e.Parent)
		if below = below && len(e.Commit) > 0; below && e.Generation != parent.generation+1 {
			return nil, outcome.ErrForged
		}
		claimed := claimedEpoch(e, b, d.now)
		held, ok := d.st.epoch(e.ID)
		if !ok && below {
			switch made, err := d.derive(parent, claimed.commit); {
			case err != nil:
				d.useUp(parent.id, claimed.commit)
			case made.commitKey.Equal(claimed.commitKey):
				d.useUp(parent.id, claimed.commit)
				claimed = made
			case d.st.fullyDerived(parent) || parent.derived() && named[parent.id]:
				return nil, outcome.ErrForged // both keys come out of one secret, and it is the parent's
			}
		}
		named[e.ID] = true
		switch {
		case !ok:
			d.enterEpoch(claimed)
		case !held.derived():
			d.mergeClaim(held, claimed)
		case held.commitKey.Equal(claimed.commitKey):
			d.deriveChildren(held.id)
		case d.st.fullyDerived(held):
			return nil, outcome.ErrForged
		default:
			named[e.ID] = false
		}
	}
	return named, nil
}

// claimedEpoch returns an epoch as a ticket claims it. It is attributed to its maker, whose share the commit proves.
func claimedEpoch(e proto.TicketEpoch, b proto.TicketBody, now int64) epoch {
	n := epochMeta{
		id: e.ID, parent: e.Parent, root: b.Notice.Root, generation: e.Generation,
		attributed: b.Issuer, entered: now, depth: b.Context.Depth, commitKey: e.CommitKey,
	}
	if len(e.Commit) > 0 {
		n.commit = proto.Commit(e.Commit)
		n.attributed = n.maker()
	}
	n.prepare()
	return epoch{epochMeta: &n, commits: e.Tree, senders: pprf.UsedUp(n.depth - segmap.IndexBits)}.segment()
}

// fullyDerived reports whether this member derived an epoch from what it was not merely told, as far as that is still held.
func (s State) fullyDerived(e epoch) bool {
	for ok := true; ok; e, ok = s.epoch(e.parent) {
		if !e.derived() {
			return false
		}
		if e.isRoot() {
			break
		}
	}
	return true
}

// mergeClaim takes in what a ticket says of an epoch which only tickets claimed so far. If the two agree, the epoch has what
// either has. Otherwise one of them lies, and it is entered anew: what stands on the older word comes before it then.
func (d *edit) mergeClaim(held, claimed epoch) {
	tree, agree := held.commits.Merge(claimed.commits)
	if !agree || !held.commitKey.Equal(claimed.commitKey) {
		d.enterEpoch(claimed)
		return
	}
	d.putEpoch(held.withCommits(tree))
	d.deriveChildren(held.id)
}

// deriveChildren brings an epoch's commit tree into line with its children held. What they were made with is used up. A child that
// only tickets claimed is made by its commit, as if a message had brought it; if that gives another one than was claimed,
// the claim is false.
func (d *edit) deriveChildren(id proto.EpochID) {
	for row := range d.st.epochs.All() {
		c := row.epoch()
		if c.parent != id || c.isRoot() {
			continue
		}
		p, _ := d.st.epoch(id)
		d.useUp(id, c.commit)
		if c.derived() {
			continue
		}
		switch made, err := d.derive(p, c.commit); {
		case err != nil:
		case made.commitKey.Equal(c.commitKey):
			d.promote(c, made)
		default:
			d.enterEpoch(made)
		}
	}
}

// promote makes an epoch which only tickets claimed one in which messages can be read.
func (d *edit) promote(claimed, made epoch) {
	b := *made.epochMeta
	b.serial, b.entered = claimed.serial, claimed.entered
	made.epochMeta, made.stored.meta = &b, state.NewSegment(&b)
	made.lastUsed, made.quarantined = claimed.lastUsed, claimed.quarantined
	d.putEpoch(made)
	d.rescan(made)
	d.deriveChildren(made.id)
}

// derive makes a child of an epoch by its commit. It cannot if the place in the tree is used up or the commit is this
// member's own.
func (d *edit) derive(parent epoch, c proto.Commit) (epoch, error) {
	made, err := d.deriveChild(candidate{parent: parent, commit: c})
	if err != nil {
		return epoch{}, err
	}
	b := *made.epochMeta
	b.attributed = b.maker()
	made.epochMeta = &b
	return made, nil
}

// useUp punctures the commit tree of an epoch held at a child, if it is not punctured there already.
func (d *edit) useUp(parent proto.EpochID, c proto.Commit) {
	p, ok := d.st.epoch(parent)
	if !ok {
		return
	}
	if _, tree, err := p.commits.Eval(c.Index(), p.child(d.st.space, c)); err == nil {
		d.putEpoch(p.withCommits(tree))
	}
}

// behindOwnCommits reports whether an epoch is this member's own preferred one, or lies above it by own commits made since the
// request only.
func (s State) behindOwnCommits(from, mine proto.EpochID) bool {
	path, ok := s.path(from, mine)
	if !ok {
		return false
	}
	above, _ := s.epoch(from)
	for _, id := range path {
		e, _ := s.epoch(id)
		if !s.ownSince(e) || e.serial < above.serial {
			return false
		}
		above = e
	}
	return true
}

// ownSince reports whether an epoch was made by an own commit after the request.
func (s State) ownSince(e epoch) bool {
	me := s.identity()
	return e.maker() == me.index && e.serial > me.request.serial
}

// quarantine bars from preference those epochs of a root in which this member may be alone, and takes back those in which it is not,
// by the epochs that a ticket named. The records stay, since what others made below them and sent in them may arrive yet.
func (d *edit) quarantine(root proto.EpochID, named map[proto.EpochID]bool) {
	ground := maps.Clone(named)
	for id, stands := range named {
		e, ok := d.st.epoch(id)
		if !ok || !stands {
			continue
		}
		for _, a := range d.st.nearest(e, maxEpochs) {
			if doubt, ok := named[a.id]; !a.derived() || ok && !doubt {
				break
			}
			ground[a.id] = true
		}
	}
	for row := range d.st.epochs.All() {
		e := row.epoch()
		if aside := !d.st.supported(e, ground); e.root == root && e.quarantined != aside {
			e.quarantined = aside
			d.putEpoch(e)
		}
	}
	d.prefer(d.st.findPreferred())
}

// supported reports whether an epoch is among others that a ticket named, or lies below one of them: by commits of others that
// this member derived or a ticket since the request told of, and by own ones made since the request. An epoch that came
// before its parent was not made of what that is now.
func (s State) supported(e epoch, ground map[proto.EpochID]bool) bool {
	for {
		if stands, ok := ground[e.id]; ok {
			return stands
		}
		old := e.serial <= s.identity().request.serial
		if e.isRoot() || old && (e.maker() == s.identity().index || !e.derived()) {
			return false
		}
		parent, ok := s.epoch(e.parent)
		if !ok || parent.serial > e.serial {
			return false
		}
		e = parent
	}
}

// showsExclusion reports whether a message shows that others have gone on without this member: in an epoch that was quarantined, or
// below one, and would be preferred otherwise. Whoever made the first of them cannot show that.
func (s State) showsExclusion(x epoch, m Message) bool {
	p, ok := s.epoch(s.preferred)
	if !x.quarantined || !m.Verified || m.Own || ok && s.compare(x.epochMeta, p.epochMeta) > 0 {
		return false
	}
	for {
		parent, ok := s.epoch(x.parent)
		if !ok || !parent.quarantined {
			return x.attributed != m.Sender
		}
		x = parent
	}
}
