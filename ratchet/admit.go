package ratchet

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/state"
)

const (
	// maxTicketTrees is the size of the commit trees in a ticket over which used subtrees are left out.
	maxTicketTrees = 256 << 10
	// maxTicketIntroductions is the size of the introductions in a ticket over which some are left out: 150 of the default
	// policy, where a dealer signs the roster after 64.
	maxTicketIntroductions = 256 << 10
)

// Admit answers a request with a ticket (§9): it lets a joiner in, or gets a member back into step. Any member can. The
// space that comes back must be durable before the ticket leaves. Each request is answered once, and none of a member that
// was heard since: then the error is ErrStale. ErrOwn is for one's own request, ErrForged for one that does not verify,
// ErrUnknownEpoch for one that may belong to a rekey not seen yet, ErrTooLong if there is too much to say for a ticket.
//
// Admit answers at once. Which of many members should, Open knows.
//
// Events beside (Introduced, Conflict, and PendingIntroduction for owners if the invite is of an older root) reach the
// caller through Open.
func Admit(s Space, now time.Time, q Request) (Space, Ticket, error) {
	next, t, _, err := admit(s, now, q)
	return next, t, err
}

func admit(s Space, now time.Time, q Request) (Space, Ticket, []state.Event, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, Ticket{}, nil, err
	}
	t, err := w.admit(q)
	if err != nil {
		return s, Ticket{}, w.events, err
	}
	return w.space(), t, w.events, nil
}

func (w *work) admit(q Request) (Ticket, error) {
	a, err := w.examine(q)
	if err != nil {
		return Ticket{}, err
	}
	return w.answer(a)
}

// asker is who made a request that was verified and is still to be answered.
type asker struct {
	request digest
	ticket  boxKey // to which the ticket is boxed
	index   dkg.Index
	counter uint64 // of the request, 0 of a joiner
	joins   bool   // it asks to be let in
	unknown member // whom to let in with the ticket, zero if that is done
}

// examine verifies a request.
func (w *work) examine(q Request) (asker, error) {
	_, r, t, err := w.sending()
	if err != nil {
		return asker{}, err
	}
	if q.IsZero() {
		return asker{}, ErrMalformed
	}
	id := q.hash()
	if w.self().request.is(id) {
		return asker{}, ErrOwn
	}
	if w.heldRequest(id).turn == turnOver {
		return asker{}, ErrStale
	}
	b, err := q.open(w.st.space, t.template.config)
	if errors.Is(err, errNotOpened) {
		return asker{}, w.otherRoot(q)
	}
	if err != nil {
		return asker{}, ErrForged
	}
	a := asker{request: id, ticket: b.ticket, joins: q.kind == requestIntroduction, counter: b.resync.counter}
	if a.joins {
		a.index, a.unknown, err = w.admitJoiner(r, t, b)
	} else {
		a.index, err = w.admitMember(r, b)
	}
	return a, err
}

// answer makes the ticket for a request.
func (w *work) answer(a asker) (Ticket, error) {
	p, r, t, err := w.sending()
	if err != nil {
		return Ticket{}, err
	}
	if a.unknown.index != 0 {
		w.introduce(r, a.unknown)
	}
	body, err := w.ticketBody(a.request, p, r.id, t)
	if err != nil {
		return Ticket{}, err
	}
	ticket, err := newTicket(w.st.space, a.request, a.ticket, a.index, body, w.self().signing)
	if err != nil {
		return Ticket{}, err
	}
	h := w.heldRequest(a.request)
	h.turn, h.arrived = turnOver, w.now
	h.asker, h.joins, h.counter = a.index, a.joins, a.counter
	w.holdRequest(h)
	return ticket, nil
}

// otherRoot says what becomes of a request that is not boxed to the config key of the preferred root. One of an older root
// is for owners; any other may be of a root not known yet.
func (w *work) otherRoot(q Request) error {
	for row := range w.tp.roots.all() {
		t := row.record.Value()
		b, err := q.open(w.st.space, t.template.config)
		if err != nil {
			continue
		}
		in, _, err := b.verifyIntroduction(w.st.space, t.template.owners, t.template.policy)
		if q.kind == requestIntroduction && err == nil && w.isOwner() {
			h := q.hash()
			w.emit(PendingIntroduction{Request: [32]byte(h[:32]), Index: in.index, Key: in.key})
		}
		return ErrStale
	}
	return ErrUnknownEpoch
}

// admitJoiner verifies the introduction in a request, and returns the member that it makes unless that is known.
func (w *work) admitJoiner(r root, t terms, b requestBody) (dkg.Index, member, error) {
	in, err := parseIntroduction(b.introduction)
	if err != nil {
		return 0, member{}, ErrMalformed
	}
	if in.ticket != b.ticket.digest() {
		return 0, member{}, ErrForged
	}
	if in.root != r.id {
		return 0, member{}, ErrStale
	}
	if m, ok := r.members.get(byIndex(uint32(in.index))); ok {
		switch {
		case m.signingKey() != in.key:
			if _, err := w.admissible(r, t, in); err == nil {
				w.emit(Conflict{in.index, in.index == w.self().index})
			}
			return 0, member{}, ErrInviteTaken
		case m.left, m.answered > 0:
			return 0, member{}, ErrStale // whoever was heard asks as a member
		}
		if _, _, err := b.verifyIntroduction(w.st.space, w.self().owners, t.template.policy); err != nil {
			return 0, member{}, ErrForged
		}
		return in.index, member{}, nil
	}
	m, err := w.admissible(r, t, in)
	return in.index, m, err
}

// admitMember verifies the resync request of a member.
func (w *work) admitMember(r root, b requestBody) (dkg.Index, error) {
	m, ok := r.members.get(byIndex(uint32(b.resync.index)))
	switch {
	case !ok:
		return 0, ErrUnknownSender
	case b.verifyResync(w.st.space, m.signingKey()) != nil:
		return 0, ErrForged
	case m.index == w.self().index:
		return 0, ErrOwn // of a state of this member that was lost
	case m.left, b.resync.counter < m.answered:
		return 0, ErrStale
	case b.resync.rekey > r.rekey:
		return 0, ErrUnknownEpoch
	}
	return m.index, nil
}

// ticketBody returns what this member has to say in a ticket for a request.
func (w *work) ticketBody(request digest, p epoch, in epochID, t terms) (ticketBody, error) {
	r, _ := w.st.root(in)
	signed, since := r.roster(r.named(t.notice))
	b := ticketBody{
		issuer: w.self().index, notice: t.notice, common: t.common, template: t.template,
		roster: signed, revokes: r.revokes, rosterSigned: r.signed, introductions: introductions(request, w.self().index, since),
	}
	for m := range r.members.all() {
		if m.answered > 0 {
			b.answered = append(b.answered, answered{m.index, m.answered})
		}
	}
	epochs := w.handedOn(p)
	size := 0
	for _, e := range epochs {
		size += len(e.commits.encode())
	}
	for _, e := range epochs {
		tree := e.commits
		if size > maxTicketTrees {
			tree = tree.eraseUsed()
		}
		te := ticketEpoch{id: e.id, parent: e.parent, generation: e.generation, commitKey: e.commitKey, tree: tree}
		if !e.isRoot() {
			te.commit = e.commit[:]
		}
		b.epochs = append(b.epochs, te)
	}
	return b, nil
}

// introductions returns those that go into a ticket: the issuer's own, without which nobody would believe it, and as many
// others as there is room for. Should a dealer be gone for hundreds of them, different tickets bring different ones.
func introductions(request digest, issuer dkg.Index, since []member) (out [][]byte) {
	size := 0
	add := func(m member) {
		if size += len(m.introduction); size <= maxTicketIntroductions {
			out = append(out, m.introduction)
		}
	}
	for _, m := range since {
		if m.index == issuer {
			add(m)
		}
	}
	for k := range since {
		at := (uint64(binary.BigEndian.Uint32(request[:])) + uint64(k)) % uint64(len(since))
		if m := since[at]; m.index != issuer {
			add(m)
		}
	}
	return out
}

// handedOn returns the epochs that go into a ticket: the preferred one, its ancestors up to 4, then others of its root
// within 4 generations in their order, 16 in all.
func (w *work) handedOn(p epoch) []epoch {
	out := []epoch{p}
	have := map[epochID]bool{p.id: true}
	for _, a := range w.st.nearest(p, maxBehind) {
		if w.st.eligible(a) {
			out = append(out, a)
			have[a.id] = true
		}
	}
	for _, e := range w.st.sorted() {
		if len(out) == maxTicketEpochs {
			break
		}
		if e.root == p.root && !have[e.id] && w.st.eligible(e) && e.generation+maxBehind >= p.generation {
			out = append(out, e)
		}
	}
	return out
}

// Answers reports whether a ticket says that it answers the request of this space.
func Answers(s Space, t Ticket) bool {
	if s.State().self.IsZero() || t.IsZero() {
		return false
	}
	_, ok := s.State().self.Value().request.answeredBy(t)
	return ok
}

// Refuse is an owner's answer to a joiner that is not to be let in: its Enter returns ErrInviteDead. It returns ErrPhase
// for a member that is no owner, ErrStale for a request that was answered, ErrForged for one that does not verify.
func Refuse(s Space, now time.Time, q Request) (Space, Ticket, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, Ticket{}, err
	}
	if !w.isOwner() || w.st.phase != Member {
		return s, Ticket{}, ErrPhase
	}
	if q.kind != requestIntroduction {
		return s, Ticket{}, ErrMalformed
	}
	id := q.hash()
	h := w.heldRequest(id)
	if h.turn == turnOver {
		return s, Ticket{}, ErrStale
	}
	for row := range w.tp.roots.all() {
		t := row.record.Value()
		b, err := q.open(w.st.space, t.template.config)
		if err != nil {
			continue
		}
		if _, _, err := b.verifyIntroduction(w.st.space, t.template.owners, t.template.policy); err != nil {
			return s, Ticket{}, ErrForged
		}
		ticket, err := newRefusal(w.st.space, id, b.ticket, w.st.owner.Value().owner)
		if err != nil {
			return s, Ticket{}, err
		}
		h.turn, h.arrived = turnOver, w.now
		w.holdRequest(h)
		return w.space(), ticket, nil
	}
	return s, Ticket{}, ErrUnknownEpoch
}
