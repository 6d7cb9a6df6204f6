package epochs

import "github.com/trefoil-im/trefoil/dkg"

// Ages at which epochs go (§5), by the pruning clock.
const (
	day       Millis = 24 * 60 * 60 * 1000
	cutAfter         = 7 * day
	dropAfter        = 30 * day
)

// Prune returns the forest without what is too old at a time of the pruning clock: of an epoch that is more than 4 behind the
// places of members that are known to have left it, and in the end nothing.
func (f Forest) Prune(now Millis, last LastRead) (Forest, Change) {
	change := Change{}
	behind, r := f.behind(), f.readers(last)
	var first map[dkg.Index]uint64
	for e := range f.Up(0) {
		e, _ = f.Epoch(e.id) // one above it that went may have passed a mark on
		age := now - e.stamp
		switch {
		case age < cutAfter || e.id == f.preferred || behind(e.meta) <= near:
		case age >= dropAfter && (e.cut || !e.derived):
			f = f.drop(e.id, aged, &change)
		case e.derived && !e.cut:
			if first == nil {
				first = f.firstSeen()
			}
			senders := mergeIndices(f.notPast(e, r), []dkg.Index{f.own}) // the own chain says what was sent
			f = f.put(e.leftBy(f.past(e, r, first), senders).stow())
		}
	}
	return f.settle(change, now)
}
