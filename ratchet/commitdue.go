package ratchet

import (
	"errors"

	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// When a send makes a commit first (§5).
const (
	commitMessages = 128       // messages seen in the preferred epoch
	commitAge      = 24 * hour // since it was entered
	commitInterval = 7 * day   // since the last own commit, for up to 200 members; longer for more
	commitMembers  = 200       // beyond which the interval grows, so that a large space has no more commits than a small one
	mostJitter     = 872       // so that nobody sends more than 1,000 messages in an epoch
	silence        = 24 * hour // without a message of others the own chains of new epochs are kept
)

// jitter spreads what members do over minutes, or over messages: it differs from member to member and from epoch to epoch.
func jitter(e epochs.Epoch, r members.Root, me identity) millis {
	return millis(proto.Jitter(e.ID(), me.index)) % min(mostJitter, max(64, 4*millis(r.Size())))
}

// overdue reports whether a number is not below a bound with this member's jitter on top, in so many units.
func overdue(n, bound, unit millis, e epochs.Epoch, r members.Root, me identity) bool {
	return n >= bound && n >= bound+jitter(e, r, me)*unit // mostly it is below the bound, and nothing need be hashed
}

// interval returns how long after its last commit a member makes another one, without the jitter.
func interval(r members.Root) millis {
	return commitInterval * max(commitMembers, millis(r.Size())) / commitMembers
}

// commitDue reports whether the next send makes a commit first.
func (d *edit) commitDue(e epochs.Epoch, r members.Root) bool {
	me := d.st.me()
	seen, entered := e.Seen()
	return d.st.rhythm.commit || d.usedUp(e) || d.healDue(e, r) ||
		overdue(millis(seen), commitMessages, 1, e, r, me) ||
		entered != 0 && overdue(d.st.clock.age(entered), commitAge, minute, e, r, me) ||
		!e.Readable() ||
		e.Maker() != me.maker() && hasTwin(r, me)
}

// hasTwin reports whether another binding of the own index is known, and no owner decided between them. Both share a chain in each
// epoch of a third member (D46).
func hasTwin(r members.Root, me identity) bool {
	if _, listed := r.Listed(me.index); listed {
		return false
	}
	all := r.Bindings(me.index)
	return len(all) > 1 && !r.Named(me.index, all[0].Body)
}

// healDue reports whether the interval since the last own commit is over: a member that writes nothing commits all the same,
// since it would else never heal.
func (d *edit) healDue(e epochs.Epoch, r members.Root) bool {
	age := d.st.clock.age(d.st.rhythm.committed)
	return age >= commitInterval && overdue(age, interval(r), minute, e, r, d.st.me())
}

// commit makes a commit from the preferred epoch and enters its child. It returns the epochs that it made, that in which
// messages are to be sent last: of a member that has several words for its own node one from each (D18). It returns
// epochs.ErrClosed or epochs.ErrQuota if no commit can be made there: then a ticket is asked for.
func (d *edit) commit(e epochs.Epoch, r members.Root) ([]proto.EpochID, error) {
	me := d.st.me()
	signer := epochs.Signer{Key: me.signing, Credential: me.credential(r)}
	lonely := d.st.clock.age(d.st.rhythm.heard) >= silence
	f, made, change, err := d.st.forest.Commit(e.ID(), d.share, signer, lonely, d.age())
	if err != nil {
		d.st.rhythm.ask = d.st.rhythm.ask || errors.Is(err, epochs.ErrClosed)
		return nil, err
	}
	var ids []proto.EpochID
	for _, p := range made {
		ids = append(ids, e.Child(d.st.space, p.Commit))
	}
	if d.healDue(e, r) {
		d.st.rhythm.healing, d.st.rhythm.healedAt, d.st.rhythm.again = ids[len(ids)-1], d.now, false
	}
	d.grow(f, change)
	d.st.rhythm.commit, d.st.rhythm.committed, d.st.rhythm.since = false, d.age(), ids[len(ids)-1]
	news := d.st.news.Value()
	if d.updateDue(news, r) {
		news = d.drawInbox(news)
	}
	d.setNews(news.committed(r.ID(), ids[len(ids)-1]))
	return ids, nil
}

// updateDue reports whether the messages after an own commit announce an inbox key (§9): the first epoch that a member makes in
// a root, and every 7 days.
func (d *edit) updateDue(a announcements, r members.Root) bool {
	for _, b := range a.begun {
		if b.root == r.ID() {
			return a.updateDue && a.update.IsZero() || d.st.clock.age(a.updatedAt) >= updateEvery
		}
	}
	return true
}
