package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/state"
)

// retry says that retained frames may be readable now. The vault remembers that they are to be tried, in the same commit.
func (d *edit) retry(names ...orphans.FrameName) { d.ready = append(slices.Clip(d.ready), names...) }

// retried returns those to be tried that are retained still: the others would be tried for ever.
func (d *edit) retried() []orphans.FrameName {
	if d.st.copies {
		d.retry(d.st.orphans.Value().Others()...)
		d.st.copies = false
	}
	x := d.st.orphans.Value()
	return slices.DeleteFunc(slices.Clone(d.ready), func(n orphans.FrameName) bool { _, ok := x.Get(n); return !ok })
}

// forget lets go of what is known of frames that the vault gave up.
func (s stateBody) forget(frames [][32]byte) stateBody {
	names := make([]orphans.FrameName, len(frames))
	for i, f := range frames {
		names[i] = f
	}
	x := s.orphans.Value().Forget(names...)
	sets, again := s.parts.Value().Forget(names...)
	s.orphans, s.parts = state.NewSegment(x), state.NewSegment(sets)
	s.copies = s.copies || again
	return s
}
