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
	me := identity{
		origin: g.Origin, owners: g.Owners, index: g.Index(), signing: suite.NewSigningKey(g.Policy.Scheme),
		updatedAt: now.UnixMilli(), askedAt: now.UnixMilli(),
	}.withInbox(g.Policy.KEM)
	ticket := suite.NewKEMSecret(g.Policy.KEM)
	in, err := proto.NewIntroduction(space, proto.Introduction{
		Root: g.Root, Rekey: g.Rekey, Index: g.Index(), Inbox: me.newest().secret.Public.Bytes(),
		Ticket: ticket.Public.Digest(), App: app, Time: now.UnixMilli(),
	}, g.Admission, me.signing)
	if err != nil {
		return Space{}, nil, err
	}
	q, err := proto.NewIntroductionRequest(space, g.Config, ticket.Public, in)
	if err != nil {
		return Space{}, nil, err
	}
	me.introduction = in.Encode()
	me.request = request{key: ticket, hash: q.Hash(), kind: proto.KindIntroduction}
	st := State{
		space: space, phase: Joining, self: state.NewSegment(me), owner: state.NewSegment(ownerKeys{}),
		clock: now.UnixMilli(), pruned: now.UnixMilli(), lastRead: now.UnixMilli(),
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
	d, err := newEdit(s, now)
	if err != nil {
		return s, nil, err
	}
	request := d.askAgain
	if d.st.phase == Member {
		request = d.askResync
	}
	if d.st.phase != Member && d.st.phase != Joining {
		return s, nil, outcome.ErrPhase
	}
	if !d.mayAsk() {
		return s, nil, outcome.ErrTooSoon
	}
	q, err := request()
	if err != nil {
		return s, nil, err
	}
	return d.space(), q.Bytes(), nil
}

// mayAsk reports whether enough time has gone by since the last request.
func (d *edit) mayAsk() bool {
	me := d.st.identity()
	return d.elapsed(me.askedAt, askAfter(len(me.request.earlier)))
}

// askAfter returns how long after a request its asker may ask again that has asked as often before: from an hour to a day.
func askAfter(earlier int) time.Duration {
	return min(askEvery<<min(earlier, 8), askLongest)
}

// askAgain boxes the introduction of a joiner anew. The ticket key stays the same, so that no ticket is lost.
func (d *edit) askAgain() (proto.Request, error) {
	me := d.st.identity()
	in, err := proto.ParseIntroduction(me.introduction)
	if err != nil || !me.request.isOpen() {
		return proto.Request{}, outcome.ErrPhase
	}
	q, err := proto.NewIntroductionRequest(d.st.space, d.tp.grant.Value().Config, me.request.key.Public, in)
	if err != nil {
		return proto.Request{}, err
	}
	me.request, me.askedAt = me.request.again(q.Hash()), d.now
	d.setIdentity(me)
	return q, nil
}

// askResync asks for a ticket as a member. It will ask again unless one answers.
func (d *edit) askResync() (proto.Request, error) {
	me := d.st.identity()
	r, t, ok := d.current()
	if !ok {
		return proto.Request{}, outcome.ErrPhase
	}
	ticket := suite.NewKEMSecret(t.template.Policy.KEM)
	// The counter begins at the time, so that it is above those of a state that was lost (§8).
	me.asked = max(me.asked+1, uint64(max(d.now, 0)))
	q, err := proto.NewResyncRequest(d.st.space, t.template.Config.Public, ticket.Public, proto.Resync{
		Index: me.index, Rekey: r.rekey, Root: r.id, Preferred: d.st.preferred, Counter: me.asked, Time: d.now,
	}, nil, me.signing)
	if err != nil {
		return proto.Request{}, err
	}
	me.askedAt = d.now
	me.request = request{key: ticket, hash: q.Hash(), kind: proto.KindResync, count: me.asked, serial: d.st.serial}
	d.setIdentity(me)
	d.st.ask = true
	d.st.backoff.sends = 0
	return q, nil
}

// wasAnswered ends a request by a ticket that told nothing: the next own commit tells the others that it counts no more.
func (d *edit) wasAnswered() {
	d.st.ask = false
	if me := d.st.identity(); me.answered < me.request.count {
		me.answerDue, me.answered = true, me.request.count
		d.setIdentity(me)
	}
}

// current returns the first root in the order of §5 of those held, with its terms.
func (d *edit) current() (r root, t rootTerms, ok bool) {
	for row := range d.st.roots.All() {
		if next := row.record.Value(); !next.untrusted && (!ok || compareRoots(next, r) < 0) {
			r, ok = next, true
		}
	}
	if ok {
		t, ok = d.tp.terms(r.id)
	}
	return r, t, ok
}
