package ratchet

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

const (
	// maxTicketTrees is the size of the commit trees in a ticket over which used subtrees are left out.
	maxTicketTrees = 256 << 10
	// maxTicketIntroductions is the size of the introductions in a ticket over which some are left out: 150 of the default
	// policy, where a dealer signs the roster after 64.
	maxTicketIntroductions = 256 << 10
)

// Admit answers the frame of a request with that of a ticket (SPEC §9): it lets a joiner in, or gets a member back into step.
// Most programs do not call it: an Opener does, which also knows which of many members should answer. Any member can; the
// space that comes back must be durable before the ticket leaves. Each request is answered once. Besides the errors of a
// frame, Admit returns ErrTooLong if there is more to say than fits into a ticket, and ErrPhase.
func Admit(s Space, now time.Time, frame []byte) (Space, []byte, error) {
	q, err := proto.ParseRequest(frame)
	if err != nil {
		return s, nil, outcome.Malformed(err)
	}
	d, err := newEdit(s, now)
	if err != nil {
		return s, nil, err
	}
	t, err := d.admit(q)
	if err != nil {
		return s, nil, err
	}
	return d.space(), t.Bytes(), nil
}

func (d *edit) admit(q proto.Request) (proto.Ticket, error) {
	a, err := d.examine(q)
	if err != nil {
		return proto.Ticket{}, err
	}
	return d.answer(a)
}

// verifiedRequest is a request that was verified and is still to be answered, and who made it.
type verifiedRequest struct {
	request suite.Digest
	ticket  suite.KEMKey // to which the ticket is boxed
	index   dkg.Index
	counter uint64 // of the request, 0 of a joiner
	joins   bool   // it asks to be let in
	unknown member // whom to let in with the ticket, zero if that is done
}

// examine verifies a request.
func (d *edit) examine(q proto.Request) (verifiedRequest, error) {
	_, r, t, err := d.target()
	if err != nil {
		return verifiedRequest{}, err
	}
	if q.IsZero() {
		return verifiedRequest{}, outcome.ErrMalformed
	}
	id := q.Hash()
	if d.st.identity().request.is(id) {
		return verifiedRequest{}, outcome.ErrOwn
	}
	if d.requestRecord(id).state == answerDone {
		return verifiedRequest{}, outcome.ErrStale
	}
	b, err := q.Open(d.st.space, t.template.Config)
	if errors.Is(err, suite.ErrNotOpened) {
		return verifiedRequest{}, d.otherRoot(q)
	}
	if err != nil {
		return verifiedRequest{}, outcome.ErrForged
	}
	a := verifiedRequest{request: id, ticket: b.Ticket, joins: q.Kind == proto.KindIntroduction, counter: b.Resync.Counter}
	if a.joins {
		a.index, a.unknown, err = d.admitJoiner(r, t, b)
	} else {
		a.index, err = d.st.admitMember(r, b)
	}
	return a, err
}

// answer makes the ticket for a request.
func (d *edit) answer(a verifiedRequest) (proto.Ticket, error) {
	p, r, t, err := d.target()
	if err != nil {
		return proto.Ticket{}, err
	}
	if a.unknown.Index != 0 {
		d.introduce(r, a.unknown)
	}
	body, err := d.st.ticketBody(a.request, p, r.id, t)
	if err != nil {
		return proto.Ticket{}, err
	}
	ticket, err := proto.NewTicket(d.st.space, a.request, a.ticket, a.index, body, d.st.identity().signing)
	if err != nil {
		return proto.Ticket{}, err
	}
	h := d.requestRecord(a.request)
	h.state, h.arrived = answerDone, d.now
	h.index, h.joins, h.counter = a.index, a.joins, a.counter
	d.putRequest(h)
	return ticket, nil
}

// otherRoot says what becomes of a request that is not boxed to the config key of the preferred root. One of an older root
// is for owners; any other may be of a root not known yet.
func (d *edit) otherRoot(q proto.Request) error {
	for row := range d.tp.roots.All() {
		t := row.record.Value()
		b, err := q.Open(d.st.space, t.template.Config)
		if err != nil {
			continue
		}
		in, _, err := b.VerifyIntroduction(d.st.space, t.template.Owners, t.template.Policy)
		if q.Kind == proto.KindIntroduction && err == nil && d.st.isOwner() {
			h := q.Hash()
			d.emit(pendingIntroduction{Request: [32]byte(h[:32]), Index: in.Index, Key: PublicKey{in.Key}})
		}
		return outcome.ErrStale
	}
	return outcome.ErrUnknownEpoch
}

// admitJoiner verifies the introduction in a request, and returns the member that it makes unless that is known.
func (d *edit) admitJoiner(r root, t rootTerms, b proto.RequestBody) (dkg.Index, member, error) {
	in, err := proto.ParseIntroduction(b.Introduction)
	if err != nil {
		return 0, member{}, outcome.ErrMalformed
	}
	if in.Ticket != b.Ticket.Digest() {
		return 0, member{}, outcome.ErrForged
	}
	if in.Root != r.id {
		return 0, member{}, outcome.ErrStale
	}
	if m, ok := r.members.Get(segmap.ByIndex(uint32(in.Index))); ok {
		switch {
		case m.signingKey() != in.Key:
			if _, err := d.admissible(r, t, in); err == nil {
				d.emit(Conflict{in.Index, in.Index == d.st.identity().index})
			}
			return 0, member{}, outcome.ErrInviteTaken
		case m.left, m.answered > 0:
			return 0, member{}, outcome.ErrStale // whoever was heard asks as a member
		}
		if _, _, err := b.VerifyIntroduction(d.st.space, d.st.identity().owners, t.template.Policy); err != nil {
			return 0, member{}, outcome.ErrForged
		}
		return in.Index, member{}, nil
	}
	m, err := d.admissible(r, t, in)
	return in.Index, m, err
}

// admitMember verifies the resync request of a member.
func (s State) admitMember(r root, b proto.RequestBody) (dkg.Index, error) {
	m, ok := r.members.Get(segmap.ByIndex(uint32(b.Resync.Index)))
	switch {
	case !ok:
		return 0, outcome.ErrUnknownSender
	case b.VerifyResync(s.space, m.signingKey()) != nil:
		return 0, outcome.ErrForged
	case m.Index == s.identity().index:
		return 0, outcome.ErrOwn // of a state of this member that was lost
	case m.left, b.Resync.Counter < m.answered:
		return 0, outcome.ErrStale
	case b.Resync.Rekey > r.rekey:
		return 0, outcome.ErrUnknownEpoch
	}
	return m.Index, nil
}

// ticketBody returns what this member has to say in a ticket for a request.
func (s State) ticketBody(request suite.Digest, p epoch, in proto.EpochID, t rootTerms) (proto.TicketBody, error) {
	r, _ := s.root(in)
	signed, since := r.roster(r.named(t.notice))
	b := proto.TicketBody{
		Issuer: s.identity().index, Notice: t.notice, Context: t.context, Template: t.template,
		Roster: signed, Revokes: r.revokes, RosterSigned: r.signed, Introductions: introductions(request, s.identity().index, since),
	}
	for m := range r.members.All() {
		if m.answered > 0 {
			b.Answered = append(b.Answered, proto.Answered{Index: m.Index, Below: m.answered})
		}
	}
	epochs := s.handedOn(p)
	size := 0
	for _, e := range epochs {
		size += len(e.commits.Encode())
	}
	for _, e := range epochs {
		tree := e.commits
		if size > maxTicketTrees {
			tree = tree.EraseUsed()
		}
		te := proto.TicketEpoch{ID: e.id, Parent: e.parent, Generation: e.generation, CommitKey: e.commitKey, Tree: tree}
		if !e.isRoot() {
			te.Commit = e.commit[:]
		}
		b.Epochs = append(b.Epochs, te)
	}
	return b, nil
}

// introductions returns those that go into a ticket: the issuer's own, without which nobody would believe it, and as many
// others as there is room for. Should a dealer be gone for hundreds of them, different tickets bring different ones.
func introductions(request suite.Digest, issuer dkg.Index, since []member) (out [][]byte) {
	size := 0
	add := func(m member) {
		if size += len(m.introduction); size <= maxTicketIntroductions {
			out = append(out, m.introduction)
		}
	}
	for _, m := range since {
		if m.Index == issuer {
			add(m)
		}
	}
	for k := range since {
		at := (uint64(binary.BigEndian.Uint32(request[:])) + uint64(k)) % uint64(len(since))
		if m := since[at]; m.Index != issuer {
			add(m)
		}
	}
	return out
}

// handedOn returns the epochs that go into a ticket: the preferred one, its ancestors up to 4, then others of its root
// within 4 generations in their order, 16 in all.
func (s State) handedOn(p epoch) []epoch {
	out := []epoch{p}
	have := map[proto.EpochID]bool{p.id: true}
	for _, a := range s.nearest(p, maxBehind) {
		if s.eligible(a) {
			out = append(out, a)
			have[a.id] = true
		}
	}
	for _, e := range s.sorted() {
		if len(out) == proto.MaxTicketEpochs {
			break
		}
		if e.root == p.root && !have[e.id] && s.eligible(e) && e.generation+maxBehind >= p.generation {
			out = append(out, e)
		}
	}
	return out
}

// answers reports whether a ticket says that it answers the request of this space.
func answers(s Space, t proto.Ticket) bool {
	if s.State().self.IsZero() || t.IsZero() {
		return false
	}
	_, ok := s.State().self.Value().request.answeredBy(t)
	return ok
}

// refuse is an owner's answer to a joiner that is not to be let in: its Enter returns ErrInviteDead. It returns ErrPhase
// for a member that is no owner, ErrStale for a request that was answered, ErrForged for one that does not verify.
func refuse(s Space, now time.Time, frame []byte) (Space, []byte, error) {
	q, err := proto.ParseRequest(frame)
	if err != nil {
		return s, nil, outcome.Malformed(err)
	}
	d, err := newEdit(s, now)
	if err != nil {
		return s, nil, err
	}
	if !d.st.isOwner() || d.st.phase != Member {
		return s, nil, outcome.ErrPhase
	}
	if q.Kind != proto.KindIntroduction {
		return s, nil, outcome.ErrMalformed
	}
	id := q.Hash()
	h := d.requestRecord(id)
	if h.state == answerDone {
		return s, nil, outcome.ErrStale
	}
	for row := range d.tp.roots.All() {
		t := row.record.Value()
		b, err := q.Open(d.st.space, t.template.Config)
		if err != nil {
			continue
		}
		if _, _, err := b.VerifyIntroduction(d.st.space, t.template.Owners, t.template.Policy); err != nil {
			return s, nil, outcome.ErrForged
		}
		ticket, err := proto.NewRefusal(d.st.space, id, b.Ticket, d.st.owner.Value().owner)
		if err != nil {
			return s, nil, err
		}
		h.state, h.arrived = answerDone, d.now
		d.putRequest(h)
		return d.space(), ticket.Bytes(), nil
	}
	return s, nil, outcome.ErrUnknownEpoch
}
