package epochs

import (
	"math"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Returned gives the commits of an asker's index that its ticket returns, in the order of §5, at most proto.MaxReturned. An asker
// that lost the state with which it made them holds no secret of theirs, and no share opens a commit of its own index. A commit is
// returned as long as nothing shows that the asker has its epoch, at or above which the epoch named as preferred lies (D120). What was
// seen of the asker since its request came shows nothing: others may have answered with what they were told. Entered is the number of
// the epoch entered last when it came. One that Lost noted is returned whatever was seen since.
func (f Forest) Returned(asker Maker, preferred proto.EpochID, entered uint64, own Shares) (out []proto.Returned) {
	var lost []Epoch
	stands := f.atOrAbove(func(m *meta) bool { return m.id == preferred })
	committed := f.atOrAbove(func(m *meta) bool { return m.maker == asker && m.serial <= entered })
	misled := f.misled()
	for e := range f.All() {
		had := stands[e.id] || committed[e.id] // of a twin's: that it committed below
		if e.maker == asker {
			had = e.passed != lostPassed && (stands[e.id] || e.passed != 0 && e.passed <= entered)
		}
		if e.maker.Index == asker.Index && !e.isRoot() && e.derived && !misled[e.id] && !had {
			lost = append(lost, e)
		}
	}
	slices.SortFunc(lost, func(a, b Epoch) int { return f.compare(a.position(), b.position()) })
	for _, e := range lost {
		share, ok := own(e.root)
		if !ok || len(out) == proto.MaxReturned {
			continue
		}
		if ss, err := e.shown.Commit.Core.Follow(share); err == nil {
			out = append(out, proto.Returned{Parent: e.parent, Shown: e.shown, Secret: ss})
		}
	}
	return out
}

// lostPassed stands in the place of a number of an epoch whose maker asked before it was read, or committed, below it.
const lostPassed = math.MaxUint64

// Lost notes which epochs of its own a member may lack that asks and names the epoch that it prefers: those of which nothing showed
// before that it has them. From then on nothing does (D175): what it says next may be said in an epoch that it was only told, and
// who can return the commit may be away until it asks again.
func (f Forest) Lost(asker Maker, preferred proto.EpochID) Forest {
	stands := f.atOrAbove(func(m *meta) bool { return m.id == preferred })
	for e := range f.All() {
		if e.maker == asker && !e.isRoot() && e.passed == 0 && !stands[e.id] {
			e.passed = lostPassed
			f = f.put(e)
		}
	}
	return f
}

// atOrAbove returns some epochs held, and all from which they were made. Each is looked at once, however many lead to it.
func (f Forest) atOrAbove(some func(*meta) bool) map[proto.EpochID]bool {
	out := map[proto.EpochID]bool{}
	for _, m := range f.catalog.ids {
		if !some(m) {
			continue
		}
		for ; m != nil && !out[m.id]; m = f.catalog.get(m.parent) {
			out[m.id] = true
		}
	}
	return out
}

// Return enters the epoch of a commit of the own index with the secret that a ticket returned, and derives what tickets told below
// it. Key is that of its maker, who was verified. It returns ErrUnknown without the parent, and an error if the commit is false or
// the secret does not fit, which says nothing of the commit.
func (f Forest) Return(x proto.Returned, key suite.PublicKey, own Shares, now Millis) (Forest, Change, error) {
	parent, ok := f.Epoch(x.Parent)
	root, known := f.Root(parent.rootID())
	if !ok || !known {
		return f, Change{}, ErrUnknown
	}
	core := x.Shown.Commit.Core
	place := core.Place(f.space, parent.id, parent.generation+1)
	public, err := root.Public.PublicShare(core.Maker)
	if err != nil || f.contradicted(parent, x.Shown, place) || core.VerifyProof(f.space, parent.id, public) != nil {
		return f, Change{}, ErrFalse
	}
	c, err := f.deriveWith(parent, x.Shown, place, key, x.Secret)
	if err != nil {
		return f, Change{}, err
	}
	change := Change{}
	next, err := f.enter(c, now, &change)
	if err != nil {
		return f, Change{}, err
	}
	next = next.deriveBelow([]proto.EpochID{c.parent, c.id}, own, now, &change)
	next, change = next.evict(maxEpochs, change, now)
	return next, change, nil
}

// MayReturn reports whether an epoch that tickets told is, or lies below, one that a commit of the own index made: what its words
// lack, a ticket that returns that commit brings (D120).
func (f Forest) MayReturn(id proto.EpochID) bool {
	for m := f.catalog.get(id); m != nil && !m.isRoot(); m = f.catalog.get(m.parent) {
		if e, ok := f.Epoch(m.id); !ok || e.derived {
			return false
		}
		if m.maker.Index == f.own {
			return true
		}
	}
	return false
}

// rootID is the root of an epoch, zero of none.
func (e Epoch) rootID() (id proto.EpochID) {
	if e.meta != nil {
		id = e.root
	}
	return id
}

// pass notes that a maker was read, or committed, below an epoch that it made: the nearest one at or above from. Those above that one
// were noted when it was entered. At is the number of the epoch with which that came.
func (f Forest) pass(from proto.EpochID, at uint64, by func(Maker) bool) Forest {
	for m := f.catalog.get(from); m != nil; m = f.catalog.get(m.parent) {
		if m.isRoot() || !by(m.maker) {
			continue
		}
		if e, _ := f.Epoch(m.id); e.passed == 0 {
			e.passed = at
			f = f.put(e)
		}
		break
	}
	return f
}
