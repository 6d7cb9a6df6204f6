package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
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

// Due is what a space needs its device to do. None of it is urgent within a minute; all of it may wait for the network.
type Due struct {
	// Send: a message is due, an empty one if nobody has anything to say (Encrypt).
	Send bool
	// Ask: a ticket is needed (AskResync).
	Ask bool
	// Answer: others have let requests wait that were retained (ErrOthersFirst), so this member is to answer them. Tend
	// notes that, and Retry of the vault answers.
	Answer bool
	// Prune: the daily pruning is due, after a fetch that left nothing unread (Prune).
	Prune bool
	// Roster: the dealer should sign the roster (SignRoster).
	Roster bool
	// Stored: fetch and read what is stored before anything is sent, if possible: nothing was read for a day, or the state
	// was restored from a copy.
	Stored bool
}

// Duties returns what is due.
func Duties(s Space, now time.Time) Due {
	w, err := begin(s, now)
	if err != nil {
		return Due{}
	}
	due := Due{Prune: w.elapsed(w.st.pruned, pruneEvery)}
	if w.st.phase == Joining {
		due.Ask = w.self().request.isOpen() && w.mayAsk()
	}
	if w.st.phase != Member {
		return due
	}
	_, r, t, ok := w.preferred()
	due.Send = ok && (w.st.commit || w.waitOver())
	due.Ask = (w.st.ask || !ok || w.outran() || w.st.wait.sends >= maxWaitSends) && w.mayAsk()
	due.Answer = len(w.overdue()) > 0
	due.Stored = w.st.restored || w.elapsed(w.st.heard, fetchAfter)
	if ok && w.isDealer() {
		_, since := r.roster(r.named(t.notice))
		due.Roster = len(since) >= rosterAfter
	}
	return due
}

// isDealer reports whether this member made the preferred root.
func (w *work) isDealer() bool {
	_, _, t, ok := w.preferred()
	return ok && w.isOwner() && t.notice.Owner == w.st.owner.Value().owner.Public
}

// waitsSince returns when the oldest retained message arrived that gives a reason to act. One of a mailbox that is no
// known member's gives none, nor one that a ticket may have come for.
func (w *work) waitsSince() (oldest int64, waits bool) {
	entered := w.st.wait.entered
	for h := range w.st.headers.All() {
		if h.source == "" || entered != 0 && h.arrived <= entered+milliseconds(waitEntered) {
			continue
		}
		if !waits || h.arrived < oldest {
			oldest, waits = h.arrived, true
		}
	}
	return oldest, waits
}

// waitOver reports whether a retained message has waited so long that this member shows others where it stands.
func (w *work) waitOver() bool {
	oldest, waits := w.waitsSince()
	if !waits || w.st.wait.sends >= maxWaitSends {
		return false
	}
	e, _, _, _ := w.preferred()
	wait := min(waitFirst<<w.st.wait.stage, waitLongest)
	jitter := time.Duration(jitterOf(e, w.self().index)%waitJitter) * time.Second
	return w.now-max(oldest, w.st.wait.last) > milliseconds(wait+jitter)
}

// PhaseOf returns where this member stands in its space.
func PhaseOf(s Space) Phase { return s.State().phase }

// Self returns this member's index and signing key.
func Self(s Space) (dkg.Index, suite.PublicKey) {
	d := s.State().self.Value()
	return d.index, d.signing.Public
}

// IsOwner reports whether this device holds an owner's keys.
func IsOwner(s Space) bool { return !s.State().owner.Value().isNone() }

// MemberInfo is what is known of a member.
type MemberInfo struct {
	Index dkg.Index
	Key   suite.PublicKey
	App   []byte // application data of its introduction; empty for the founder, and if only a signed roster named it
	Left  bool   // it said so
}

// Members returns who belongs to the space, in ascending order of indices; nobody while joining.
func Members(s Space) []MemberInfo {
	w, err := begin(s, time.Time{})
	if err != nil {
		return nil
	}
	_, r, _, ok := w.preferred()
	if !ok {
		return nil
	}
	var out []MemberInfo
	for m := range r.members.All() {
		out = append(out, MemberInfo{m.Index, m.signingKey(), append([]byte(nil), m.app...), m.left})
	}
	return out
}

// Authenticator returns 32 bytes that members of one epoch share and nobody else knows, to be compared out of band: if
// they are alike, no server and no insider has split the space. It returns ErrPhase while there is no epoch of which it
// is known.
func Authenticator(s Space) ([32]byte, error) {
	w, err := begin(s, time.Time{})
	if err != nil {
		return [32]byte{}, err
	}
	e, _, _, ok := w.preferred()
	if !ok || e.auth.IsZero() {
		return [32]byte{}, ErrPhase
	}
	return [32]byte(e.auth.Expose()), nil
}

// Epoch returns the id and generation of the epoch in which this member sends, zeros if there is none.
func Epoch(s Space) (id [32]byte, generation uint64) {
	st := s.State()
	if e, ok := st.epoch(st.preferred); ok {
		return e.id, e.generation
	}
	return id, 0
}
