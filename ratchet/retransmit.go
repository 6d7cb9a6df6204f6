package ratchet

import (
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// repeats are the own tickets of the last 24 hours, to be posted again with the same bytes (D30), the oldest first.
type repeats struct{ list []repeat }

// repeat is one ticket: its frames.
type repeat struct {
	name   proto.Name
	at     millis // pruning clock
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
