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
	d, err := newEdit(s, now)
	if err != nil {
		return s, nil, err
	}
	if err := d.enter(t); err != nil {
		return s, d.events, err
	}
	return d.space(), d.events, nil
}

func (d *edit) enter(t proto.Ticket) error {
	if d.st.phase != Joining && d.st.phase != Member {
		return outcome.ErrPhase
	}
	me := d.st.identity()
	if t.IsZero() {
		return outcome.ErrMalformed
	}
	asked, ok := me.request.answeredBy(t)
	if !ok {
		return outcome.ErrStale
	}
	answer, err := t.Open(d.st.space, me.request.key, me.index)
	switch {
	case errors.Is(err, suite.ErrNotOpened):
		return outcome.ErrForged
	case err != nil:
		return outcome.ErrMalformed
	case answer.Refused:
		if proto.VerifyRefusal(me.owners, d.st.space, asked, answer.Refusal) != nil {
			return outcome.ErrForged
		}
		return outcome.ErrInviteDead
	}
	b := answer.Body
	v, err := b.Verify(me.origin, asked, me.index)
	if err != nil {
		return outcome.ErrForged
	}
	if m, ok := v.Roster.Find(me.index); ok && m.Signing != me.signing.Public {
		d.emit(Conflict{me.index, true})
		return outcome.ErrInviteTaken
	}
	if me.request.opened == 0 {
		me.request.opened, me.request.issuer = d.now, b.Issuer
	}
	if b.Notice.Owners.Counter > me.owners.Counter {
		me.owners = b.Notice.Owners
	}
	d.setIdentity(me)
	if err := d.enterRoot(b, v); err != nil {
		return err
	}
	d.markUntrusted()
	mine := d.st.preferred
	named, err := d.importClaims(b)
	if err != nil {
		return err
	}
	if named[b.Epochs[0].ID] && d.st.behindOwnCommits(b.Epochs[0].ID, mine) {
		d.prefer(d.st.findPreferred())
		d.wasAnswered()
		return nil
	}
	d.quarantine(b.Notice.Root, named)
	d.afterTicket(b)
	return nil
}

// enterRoot takes in the ticket's root, or what it tells of one held.
func (d *edit) enterRoot(b proto.TicketBody, v proto.VerifiedTicket) error {
	me := d.st.identity()
	r, held := d.st.root(b.Notice.Root)
	if !held {
		r = root{id: b.Notice.Root, rekey: b.Notice.Rekey}
		g := d.tp.grant.Value().Grant
		switch {
		case d.st.phase == Joining && g.Root == r.id && b.Context.Public.Equal(g.Public) && b.Context.Depth == g.Depth:
			r.share = g.Share
		case b.Share.Index() == me.index:
			r.share = b.Share
			if err := d.reintroduce(b); err != nil {
				return err
			}
		default:
			return outcome.ErrStale // its share comes in a box
		}
		d.tp = d.tp.with(rootTerms{id: r.id, template: b.Template, notice: b.Notice, context: b.Context})
	}
	introduced := make(map[dkg.Index][]byte)
	apps := make(map[dkg.Index]proto.Introduction)
	for i, in := range v.Introductions {
		introduced[in.Index], apps[in.Index] = b.Introductions[i], in
	}
	for _, e := range v.Roster.Entries {
		if m, ok := r.members.Get(segmap.ByIndex(uint32(e.Index))); ok {
			if m.signingKey() != e.Signing {
				d.emit(Conflict{e.Index, e.Index == me.index})
			}
			continue
		}
		m := member{RosterEntry: e}
		if in, ok := apps[e.Index]; ok {
			m.introduction, m.app, m.inboxKey = introduced[e.Index], in.App, in.Inbox
		}
		r.members = r.members.Put(m)
		if next, err := d.ev.MoveCursorPast(e.Index); err == nil {
			d.ev = next
		}
	}
	for _, a := range b.Answered {
		if m, ok := r.members.Get(segmap.ByIndex(uint32(a.Index))); ok && m.answered < a.Below {
			// A member's counters begin at the time, so that what an issuer makes up wears off.
			m.answered = max(m.answered, min(a.Below, uint64(d.now+milliseconds(clockSlack))))
			r.members = r.members.Put(m)
		}
	}
	d.setRoot(r)
	// What is held here already is stale, which is no fault of the ticket.
	for _, raw := range b.Revokes {
		_ = d.revokeStatement(raw)
	}
	if len(b.RosterSigned) > 0 {
		_ = d.rosterStatement(b.RosterSigned)
	}
	d.progress = true
	return nil
}

// reintroduce makes the introduction again with the same keys under another root, for which an owner gave a new admission.
func (d *edit) reintroduce(b proto.TicketBody) error {
	me := d.st.identity()
	if len(b.Admission) == 0 || len(me.introduction) == 0 {
		return nil
	}
	a, err := proto.ParseAdmission(b.Admission)
	if err != nil {
		return outcome.ErrForged
	}
	in, err := proto.ParseIntroduction(me.introduction)
	if err != nil {
		return outcome.ErrMalformed
	}
	in.Root, in.Rekey, in.Time = b.Notice.Root, b.Notice.Rekey, d.now
	if in, err = proto.NewIntroduction(d.st.space, in, a, me.signing); err != nil {
		return err
	}
	me.introduction, me.introduceIn = in.Encode(), proto.EpochID{}
	d.setIdentity(me)
	return nil
}

// markUntrusted marks the roots that were made by somebody who is no owner by the newest list, and are not older than that list.
func (d *edit) markUntrusted() {
	owners := d.st.identity().owners
	from, known := uint64(0), false // the smallest generation of a root whose notice carried the list
	for row := range d.tp.roots.All() {
		if n := row.record.Value().notice; n.Owners.Counter == owners.Counter && (!known || n.Rekey < from) {
			from, known = n.Rekey, true
		}
	}
	for row := range d.tp.roots.All() {
		n := row.record.Value().notice
		if r, ok := d.st.root(n.Root); ok {
			if barred := known && n.Rekey >= from && !owners.Contains(n.Owner); barred != r.untrusted {
				r.untrusted = barred
				d.setRoot(r)
			}
		}
	}
}

// afterTicket keeps the books after a ticket was merged: the next send commits, introduces a joiner, repeats the request's
// counter and brings a fresh inbox key.
func (d *edit) afterTicket(b proto.TicketBody) {
	me := d.st.identity()
	me.answerDue, me.answered = true, me.request.count
	me.updateDue = true
	if d.st.phase == Joining {
		me.introduce = d.now + milliseconds(introduceFor)
		me.committed = d.now
		if r, ok := d.st.root(b.Notice.Root); ok && !r.members.Has(segmap.ByIndex(uint32(me.index))) {
			if in, err := proto.ParseIntroduction(me.introduction); err == nil {
				r.members = r.members.Put(member{
					RosterEntry: in.Entry(), introduction: me.introduction, app: in.App, inboxKey: in.Inbox,
				})
				d.setRoot(r)
			}
		}
		d.st.phase = Member
		d.tp.grant = state.NewSegment(storedGrant{})
	}
	d.setIdentity(me)
	d.st.commit, d.st.ask, d.st.restored = true, false, false
	d.st.backoff = backoff{stage: d.st.backoff.stage, entered: d.now} // a ticket is no message that was waited for
	d.progress = true
}
