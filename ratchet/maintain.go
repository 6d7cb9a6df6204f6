package ratchet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Tasks are what a space needs its device to do. None of them is urgent within a minute; all of them may wait for the network.
type Tasks struct {
	// Send: a message is due, an empty one if nobody has anything to say.
	Send bool
	// Ask: a ticket is needed. A member asks at most once an hour; a joiner that nobody let in yet asks again with it, after an
	// hour and then after twice as long each time, up to a day.
	Ask bool
	// Answer: requests that were retained wait for this member's answer.
	Answer bool
	// Owe: this member owes something to others: what it said just before somebody joined; as an owner a decision between two of one
	// place, a link that one asked for, its seat.
	Owe bool
	// Rekey: this owner is to make a rekey, or to go on with one: somebody who is gone is listed, the interval of the policy is over, or
	// step.Remove left boxes to be made. A call makes 512 of them.
	Rekey bool
	// Search: searches for the epochs of retained messages are to be gone on with.
	Search bool
	// Prune: the daily pruning is due.
	Prune bool
	// Fetch: what is stored should be fetched and read to its end before anything is sent, if possible, and then CaughtUp be
	// called: the end of the mailbox was not reached for a day, or the state was restored from a copy, which neither
	// asks nor sends before. Only the program can do that.
	Fetch bool
}

const (
	pruneEvery = day
	fetchAfter = day
	// healAgain is how long after a commit that was due by its age, and below which nobody was read, one more is made.
	healAgain = hour
)

// Due returns what is due in a space.
func Due(s Space, now time.Time) Tasks {
	d, err := newEdit(s, now, Options{})
	if err != nil {
		return Tasks{}
	}
	due := Tasks{Prune: d.st.clock.age(d.st.rhythm.pruned) >= pruneEvery}
	due.Ask, due.Owe = d.askDue(), d.oweDue()
	if d.st.phase != Member {
		return due
	}
	e, r, ok := d.preferred()
	due.Send = ok && d.sendDue(e, r)
	due.Answer = len(d.deferred(true)) > 0
	due.Rekey = d.rekeyDue()
	due.Search = d.st.orphans.Value().Searching(d.known())
	due.Fetch = d.behind() || d.now-d.st.clock.reached >= fetchAfter
	return due
}

// sendDue reports whether something is to be sent, an empty message if need be.
func (d *edit) sendDue(e epochs.Epoch, r members.Root) bool {
	if d.silent() {
		return false
	}
	commits := d.st.rhythm.commit || d.healDue(e, r) || d.healAgain()
	return commits && d.hasPlace(e) || d.waits(e) == orphans.Send || d.newsDue(r)
}

// hasPlace reports whether this member can commit in an epoch. Where it cannot, a commit that is due waits for a ticket.
func (d *edit) hasPlace(e epochs.Epoch) bool { return e.HasPlace(d.st.me().index, proto.Place{}) }

// waits returns what is due because of frames that cannot be read (§7, Waiting).
func (d *edit) waits(e epochs.Epoch) orphans.Due {
	return d.st.orphans.Value().Waits(d.now, proto.Jitter(e.ID(), d.st.me().index)%600)
}

// healAgain reports whether one more commit is to be made because nobody was read in or below the last one.
func (d *edit) healAgain() bool {
	r := d.st.rhythm
	if r.healing.IsZero() || r.again || !passed(d.now, r.healedAt, healAgain) {
		return false
	}
	e, ok := d.st.forest.Epoch(r.healing)
	return ok && e.HeardOnly(d.st.me().index)
}

// newsDue reports whether what was given to say is to be said without waiting for a text.
func (d *edit) newsDue(r members.Root) bool {
	a := d.st.news.Value()
	for _, s := range a.shown {
		if s.left == sayings && passed(d.now, s.due-hour, hour) { // it was given an hour before it is due
			return true
		}
	}
	if a.answeredLeft == sayings && d.answeredDue() {
		return true
	}
	return slices.ContainsFunc(a.introduce, func(m proto.Maker) bool { return introducible(r, m) })
}

// introducible reports whether enough is known of a member to introduce it. A binding that gave way to others is not.
func introducible(r members.Root, m proto.Maker) bool {
	b, ok := r.Binding(m)
	return ok && !b.Credential.IsZero() && b.Profiled && !b.Inbox.IsZero()
}

// Maintain returns an update that does what is due, all in one transaction. It is the counterpart of Opener for what nobody
// sent. A device calls it at start and every minute or so, after it has received what is stored, and then the vault's Retry,
// which reads and answers what became ready:
//
//	err := vault.Update(ctx, id, ratchet.Maintain(options))
//	settled, err := vault.Retry(ctx, id, ratchet.Opener(options))
//
// Where nothing is due it changes nothing. A task that cannot be done now is left for later. It returns an error of the store from which
// a retained frame could not be read, and state.ErrIncomplete for the zero Space.
//
//go:noinline
func Maintain(o Options) func(*state.Tx[Space]) error {
	return func(tx *state.Tx[Space]) error {
		due := Due(tx.Value(), o.now())
		due.Fetch = false
		if due == (Tasks{}) {
			return nil
		}
		d, err := newEdit(tx.Value(), o.now(), o)
		if err != nil {
			return err
		}
		d.fromVault(tx)
		d.queued = tx.Waiting(o.Topic) > 0
		d.unsent = d.queued
		for _, t := range due.each() {
			next := d
			err := next.perform(t)
			if d.failed != nil { // load notes it in d, of which next is a copy
				return d.failed
			}
			if err == nil {
				d = next
			}
		}
		d.leave(tx, o)
		return nil
	}
}

// each returns the tasks one by one, in the order in which they are done.
func (t Tasks) each() (out []Tasks) {
	for _, one := range []Tasks{
		{Prune: t.Prune}, {Search: t.Search}, {Answer: t.Answer}, {Ask: t.Ask}, {Owe: t.Owe}, {Rekey: t.Rekey}, {Send: t.Send},
	} {
		if one != (Tasks{}) {
			out = append(out, one)
		}
	}
	return out
}

// perform does one task.
func (d *edit) perform(t Tasks) error {
	switch t {
	case Tasks{Prune: true}:
		d.prune()
		return nil
	case Tasks{Search: true}:
		d.search()
		return nil
	case Tasks{Answer: true}:
		return d.answerDue()
	case Tasks{Ask: true}:
		return d.ask()
	case Tasks{Owe: true}:
		return d.owe()
	case Tasks{Rekey: true}:
		return d.maintainRekey()
	case Tasks{Send: true}:
		return d.sendEmpty()
	}
	return outcome.ErrPhase
}

// sendEmpty sends a message that says nothing, and notes why.
func (d *edit) sendEmpty() error {
	e, _, ok := d.preferred()
	if !ok {
		return outcome.ErrPhase
	}
	if d.healAgain() {
		d.st.rhythm.again, d.st.rhythm.commit = true, true
	}
	if due := d.waits(e); due == orphans.Send {
		d.setOrphans(d.st.orphans.Value().Did(due, d.now))
	}
	return d.say(proto.Inner{})
}

// prune lets go of what is too old by the pruning clock (§5, Keeping).
func (d *edit) prune() {
	if _, r, ok := d.preferred(); ok {
		f, change := d.st.forest.Prune(d.age(), d.lastRead(r))
		d.grow(f, change)
	}
	x, old := d.st.orphans.Value().Expire(d.age())
	d.setOrphans(x)
	d.done = append(d.done, old...)
	for row := range d.st.roots.All() {
		if r, ok := d.root(row.id); ok {
			d.changed(r.Expire(d.now, d.age()))
		}
	}
	d.setDesk(d.st.desk.Value().Prune(d.age()))
	d.pruneJoins()
	d.pruneInboxes()
	d.st.rhythm.pruned = d.age()
	if c, warn := d.st.clock.unread(); warn {
		d.st.clock = c
		d.emit(Event{Kind: MailboxNotRead, Since: c.reached})
	}
}

// search goes on with the searches for the epochs of retained messages, within the amount of one call (D52).
func (d *edit) search() {
	if d.load == nil {
		return
	}
	x, results, lost := d.st.orphans.Value().Maintain(d.known(), orphans.ForMaintain(), func(name orphans.FrameName) (orphans.Frame, bool) {
		f, ok := d.load(name)
		env, err := proto.ParseEnvelope(f.data)
		return orphans.Frame{Name: name, Size: len(f.data), Source: f.source, Member: f.member, Envelope: env}, ok && err == nil
	})
	d.setOrphans(x)
	d.lose(lost...)
	for _, r := range results {
		d.turnedUp(r)
		if r.Found || r.Forged || len(r.Closed) > 0 {
			d.retry(r.Name())
		}
	}
}

// lastRead returns where every member was read furthest on.
func (d *edit) lastRead(r members.Root) epochs.LastRead {
	held, out := d.st.forest.LastRead(), epochs.LastRead{}
	for i := range r.All() {
		if i != d.st.me().index {
			out[i] = held[i]
		}
	}
	return out
}
