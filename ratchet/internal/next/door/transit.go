package ratchet

import (
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/next/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/next/proto"
	"github.com/trefoil-im/trefoil/state"
)

// partSet is a set of parts that is not complete: which of its frames the vault keeps.
type partSet struct {
	id     [32]byte // of the name and the set
	name   proto.Name
	serial uint64 // order in which the sets of a name began
	frames []orphans.FrameName
}

// Key implements segmap.Row.
func (p partSet) Key() segmap.Key { return segmap.ByID(p.id) }

// Encode implements state.Piece.
func (p partSet) Encode(e *state.Encoder) {
	e.Fixed(p.id[:])
	e.Fixed(p.name[:])
	e.Uint64(p.serial)
	e.Uint32(uint32(len(p.frames)))
	for _, n := range p.frames {
		e.Fixed(n[:])
	}
}

// Decode implements state.Piece.
func (partSet) Decode(d *state.Decoder) (p partSet, err error) {
	d.Into(p.id[:])
	d.Into(p.name[:])
	p.serial = d.Uint64()
	for range d.Count(proto.MaxParts, 32) {
		var n orphans.FrameName
		d.Into(n[:])
		p.frames = append(p.frames, n)
	}
	return p, d.Err()
}

// repeats are the own tickets of the last 24 hours, to be posted again with the same bytes (D30), the oldest first.
type repeats struct{ list []repeat }

// repeat is one ticket: its frames.
type repeat struct {
	name   proto.Name
	at     Millis // pruning clock
	frames [][]byte
}

// maxRepeats bounds the number of tickets that are kept for repeating, and maxRepeatBytes their bytes.
const (
	maxRepeats     = 256
	maxRepeatBytes = 2 << 20
)

// Encode implements state.Piece.
func (r repeats) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(r.list)))
	for _, t := range r.list {
		e.Fixed(t.name[:])
		e.Int64(t.at)
		e.Uint32(uint32(len(t.frames)))
		for _, f := range t.frames {
			e.Bytes(f)
		}
	}
}

// Decode implements state.Piece.
func (repeats) Decode(d *state.Decoder) (r repeats, err error) {
	for range d.Count(maxRepeats, 28) {
		var t repeat
		d.Into(t.name[:])
		t.at = d.Int64()
		for range d.Count(proto.MaxParts, 4) {
			t.frames = append(t.frames, d.Bytes(proto.LargestMaxFrame))
		}
		r.list = append(r.list, t)
	}
	return r, d.Err()
}
