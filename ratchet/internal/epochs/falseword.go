package epochs

import (
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// byWord reports whether a word of the parent gave the epoch. That it is the true one nothing has shown (D19), or that it is false: of its place in
// the tree only that value is used up, also if the parent goes and comes back by the word (D88).
func (e Epoch) byWord() bool { return e.seed != [32]byte{} }

// judge tells the children of an epoch, whose true tree is known now, that a false word gave from the others. Nobody with the true tree
// will ever derive them, so that they give way: they are misled, contradict nothing and use up no place (D18, D87, D205). What was sent
// in or below them is read by nobody with the true tree.
func (f Forest) judge(truth Epoch, change *Change) Forest {
	fits := func(path []byte, seed [32]byte) bool {
		v, err := truth.commits.tree.Value(path)
		return err == nil && pprf.SeedHash(path, v) == seed
	}
	var wrong []proto.EpochID
	for _, m := range f.catalog.children(truth.id) {
		child, _ := f.Epoch(m.id)
		switch {
		case !child.byWord():
		case fits(truth.path(m.maker.Index, m.place), child.seed):
			child.alone, child.misled, child.seed = false, false, [32]byte{}
			f = f.put(child)
		case !child.misled:
			wrong = append(wrong, m.id)
		}
	}
	for g := range f.gone.all {
		if g.parent == truth.id && g.seed != [32]byte{} && !fits(pprf.Path(g.maker, truth.depth, g.place[:]), g.seed) {
			wrong = append(wrong, g.id)
		}
	}
	return f.mislead(wrong, change)
}

// mislead marks epochs that a false word gave. Of what lies below them, each that has lost its parent is marked by itself: what is dropped
// passes on only what it has. What was dropped is marked, too, so that it comes back misled.
func (f Forest) mislead(all []proto.EpochID, change *Change) Forest {
	if len(all) == 0 {
		return f
	}
	lost := map[proto.EpochID][]proto.EpochID{}
	for g := range f.gone.all {
		if g.maker != rekeyIndex {
			lost[g.parent] = append(lost[g.parent], g.id)
		}
	}
	given, seen := map[proto.EpochID]bool{}, map[proto.EpochID]bool{}
	for _, id := range all {
		given[id] = true
	}
	for below := slices.Clone(all); len(below) > 0; below = below[1:] {
		at := below[0]
		if seen[at] {
			continue
		}
		seen[at] = true
		if e, held := f.Epoch(at); held {
			if given[at] || !f.Has(e.parent) {
				e.misled = true
				f = f.put(e)
			}
			if sent := e.sentBy(f.own); sent > 0 {
				change.Unread = append(change.Unread, MessageRange{at, 0, sent})
			}
		}
		below = append(below, f.sameRoot(at)...)
		below = append(below, lost[at]...)
	}
	f.gone = f.gone.mislead(seen)
	return f
}

// misled returns the epochs held that are misled, and what is held below them. They are told to nobody (D87).
func (f Forest) misled() map[proto.EpochID]bool {
	return f.under(func(e Epoch) bool { return e.misled })
}
