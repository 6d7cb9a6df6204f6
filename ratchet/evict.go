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
// attributed, so that who brings many loses its own and nobody else's; of that member's epochs the oldest goes, those last in
// which something may be read soon. The preferred epoch and its nearest ancestors stay.
func (d *edit) evict(limit int) bool {
	if d.st.epochs.Size() <= limit {
		return false
	}
	keep := map[proto.EpochID]bool{d.st.preferred: true}
	if p, ok := d.st.epoch(d.st.preferred); ok {
		for _, a := range d.st.nearest(p, maxBehind) {
			keep[a.id] = true
		}
	}
	brought := make(map[dkg.Index]int)
	for r := range d.st.epochs.All() {
		brought[r.epoch().attributed]++
	}
	pins := d.st.pins()
	before := func(a, b epoch) bool {
		return cmp.Or(
			cmp.Compare(brought[b.attributed], brought[a.attributed]),
			cmp.Compare(a.attributed, b.attributed),
			cmp.Compare(pins[a.id], pins[b.id]),
			cmp.Compare(a.serial, b.serial)) < 0
	}
	var first epoch
	for r := range d.st.epochs.All() {
		if e := r.epoch(); !keep[e.id] && (first.epochMeta == nil || before(e, first)) {
			first = e
		}
	}
	if first.epochMeta == nil {
		return false
	}
	d.dropEpoch(first)
	return true
}

// pins returns 1 for the epochs in which the header of a retained message opened, which is read at the next try. One of a
// sender whom nobody introduced pins nothing: whoever is in an epoch can write any index into a header.
func (s State) pins() map[proto.EpochID]int {
	pins := make(map[proto.EpochID]int)
	for h := range s.headers.All() {
		e, ok := s.epoch(h.epoch)
		if !ok {
			continue
		}
		if r, ok := s.root(e.root); ok && r.members.Has(segmap.ByIndex(uint32(h.sender))) {
			pins[e.id] = 1
		}
	}
	return pins
}

// attribute returns the epoch attributed to another member.
func (e epoch) attribute(i dkg.Index) epoch {
	b := *e.epochMeta
	b.attributed = i
	e.epochMeta = &b
	e.stored.meta = state.NewSegment(e.epochMeta)
	return e
}
