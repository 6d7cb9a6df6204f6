package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/next/orphans"
	"github.com/trefoil-im/trefoil/state"
)

// readyFrames names the retained frames that are to be tried now, since something came to be known. It is stored with the rest,
// so that a crash before they are tried loses none.
type readyFrames struct{ names []orphans.FrameName }

// maxReady is above what the orphans' index holds.
const maxReady = 1 << 16

func (r readyFrames) with(names ...orphans.FrameName) readyFrames {
	out := slices.Clip(r.names)
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return readyFrames{out}
}

func (r readyFrames) without(name orphans.FrameName) readyFrames {
	return readyFrames{slices.DeleteFunc(slices.Clone(r.names), func(n orphans.FrameName) bool { return n == name })}
}

// Encode implements state.Piece.
func (r readyFrames) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(r.names)))
	for _, n := range r.names {
		e.Fixed(n[:])
	}
}

// Decode implements state.Piece.
func (readyFrames) Decode(d *state.Decoder) (r readyFrames, err error) {
	for range d.Count(maxReady, 32) {
		var n orphans.FrameName
		d.Into(n[:])
		r.names = append(r.names, n)
	}
	return r, d.Err()
}
