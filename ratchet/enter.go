package ratchet

import (
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/state"
)

// Enter takes in a ticket that answers this member's own request (§9). It makes a joiner a member, and gets a member that
// was out of step back. It changes the state only: the caller then reads what is stored and calls Encrypt, with an empty
// text if need be, at once: that message brings the others the commit from which on this member can read everything.
//
// A ticket by whose issuer this member is in step tells it only of what it missed, and does not make the next send commit.
// ErrStale is for one that answers no request of one's own, ErrForged for
// one that does not verify, ErrInviteDead for an owner's refusal, ErrInviteTaken if somebody else has the index.
func Enter(s Space, now time.Time, t Ticket) (Space, error) {
	next, _, err := enter(s, now, t)
	return next, err
}

func enter(s Space, now time.Time, t Ticket) (Space, []state.Event, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, nil, err
	}
	if err := w.enter(t); err != nil {
		return s, w.events, err
	}
	return w.space(), w.events, nil
}

func (w *work) enter(t Ticket) error {
	if w.st.phase != Joining && w.st.phase != Member {
		return ErrPhase
	}
	d := w.self()
	if t.IsZero() {
		return ErrMalformed
	}
	asked, ok := d.request.answeredBy(t)
	if !ok {
		return ErrStale
	}
	answer, err := t.open(w.st.space, d.request.key, d.index)
	switch {
	case errors.Is(err, errNotOpened):
		return ErrForged
	case err != nil:
		return ErrMalformed
	case answer.refused:
		if verifyRefusal(d.owners, w.st.space, asked, answer.refusal) != nil {
			return ErrForged
		}
		return ErrInviteDead
	}
	b := answer.body
	v, err := b.verify(d.origin, asked, d.index)
	if err != nil {
		return ErrForged
	}
	if m, ok := v.roster.find(d.index); ok && m.key != d.signing.public {
		w.emit(Conflict{d.index, true})
		return ErrInviteTaken
	}
	if d.request.opened == 0 {
		d.request.opened, d.request.issuer = w.now, b.issuer
	}
	if b.notice.owners.counter > d.owners.counter {
		d.owners = b.notice.owners
	}
	w.setSelf(d)
	if err := w.enterRoot(b, v); err != nil {
		return err
	}
	w.bar()
	mine := w.st.preferred
	named, err := w.hearOf(b)
	if err != nil {
		return err
	}
	if named[b.epochs[0].id] && w.leads(b.epochs[0].id, mine) {
		w.prefer(w.st.findPreferred())
		w.wasAnswered()
		return nil
	}
	w.setAside(b.notice.root, named)
	w.entered(b)
	return nil
}

// enterRoot takes in the ticket's root, or what it tells of one held.
func (w *work) enterRoot(b ticketBody, v verified) error {
	d := w.self()
	r, held := w.st.root(b.notice.root)
	if !held {
		r = root{id: b.notice.root, rekey: b.notice.rekey}
		g := w.tp.grant.Value().Grant
		switch {
		case w.st.phase == Joining && g.root == r.id && b.common.public.Equal(g.public) && b.common.depth == g.depth:
			r.share = g.share
		case b.share.Index() == d.index:
			r.share = b.share
			if err := w.reintroduce(b); err != nil {
				return err
			}
		default:
			return ErrStale // its share comes in a box
		}
		w.tp = w.tp.with(terms{id: r.id, template: b.template, notice: b.notice, common: b.common})
	}
	introduced := make(map[dkg.Index][]byte)
	apps := make(map[dkg.Index]introduction)
	for i, in := range v.introductions {
		introduced[in.index], apps[in.index] = b.introductions[i], in
	}
	for _, e := range v.roster.entries {
		if m, ok := r.members.get(byIndex(uint32(e.index))); ok {
			if m.signingKey() != e.key {
				w.emit(Conflict{e.index, e.index == d.index})
			}
			continue
		}
		m := member{rosterEntry: e}
		if in, ok := apps[e.index]; ok {
			m.introduction, m.app, m.inboxKey = introduced[e.index], in.app, in.inbox
		}
		r.members = r.members.put(m)
		if next, err := w.ev.MoveCursorPast(e.index); err == nil {
			w.ev = next
		}
	}
	for _, a := range b.answered {
		if m, ok := r.members.get(byIndex(uint32(a.index))); ok && m.answered < a.below {
			// A member's counters begin at the time, so that what an issuer makes up wears off.
			m.answered = max(m.answered, min(a.below, uint64(w.now+milliseconds(clockSlack))))
			r.members = r.members.put(m)
		}
	}
	w.setRoot(r)
	// What is held here already is stale, which is no fault of the ticket.
	for _, raw := range b.revokes {
		_ = w.revokeStatement(raw)
	}
	if len(b.rosterSigned) > 0 {
		_ = w.rosterStatement(b.rosterSigned)
	}
	w.learned = true
	return nil
}

// reintroduce makes the introduction again with the same keys under another root, for which an owner gave a new admission.
func (w *work) reintroduce(b ticketBody) error {
	d := w.self()
	if len(b.admission) == 0 || len(d.introduction) == 0 {
		return nil
	}
	a, err := parseAdmission(b.admission)
	if err != nil {
		return ErrForged
	}
	in, err := parseIntroduction(d.introduction)
	if err != nil {
		return ErrMalformed
	}
	in.root, in.rekey, in.time = b.notice.root, b.notice.rekey, w.now
	if in, err = newIntroduction(w.st.space, in, a, d.signing); err != nil {
		return err
	}
	d.introduction, d.introduceIn = in.encode(), epochID{}
	w.setSelf(d)
	return nil
}

// bar marks the roots that were made by somebody who is no owner by the newest list, and are not older than that list.
func (w *work) bar() {
	owners := w.self().owners
	from, known := uint64(0), false // the smallest generation of a root whose notice carried the list
	for row := range w.tp.roots.all() {
		if n := row.record.Value().notice; n.owners.counter == owners.counter && (!known || n.rekey < from) {
			from, known = n.rekey, true
		}
	}
	for row := range w.tp.roots.all() {
		n := row.record.Value().notice
		if r, ok := w.st.root(n.root); ok {
			if barred := known && n.rekey >= from && !owners.contains(n.owner); barred != r.barred {
				r.barred = barred
				w.setRoot(r)
			}
		}
	}
}

// entered keeps the books after a ticket was merged: the next send commits, introduces a joiner, repeats the request's
// counter and brings a fresh inbox key.
func (w *work) entered(b ticketBody) {
	d := w.self()
	d.answerDue, d.answered = true, d.request.count
	d.updateDue = true
	if w.st.phase == Joining {
		d.introduce = w.now + milliseconds(introduceFor)
		d.committed = w.now
		if r, ok := w.st.root(b.notice.root); ok && !r.members.has(byIndex(uint32(d.index))) {
			if in, err := parseIntroduction(d.introduction); err == nil {
				r.members = r.members.put(member{
					rosterEntry: in.entry(), introduction: d.introduction, app: in.app, inboxKey: in.inbox,
				})
				w.setRoot(r)
			}
		}
		w.st.phase = Member
		w.tp.grant = state.NewSegment(storedGrant{})
	}
	w.setSelf(d)
	w.st.commit, w.st.ask, w.st.restored = true, false, false
	w.st.wait = waiting{stage: w.st.wait.stage, entered: w.now} // a ticket is no message that was waited for
	w.learned = true
}
