package epochs

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// near is how far behind the preferred epoch nothing is cut down, given up or dropped.
const near = 4

// Position is where an epoch stands in the order of §5, whether it is held or not.
type Position struct {
	Root       proto.EpochID
	Generation uint64
	ID         proto.EpochID
}

// Position returns where the epoch stands in the order.
func (e Epoch) Position() Position { return e.position() }

func (m *meta) position() Position { return Position{m.root, m.generation, m.id} }

// Before reports whether a position comes before another one. Every known root comes before those that are not known.
func (f Forest) Before(a, b Position) bool { return f.compare(a, b) < 0 }

func (f Forest) compare(a, b Position) int {
	if a.Root != b.Root {
		ra, okA := f.Root(a.Root)
		rb, okB := f.Root(b.Root)
		switch {
		case okA != okB && okA:
			return -1
		case okA != okB:
			return 1
		}
		return cmp.Or(
			cmp.Compare(rb.Generation, ra.Generation),
			cmp.Compare(ra.Rank, rb.Rank),
			bytes.Compare(a.Root[:], b.Root[:]),
		)
	}
	return cmp.Or(cmp.Compare(b.Generation, a.Generation), bytes.Compare(a.ID[:], b.ID[:]))
}

// first returns the epoch to be preferred, zero if there is none.
func (f Forest) first() proto.EpochID {
	var best *meta
	aside := f.under(func(e Epoch) bool { return e.alone || e.misled })
	for _, root := range f.roots {
		for _, m := range f.catalog.of(root.ID) {
			if root.Barred || best != nil && !f.Before(m.position(), best.position()) {
				break
			}
			if e, _ := f.Epoch(m.id); !e.cut && e.hasPlaces() && !aside[m.id] {
				best = m
				break
			}
		}
	}
	if best == nil {
		return proto.EpochID{}
	}
	return best.id
}

// under returns the epochs held that are alone or misled, and such as is asked for, and what is held below them in their roots. Each is looked at
// once.
func (f Forest) under(such func(Epoch) bool) map[proto.EpochID]bool {
	out := map[proto.EpochID]bool{}
	var below []proto.EpochID
	for _, id := range f.aside {
		if e, _ := f.Epoch(id); such(e) {
			below = append(below, id)
		}
	}
	for ; len(below) > 0; below = below[1:] {
		if id := below[0]; !out[id] {
			out[id] = true
			below = append(below, f.sameRoot(id)...)
		}
	}
	return out
}

// sameRoot returns the children held of an epoch without the roots that rekeys made from it. A mark stops there: who does not hold what was
// marked goes to such a root, by a ticket, so that all others have to (D207).
func (f Forest) sameRoot(id proto.EpochID) (out []proto.EpochID) {
	for _, m := range f.catalog.children(id) {
		if !m.isRoot() {
			out = append(out, m.id)
		}
	}
	return out
}

// marks reports whether an epoch or one above it in its root is alone, and whether one is misled.
func (f Forest) marks(m *meta) (alone, misled bool) {
	for ; len(f.aside) > 0 && m != nil; m = f.catalog.get(m.parent) {
		if slices.Contains(f.aside, m.id) {
			e, _ := f.Epoch(m.id)
			alone, misled = alone || e.alone, misled || e.misled
		}
		if m.isRoot() {
			break
		}
	}
	return alone, misled
}

// Behind returns how far an epoch held is behind the preferred one, in generations of commits and of rekeys (§5).
func (f Forest) Behind(e Epoch) uint64 { return f.behind()(e.meta) }

// behind returns Behind for many epochs.
func (f Forest) behind() func(*meta) uint64 {
	p := f.catalog.get(f.preferred)
	if p == nil {
		return func(*meta) uint64 { return 0 }
	}
	now, _ := f.Root(p.root)
	return func(e *meta) uint64 {
		if e.root == p.root {
			return max(p.generation, e.generation) - min(p.generation, e.generation)
		}
		root, _ := f.Root(e.root)
		return f.catalog.of(e.root)[0].generation - e.generation + p.generation + max(now.Generation, root.Generation) - min(now.Generation, root.Generation)
	}
}

// IsBelow reports whether an epoch is another one that is held, or lies below it.
func (f Forest) IsBelow(id, above proto.EpochID) bool {
	e, ok := f.Epoch(above)
	return ok && f.isAbove(e, id)
}

// isAbove reports whether an epoch is an ancestor of another one, or the same.
func (f Forest) isAbove(above Epoch, id proto.EpochID) bool {
	for m := f.catalog.get(id); m != nil; m = f.catalog.get(m.parent) {
		if m.id == above.id {
			return true
		}
		if m.root == above.root && m.generation <= above.generation {
			break
		}
	}
	return false
}

// settle returns the forest with the epoch that is preferred now, and the change with what that means.
func (f Forest) settle(change Change, now Millis) (Forest, Change) {
	next := f.first()
	if next == f.preferred {
		return f.withoutExporters(), change // one of an old branch may have been entered
	}
	old, held := f.Preferred()
	f.preferred = next
	if e, ok := f.Epoch(f.denied.epoch); !ok || !f.isAbove(e, next) {
		f.denied = denial{}
	}
	if held {
		old.stamp = now
		f = f.put(old)
		if !f.isAbove(old, next) {
			change.Replaced = old.id
		}
	}
	return f.withoutExporters(), change
}

// withoutExporters returns the forest without the exporter secrets of epochs that are more than 4 behind.
func (f Forest) withoutExporters() Forest {
	behind := f.behind()
	for _, id := range f.exporters {
		if behind(f.catalog.get(id)) > near {
			e, _ := f.Epoch(id)
			e.exporter = secret.Bytes{}
			f = f.put(e)
		}
	}
	return f
}
