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
	d, err := newEdit(s, now)
	if err != nil {
		return s, err
	}
	d.st.clock, d.st.pruned = d.local(), d.now
	greatest := d.st.greatest()
	for row := range d.st.epochs.All() {
		e := row.epoch()
		switch {
		case e.id == d.st.preferred || !e.quarantined && d.st.behindBy(e, greatest) <= maxBehind:
		case d.st.clock-e.lastUsed >= milliseconds(keepFor):
			d.dropEpoch(e)
		default:
			if tree := e.commits.EraseUsed(); !tree.Same(e.commits) {
				d.putEpoch(e.withCommits(tree))
			}
		}
	}
	for h := range d.st.headers.All() {
		if d.now-h.arrived > milliseconds(orphanedFor) {
			d.st.headers = d.st.headers.Drop(h.Key())
		}
	}
	for c := range d.st.commits.All() {
		if d.now-c.since > milliseconds(orphanedFor) {
			d.evictCommit(c)
		}
	}
	for q := range d.st.requests.All() {
		if d.now-q.arrived > milliseconds(orphanedFor) {
			d.st.requests = d.st.requests.Drop(q.Key())
		}
	}
	d.expireRequest()
	return d.space(), nil
}

// expireRequest erases the ticket key a day after its first ticket, or of a resync that was not answered after 7 days:
// nothing that comes then could be of use, and while the key is held it opens what the server may have kept back.
func (d *edit) expireRequest() {
	me := d.st.identity()
	q := me.request
	if q.opened != 0 && d.elapsed(q.opened, ticketFor) ||
		q.opened == 0 && q.kind == proto.KindResync && d.elapsed(me.askedAt, orphanedFor) {
		me.request = request{}
		d.setIdentity(me)
	}
}

// Restore takes in a state that does not come from the last durable write: a backup, a copy. Numbers in it may have been
// used since: its counters go on above them, and its next commit brings a fresh inbox key, since owners may box to one that
// is lost. Its evals are read-only from then on, its next send commits, and Due says to fetch and read what is stored
// before it, and to ask for a ticket if what was read tells of more than the state can follow (§8).
func Restore(s Space, now time.Time) (Space, error) {
	d, err := newEdit(s, now)
	if err != nil {
		return s, err
	}
	d.ev = d.ev.ReadOnly()
	// Nobody draws an inbox key a minute, so no state that was lost can have come to this one.
	me := d.st.identity()
	me.drawn = max(me.drawn, uint32(max(d.now, 0)/milliseconds(time.Minute)))
	me.updateDue = true
	d.setIdentity(me)
	d.st.restored, d.st.commit = true, true
	if e, ok := d.st.epoch(d.st.preferred); ok {
		d.st.restoredAt = e.generation
	}
	return d.space(), nil
}

// outran reports whether a restored state has found itself so far behind that its own commits may not be followed.
func (s State) outran() bool {
	e, ok := s.epoch(s.preferred)
	return s.restored && ok && e.generation > s.restoredAt+maxBehind
}
