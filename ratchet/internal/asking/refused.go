package asking

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Refused takes in an answer that is no ticket. Only what carries its proof ends anything; what does not is a hint: asking goes on,
// slower, and its person is told (§9, Refusal). It returns ErrStale for an answer to no request whose key is there, and ErrForged for
// one that does not open.
func (a Asking) Refused(me Self, l proto.Link, s proto.SealedRefusal, c Clock) (Asking, Change, error) {
	at := a.find(s.Name)
	if at < 0 || a.joining && a.ended != open {
		return a, Change{}, ErrStale
	}
	q := a.requests[at]
	y, err := s.Open(me.Space, q.ticket)
	if err != nil {
		return a, Change{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	if at != len(a.requests)-1 || q.answered || !a.joining && q.kind == proto.Join { // a later request asks for something else, or a ticket came
		if said := statementOf(y); said != nil && q.kind == proto.Resync {
			return a, Change{Said: said, Late: true}, nil // whoever stands in another root may have answered before the owner did
		}
		return a, Change{}, ErrStale
	}
	if a.joining {
		return a.refuseJoiner(me, l, q, y, c)
	}
	a, out, err := a.refuseMember(me, y, c)
	if a.ended != open { // told already
		out.Hint, out.Taken = 0, false
	}
	return a, out, err
}

// statementOf returns the statement that a refusal brings, nil for none. It counts by its own signature, or not.
func statementOf(y proto.Refusal) proto.Statement {
	switch y := y.(type) {
	case proto.Taken:
		if len(y.Bind.Signature) > 0 {
			return y.Bind
		}
	case proto.Dead:
		return y.Statement
	}
	return nil
}

func (a Asking) refuseMember(me Self, y proto.Refusal, c Clock) (Asking, Change, error) {
	switch y := y.(type) {
	case proto.Hint:
		return a.follow(y, c)
	case proto.Taken:
		out := Change{Taken: y.Verify(me.Space, me.Suite, me.Binding) == nil, Said: statementOf(y)}
		if out.Said == nil && !out.Taken {
			break
		}
		a, _ = a.hint(hintTaken)
		return a, out, nil
	case proto.Dead:
		a, out := a.hint(proto.HintClosed)
		out.Said = statementOf(y)
		return a, out, nil
	}
	a, out := a.hint(proto.HintClosed)
	return a, out, nil
}

// hintTaken stands for "taken" of a member, which doubles the wait like a hint. It is none that is sent.
const hintTaken proto.HintReason = 7

func (a Asking) refuseJoiner(me Self, l proto.Link, q request, y proto.Refusal, c Clock) (Asking, Change, error) {
	switch y := y.(type) {
	case proto.Hint:
		if y.Reason == proto.HintNotListed { // a rekey lists somebody else there: another index of a run is as good (D83)
			if i, ok := a.choose(l, dkg.Index(y.Value)); ok {
				return a.try(me, l, i, c)
			}
		}
		if y.Reason != proto.HintOldCounter {
			a, out := a.hint(y.Reason)
			return a, out, nil
		}
		a, out, err := a.follow(y, c)
		if !out.Ask || err != nil {
			return a, out, err
		}
		a, post, err := a.ask(me, l, q.index, c)
		return a, Change{Hint: y.Reason, Post: post.Post}, err
	case proto.Taken:
		if y.Verify(me.Space, me.Suite, q.binding) == nil {
			return a.moveOn(me, l, y.Free, taken, c)
		}
	case proto.Dead:
		keys, err := l.Keys()
		if err != nil {
			return a, Change{}, err
		}
		if y.Verify(me.Space, max(me.Owners, uint64(l.Owners)), q.index, proto.NameOfInvite(keys.Admission.Public)) == nil {
			if _, revoked := y.Statement.(proto.Revoke); revoked && l.Kind == dkg.Public {
				return a.moveOn(me, l, 0, dead, c) // says nothing of the run (D66)
			}
			a, out := a.end(dead, c)
			return a, out, nil
		}
	}
	a, out := a.hint(proto.HintClosed)
	return a, out, nil
}

// moveOn asks for another index of a run, or ends asking.
func (a Asking) moveOn(me Self, l proto.Link, free dkg.Index, how outcome, c Clock) (Asking, Change, error) {
	i, ok := a.choose(l, free)
	if !ok {
		a, out := a.end(how, c)
		return a, out, nil
	}
	return a.try(me, l, i, c)
}

// try asks for an index of a run: with the next post, if many were refused.
func (a Asking) try(me Self, l proto.Link, i dkg.Index, c Clock) (Asking, Change, error) {
	if len(a.tried) >= triedAtOnce {
		a.moveTo = i
		return a, Change{}, nil
	}
	a.wait = 0
	return a.ask(me, l, i, c)
}

// follow takes in a hint, and says in Change.Ask whether a request with a greater counter is to be made at once. An old counter is
// followed once for each request and once an hour, and only up to the greatest value that is believed: a hint has no proof, and must
// neither use the counters up (D67) nor keep an asker from what others answer, since each request ends the one before (D124).
func (a Asking) follow(y proto.Hint, c Clock) (Asking, Change, error) {
	a, out := a.hint(y.Reason)
	last := len(a.requests) - 1
	if y.Reason != proto.HintOldCounter || a.requests[last].hinted || y.Value > proto.MaxHintCounter || y.Value < a.requests[last].counter {
		return a, out, nil
	}
	a.hinted = max(a.hinted, y.Value)
	if a.followed != 0 && !due(c, a.followed, followEvery) {
		return a, out, nil // the next request has a greater counter
	}
	a.requests = slices.Clone(a.requests)
	a.requests[last].hinted, a.followed = true, c.Wall
	out.Ask = true
	return a, out, nil
}

// Lost reports whether a member was displaced.
func (a Asking) Lost() bool { return a.joining || a.ended != open }

// Reinstated takes back that a member was displaced: what names its binding counts before what named the other one. A ticket for another
// index of its run that comes later is for no request any more.
func (a Asking) Reinstated(c Clock) Asking {
	a.joining, a.ended, a.entered, a.moveTo = false, open, true, 0
	a.requests = slices.DeleteFunc(slices.Clone(a.requests), func(q request) bool { return q.kind == proto.Join })
	if len(a.requests) == 0 {
		a.goneAt = c.Age
	}
	return a
}

// Displaced notes that a bind or notice names another binding of the member's index (§9). By a link of a run whose seed is there it asks
// for another index, as a joiner; else it asks on once a day.
func (a Asking) Displaced(me Self, l proto.Link, c Clock) (Asking, Change, error) {
	if a.ended != open || a.joining {
		return a, Change{}, nil
	}
	if i, ok := a.choose(l, 0); ok && l.Kind == dkg.Public {
		a.joining, a.entered, a.requests, a.since, a.told, a.wait, a.hints, a.moveTo = true, false, nil, c.Wall, 0, 0, 0, 0
		return a.ask(me, l, i, c)
	}
	a, out := a.end(taken, c)
	return a, out, nil
}
