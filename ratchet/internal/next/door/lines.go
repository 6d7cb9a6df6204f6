package ratchet

import (
	"github.com/trefoil-im/trefoil/ratchet/internal/next/proto"
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
