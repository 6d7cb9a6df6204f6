package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// line is a way that the next messages are to carry because others lack it (§7, Catching up): the commits from behind one
// epoch held down to another.
type line struct {
	from proto.EpochID // an ancestor of to; not carried itself
	to   proto.EpochID
	left uint8 // messages that are still to carry it
}

// lines are the ways that wait, the oldest first.
type lines struct{ list []line }

const (
	// maxLines is how many ways wait; the oldest goes first. Others carry it, too.
	maxLines = 16
	// replacedTimes is in how many messages the way to a branch is carried that gave way to another one.
	replacedTimes = 3
)

// Encode implements state.Piece.
func (l lines) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(l.list)))
	for _, x := range l.list {
		e.Fixed(x.from[:])
		e.Fixed(x.to[:])
		e.Uint8(x.left)
	}
}

// Decode implements state.Piece.
func (lines) Decode(d *state.Decoder) (l lines, err error) {
	for range d.Count(maxLines, 65) {
		var x line
		d.Into(x.from[:])
		d.Into(x.to[:])
		x.left = d.Uint8()
		l.list = append(l.list, x)
	}
	return l, d.Err()
}

// replaced returns the lines with the way to an epoch that was preferred and gave way to one that is not below it.
func (l lines) replaced(f epochs.Forest, old proto.EpochID) lines {
	p, ok := f.Preferred()
	if !ok {
		return l
	}
	from, ok := commonAncestor(f, old, p.ID())
	if !ok || from == old {
		return l
	}
	return l.with(line{from, old, replacedTimes})
}

// lacking returns the lines with the way down to the preferred epoch that the sender of a message in an epoch lacks (§7,
// Catching up).
func (l lines) lacking(f epochs.Forest, in proto.EpochID) (lines, bool) {
	p, ok := f.Preferred()
	if !ok || p.ID() == in {
		return l, false
	}
	from, ok := commonAncestor(f, in, p.ID())
	if !ok || from == p.ID() {
		return l, false
	}
	if e, held := f.Epoch(from); !held || e.Root() != p.Root() {
		return l, false // ways end at a root: the rekey itself brings its sender here
	} else if p.Generation()-e.Generation() < 2 && from == in {
		return l, false
	}
	return l.with(line{from, p.ID(), 1}), true
}

// with returns the lines with one more. One with the same ends is carried as often as either asks for.
func (l lines) with(x line) lines {
	list := slices.Clone(l.list)
	for i, old := range list {
		if old.from == x.from && old.to == x.to {
			list[i].left = max(old.left, x.left)
			return lines{list}
		}
	}
	list = append(list, x)
	return lines{list[max(0, len(list)-maxLines):]}
}

// carried returns the lines without those that wait for one message, and of which that message carried the first commit.
func (l lines) carried(f epochs.Forest, space state.ID, y proto.Ways) lines {
	return l.without(func(x line) bool {
		from, ok := f.Epoch(x.from)
		first := firstBelow(f, x)
		if x.left > 1 || !ok {
			return false
		}
		for _, w := range append([]proto.Way{y.Own}, y.Others...) {
			for _, s := range w {
				if p, err := from.OpenCommit(space, s); err == nil && from.Child(space, p.Commit) == first {
					return true
				}
			}
		}
		return false
	})
}

// sent returns the lines after a message carried some of them.
func (l lines) sent(some []line) lines {
	list := slices.Clone(l.list)
	for i := range list {
		if slices.Contains(some, list[i]) {
			list[i].left--
		}
	}
	return lines{list}.without(func(x line) bool { return x.left == 0 })
}

// begun returns the lines after a message carried the first commits of some: the next ones go on with what is left of them.
func (l lines) begun(f epochs.Forest, some map[line]int) lines {
	list := slices.Clone(l.list)
	for i, x := range list {
		n, ok := some[x]
		if !ok {
			continue
		}
		var below []proto.EpochID // nearest to the end first
		for e := range f.Line(x.to) {
			if e.ID() == x.from {
				break
			}
			below = append(below, e.ID())
		}
		if n < len(below) {
			list[i].from = below[len(below)-n]
		}
	}
	return lines{list}
}

func (l lines) without(gone func(line) bool) lines {
	return lines{slices.DeleteFunc(slices.Clone(l.list), gone)}
}

// firstBelow returns the epoch that the first commit of a line makes.
func firstBelow(f epochs.Forest, x line) (id proto.EpochID) {
	for e := range f.Line(x.to) {
		if e.ID() == x.from {
			return id
		}
		id = e.ID()
	}
	return id
}

// commonAncestor returns the nearest epoch held that is both epochs, or above both.
func commonAncestor(f epochs.Forest, a, b proto.EpochID) (proto.EpochID, bool) {
	x, ok := f.Epoch(a)
	y, held := f.Epoch(b)
	for ok && held && x.ID() != y.ID() {
		switch {
		case x.Root() == y.Root() && x.Generation() > y.Generation():
			x, ok = f.Epoch(x.Parent())
		case x.Root() == y.Root() && x.Generation() < y.Generation():
			y, held = f.Epoch(y.Parent())
		case rekeyOf(f, x) > rekeyOf(f, y):
			x, ok = f.Epoch(x.Parent())
		case rekeyOf(f, x) < rekeyOf(f, y):
			y, held = f.Epoch(y.Parent())
		default:
			x, ok = f.Epoch(x.Parent())
			if ok {
				y, held = f.Epoch(y.Parent())
			}
		}
	}
	if !ok || !held {
		return proto.EpochID{}, false
	}
	return x.ID(), true
}

// rekeyOf returns the rekey generation of the root of an epoch.
func rekeyOf(f epochs.Forest, e epochs.Epoch) uint64 {
	r, _ := f.Root(e.Root())
	return r.Generation
}

// commits returns the sealed commits of the line from behind one epoch held to another one, parents first; nothing if there is a
// gap. If from is zero, at most n of them, those nearest to the end.
func commits(f epochs.Forest, space state.ID, from, to proto.EpochID, n int) (w proto.Way) {
	for e := range f.Line(to) {
		if e.ID() == from || from.IsZero() && len(w) == n {
			break
		}
		p, ok := e.Commit()
		parent, held := f.Epoch(e.Parent())
		if !ok || !held {
			if from.IsZero() {
				break
			}
			return nil
		}
		w = append(w, parent.SealCommit(space, p))
	}
	slices.Reverse(w)
	return w
}
