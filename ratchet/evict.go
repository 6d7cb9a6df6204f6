package ratchet

import (
	"cmp"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// maxEpochs is the number of epochs held: 50 MB in a space of 1,000 members, of which an ordinary week needs a tenth.
const maxEpochs = 2_048

// evict drops an epoch if more than limit are held (§5), and reports whether it did. The member goes first to whom most are
// charged, so that who brings many loses its own and nobody else's; of that member's epochs the oldest goes, those last in
// which something may be read soon. The preferred epoch and its nearest ancestors stay.
func (w *work) evict(limit int) bool {
	if w.st.epochs.Size() <= limit {
		return false
	}
	keep := map[proto.EpochID]bool{w.st.preferred: true}
	if p, ok := w.st.epoch(w.st.preferred); ok {
		for _, a := range w.st.nearest(p, maxBehind) {
			keep[a.id] = true
		}
	}
	charged := make(map[dkg.Index]int)
	for r := range w.st.epochs.All() {
		charged[r.epoch().charged]++
	}
	pins := w.pins()
	before := func(a, b epoch) bool {
		return cmp.Or(
			cmp.Compare(charged[b.charged], charged[a.charged]),
			cmp.Compare(a.charged, b.charged),
			cmp.Compare(pins[a.id], pins[b.id]),
			cmp.Compare(a.serial, b.serial)) < 0
	}
	var first epoch
	for r := range w.st.epochs.All() {
		if e := r.epoch(); !keep[e.id] && (first.birth == nil || before(e, first)) {
			first = e
		}
	}
	if first.birth == nil {
		return false
	}
	w.drop(first)
	return true
}

// pins returns 1 for the epochs in which the header of a retained message opened, which is read at the next try. One of a
// sender whom nobody introduced pins nothing: whoever is in an epoch can write any index into a header.
func (w *work) pins() map[proto.EpochID]int {
	pins := make(map[proto.EpochID]int)
	for h := range w.st.headers.All() {
		e, ok := w.st.epoch(h.epoch)
		if !ok {
			continue
		}
		if r, ok := w.st.root(e.root); ok && r.members.Has(segmap.ByIndex(uint32(h.sender))) {
			pins[e.id] = 1
		}
	}
	return pins
}

// chargedTo returns the epoch charged to another member.
func (e epoch) chargedTo(i dkg.Index) epoch {
	b := *e.birth
	b.charged = i
	e.birth = &b
	e.parts.birth = state.NewSegment(e.birth)
	return e
}
