package ratchet

import (
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/state"
)

// Tasks are what a space needs its device to do. None of them is urgent within a minute; all of them may wait for the network.
type Tasks struct {
	// Send: a message is due, an empty one if nobody has anything to say.
	Send bool
	// Ask: a ticket is needed. Who is a member asks at most once an hour; a joiner that nobody let in yet asks again with it,
	// after an hour and then after twice as long each time, up to a day.
	Ask bool
	// Answer: others have let requests wait that were retained, so this member is to answer them. Maintain notes that, and
	// Retry of the vault answers.
	Answer bool
	// Prune: the daily pruning is due, after a fetch that left nothing unread.
	Prune bool
	// Roster: the dealer should sign the roster, so that tickets need not bring all introductions.
	Roster bool
	// Fetch: what is stored should be fetched and read before anything is sent, if possible: nothing was read for a day, or the
	// state was restored from a copy. Only the program can do that.
	Fetch bool
}

// Due returns what is due in a space.
func Due(s Space, now time.Time) Tasks {
	d, err := newEdit(s, now)
	if err != nil {
		return Tasks{}
	}
	due := Tasks{Prune: d.elapsed(d.st.pruned, pruneEvery)}
	if d.st.phase == Joining {
		due.Ask = d.st.identity().request.isOpen() && d.mayAsk()
	}
	if d.st.phase != Member {
		return due
	}
	_, r, t, ok := d.preferred()
	due.Send = ok && (d.st.commit || d.backoffOver())
	due.Ask = (d.st.ask || !ok || d.st.outran() || d.st.backoff.sends >= maxWaitSends) && d.mayAsk()
	due.Answer = len(d.expired()) > 0
	due.Fetch = d.st.restored || d.elapsed(d.st.lastRead, fetchAfter)
	if ok && d.isDealer() {
		_, since := r.roster(r.named(t.notice))
		due.Roster = len(since) >= rosterAfter
	}
	return due
}

// Maintain returns an update that does what is due, all in one transaction. It is the counterpart of Opener for what nobody
// sent. A device calls it at start and every minute or so, after it has received what is stored, and then the vault's Retry,
// which answers the requests that others have deferred:
//
//	err := vault.Update(ctx, id, ratchet.Maintain(options))
//	settled, err := vault.Retry(ctx, id, ratchet.Opener(options))
//
// Where nothing is due it changes nothing. A task that cannot be done now is left for later.
func Maintain(o Options) func(*state.Tx[Space]) error {
	return func(tx *state.Tx[Space]) error {
		due := Due(tx.Value(), o.now())
		for _, t := range []Tasks{{Prune: due.Prune}, {Roster: due.Roster}, {Ask: due.Ask}, {Send: due.Send}, {Answer: due.Answer}} {
			next, frame, err := Perform(tx.Value(), o.now(), t)
			if errors.Is(err, ErrPhase) || errors.Is(err, ErrStale) || errors.Is(err, ErrTooLong) {
				continue
			}
			if err != nil {
				return err
			}
			tx.Set(next)
			if frame != nil {
				tx.Send(o.Topic, frame)
			}
		}
		if due.Answer {
			tx.RetryRetained()
		}
		return nil
	}
}

// Perform does one task, whether it is due or not, and returns the frame that is to be sent, nil if there is none. Most programs
// call Maintain. The space that comes back must be durable before the frame leaves. Errors: ErrPhase; ErrTooSoon for Ask;
// ErrTooLong for Roster in a space with indices over 2^18; ErrStale for Roster if it names nobody new. More than one task, or
// Fetch, is ErrPhase.
func Perform(s Space, now time.Time, t Tasks) (Space, []byte, error) {
	switch t {
	case Tasks{}:
		return s, nil, nil
	case Tasks{Prune: true}:
		next, err := prune(s, now)
		return next, nil, err
	case Tasks{Roster: true}:
		return signRoster(s, now)
	case Tasks{Ask: true}:
		return ask(s, now)
	case Tasks{Send: true}:
		return Encrypt(s, now, nil)
	case Tasks{Answer: true}:
		next, err := answerOverdue(s, now)
		return next, nil, err
	}
	return s, nil, outcome.ErrPhase
}

// answerOverdue notes that it is this member's turn to answer the requests that others have deferred.
func answerOverdue(s Space, now time.Time) (Space, error) {
	d, err := newEdit(s, now)
	if err != nil {
		return s, err
	}
	for _, h := range d.expired() {
		h.state = answerDue
		d.putRequest(h)
	}
	return d.space(), nil
}

// isDealer reports whether this member made the preferred root.
func (d *edit) isDealer() bool {
	_, _, t, ok := d.preferred()
	return ok && d.st.isOwner() && t.notice.Owner == d.st.owner.Value().owner.Public
}
