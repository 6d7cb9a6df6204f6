package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
)

// outranAfter is how many generations a restored state may be moved by reading its backlog before it asks for a ticket: its own
// commits, which it cannot follow, may be among what it did not see.
const outranAfter = 4

// Restore takes in a state that does not come from the last durable write: a backup, a copy (§8). Numbers in it may have been used
// since, so its counters go on above them. Its evals are read-only from then on, its next send commits and brings a fresh inbox
// key, it sends nothing before CaughtUp, and it asks for a ticket if what was read tells of more than it can follow. (What it sent
// before might be in an epoch that the others have dropped since the copy was made.)
func Restore(s Space, now time.Time) (Space, error) {
	d, err := newEdit(s, now, Options{})
	if err != nil {
		return s, err
	}
	d.ev = d.ev.ReadOnly()
	me := d.st.me()
	me.drawn = max(me.drawn, uint32(max(d.now, 0)/minute)) // nobody draws an inbox key a minute
	d.setIdentity(me)
	news := d.st.news.Value()
	news.updatedAt = d.age() - updateEvery
	d.setNews(news)
	d.setAsking(d.st.asking.Value().Restored())
	if x := d.st.rekeys.Value(); !x.Draft.IsZero() { // the lost state may have made a root of it: whoever was in that one knows its secrets
		x.Draft = rekey.NewDraft(x.Draft.Wish())
		d.setRekeys(x)
	}
	d.st.rhythm.restored, d.st.rhythm.backlog = true, true
	d.setBack()
	if e, ok := d.st.forest.Preferred(); ok {
		d.st.rhythm.restoredAt = e.Generation()
	}
	return d.space(), nil
}

// outran notes that a restored state found itself so far behind that its own commits may be among what it cannot follow.
func (d *edit) outran() {
	if !d.st.rhythm.restored {
		return
	}
	if e, ok := d.st.forest.Preferred(); ok && e.Generation() > d.st.rhythm.restoredAt+outranAfter {
		d.st.rhythm.ask = true
		d.st.rhythm.restoredAt = e.Generation()
	}
}

// setBack notes that the own key was used, or may have been, in ways that this state does not know: by a state that was lost, or by a
// thief. The next send commits.
func (d *edit) setBack() {
	d.st.rhythm.commit, d.st.rhythm.setBack, d.st.rhythm.since = true, true, proto.EpochID{}
}

// usedUp reports whether numbers of the own chain in an epoch may have been used by a state that was lost. In epochs that this member
// made since, and in what is below them, they were not: these did not exist (§8, D125).
func (d *edit) usedUp(e epochs.Epoch) bool {
	return d.st.rhythm.setBack && !d.st.forest.IsBelow(e.ID(), d.st.rhythm.since)
}
