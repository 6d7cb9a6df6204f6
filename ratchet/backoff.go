package ratchet

import (
	"time"
)

// How long a member waits for what it cannot read yet before it does something (§7).
const (
	waitFirst    = time.Minute
	waitLongest  = 24 * time.Hour
	waitJitter   = 600       // seconds
	maxWaitStage = 11        // doublings of waitFirst until it is over waitLongest
	maxWaitSends = 3         // without effect, before a ticket is asked for
	waitEntered  = time.Hour // what arrives so soon after a ticket needs no new one
	askEvery     = time.Hour // at most one request
	askLongest   = 24 * time.Hour
	pruneEvery   = 24 * time.Hour
	rosterAfter  = 64             // introductions that no signed roster names
	fetchAfter   = 24 * time.Hour // without anything read
	ticketFor    = 24 * time.Hour // a ticket key after its first ticket
)

// backoffSince returns when the oldest retained message arrived that gives a reason to act. One of a mailbox that is no
// known member's gives none, nor one that a ticket may have come for.
func (s State) backoffSince() (oldest int64, waits bool) {
	entered := s.backoff.entered
	for h := range s.headers.All() {
		if h.source == "" || entered != 0 && h.arrived <= entered+milliseconds(waitEntered) {
			continue
		}
		if !waits || h.arrived < oldest {
			oldest, waits = h.arrived, true
		}
	}
	return oldest, waits
}

// backoffOver reports whether a retained message has waited so long that this member shows others where it stands.
func (d *edit) backoffOver() bool {
	oldest, waits := d.st.backoffSince()
	if !waits || d.st.backoff.sends >= maxWaitSends {
		return false
	}
	e, _, _, _ := d.preferred()
	wait := min(waitFirst<<d.st.backoff.stage, waitLongest)
	jitter := time.Duration(jitterOf(e, d.st.identity().index)%waitJitter) * time.Second
	return d.now-max(oldest, d.st.backoff.last) > milliseconds(wait+jitter)
}
