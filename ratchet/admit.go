package ratchet

import (
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/state"
)

// maxTicketTrees is the size of the commit trees in a ticket over which used subtrees are left out.
const maxTicketTrees = 256 << 10

// Admit answers a request with a ticket (§9): it lets a joiner in, or gets a member back into step. Any member can. The
// space that comes back must be durable before the ticket leaves. Each request is answered once, and not at all if two
// tickets of others were seen (Witness): then the error is ErrStale. ErrOwn is for one's own request, ErrForged for one
// that does not verify, ErrUnknownEpoch for one that may belong to a rekey not seen yet.
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
	p, r, t, err := w.sending()
	if err != nil {
		return Ticket{}, err
	}
	if q.IsZero() {
		return Ticket{}, ErrMalformed
	}
	id := q.hash()
	if d := w.self(); d.request.isOpen() && d.request.hash == id {
		return Ticket{}, ErrOwn
	}
	known, seen := w.st.requests.get(heldRequest{id: [16]byte(id[:16])}.key())
	if seen && (known.answered || known.tickets >= enoughTickets) {
		return Ticket{}, ErrStale
	}
	b, err := q.open(w.st.space, t.template.config)
	if errors.Is(err, errNotOpened) {
		return Ticket{}, w.otherRoot(q)
	}
	if err != nil {
		return Ticket{}, ErrForged
	}
	var j dkg.Index
	if q.kind == requestIntroduction {
		j, err = w.admitJoiner(r, t, b)
	} else {
		j, err = w.admitMember(r, b)
	}
	if err != nil {
		return Ticket{}, err
	}
	body, err := w.ticketBody(p, r.id, t)
	if err != nil {
		return Ticket{}, err
	}
	ticket, err := newTicket(w.st.space, id, b.ticket, j, body, w.self().signing)
	if err != nil {
		return Ticket{}, err
	}
	w.noteRequest(id, func(h heldRequest) heldRequest { h.answered = true; return h })
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

// admitJoiner verifies the introduction in a request and accepts it.
func (w *work) admitJoiner(r root, t terms, b requestBody) (dkg.Index, error) {
	in, err := parseIntroduction(b.introduction)
	if err != nil {
		return 0, ErrMalformed
	}
	if in.ticket != b.ticket.digest() {
		return 0, ErrForged
	}
	if in.root != r.id {
		return 0, ErrStale
	}
	if m, ok := r.members.get(byIndex(uint32(in.index))); ok {
		switch {
		case m.signingKey() != in.key:
			if _, err := w.admissible(r, t, in); err == nil {
				w.emit(Conflict{in.index, in.index == w.self().index})
			}
			return 0, ErrInviteTaken
		case m.answered > b.counter:
			return 0, ErrStale
		}
		_, _, err := b.verifyIntroduction(w.st.space, w.self().owners, t.template.policy)
		if err != nil {
			return 0, ErrForged
		}
		return in.index, nil
	}
	m, err := w.admissible(r, t, in)
	if err != nil {
		return 0, err
	}
	w.introduce(r, m)
	return m.index, nil
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
	case m.left, b.counter < m.answered:
		return 0, ErrStale
	case b.resync.rekey > r.rekey:
		return 0, ErrUnknownEpoch
	}
	return m.index, nil
}

// ticketBody returns what this member has to say in a ticket.
func (w *work) ticketBody(p epoch, in epochID, t terms) (ticketBody, error) {
	r, _ := w.st.root(in)
	signed, since := r.roster(r.named(t.notice))
	b := ticketBody{
		issuer: w.self().index, notice: t.notice, common: t.common, template: t.template,
		roster: signed, revokes: r.revokes, rosterSigned: r.signed, introductions: since,
	}
	for m := range r.members.all() {
		if m.answered > 0 {
			b.answered = append(b.answered, answered{m.index, m.answered})
		}
	}
	if len(signed.entries) > 0 && len(signed.encode()) > maxInlineRoster {
		b.rosterKey = rosterKey(t.template, signed)
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

// handedOn returns the epochs that go into a ticket: the preferred one, its ancestors up to 4, then others of its root
// within 4 generations in their order, 16 in all.
func (w *work) handedOn(p epoch) []epoch {
	out := []epoch{p}
	have := map[epochID]bool{p.id: true}
	for _, a := range w.st.nearest(p, maxBehind) {
		if !a.commits.isZero() {
			out = append(out, a)
			have[a.id] = true
		}
	}
	for _, e := range w.st.sorted() {
		if len(out) == maxTicketEpochs {
			break
		}
		if e.root == p.root && !have[e.id] && !e.commits.isZero() && e.generation+maxBehind >= p.generation {
			out = append(out, e)
		}
	}
	return out
}

// noteRequest changes what is remembered of a request; over the limit the oldest is forgotten.
func (w *work) noteRequest(id digest, change func(heldRequest) heldRequest) {
	h := heldRequest{id: [16]byte(id[:16]), arrived: w.now}
	if held, ok := w.st.requests.get(h.key()); ok {
		h = held
	} else if w.st.requests.size() >= maxHeldRequests {
		var oldest heldRequest
		for r := range w.st.requests.all() {
			if oldest.arrived == 0 || r.arrived < oldest.arrived {
				oldest = r
			}
		}
		w.st.requests = w.st.requests.drop(oldest.key())
	}
	w.st.requests = w.st.requests.put(change(h))
}

// Witness notes a ticket that answers somebody else's request, so that no more answer it than need be. A ticket that
// answers one's own is for Enter; Answers tells.
func Witness(s Space, now time.Time, t Ticket) (Space, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, err
	}
	if t.IsZero() {
		return s, ErrMalformed
	}
	if Answers(s, t) {
		return s, ErrOwn
	}
	var id digest
	copy(id[:], t.answers[:])
	w.noteRequest(id, func(h heldRequest) heldRequest { h.tickets = min(h.tickets+1, enoughTickets); return h })
	return w.space(), nil
}

// Answers reports whether a ticket says that it answers the request of this space.
func Answers(s Space, t Ticket) bool {
	if s.State().self.IsZero() || t.IsZero() {
		return false
	}
	q := s.State().self.Value().request
	return q.isOpen() && t.answersTo(q.hash)
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
	if h, ok := w.st.requests.get(heldRequest{id: [16]byte(id[:16])}.key()); ok && h.answered {
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
		w.noteRequest(id, func(h heldRequest) heldRequest { h.answered = true; return h })
		return w.space(), ticket, nil
	}
	return s, Ticket{}, ErrUnknownEpoch
}
