package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Join makes the space of a joiner out of what an invite held, and the frame of the request that asks the members to let it in.
// App is application data of the introduction, at most MaxApplicationData, which all members see and which is not forward
// secret (SPEC §12). The space must be durable before the request leaves. It is in the phase Joining until a ticket was
// entered. Join returns ErrMalformed for the zero Grant, and ErrTooLong.
func Join(grant Grant, now time.Time, app []byte) (Space, []byte, error) {
	if grant.IsZero() {
		return Space{}, nil, outcome.ErrMalformed
	}
	g := grant.proto
	space := g.Space()
	d := identity{
		origin: g.Origin, owners: g.Owners, index: g.Index(), signing: suite.NewSigningKey(g.Policy.Scheme),
		updatedAt: now.UnixMilli(), askedAt: now.UnixMilli(),
	}.withInbox(g.Policy.KEM)
	ticket := suite.NewKEMSecret(g.Policy.KEM)
	in, err := proto.NewIntroduction(space, proto.Introduction{
		Root: g.Root, Rekey: g.Rekey, Index: g.Index(), Inbox: d.newest().secret.Public.Bytes(),
		Ticket: ticket.Public.Digest(), App: app, Time: now.UnixMilli(),
	}, g.Admission, d.signing)
	if err != nil {
		return Space{}, nil, err
	}
	q, err := proto.NewIntroductionRequest(space, g.Config, ticket.Public, in)
	if err != nil {
		return Space{}, nil, err
	}
	d.introduction = in.Encode()
	d.request = request{key: ticket, hash: q.Hash(), kind: proto.KindIntroduction}
	st := State{
		space: space, phase: Joining, self: state.NewSegment(d), owner: state.NewSegment(ownerKeys{}),
		clock: now.UnixMilli(), pruned: now.UnixMilli(), heard: now.UnixMilli(),
	}
	tp := Template{space: space, grant: state.NewSegment(storedGrant{g})}
	s, err := state.New(space, st, tp, dkg.NoEvals())
	if err != nil {
		return Space{}, nil, err
	}
	return s, q.Bytes(), nil
}

// ask makes a request for a ticket by a member that is out of step: at most one an hour, else it returns ErrTooSoon.
// An earlier request of this member counts no more, so what is stored should have been fetched and read before.
//
// A joiner that nobody let in yet asks again with it: after an hour, and then after twice as long each time, up to a day.
// Tickets that answer its earlier requests go on counting.
func ask(s Space, now time.Time) (Space, []byte, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, nil, err
	}
	request := w.askAgain
	if w.st.phase == Member {
		request = w.askResync
	}
	if w.st.phase != Member && w.st.phase != Joining {
		return s, nil, outcome.ErrPhase
	}
	if !w.mayAsk() {
		return s, nil, outcome.ErrTooSoon
	}
	q, err := request()
	if err != nil {
		return s, nil, err
	}
	return w.space(), q.Bytes(), nil
}

// mayAsk reports whether enough time has gone by since the last request.
func (w *work) mayAsk() bool {
	d := w.self()
	return w.elapsed(d.askedAt, askAfter(len(d.request.earlier)))
}

// askAfter returns how long after a request its asker may ask again that has asked as often before: from an hour to a day.
func askAfter(earlier int) time.Duration {
	return min(askEvery<<min(earlier, 8), askLongest)
}

// askAgain boxes the introduction of a joiner anew. The ticket key stays the same, so that no ticket is lost.
func (w *work) askAgain() (proto.Request, error) {
	d := w.self()
	in, err := proto.ParseIntroduction(d.introduction)
	if err != nil || !d.request.isOpen() {
		return proto.Request{}, outcome.ErrPhase
	}
	q, err := proto.NewIntroductionRequest(w.st.space, w.tp.grant.Value().Config, d.request.key.Public, in)
	if err != nil {
		return proto.Request{}, err
	}
	d.request, d.askedAt = d.request.again(q.Hash()), w.now
	w.setSelf(d)
	return q, nil
}

// askResync asks for a ticket as a member. It will ask again unless one answers.
func (w *work) askResync() (proto.Request, error) {
	d := w.self()
	r, t, ok := w.current()
	if !ok {
		return proto.Request{}, outcome.ErrPhase
	}
	ticket := suite.NewKEMSecret(t.template.Policy.KEM)
	// The counter begins at the time, so that it is above those of a state that was lost (§8).
	d.asked = max(d.asked+1, uint64(max(w.now, 0)))
	q, err := proto.NewResyncRequest(w.st.space, t.template.Config.Public, ticket.Public, proto.Resync{
		Index: d.index, Rekey: r.rekey, Root: r.id, Preferred: w.st.preferred, Counter: d.asked, Time: w.now,
	}, nil, d.signing)
	if err != nil {
		return proto.Request{}, err
	}
	d.askedAt = w.now
	d.request = request{key: ticket, hash: q.Hash(), kind: proto.KindResync, count: d.asked, serial: w.st.serial}
	w.setSelf(d)
	w.st.ask = true
	w.st.wait.sends = 0
	return q, nil
}

// wasAnswered ends a request by a ticket that told nothing: the next own commit tells the others that it counts no more.
func (w *work) wasAnswered() {
	w.st.ask = false
	if d := w.self(); d.answered < d.request.count {
		d.answerDue, d.answered = true, d.request.count
		w.setSelf(d)
	}
}

// current returns the first root in the order of §5 of those held, with its terms.
func (w *work) current() (r root, t terms, ok bool) {
	for row := range w.st.roots.All() {
		if next := row.record.Value(); !next.barred && (!ok || compareRoots(next, r) < 0) {
			r, ok = next, true
		}
	}
	if ok {
		t, ok = w.tp.terms(r.id)
	}
	return r, t, ok
}
