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
// by commits from epochs it holds, does not depend on it; an epoch of which only tickets told cannot be read, is as the
// last ticket says that named it, and is preferred no longer than until a later request is answered without it. Nothing that
// could be read before a ticket becomes unreadable by it.

// hearOf enters the epochs of a ticket, parents first. It returns the epochs named, with false for those that the ticket
// contradicts although messages can be read in them, and ErrForged if what it says of one is false beyond doubt.
func (w *work) hearOf(b proto.TicketBody) (named map[proto.EpochID]bool, err error) {
	epochs := slices.Clone(b.Epochs)
	slices.SortStableFunc(epochs, func(x, y proto.TicketEpoch) int { return cmp.Compare(x.Generation, y.Generation) })
	named = make(map[proto.EpochID]bool, len(epochs))
	for _, e := range epochs {
		parent, below := w.st.epoch(e.Parent)
		if below = below && len(e.Commit) > 0; below && e.Generation != parent.generation+1 {
			return nil, outcome.ErrForged
		}
		told := claimedEpoch(e, b, w.now)
		held, ok := w.st.epoch(e.Id)
		if !ok && below {
			switch made, err := w.derive(parent, told.commit); {
			case err != nil:
				w.useUp(parent.id, told.commit)
			case made.commitKey.Equal(told.commitKey):
				w.useUp(parent.id, told.commit)
				told = made
			case w.certain(parent) || parent.readable() && named[parent.id]:
				return nil, outcome.ErrForged // both keys come out of one secret, and it is the parent's
			}
		}
		named[e.Id] = true
		switch {
		case !ok:
			w.add(told)
		case !held.readable():
			w.amend(held, told)
		case held.commitKey.Equal(told.commitKey):
			w.settle(held.id)
		case w.certain(held):
			return nil, outcome.ErrForged
		default:
			named[e.Id] = false
		}
	}
	return named, nil
}

// claimedEpoch returns an epoch as a ticket tells of it. It is charged to its maker, whose share the commit proves.
func claimedEpoch(e proto.TicketEpoch, b proto.TicketBody, now int64) epoch {
	n := birth{
		id: e.Id, parent: e.Parent, root: b.Notice.Root, generation: e.Generation,
		charged: b.Issuer, entered: now, depth: b.Context.Depth, commitKey: e.CommitKey,
	}
	if len(e.Commit) > 0 {
		n.commit = proto.Commit(e.Commit)
		n.charged = n.maker()
	}
	n.prepare()
	return epoch{birth: &n, commits: e.Tree, senders: pprf.UsedUp(n.depth - segmap.IndexBits)}.stow()
}

// certain reports whether this member derived an epoch from what it was not merely told, as far as that is still held.
func (w *work) certain(e epoch) bool {
	for ok := true; ok; e, ok = w.st.epoch(e.parent) {
		if !e.readable() {
			return false
		}
		if e.isRoot() {
			break
		}
	}
	return true
}

// amend takes in what a ticket says of an epoch of which only tickets told so far. If the two agree, the epoch has what
// either has. Otherwise one of them lies, and it is entered anew: what stands on the older word comes before it then.
func (w *work) amend(held, told epoch) {
	tree, agree := held.commits.Merge(told.commits)
	if !agree || !held.commitKey.Equal(told.commitKey) {
		w.add(told)
		return
	}
	w.put(held.withCommits(tree))
	w.settle(held.id)
}

// settle brings an epoch's commit tree into line with its children held. What they were made with is used up. A child of
// which only tickets told is made by its commit, as if a message had brought it; if that gives another one than was told,
// what was told is false.
func (w *work) settle(id proto.EpochID) {
	for row := range w.st.epochs.All() {
		c := row.epoch()
		if c.parent != id || c.isRoot() {
			continue
		}
		p, _ := w.st.epoch(id)
		w.useUp(id, c.commit)
		if c.readable() {
			continue
		}
		switch made, err := w.derive(p, c.commit); {
		case err != nil:
		case made.commitKey.Equal(c.commitKey):
			w.open(c, made)
		default:
			w.add(made)
		}
	}
}

// open makes an epoch of which only tickets told one in which messages can be read.
func (w *work) open(told, made epoch) {
	b := *made.birth
	b.serial, b.entered = told.serial, told.entered
	made.birth, made.parts.birth = &b, state.NewSegment(&b)
	made.touched, made.aside = told.touched, told.aside
	w.put(made)
	w.tryRetained(made)
	w.settle(made.id)
}

// derive makes a child of an epoch by its commit. It cannot if the place in the tree is used up or the commit is this
// member's own.
func (w *work) derive(parent epoch, c proto.Commit) (epoch, error) {
	made, err := w.follow(edge{parent: parent, commit: c})
	if err != nil {
		return epoch{}, err
	}
	b := *made.birth
	b.charged = b.maker()
	made.birth = &b
	return made, nil
}

// useUp punctures the commit tree of an epoch held at a child, if it is not punctured there already.
func (w *work) useUp(parent proto.EpochID, c proto.Commit) {
	p, ok := w.st.epoch(parent)
	if !ok {
		return
	}
	if _, tree, err := p.commits.Eval(c.Index(), p.child(w.st.space, c)); err == nil {
		w.put(p.withCommits(tree))
	}
}

// leads reports whether an epoch is this member's own preferred one, or lies above it by own commits made since the
// request only.
func (w *work) leads(from, mine proto.EpochID) bool {
	path, ok := w.st.path(from, mine)
	if !ok {
		return false
	}
	above, _ := w.st.epoch(from)
	for _, id := range path {
		e, _ := w.st.epoch(id)
		if !w.ownSince(e) || e.serial < above.serial {
			return false
		}
		above = e
	}
	return true
}

// ownSince reports whether an epoch was made by an own commit after the request.
func (w *work) ownSince(e epoch) bool {
	d := w.self()
	return e.maker() == d.index && e.serial > d.request.serial
}

// setAside sets aside those epochs of a root in which this member may be alone, and takes back those in which it is not,
// by the epochs that a ticket named. The records stay, since what others made below them and sent in them may arrive yet.
func (w *work) setAside(root proto.EpochID, named map[proto.EpochID]bool) {
	ground := maps.Clone(named)
	for id, stands := range named {
		e, ok := w.st.epoch(id)
		if !ok || !stands {
			continue
		}
		for _, a := range w.st.nearest(e, maxEpochs) {
			if doubt, ok := named[a.id]; !a.readable() || ok && !doubt {
				break
			}
			ground[a.id] = true
		}
	}
	for row := range w.st.epochs.All() {
		e := row.epoch()
		if aside := !w.stands(e, ground); e.root == root && e.aside != aside {
			e.aside = aside
			w.put(e)
		}
	}
	w.prefer(w.st.findPreferred())
}

// stands reports whether an epoch is among others that a ticket named, or lies below one of them: by commits of others that
// this member derived or a ticket since the request told of, and by own ones made since the request. An epoch that came
// before its parent was not made of what that is now.
func (w *work) stands(e epoch, ground map[proto.EpochID]bool) bool {
	for {
		if stands, ok := ground[e.id]; ok {
			return stands
		}
		old := e.serial <= w.self().request.serial
		if e.isRoot() || old && (e.maker() == w.self().index || !e.readable()) {
			return false
		}
		parent, ok := w.st.epoch(e.parent)
		if !ok || parent.serial > e.serial {
			return false
		}
		e = parent
	}
}

// left reports whether a message shows that others have gone on without this member: in an epoch that was set aside, or
// below one, and would be preferred otherwise. Whoever made the first of them cannot show that.
func (w *work) left(x epoch, m Message) bool {
	p, ok := w.st.epoch(w.st.preferred)
	if !x.aside || !m.Verified || m.Own || ok && w.st.compare(x.birth, p.birth) > 0 {
		return false
	}
	for {
		parent, ok := w.st.epoch(x.parent)
		if !ok || !parent.aside {
			return x.charged != m.Sender
		}
		x = parent
	}
}
