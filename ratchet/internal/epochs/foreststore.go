package epochs

import (
	"fmt"
	"iter"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/state"
)

// Epochs are stored in blocks of 8 and groups of 128 that entered one after the other, so that a message writes the list of
// one block and one group, whatever is held.
const (
	epochBlockBits = 3
	epochGroupBits = 7
)

func groupOf(serial uint64) uint32 { return uint32(serial >> epochGroupBits) }

// epochGroup is a list of blocks of epochs.
type epochGroup struct {
	no   uint32
	rows segmap.Map[epochRow]
}

// epochRow is an epoch in a block.
type epochRow struct {
	serial uint64
	record state.Segment[Epoch]
}

func (g epochGroup) Key() segmap.Key { return segmap.Key{Block: g.no} }

func (r epochRow) Key() (k segmap.Key) {
	k.Block = uint32(r.serial >> epochBlockBits)
	for i := range 8 {
		k.Place[i] = byte(r.serial >> (56 - 8*i))
	}
	return k
}

// backward returns the rows of a map in descending order.
func backward[V segmap.Row[V]](m segmap.Map[V]) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, v := range slices.Backward(slices.Collect(m.All())) {
			if !yield(v) {
				return
			}
		}
	}
}

// Encode implements state.Piece.
func (g epochGroup) Encode(e *state.Encoder) {
	e.Uint32(g.no)
	g.rows.Encode(e, "e")
}

// Decode implements state.Piece.
func (epochGroup) Decode(d *state.Decoder) (g epochGroup, err error) {
	g.no = d.Uint32()
	if g.rows, err = segmap.Decode[epochRow](d, "e"); err != nil {
		return epochGroup{}, err
	}
	for r := range g.rows.All() {
		if groupOf(r.serial) != g.no {
			return epochGroup{}, segmap.ErrDisorder
		}
	}
	return g, nil
}

func (r epochRow) name() string { return fmt.Sprintf("%x", r.serial) }

// Encode implements state.Piece.
func (r epochRow) Encode(e *state.Encoder) {
	e.Uint64(r.serial)
	r.record.Encode(e, r.name())
}

// Decode implements state.Piece.
func (epochRow) Decode(d *state.Decoder) (r epochRow, err error) {
	r.serial = d.Uint64()
	if r.record, err = state.DecodeSegment[Epoch](d, r.name()); err == nil && r.record.Value().serial != r.serial {
		err = segmap.ErrDisorder
	}
	return r, err
}

// Encode writes the forest as a field of a part, with segments. A table has a level of blocks, and one of shelves as soon as its rows
// have numbers of several, however great they are; a table whose rows are of one group of another one never comes to that. So segments
// lie at most 10 above one another: two of groups of epochs, a block, an epoch; two of groups of chains, a block of leaves; two of groups
// of kept keys, a block of keys.
func (f Forest) Encode(e *state.Encoder) {
	e.Uint64(f.serial)
	state.NewSegment(f.fixed).Encode(e, "forest") // small, and written only if it says something new
	f.groups.Encode(e, "g")
}

// DecodeForest reads what Encode wrote.
func DecodeForest(d *state.Decoder) (f Forest, err error) {
	f.serial = d.Uint64()
	head, err := state.DecodeSegment[fixed](d, "forest")
	if err != nil {
		return Forest{}, err
	}
	f.fixed = head.Value()
	if f.groups, err = segmap.Decode[epochGroup](d, "g"); err != nil {
		return Forest{}, err
	}
	var all []*meta
	for g := range f.groups.All() {
		for r := range g.rows.All() {
			m := r.record.Value().meta
			f = f.lists(r.record.Value())
			root, known := f.Root(m.root)
			if m.serial > f.serial || !known || root.Depth != m.depth {
				return Forest{}, segmap.ErrDisorder
			}
			all = append(all, m)
		}
	}
	f.catalog = sorted(all)
	for k, m := range f.catalog.ids {
		if k > 0 && f.catalog.ids[k-1].id == m.id {
			return Forest{}, segmap.ErrDisorder
		}
	}
	f.preferred = f.first()
	return f, nil
}

// Encode implements state.Piece.
func (s fixed) Encode(e *state.Encoder) {
	e.Fixed(s.space[:])
	e.Uint32(uint32(s.own))
	e.Uint32(uint32(len(s.roots)))
	for _, r := range s.roots {
		e.Fixed(r.ID[:])
		e.Uint64(r.Generation)
		e.Uint8(r.Rank)
		e.Bool(r.Barred)
		e.Uint8(uint8(r.Depth))
		e.Fixed(r.Public.Bytes())
	}
	e.Fixed(s.denied.epoch[:])
	writeIndices(e, s.denied.issuers)
	e.Uint64(s.lowest)
	s.gone.encode(e)
}

// maxRoots bounds the roots of epochs held: as many as there are epochs.
const maxRoots = maxEpochs

// Decode implements state.Piece.
func (fixed) Decode(d *state.Decoder) (s fixed, err error) {
	d.Into(s.space[:])
	s.own = dkg.Index(d.Uint32())
	for range d.Count(maxRoots, 1) {
		var r Root
		d.Into(r.ID[:])
		r.Generation = d.Uint64()
		r.Rank = d.Uint8()
		r.Barred = d.Bool()
		r.Depth = int(d.Uint8())
		if r.Public, err = dkg.ParseCommitment(d.Fixed(dkg.CommitmentSize)); err != nil {
			return fixed{}, err
		}
		if r.Depth < pprfMinDepth || r.Depth > dkg.MaxDepth || len(s.roots) > 0 && compareRoot(s.roots[len(s.roots)-1], r.ID) >= 0 {
			return fixed{}, segmap.ErrDisorder
		}
		s.roots = append(s.roots, r)
	}
	d.Into(s.denied.epoch[:])
	if s.denied.issuers, err = readIndices(d); err != nil {
		return fixed{}, err
	}
	s.lowest = d.Uint64()
	s.gone, err = decodeGone(d)
	return s, err
}
