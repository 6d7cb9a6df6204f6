package epochs

import (
	"bytes"
	"cmp"
	"slices"
	"sort"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// catalog finds epochs. It follows from the epochs held, is shared by forests that hold the same, and never changed. Each list holds
// all of them, so that a commit copies lists of pointers and looks at few epochs, however many are held. The zero catalog is empty.
type catalog struct {
	ids      []*meta // by id
	families []*meta // by parent, held or not; siblings in the order of entering
	makers   []*meta // by index of the maker; those of one index in the order of entering
	order    []*meta // by root; those of a root in the order of §5
}

func compareIDs(a, b proto.EpochID) int { return bytes.Compare(a[:], b[:]) }

func byID(a, b *meta) int { return compareIDs(a.id, b.id) }

func byParent(a, b *meta) int {
	return cmp.Or(compareIDs(a.parent, b.parent), cmp.Compare(a.serial, b.serial))
}

func byMaker(a, b *meta) int {
	return cmp.Or(cmp.Compare(a.maker.Index, b.maker.Index), cmp.Compare(a.serial, b.serial))
}

func byOrder(a, b *meta) int {
	return cmp.Or(compareIDs(a.root, b.root), cmp.Compare(b.generation, a.generation), compareIDs(a.id, b.id))
}

// with returns the catalog with an epoch that was not held.
func (c catalog) with(m *meta) catalog {
	return catalog{inserted(c.ids, m, byID), inserted(c.families, m, byParent), inserted(c.makers, m, byMaker), inserted(c.order, m, byOrder)}
}

// without returns the catalog without an epoch held.
func (c catalog) without(m *meta) catalog {
	return catalog{deleted(c.ids, m, byID), deleted(c.families, m, byParent), deleted(c.makers, m, byMaker), deleted(c.order, m, byOrder)}
}

// inserted returns a list with an epoch, and deleted one without it.
func inserted(list []*meta, m *meta, compare func(a, b *meta) int) []*meta {
	at, _ := slices.BinarySearchFunc(list, m, compare)
	return slices.Insert(slices.Clip(list), at, m)
}

func deleted(list []*meta, m *meta, compare func(a, b *meta) int) []*meta {
	at, _ := slices.BinarySearchFunc(list, m, compare)
	return slices.Concat(list[:at], list[at+1:])
}

// sorted returns the catalog of some epochs.
func sorted(all []*meta) (c catalog) {
	c = catalog{all, slices.Clone(all), slices.Clone(all), slices.Clone(all)}
	slices.SortFunc(c.ids, byID)
	slices.SortFunc(c.families, byParent)
	slices.SortFunc(c.makers, byMaker)
	slices.SortFunc(c.order, byOrder)
	return c
}

// get returns what is fixed of an epoch held, nil of another one.
func (c catalog) get(id proto.EpochID) *meta {
	at, ok := slices.BinarySearchFunc(c.ids, id, func(m *meta, id proto.EpochID) int { return compareIDs(m.id, id) })
	if !ok {
		return nil
	}
	return c.ids[at]
}

// children returns the epochs held that were made from one, held or not.
func (c catalog) children(parent proto.EpochID) []*meta {
	if parent.IsZero() {
		return nil
	}
	return run(c.families, func(m *meta) int { return compareIDs(m.parent, parent) })
}

// madeBy returns the epochs held that an index made.
func (c catalog) madeBy(i dkg.Index) []*meta {
	return run(c.makers, func(m *meta) int { return cmp.Compare(m.maker.Index, i) })
}

// of returns the epochs held of a root, in the order of §5.
func (c catalog) of(root proto.EpochID) []*meta {
	return run(c.order, func(m *meta) int { return compareIDs(m.root, root) })
}

// run returns the part of a list for which a comparison gives 0.
func run(list []*meta, compare func(*meta) int) []*meta {
	from := sort.Search(len(list), func(k int) bool { return compare(list[k]) >= 0 })
	list = list[from:]
	return list[:sort.Search(len(list), func(k int) bool { return compare(list[k]) > 0 })]
}
