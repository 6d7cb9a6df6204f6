package ratchet

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// maxBehind is how far behind the preferred epoch one may be and still be kept, committed from and handed on (§5).
const maxBehind = 4

// compare orders epochs: the preferred one is the smallest. Members that hold the same epochs choose alike, whatever the
// order in which they came.
func (s State) compare(a, b *epochMeta) int {
	ra, _ := s.root(a.root)
	rb, _ := s.root(b.root)
	if c := compareRoots(ra, rb); c != 0 {
		return c
	}
	if c := cmp.Compare(b.generation, a.generation); c != 0 {
		return c
	}
	return bytes.Compare(a.id[:], b.id[:])
}

// compareRoots orders roots: greatest rekey generation first, then smallest id.
func compareRoots(a, b root) int {
	if c := cmp.Compare(b.rekey, a.rekey); c != 0 {
		return c
	}
	return bytes.Compare(a.id[:], b.id[:])
}

// eligible reports whether an epoch may be preferred: no ticket quarantined it, something is left of its commit tree, and its
// root was made by an owner.
func (s State) eligible(e epoch) bool {
	r, ok := s.root(e.root)
	return ok && !r.untrusted && !e.quarantined && !e.commits.IsZero()
}

// findPreferred returns the preferred epoch among all that are held, the zero id if none may be preferred.
func (s State) findPreferred() proto.EpochID {
	var best epoch
	for r := range s.epochs.All() {
		if e := r.epoch(); s.eligible(e) && (best.epochMeta == nil || s.compare(e.epochMeta, best.epochMeta) < 0) {
			best = e
		}
	}
	if best.epochMeta == nil {
		return proto.EpochID{}
	}
	return best.id
}

// sorted returns all epochs held in their order.
func (s State) sorted() []epoch {
	var out []epoch
	for r := range s.epochs.All() {
		out = append(out, r.epoch())
	}
	slices.SortFunc(out, func(a, b epoch) int { return s.compare(a.epochMeta, b.epochMeta) })
	return out
}

// path returns the ids of the epochs after from down to to, oldest first; ok is false if from is no ancestor of to, as far
// as epochs are held, or not to itself.
func (s State) path(from, to proto.EpochID) (ids []proto.EpochID, ok bool) {
	for id := to; id != from; {
		e, ok := s.epoch(id)
		if !ok || e.isRoot() {
			return nil, false
		}
		ids = append(ids, id)
		id = e.parent
	}
	slices.Reverse(ids)
	return ids, true
}

// commonAncestor returns the nearest epoch above both, which may be one of them; ok is false if none is held or they are
// of different roots.
func (s State) commonAncestor(a, b proto.EpochID) (id proto.EpochID, ok bool) {
	x, okx := s.epoch(a)
	y, oky := s.epoch(b)
	for okx && oky && x.root == y.root {
		switch {
		case x.id == y.id:
			return x.id, true
		case x.generation >= y.generation:
			if x.isRoot() {
				return proto.EpochID{}, false
			}
			x, okx = s.epoch(x.parent)
		default:
			y, oky = s.epoch(y.parent)
		}
	}
	return proto.EpochID{}, false
}

// nearest returns the nearest n ancestors of an epoch that are held without a gap, nearest first.
func (s State) nearest(e epoch, n int) (out []epoch) {
	for range n {
		if e.isRoot() {
			break
		}
		parent, ok := s.epoch(e.parent)
		if !ok {
			break
		}
		out = append(out, parent)
		e = parent
	}
	return out
}

// greatest returns the greatest generation held of each root.
func (s State) greatest() map[proto.EpochID]uint64 {
	out := make(map[proto.EpochID]uint64)
	for r := range s.epochs.All() {
		e := r.epoch()
		out[e.root] = max(out[e.root], e.generation)
	}
	return out
}

// behindBy returns how far an epoch is behind the preferred one (§5); greatest is what greatest returns.
func (s State) behindBy(e epoch, greatest map[proto.EpochID]uint64) uint64 {
	p, ok := s.epoch(s.preferred)
	if !ok {
		return 0
	}
	if e.root == p.root {
		return p.generation - min(p.generation, e.generation)
	}
	return greatest[e.root] - e.generation + p.generation
}
