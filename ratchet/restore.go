package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
)

// Restore takes in a state that does not come from the last durable write: a backup, a copy (§8). Numbers in it may have been used
// since, so its counters go on above them. Its evals are read-only from then on. It reads, and asks for a ticket once it is CaughtUp.
// Until that comes it sends nothing and answers nobody, for a day at most: what it said before might be in an epoch that the others
// have dropped since the copy was made, and what they said to it in one that it cannot follow. Its first message commits and brings a
// fresh inbox key. It returns state.ErrIncomplete for the zero Space.
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
	d.st.rhythm.restored, d.st.rhythm.caughtUpAt = true, 0
	d.setBack()
	return d.space(), nil
}

// silentMost is how long a restored member that nobody brings up to date says nothing.
const silentMost = day

// rekeyUnanswered is how long a restored owner that nobody brings up to date begins no rekey by itself: others may be asleep, and the rekey
// would be for the members of the copy. What a person asks for is not kept waiting after the silence.
const rekeyUnanswered = 7 * day

// behind reports whether a state was restored and has not read its backlog.
func (d *edit) behind() bool { return d.st.rhythm.restored && d.st.rhythm.caughtUpAt == 0 }

// silent reports whether a restored member has to wait for its backlog or for a ticket before it says anything (D196).
func (d *edit) silent() bool {
	return d.behind() || d.unanswered(silentMost)
}

// unanswered reports whether a state was restored, and was not brought up to date in some time since it reached the end of its backlog.
func (d *edit) unanswered(within millis) bool {
	return d.st.rhythm.restored && !passed(d.now, d.st.rhythm.caughtUpAt, within)
}

// waitsAnew reports whether the day of silence begins at this end of the mailbox: at the first one, and again while nobody was asked, or the
// first request lies in the outbox. A device that was off the line meanwhile would else say something before it can be answered.
func (d *edit) waitsAnew() bool {
	r, asked := d.st.rhythm, d.st.asking.Value().Made()
	return r.restored && (r.caughtUpAt == 0 || r.since.IsZero() && (asked == 0 || asked == 1 && d.unsent))
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
