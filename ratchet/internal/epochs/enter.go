package epochs

import (
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Bounds of what is held (§7).
const (
	// maxChildren is how many children of one parent one maker may bring before somebody else is read below a further one. Only a
	// device that was restored nine times from one backup makes more.
	maxChildren = 8
	// maxUnproven is how many epochs of one maker are held in or below which nobody else was read or sent, so that one member
	// cannot push out those in which others write.
	maxUnproven = 256
	// maxEpochs is how many epochs are held.
	maxEpochs = 2_048
	// evictShare says how many more go at that bound than have to, a 32nd of it, so that one commit of 64 looks through all of them. Where
	// all are near the preferred epoch none may go, and each commit does.
	evictShare = 32
)

// Reading is for what epochs are entered: to read a message of a sender.
type Reading struct {
	Sender dkg.Index
	Own    Shares
	Now    Millis
}

// Enter returns the forest with the epochs of a path of candidates, parents first, of which the first one's parent is held, and
// punctures their parents. It returns ErrUnknown if the parent is not held, ErrClosed if the place was used meanwhile, and
// ErrQuota at a bound of §7: a message of another member than the maker enters all the same.
func (f Forest) Enter(path []Candidate, r Reading) (Forest, Change, error) {
	if len(path) == 0 {
		return f, Change{}, nil
	}
	next, change := f, Change{}
	for _, c := range path {
		if held, ok := next.Epoch(c.id); ok && held.derived {
			continue
		}
		if r.Sender == c.maker.Index && next.atBound(c) {
			return f, Change{}, ErrQuota
		}
		parent, ok := next.Epoch(c.parent)
		if !ok {
			return f, Change{}, ErrUnknown
		}
		c, err := c.fitting(parent, r.Own)
		if err != nil {
			return f, Change{}, err
		}
		if next, err = next.enter(c, r.Now, &change); err != nil {
			return f, Change{}, err
		}
	}
	if len(change.Entered)+len(change.Derived) == 0 {
		return next, change, nil // it was entered before, and is wanted: nothing goes for it
	}
	next = next.derivable(path, r.Own, r.Now, &change)
	next, change = next.evict(maxEpochs, change, r.Now)
	return next, change, nil
}

// atBound reports whether the maker of an epoch made as many as it may.
func (f Forest) atBound(c Candidate) bool {
	siblings := 0
	for _, m := range f.catalog.children(c.parent) {
		if m.maker == c.maker && m.id != c.id {
			siblings++
		}
	}
	if siblings >= maxChildren {
		return true
	}
	made, unproven := f.catalog.madeBy(c.maker.Index), 0
	if len(made) < maxUnproven {
		return false
	}
	for _, m := range made {
		if m.maker == c.maker && m.id != c.id {
			if e, _ := f.Epoch(m.id); e.unproven() {
				unproven++
			}
		}
	}
	return unproven >= maxUnproven
}

// enter returns the forest with one derived epoch, whose place in its parent is used up. If it fails, the change is as it was.
func (f Forest) enter(c Candidate, now Millis, change *Change) (Forest, error) {
	parent, ok := f.Epoch(c.parent)
	if !ok {
		return f, ErrUnknown
	}
	path := parent.path(c.maker.Index, c.place)
	if !parent.covers(path) {
		return f, ErrClosed
	}
	parent, err := parent.puncture(path, c.words, c.spent, c.maker.Index)
	if err != nil {
		return f, err
	}
	made := func(m Maker) bool { return m == c.maker }
	next, err := f.put(parent).pass(c.parent, f.serial+1, made).take(c.Epoch, now, change)
	if err != nil {
		return f, err
	}
	twin := func(m *meta) bool { return m.id != c.id && m.maker == c.maker }
	if slices.ContainsFunc(f.catalog.children(c.parent), twin) && !slices.Contains(change.Twins, c.maker) {
		change.Twins = append(change.Twins, c.maker)
	}
	return next, nil
}

// take returns the forest with an epoch that was derived, in place of what was told of it or as a further one, and its children judged. If
// it fails, the change is as it was.
func (f Forest) take(e Epoch, now Millis, change *Change) (Forest, error) {
	did := *change
	next := f.judge(e, &did)
	var err error
	if told, ok := next.Epoch(e.id); ok {
		next, err = next.promote(told, e, &did)
	} else if e, err = next.punctured(e); err == nil {
		if e.byWord() {
			gone, _ := next.gone.find(e.id)
			e.misled = gone.misled
		}
		next = next.add(e, now, &did)
	}
	if err != nil {
		return f, err
	}
	*change = did
	return next, nil
}

// promote puts a derived epoch in place of what was told of it. Everything that was used here is used up in it.
func (f Forest) promote(told, derived Epoch, change *Change) (Forest, error) {
	m := *derived.meta
	m.serial, m.entered = told.serial, told.entered
	e := told
	e.meta = &m
	e.derived, e.cut = true, false
	e.misled = told.misled && derived.byWord()          // a word proves nothing against the true tree
	if parent, _ := f.Epoch(e.parent); parent.derived { // nobody can have made it up
		e.alone = false
	}
	e.exporter, e.seed = derived.exporter, derived.seed
	if f.Behind(told) > near {
		e.exporter = secret.Bytes{}
	}
	e.tellers = nil
	tree, ok := told.commits.told.UseUpIn(derived.commits.tree)
	if !ok {
		return f, ErrQuota
	}
	e.commits = commitTree{tree: tree}
	e, err := f.punctured(e)
	if err != nil {
		return f, err
	}
	e.senders = told.senders.derive(derived.senders, e.depth)
	f = f.remeta(e)
	change.Derived = append(change.Derived, e.id)
	if !told.Readable() {
		change.Entered = append(change.Entered, e.id)
	}
	return f, nil
}

// punctured returns an epoch without the places of its derived children, held or dropped, and of own commits. Of a child that a word
// gave that value is used up, and what other words give is not.
func (f Forest) punctured(e Epoch) (Epoch, error) {
	var places [][]byte
	var values []pprf.Spent
	use := func(path []byte, seed [32]byte) {
		if seed == ([32]byte{}) {
			places = append(places, path)
		} else {
			values = append(values, pprf.Spent{Leaf: path, Seed: seed})
		}
	}
	for _, m := range f.catalog.children(e.id) {
		if child, _ := f.Epoch(m.id); child.derived {
			use(e.path(child.maker.Index, child.place), child.seed)
		}
	}
	for g := range f.gone.all {
		if g.parent == e.id && g.used {
			use(pprf.Path(g.maker, e.depth, g.place[:]), g.seed)
		}
	}
	if !e.derived {
		e.commits.told = e.commits.told.Puncture(places...).Spend(values...)
		return e, nil
	}
	tree, ok := e.commits.tree.UseUp(places, values)
	if !ok {
		return e, ErrQuota
	}
	e.commits.tree = tree
	return e, nil
}

// derivable derives the told children of epochs that changed, parents first, until there are none (§9, Merging 5).
func (f Forest) derivable(path []Candidate, own Shares, now Millis, change *Change) Forest {
	var from []proto.EpochID
	for _, c := range path {
		from = append(from, c.parent, c.id)
	}
	return f.deriveBelow(from, own, now, change)
}

// deriveTold derives an epoch that tickets told under a root, by steps 7 and 8 of §4; the others were made with the ticket. It returns
// ErrMisled if nobody with the true tree can derive it: its place is that of another generation, say, which the ticket could tell as long as
// the parent was not in it. It returns ErrUnknown if the parent was told under another root, since either can be false.
func (f Forest) deriveTold(parent Epoch, root proto.EpochID, p proto.Shown, place proto.Place, key suite.PublicKey, own Shares) (Candidate, error) {
	switch {
	case root != parent.root && !parent.derived:
		return Candidate{}, ErrUnknown
	case root != parent.root, place != p.Commit.Core.Place(f.space, parent.id, parent.generation+1), f.contradicted(parent, p, place):
		return Candidate{}, ErrMisled
	}
	return f.derive(parent, p, place, key, own)
}

// deriveBelow tries to derive the told children of epochs, then theirs.
func (f Forest) deriveBelow(from []proto.EpochID, own Shares, now Millis, change *Change) Forest {
	for len(from) > 0 {
		parent, ok := f.Epoch(from[0])
		from = from[1:]
		if !ok {
			continue
		}
		for _, id := range f.told {
			m := f.catalog.get(id)
			if m == nil || m.parent != parent.id {
				continue
			}
			child, _ := f.Epoch(id)
			if child.derived || child.isRoot() || child.maker.Index == f.own {
				continue
			}
			c, err := f.deriveTold(parent, child.root, child.shown, child.place, child.maker.Key, own)
			if err != nil {
				if child.misled = errors.Is(err, ErrMisled); child.misled {
					f = f.put(child)
				}
				continue
			}
			if next, err := f.enter(c, now, change); err == nil {
				f = next
				parent, _ = f.Epoch(parent.id)
				from = append(from, m.id)
			}
		}
	}
	return f
}
