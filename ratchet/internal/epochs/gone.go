package epochs

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// maxGone is how many epochs that were dropped are remembered: twice what is held.
const maxGone = 4_096

// reason says why an epoch was dropped.
type reason uint8

const (
	unmentioned reason = 0 // a joiner should not have believed it (D21); it is not remembered
	aged        reason = 1 // it does not come back (D70)
	givenUp     reason = 2 // because of a bound: a ticket brings it back as one to follow, without keys of messages (D51)
)

// goneEpoch is what is remembered of an epoch that was dropped: its id, and what it used up in its parent's tree,
// which stays so.
type goneEpoch struct {
	id     proto.EpochID
	parent proto.EpochID
	maker  dkg.Index
	place  [16]byte
	seed   [32]byte // as of the epoch
	used   bool     // the epoch was derived: the place is used up, or with a seed that value of it
	misled bool     // as of the epoch, or one above it
	why    reason
}

// gone is the epochs dropped last.
type gone struct{ list state.Segment[goneList] }

// goneList holds them in blocks of 16, so that a drop writes one block and their list.
type goneList struct {
	blocks segmap.Map[goneBlock]
	count  uint64 // dropped so far
}

const goneBlockBits = 4

type goneBlock struct {
	no   uint32
	list []goneEpoch
}

func (b goneBlock) Key() segmap.Key { return segmap.Key{Block: b.no} }

// with returns the list with one more epoch.
func (g gone) with(e goneEpoch) gone {
	l := g.list.Value()
	no := uint32(l.count >> goneBlockBits)
	b, _ := l.blocks.Get(segmap.Key{Block: no})
	b.no = no
	b.list = append(slices.Clip(b.list), e)
	l.blocks = l.blocks.Put(b)
	if l.count++; l.count > maxGone && (l.count-maxGone)%(1<<goneBlockBits) == 0 { // the oldest block holds nothing of the last maxGone
		l.blocks = l.blocks.Drop(segmap.Key{Block: uint32((l.count-maxGone)>>goneBlockBits) - 1})
	}
	return gone{state.NewSegment(l)}
}

// all calls yield with each epoch that is remembered.
func (g gone) all(yield func(goneEpoch) bool) {
	for b := range g.list.Value().blocks.All() {
		for _, e := range b.list {
			if !yield(e) {
				return
			}
		}
	}
}

// find returns what is remembered of an epoch; of one that was dropped twice, what was so when it went last, and that it aged if it ever
// did.
func (g gone) find(id proto.EpochID) (found goneEpoch, ok bool) {
	for e := range g.all {
		if e.id == id {
			if found.why == aged {
				e.why = aged
			}
			found, ok = e, true
		}
	}
	return found, ok
}

// mislead returns the list in which some epochs are marked as misled.
func (g gone) mislead(such map[proto.EpochID]bool) gone {
	l, changed := g.list.Value(), false
	for b := range l.blocks.All() {
		list := slices.Clone(b.list)
		for k := range list {
			list[k].misled = list[k].misled || such[list[k].id]
		}
		if !slices.Equal(list, b.list) {
			b.list, changed = list, true
			l.blocks = l.blocks.Put(b)
		}
	}
	if !changed {
		return g
	}
	return gone{state.NewSegment(l)}
}

func (g gone) encode(e *state.Encoder) {
	e.Bool(!g.list.IsZero())
	if !g.list.IsZero() {
		g.list.Encode(e, "gone")
	}
}

func decodeGone(d *state.Decoder) (g gone, err error) {
	if d.Bool() {
		g.list, err = state.DecodeSegment[goneList](d, "gone")
	}
	return g, err
}

// Encode implements state.Piece.
func (l goneList) Encode(e *state.Encoder) {
	e.Uint64(l.count)
	l.blocks.Encode(e, "d")
}

// Decode implements state.Piece.
func (goneList) Decode(d *state.Decoder) (l goneList, err error) {
	l.count = d.Uint64()
	l.blocks, err = segmap.Decode[goneBlock](d, "d")
	return l, err
}

// Encode implements state.Piece.
func (b goneBlock) Encode(e *state.Encoder) {
	e.Uint32(b.no)
	e.Uint32(uint32(len(b.list)))
	for _, g := range b.list {
		e.Fixed(g.id[:])
		e.Fixed(g.parent[:])
		e.Uint32(uint32(g.maker))
		e.Fixed(g.place[:])
		e.Fixed(g.seed[:])
		e.Bool(g.used)
		e.Bool(g.misled)
		e.Uint8(uint8(g.why))
	}
}

// Decode implements state.Piece.
func (goneBlock) Decode(d *state.Decoder) (b goneBlock, err error) {
	b.no = d.Uint32()
	for range d.Count(1<<goneBlockBits, 119) {
		var g goneEpoch
		d.Into(g.id[:])
		d.Into(g.parent[:])
		g.maker = dkg.Index(d.Uint32())
		d.Into(g.place[:])
		d.Into(g.seed[:])
		g.used, g.misled = d.Bool(), d.Bool()
		if g.why = reason(d.Uint8()); g.why != aged && g.why != givenUp {
			return goneBlock{}, segmap.ErrDisorder
		}
		b.list = append(b.list, g)
	}
	return b, d.Err()
}
