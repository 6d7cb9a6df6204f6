package ratchet

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/state"
)

// Enter takes in a ticket that answers this member's own request (§9). It makes a joiner a member, and gets a member that
// was out of step back. It changes the state only: the caller then reads what is stored and calls Encrypt, with an empty
// text if need be, at once: that message brings the others the commit from which on this member can read everything.
//
// A ticket that tells nothing new changes nothing. ErrStale is for one that answers no request of one's own, ErrForged for
// one that does not verify, ErrInviteDead for an owner's refusal, ErrInviteTaken if somebody else has the index.
//
// In a space of more than some 600 members the roster does not fit: the error is ErrRosterMissing then, and EnterWith wants
// what lies at RosterAddress.
func Enter(s Space, now time.Time, t Ticket) (Space, error) {
	return EnterWith(s, now, t, nil)
}

// EnterWith is Enter with the roster to which the ticket refers.
func EnterWith(s Space, now time.Time, t Ticket, roster []byte) (Space, error) {
	next, _, err := enter(s, now, t, roster)
	return next, err
}

func enter(s Space, now time.Time, t Ticket, roster []byte) (Space, []state.Event, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, nil, err
	}
	if err := w.enter(t, roster); err != nil {
		return s, w.events, err
	}
	return w.space(), w.events, nil
}

func (w *work) enter(t Ticket, roster []byte) error {
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
	if !b.rosterKey.IsZero() {
		if roster == nil {
			return ErrRosterMissing
		}
		if b, err = b.withRoster(roster); err != nil {
			return ErrForged
		}
	}
	v, err := b.verify(d.origin, asked, d.index)
	if err != nil {
		return ErrForged
	}
	if m, ok := v.roster.find(d.index); ok && m.key != d.signing.public {
		w.emit(Conflict{d.index, true})
		return ErrInviteTaken
	}
	if !w.fits(b) {
		return ErrForged
	}
	if w.tellsNothing(b) {
		w.wasAnswered()
		return nil
	}
	if b.notice.owners.counter > d.owners.counter {
		d.owners = b.notice.owners
		w.setSelf(d)
	}
	if err := w.enterRoot(b, v); err != nil {
		return err
	}
	w.bar()
	w.enterEpochs(b)
	w.entered(b)
	return nil
}

// tellsNothing reports whether the epoch that the issuer prefers is one's own preferred one, or lies above it by own
// commits made since the request only.
func (w *work) tellsNothing(b ticketBody) bool {
	path, ok := w.st.path(b.epochs[0].id, w.st.preferred)
	if !ok {
		return false
	}
	for _, id := range path {
		if e, _ := w.st.epoch(id); !w.ownSince(e) {
			return false
		}
	}
	return true
}

// ownSince reports whether an epoch was made by an own commit after the request.
func (w *work) ownSince(e epoch) bool {
	d := w.self()
	return e.maker() == d.index && e.serial > d.request.serial
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

// fits reports whether the generations in a ticket fit those of the epochs held. They are never sent but in tickets, and
// whoever believed a wrong one would prefer another epoch than everybody else.
func (w *work) fits(b ticketBody) bool {
	for _, e := range b.epochs {
		if held, ok := w.st.epoch(e.id); ok && held.generation != e.generation {
			return false
		}
		if parent, ok := w.st.epoch(e.parent); ok && len(e.commit) > 0 && e.generation != parent.generation+1 {
			return false
		}
	}
	return true
}

// enterEpochs merges the ticket's epochs: records held are kept; an epoch that is not in the ticket, nor below one of its
// epochs by commits of others or by own ones made since, loses its commit tree, since the others may have used up or
// erased there what it still holds.
func (w *work) enterEpochs(b ticketBody) {
	// Parents first: what the member can derive itself, it will be able to read.
	epochs := slices.Clone(b.epochs)
	slices.SortStableFunc(epochs, func(x, y ticketEpoch) int { return cmp.Compare(x.generation, y.generation) })
	in := make(map[epochID]bool, len(epochs))
	for _, e := range epochs {
		in[e.id] = true
		w.derive(e, b.issuer)
	}
	for row := range w.st.epochs.all() {
		if e := row.epoch(); e.root == b.notice.root && !e.commits.isZero() && !w.reached(e, in) {
			w.put(e.retired())
		}
	}
	for _, e := range epochs {
		if _, held := w.st.epoch(e.id); held {
			continue
		}
		n := birth{
			id: e.id, parent: e.parent, root: b.notice.root, generation: e.generation,
			charged: b.issuer, entered: w.now, depth: b.common.depth, commitKey: e.commitKey,
		}
		copy(n.commit[:], e.commit)
		n.prepare()
		w.add(epoch{birth: &n, commits: e.tree, senders: frontier{bits: n.depth - indexBlock}}.stow())
	}
	w.prefer(w.st.findPreferred())
}

// derive enters an epoch of a ticket by way of its commit, as if a message had brought it, if its parent is held and can
// still make it: so what is on its way there can be read. Its commit tree is the ticket's all the same.
func (w *work) derive(e ticketEpoch, issuer dkg.Index) {
	parent, ok := w.st.epoch(e.parent)
	if _, held := w.st.epoch(e.id); held || !ok || len(e.commit) == 0 {
		return
	}
	child, err := w.follow(edge{parent: parent, commit: commit(e.commit)})
	if err != nil || child.id != e.id || !child.commitKey.Equal(e.commitKey) {
		return
	}
	_, tree, err := parent.commits.eval(child.maker(), child.id)
	if err != nil {
		return
	}
	w.put(parent.withCommits(tree))
	b := *child.birth
	b.charged = issuer
	child.birth = &b
	w.add(child.withCommits(e.tree))
}

// reached reports whether an epoch is one of the ticket's or lies below one by others' commits or own ones made since.
func (w *work) reached(e epoch, in map[epochID]bool) bool {
	for !in[e.id] {
		if e.isRoot() || e.maker() == w.self().index && !w.ownSince(e) {
			return false
		}
		var ok bool
		if e, ok = w.st.epoch(e.parent); !ok {
			return false
		}
	}
	return true
}

// entered keeps the books after a ticket was merged: the next send commits, introduces a joiner, repeats the request's
// counter and brings a fresh inbox key.
func (w *work) entered(b ticketBody) {
	d := w.self()
	if d.request.opened == 0 {
		d.request.opened, d.request.issuer = w.now, b.issuer
	}
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
	w.st.wait = waiting{entered: w.now}
	w.learned = true
}
