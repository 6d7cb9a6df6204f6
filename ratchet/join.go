package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/state"
)

// Join makes the space of a joiner out of what an invite held, and the request that asks the members to let it in. App is
// application data of the introduction, at most 1 KiB, which all members see and which is not forward secret (§12). The
// space must be durable before the request leaves. It is in the phase Joining until a ticket was entered. Join returns
// ErrMalformed for the zero Grant.
func Join(g Grant, now time.Time, app []byte) (Space, Request, error) {
	if g.IsZero() {
		return Space{}, Request{}, ErrMalformed
	}
	space := g.Space()
	d := identity{
		origin: g.origin, owners: g.owners, index: g.Index(), signing: newSigningKey(g.policy.Scheme),
		updatedAt: now.UnixMilli(), askedAt: now.UnixMilli(),
	}.withInbox(g.policy.KEM)
	ticket := newBoxSecret(g.policy.KEM)
	in, err := newIntroduction(space, introduction{
		root: g.root, rekey: g.rekey, index: g.Index(), inbox: d.newest().secret.public.bytes(),
		ticket: ticket.public.digest(), app: app, time: now.UnixMilli(),
	}, g.admission, d.signing)
	if err != nil {
		return Space{}, Request{}, err
	}
	q, err := newIntroductionRequest(space, g.config, ticket.public, in)
	if err != nil {
		return Space{}, Request{}, err
	}
	d.introduction = in.encode()
	d.request = request{key: ticket, hash: q.hash(), kind: requestIntroduction}
	st := State{
		space: space, phase: Joining, self: state.NewSegment(d), owner: state.NewSegment(ownerKeys{}),
		clock: now.UnixMilli(), pruned: now.UnixMilli(), heard: now.UnixMilli(),
	}
	tp := Template{space: space, grant: state.NewSegment(storedGrant{g})}
	s, err := state.New(space, st, tp, dkg.NoEvals())
	if err != nil {
		return Space{}, Request{}, err
	}
	return s, q, nil
}

// AskResync makes a request for a ticket by a member that is out of step: at most one an hour, else it returns ErrTooSoon.
// An earlier request of this member counts no more, so what is stored should have been fetched and read before.
//
// A joiner that nobody let in yet asks again with it: after an hour, and then after twice as long each time, up to a day.
// Tickets that answer its earlier requests go on counting.
func AskResync(s Space, now time.Time) (Space, Request, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, Request{}, err
	}
	ask := w.askAgain
	if w.st.phase == Member {
		ask = w.askResync
	}
	if w.st.phase != Member && w.st.phase != Joining {
		return s, Request{}, ErrPhase
	}
	if !w.mayAsk() {
		return s, Request{}, ErrTooSoon
	}
	q, err := ask()
	if err != nil {
		return s, Request{}, err
	}
	return w.space(), q, nil
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
func (w *work) askAgain() (Request, error) {
	d := w.self()
	in, err := parseIntroduction(d.introduction)
	if err != nil || !d.request.isOpen() {
		return Request{}, ErrPhase
	}
	q, err := newIntroductionRequest(w.st.space, w.tp.grant.Value().config, d.request.key.public, in)
	if err != nil {
		return Request{}, err
	}
	d.request, d.askedAt = d.request.again(q.hash()), w.now
	w.setSelf(d)
	return q, nil
}

// askResync asks for a ticket as a member. It will ask again unless one answers.
func (w *work) askResync() (Request, error) {
	d := w.self()
	r, t, ok := w.current()
	if !ok {
		return Request{}, ErrPhase
	}
	ticket := newBoxSecret(t.template.policy.KEM)
	// The counter begins at the time, so that it is above those of a state that was lost (§8).
	d.asked = max(d.asked+1, uint64(max(w.now, 0)))
	q, err := newResyncRequest(w.st.space, t.template.config.public, ticket.public, resync{
		index: d.index, rekey: r.rekey, root: r.id, preferred: w.st.preferred, counter: d.asked, time: w.now,
	}, nil, d.signing)
	if err != nil {
		return Request{}, err
	}
	d.askedAt = w.now
	d.request = request{key: ticket, hash: q.hash(), kind: requestResync, count: d.asked, serial: w.st.serial}
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
	for row := range w.st.roots.all() {
		if next := row.record.Value(); !next.barred && (!ok || compareRoots(next, r) < 0) {
			r, ok = next, true
		}
	}
	if ok {
		t, ok = w.tp.terms(r.id)
	}
	return r, t, ok
}
