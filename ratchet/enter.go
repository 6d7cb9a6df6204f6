package ratchet

import (
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Enter takes in the frame of a ticket that answers this member's own request (SPEC §9). It makes a joiner a member, and gets a
// member that was out of step back. Most programs do not call it: an Opener does, and sends what follows. Enter changes the
// state only: its caller then reads what is stored and calls Encrypt, with an empty plaintext if need be, at once: that message
// brings the others the commit from which on this member can read everything. Besides the errors of a frame, among them
// ErrInviteDead for an owner's refusal and ErrInviteTaken if somebody else has the index, Enter returns ErrPhase.
//
// A ticket by whose issuer this member is in step tells it only of what it missed, and does not make the next send commit.
func Enter(s Space, now time.Time, frame []byte) (Space, error) {
	t, err := proto.ParseTicket(frame)
	if err != nil {
		return s, outcome.Malformed(err)
	}
	next, _, err := enter(s, now, t)
	return next, err
}

func enter(s Space, now time.Time, t proto.Ticket) (Space, []state.Event, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, nil, err
	}
	if err := w.enter(t); err != nil {
		return s, w.events, err
	}
	return w.space(), w.events, nil
}

func (w *work) enter(t proto.Ticket) error {
	if w.st.phase != Joining && w.st.phase != Member {
		return outcome.ErrPhase
	}
	d := w.self()
	if t.IsZero() {
		return outcome.ErrMalformed
	}
	asked, ok := d.request.answeredBy(t)
	if !ok {
		return outcome.ErrStale
	}
	answer, err := t.Open(w.st.space, d.request.key, d.index)
	switch {
	case errors.Is(err, suite.ErrNotOpened):
		return outcome.ErrForged
	case err != nil:
		return outcome.ErrMalformed
	case answer.Refused:
		if proto.VerifyRefusal(d.owners, w.st.space, asked, answer.Refusal) != nil {
			return outcome.ErrForged
		}
		return outcome.ErrInviteDead
	}
	b := answer.Body
	v, err := b.Verify(d.origin, asked, d.index)
	if err != nil {
		return outcome.ErrForged
	}
	if m, ok := v.Roster.Find(d.index); ok && m.Signing != d.signing.Public {
		w.emit(Conflict{d.index, true})
		return outcome.ErrInviteTaken
	}
	if d.request.opened == 0 {
		d.request.opened, d.request.issuer = w.now, b.Issuer
	}
	if b.Notice.Owners.Counter > d.owners.Counter {
		d.owners = b.Notice.Owners
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
	if named[b.Epochs[0].Id] && w.leads(b.Epochs[0].Id, mine) {
		w.prefer(w.st.findPreferred())
		w.wasAnswered()
		return nil
	}
	w.setAside(b.Notice.Root, named)
	w.entered(b)
	return nil
}

// enterRoot takes in the ticket's root, or what it tells of one held.
func (w *work) enterRoot(b proto.TicketBody, v proto.VerifiedTicket) error {
	d := w.self()
	r, held := w.st.root(b.Notice.Root)
	if !held {
		r = root{id: b.Notice.Root, rekey: b.Notice.Rekey}
		g := w.tp.grant.Value().Grant
		switch {
		case w.st.phase == Joining && g.Root == r.id && b.Context.Public.Equal(g.Public) && b.Context.Depth == g.Depth:
			r.share = g.Share
		case b.Share.Index() == d.index:
			r.share = b.Share
			if err := w.reintroduce(b); err != nil {
				return err
			}
		default:
			return outcome.ErrStale // its share comes in a box
		}
		w.tp = w.tp.with(terms{id: r.id, template: b.Template, notice: b.Notice, common: b.Context})
	}
	introduced := make(map[dkg.Index][]byte)
	apps := make(map[dkg.Index]proto.Introduction)
	for i, in := range v.Introductions {
		introduced[in.Index], apps[in.Index] = b.Introductions[i], in
	}
	for _, e := range v.Roster.Entries {
		if m, ok := r.members.Get(segmap.ByIndex(uint32(e.Index))); ok {
			if m.signingKey() != e.Signing {
				w.emit(Conflict{e.Index, e.Index == d.index})
			}
			continue
		}
		m := member{RosterEntry: e}
		if in, ok := apps[e.Index]; ok {
			m.introduction, m.app, m.inboxKey = introduced[e.Index], in.App, in.Inbox
		}
		r.members = r.members.Put(m)
		if next, err := w.ev.MoveCursorPast(e.Index); err == nil {
			w.ev = next
		}
	}
	for _, a := range b.Answered {
		if m, ok := r.members.Get(segmap.ByIndex(uint32(a.Index))); ok && m.answered < a.Below {
			// A member's counters begin at the time, so that what an issuer makes up wears off.
			m.answered = max(m.answered, min(a.Below, uint64(w.now+milliseconds(clockSlack))))
			r.members = r.members.Put(m)
		}
	}
	w.setRoot(r)
	// What is held here already is stale, which is no fault of the ticket.
	for _, raw := range b.Revokes {
		_ = w.revokeStatement(raw)
	}
	if len(b.RosterSigned) > 0 {
		_ = w.rosterStatement(b.RosterSigned)
	}
	w.learned = true
	return nil
}

// reintroduce makes the introduction again with the same keys under another root, for which an owner gave a new admission.
func (w *work) reintroduce(b proto.TicketBody) error {
	d := w.self()
	if len(b.Admission) == 0 || len(d.introduction) == 0 {
		return nil
	}
	a, err := proto.ParseAdmission(b.Admission)
	if err != nil {
		return outcome.ErrForged
	}
	in, err := proto.ParseIntroduction(d.introduction)
	if err != nil {
		return outcome.ErrMalformed
	}
	in.Root, in.Rekey, in.Time = b.Notice.Root, b.Notice.Rekey, w.now
	if in, err = proto.NewIntroduction(w.st.space, in, a, d.signing); err != nil {
		return err
	}
	d.introduction, d.introduceIn = in.Encode(), proto.EpochID{}
	w.setSelf(d)
	return nil
}

// bar marks the roots that were made by somebody who is no owner by the newest list, and are not older than that list.
func (w *work) bar() {
	owners := w.self().owners
	from, known := uint64(0), false // the smallest generation of a root whose notice carried the list
	for row := range w.tp.roots.All() {
		if n := row.record.Value().notice; n.Owners.Counter == owners.Counter && (!known || n.Rekey < from) {
			from, known = n.Rekey, true
		}
	}
	for row := range w.tp.roots.All() {
		n := row.record.Value().notice
		if r, ok := w.st.root(n.Root); ok {
			if barred := known && n.Rekey >= from && !owners.Contains(n.Owner); barred != r.barred {
				r.barred = barred
				w.setRoot(r)
			}
		}
	}
}

// entered keeps the books after a ticket was merged: the next send commits, introduces a joiner, repeats the request's
// counter and brings a fresh inbox key.
func (w *work) entered(b proto.TicketBody) {
	d := w.self()
	d.answerDue, d.answered = true, d.request.count
	d.updateDue = true
	if w.st.phase == Joining {
		d.introduce = w.now + milliseconds(introduceFor)
		d.committed = w.now
		if r, ok := w.st.root(b.Notice.Root); ok && !r.members.Has(segmap.ByIndex(uint32(d.index))) {
			if in, err := proto.ParseIntroduction(d.introduction); err == nil {
				r.members = r.members.Put(member{
					RosterEntry: in.Entry(), introduction: d.introduction, app: in.App, inboxKey: in.Inbox,
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
