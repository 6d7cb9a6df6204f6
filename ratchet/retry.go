package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/state"
)

// ready names the retained frames that are to be tried now, since something came to be known. It is stored with the rest, so that
// a crash before they are tried loses none.
type ready struct{ list state.Segment[frameNames] }

type frameNames []orphans.FrameName

// maxReady is above what the orphans' index holds.
const maxReady = 1 << 16

func newReady() ready { return ready{state.NewSegment(frameNames(nil))} }

// Forget makes the part a keeper (state.Part): it lets go of what is known of frames that the vault gave up.
func (s State) Forget(frames ...[32]byte) State {
	names := make([]orphans.FrameName, len(frames))
	for i, f := range frames {
		names[i] = f
		s.ready = s.ready.without(f)
	}
	x := s.orphans.Value().Forget(names...)
	sets, again := s.parts.Value().Forget(names...)
	s.orphans, s.parts = state.NewSegment(x), state.NewSegment(sets)
	if again {
		s.ready = s.ready.with(x.Others()...) // a copy may be among them
	}
	return s
}

func (r ready) with(names ...orphans.FrameName) ready {
	out := slices.Clip(r.list.Value())
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return ready{state.NewSegment(out)}
}

func (r ready) without(name orphans.FrameName) ready {
	at := slices.Index(r.list.Value(), name)
	if at < 0 {
		return r
	}
	return ready{state.NewSegment(slices.Delete(slices.Clone(r.list.Value()), at, at+1))}
}

// noted returns those that are still retained: the others would be tried for ever.
func (r ready) noted(x orphans.Index) ready {
	gone := func(n orphans.FrameName) bool { _, ok := x.Get(n); return !ok }
	if !slices.ContainsFunc(r.list.Value(), gone) {
		return r
	}
	return ready{state.NewSegment(slices.DeleteFunc(slices.Clone(r.list.Value()), gone))}
}

// Encode implements state.Piece.
func (l frameNames) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(l)))
	for _, n := range l {
		e.Fixed(n[:])
	}
}

// Decode implements state.Piece.
func (frameNames) Decode(d *state.Decoder) (l frameNames, err error) {
	for range d.Count(maxReady, 32) {
		var n orphans.FrameName
		d.Into(n[:])
		l = append(l, n)
	}
	return l, d.Err()
}

func decodeReady(d *state.Decoder) (r ready, err error) {
	r.list, err = state.DecodeSegment[frameNames](d, "ready")
	return r, err
}
