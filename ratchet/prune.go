package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// keepFor is how long an epoch is kept that is far behind, by the pruning clock (§5).
const keepFor = 7 * 24 * time.Hour

// prune forgets what is too old (§5): epochs more than 4 behind that were neither entered nor preferred for 7 days, used
// subtrees of commit trees more than 4 behind, what is kept of retained messages and requests for 7 days, and a ticket key
// a day after its first ticket. The caller runs it at start and then daily, after a fetch that left nothing unread. It
// moves the pruning clock by the time since the last pruning, but at most by a day, so a clock that is wrong costs a day's
// epochs and not all, and a device that was off for long does not lose what it has just fetched.
func prune(s Space, now time.Time) (Space, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, err
	}
	w.st.clock, w.st.pruned = w.local(), w.now
	greatest := w.st.greatest()
	for row := range w.st.epochs.All() {
		e := row.epoch()
		switch {
		case e.id == w.st.preferred || !e.aside && w.st.behindBy(e, greatest) <= maxBehind:
		case w.st.clock-e.touched >= milliseconds(keepFor):
			w.drop(e)
		default:
			if tree := e.commits.EraseUsed(); !tree.Same(e.commits) {
				w.put(e.withCommits(tree))
			}
		}
	}
	for h := range w.st.headers.All() {
		if w.now-h.arrived > milliseconds(heldFor) {
			w.st.headers = w.st.headers.Drop(h.Key())
		}
	}
	for c := range w.st.commits.All() {
		if w.now-c.since > milliseconds(heldFor) {
			w.giveUp(c)
		}
	}
	for q := range w.st.requests.All() {
		if w.now-q.arrived > milliseconds(heldFor) {
			w.st.requests = w.st.requests.Drop(q.Key())
		}
	}
	w.expireRequest()
	return w.space(), nil
}

// expireRequest erases the ticket key a day after its first ticket, or of a resync that was not answered after 7 days:
// nothing that comes then could be of use, and while the key is held it opens what the server may have kept back.
func (w *work) expireRequest() {
	d := w.self()
	q := d.request
	if q.opened != 0 && w.elapsed(q.opened, ticketFor) ||
		q.opened == 0 && q.kind == proto.KindResync && w.elapsed(d.askedAt, heldFor) {
		d.request = request{}
		w.setSelf(d)
	}
}

// Restore takes in a state that does not come from the last durable write: a backup, a copy. Numbers in it may have been
// used since: its counters go on above them, and its next commit brings a fresh inbox key, since owners may box to one that
// is lost. Its evals are read-only from then on, its next send commits, and Due says to fetch and read what is stored
// before it, and to ask for a ticket if what was read tells of more than the state can follow (§8).
func Restore(s Space, now time.Time) (Space, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, err
	}
	w.ev = w.ev.ReadOnly()
	// Nobody draws an inbox key a minute, so no state that was lost can have come to this one.
	d := w.self()
	d.drawn = max(d.drawn, uint32(max(w.now, 0)/milliseconds(time.Minute)))
	d.updateDue = true
	w.setSelf(d)
	w.st.restored, w.st.commit = true, true
	if e, ok := w.st.epoch(w.st.preferred); ok {
		w.st.restoredAt = e.generation
	}
	return w.space(), nil
}

// outran reports whether a restored state has found itself so far behind that its own commits may not be followed.
func (w *work) outran() bool {
	e, ok := w.st.epoch(w.st.preferred)
	return w.st.restored && ok && e.generation > w.st.restoredAt+maxBehind
}
