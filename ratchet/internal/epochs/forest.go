package epochs

import (
	"iter"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Forest is the epochs that one member holds of a space. It is an immutable value. The zero Forest is none.
type Forest struct {
	fixed
	groups  segmap.Map[epochGroup]
	serial  uint64 // of the epoch entered last
	catalog catalog

	// What follows from the epochs, and is not stored.
	preferred proto.EpochID   // zero if there is none
	exporters []proto.EpochID // whose exporter secret is held
	aside     []proto.EpochID // that are alone or misled
	told      []proto.EpochID // that are not derived
}

// fixed is what of a forest does not change with a message.
type fixed struct {
	space  state.ID
	own    dkg.Index
	roots  []Root // ascending by id
	gone   gone
	denied denial
	lowest uint64 // the lowest generation that a ticket preferred, while joining (D21)
}

// Change is what an operation on a Forest did, parents first.
type Change struct {
	Entered  []proto.EpochID // derived or told now, or told without their header keys before: these may open orphans
	Derived  []proto.EpochID // told before, derived now
	Changed  []proto.EpochID // told before, told more of now
	Dropped  []proto.EpochID // gone, with what was known through them
	GivenUp  int             // how many of these because of the bound of epochs held
	Replaced proto.EpochID   // preferred before and not above the preferred one now; else zero
	Alone    bool            // two others do not hold what was preferred (D56)
	Twins    []Maker         // made two commits from one parent
	Unread   []MessageRange  // own numbers that nobody can read any more
}

// MessageRange is own messages from First up to and without End in an epoch.
type MessageRange struct {
	Epoch      proto.EpochID
	First, End uint32
}

// denial is what others said of what is preferred below an epoch that was only told: that they do not hold it.
type denial struct {
	epoch   proto.EpochID
	issuers []dkg.Index // ascending
}

// Shares gives the member's share of a root. It is not ok for a root that is not held.
type Shares func(root proto.EpochID) (dkg.Share, bool)

// New returns an empty forest of a member of a space.
func New(space state.ID, own dkg.Index) Forest {
	return Forest{fixed: fixed{space: space, own: own}}
}

// WithRoot returns the forest with a root, or with what is known of it now.
func (f Forest) WithRoot(r Root, now Millis) (Forest, Change) {
	at, found := slices.BinarySearchFunc(f.roots, r.ID, compareRoot)
	f.roots = slices.Clone(f.roots)
	if found {
		f.roots[at] = r
	} else {
		f.roots = slices.Insert(f.roots, at, r)
	}
	return f.settle(Change{}, now)
}

// Root returns what is known of a root.
func (f Forest) Root(id proto.EpochID) (Root, bool) {
	at, found := slices.BinarySearchFunc(f.roots, id, compareRoot)
	if !found {
		return Root{}, false
	}
	return f.roots[at], true
}

func compareRoot(r Root, id proto.EpochID) int { return slices.Compare(r.ID[:], id[:]) }

// Found returns the forest with the genesis of a space, or with the epoch of a rekey whose keys the member has. Its parent is
// zero, or the epoch of the rekey; the place there is punctured by the caller of a rekey.
func (f Forest) Found(r Root, parent proto.EpochID, place proto.Place, check proto.Check, k proto.EpochKeys, now Millis) (Forest, Change) {
	f, change := f.WithRoot(r, now)
	e := newEpoch(meta{
		id: r.ID, parent: parent, root: r.ID, depth: r.Depth, place: place, check: check, entered: now,
	}, k)
	f = f.add(e, now, &change)
	return f.settle(change, now)
}

// Epoch returns an epoch held.
func (f Forest) Epoch(id proto.EpochID) (Epoch, bool) {
	m := f.catalog.get(id)
	if m == nil {
		return Epoch{}, false
	}
	g, _ := f.groups.Get(segmap.Key{Block: groupOf(m.serial)})
	row, _ := g.rows.Get(epochRow{serial: m.serial}.Key())
	return row.record.Value(), true
}

// Has reports whether an epoch is held, Size how many are.
func (f Forest) Has(id proto.EpochID) bool { return f.catalog.get(id) != nil }
func (f Forest) Size() int                 { return len(f.catalog.ids) }

// Entered returns how many epochs were entered so far.
func (f Forest) Entered() uint64 { return f.serial }

// Preferred returns the first epoch in the order of §5 that may be preferred.
func (f Forest) Preferred() (Epoch, bool) { return f.Epoch(f.preferred) }

// All returns the epochs held, the newest first.
func (f Forest) All() iter.Seq[Epoch] {
	return func(yield func(Epoch) bool) {
		for g := range backward(f.groups) {
			for row := range backward(g.rows) {
				if !yield(row.record.Value()) {
					return
				}
			}
		}
	}
}

// Children returns the epochs held that were made from one, held or not.
func (f Forest) Children(parent proto.EpochID) (out []proto.EpochID) {
	for _, m := range f.catalog.children(parent) {
		out = append(out, m.id)
	}
	return out
}

// Line returns an epoch held and its ancestors held, nearest first.
func (f Forest) Line(id proto.EpochID) iter.Seq[Epoch] {
	return func(yield func(Epoch) bool) {
		for e, ok := f.Epoch(id); ok && yield(e); e, ok = f.Epoch(e.parent) {
		}
	}
}

// put returns the forest with another value of an epoch held.
func (f Forest) put(e Epoch) Forest {
	g, _ := f.groups.Get(segmap.Key{Block: groupOf(e.serial)})
	g.no = groupOf(e.serial)
	g.rows = g.rows.Put(epochRow{e.serial, state.NewSegment(e)})
	f.groups = f.groups.Put(g)
	return f.lists(e)
}

// lists returns the forest that lists an epoch held by what it has.
func (f Forest) lists(e Epoch) Forest {
	f.exporters = listed(f.exporters, e.id, !e.exporter.IsZero())
	f.aside = listed(f.aside, e.id, e.alone || e.misled)
	f.told = listed(f.told, e.id, !e.derived)
	return f
}

// listed returns a list with an id, or without it.
func listed(list []proto.EpochID, id proto.EpochID, in bool) []proto.EpochID {
	at := slices.Index(list, id)
	switch {
	case in && at < 0:
		return append(slices.Clip(list), id)
	case !in && at >= 0:
		return slices.Delete(slices.Clone(list), at, at+1)
	}
	return list
}

// add returns the forest with an epoch that was not held.
func (f Forest) add(e Epoch, now Millis, change *Change) Forest {
	f.serial++
	m := *e.meta
	m.serial, m.entered = f.serial, now
	e.meta = &m
	e.stamp = now
	for _, m := range f.catalog.children(e.id) { // entered before their parent
		child, _ := f.Epoch(m.id)
		for _, i := range child.heard {
			e, _ = e.hear(i, f.own)
		}
		e.confirmed = e.confirmed || child.confirmed
	}
	f.catalog = f.catalog.with(e.meta)
	change.Entered = append(change.Entered, e.id)
	f = f.put(e.stow())
	for _, i := range e.heard {
		f = f.hear(e.parent, i)
	}
	return f
}

// remeta returns the forest with an epoch of which a key came to be known.
func (f Forest) remeta(e Epoch) Forest {
	f.catalog = f.catalog.without(f.catalog.get(e.id)).with(e.meta)
	return f.put(e.stow())
}

// drop returns the forest without an epoch held. If that or one above it was aside, what was made from it is so by itself from then on.
func (f Forest) drop(id proto.EpochID, why reason, change *Change) Forest {
	e, _ := f.Epoch(id)
	alone, misled := f.marks(e.meta)
	if alone || misled {
		for _, m := range f.catalog.children(e.id) {
			if child, _ := f.Epoch(m.id); !child.isRoot() {
				child.alone, child.misled = child.alone || alone, child.misled || misled
				f = f.put(child)
			}
		}
	}
	if e.onlyHeard(f.own) {
		if sent := e.sentBy(f.own); sent > 0 {
			change.Unread = append(change.Unread, MessageRange{e.id, 0, sent})
		}
	}
	g, _ := f.groups.Get(segmap.Key{Block: groupOf(e.serial)})
	g.rows = g.rows.Drop(epochRow{serial: e.serial}.Key())
	if g.rows.Size() == 0 {
		f.groups = f.groups.Drop(g.Key())
	} else {
		f.groups = f.groups.Put(g)
	}
	f.catalog = f.catalog.without(e.meta)
	f.exporters, f.aside, f.told = listed(f.exporters, e.id, false), listed(f.aside, e.id, false), listed(f.told, e.id, false)
	if why != unmentioned {
		f.gone = f.gone.with(goneEpoch{
			id: e.id, parent: e.parent, maker: e.maker.Index, place: [16]byte(e.place[:16]), seed: e.seed, used: e.derived,
			misled: misled, why: why,
		})
	}
	change.Dropped = append(change.Dropped, e.id)
	return f
}
