package epochs

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// evict returns the forest with at most so many epochs, and settles it. Those that the step entered or derived stay, the ones between on
// the way of a message and what a ticket told among them: their places are used up, so that nothing brings back what was given up
// before it was read.
func (f Forest) evict(most int, change Change, now Millis) (Forest, Change) {
	f, change = f.settle(change, now)
	if f.Size() <= most {
		return f, change
	}
	for _, m := range f.leastWanted(f.Size()-most+most/evictShare, slices.Concat(change.Entered, change.Derived)...) {
		f = f.drop(m.id, givenUp, &change)
		change.GivenUp++
	}
	return f.settle(change, now)
}

// charge is how many epochs are held of one maker, and which of them may go, the newest first.
type charge struct {
	maker            dkg.Index
	held             int
	unproven, proven []*meta
}

// before reports whether a maker is charged before another one: with more, or with as much and a smaller index.
func (c *charge) before(o *charge) bool {
	return c.held > o.held || c.held == o.held && c.maker < o.maker
}

// next takes out the epoch that goes first: the oldest in which nobody else was read, then the oldest. There must be one.
func (c *charge) next() *meta {
	list := &c.unproven
	if len(*list) == 0 {
		list = &c.proven
	}
	last := len(*list) - 1
	m := (*list)[last]
	*list = (*list)[:last]
	c.held--
	return m
}

// leastWanted returns the epochs that go first, at most n: those that are cut, the oldest of them first; then, one by one, the next of
// the maker with most. Nothing near the preferred epoch goes, and none of those that stay.
func (f Forest) leastWanted(n int, stay ...proto.EpochID) (out []*meta) {
	var cut []*meta
	var all []*charge
	of, behind := map[Maker]*charge{}, f.behind()
	for e := range f.All() { // the newest first
		c := of[e.maker]
		if c == nil {
			c = &charge{maker: e.maker.Index}
			of[e.maker], all = c, append(all, c)
		}
		c.held++
		switch {
		case behind(e.meta) <= near || slices.Contains(stay, e.id):
		case e.cut:
			cut = append(cut, e.meta)
		case e.unproven():
			c.unproven = append(c.unproven, e.meta)
		default:
			c.proven = append(c.proven, e.meta)
		}
	}
	for ; len(cut) > 0 && len(out) < n; cut = cut[:len(cut)-1] {
		m := cut[len(cut)-1]
		of[m.maker].held--
		out = append(out, m)
	}
	for len(out) < n {
		var most *charge
		for _, c := range all {
			if len(c.unproven)+len(c.proven) > 0 && (most == nil || c.before(most)) {
				most = c
			}
		}
		if most == nil {
			break
		}
		out = append(out, most.next())
	}
	return out
}
