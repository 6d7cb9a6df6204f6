package members

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Clock is the time of a call: the wall clock, and the pruning clock.
type Clock struct{ Wall, Age Millis }

// Answerer is what is to be known of the member that answers.
type Answerer struct {
	Index dkg.Index
	// Ready: it reached the end of its mailbox since the request came, and in the last 24 hours, and it can send.
	Ready bool
	// AtOnce: it was told to answer, whatever the order.
	AtOnce bool
	// CanBox: it is an owner that can box the share of the asker.
	CanBox bool
	// Free returns an index of a run that is free, or 0.
	Free func(proto.Certificate) dkg.Index
	// Died: the invite of a joiner was not issued again with a rekey.
	Died bool
	// Named is the root that a member names as its own, if it is held and another one.
	Named Root
	// Bind signs that a body is listed, in the root that a member names as its own. Nil: it is no owner there, or never held that root.
	Bind func(dkg.Index, proto.BodyHash) proto.Bind
	// Entered is the number of the epoch entered last.
	Entered uint64
	// Gives says how it gives the share of the preferred root to a member that has none of it. Nil: all members have theirs.
	Gives func(proto.Asked, Binding) Giving
}

// Giving says how whoever answers gives a share.
type Giving uint8

const (
	// Nothing: only another member or an owner can.
	Nothing Giving = iota
	// HandsOn: it has the asker's box of the rekey, or what the asker's link opens.
	HandsOn
	// Boxes: it is an owner that boxes the share.
	Boxes
	// BoxesAlone: so it is, and only owners can give it.
	BoxesAlone
)

// Act says what is to be done about a request.
type Act uint8

const (
	// Stale: nothing.
	Stale Act = iota
	// Answer: post a ticket.
	Answer
	// Defer: look at it again at Until.
	Defer
	// Refuse: post the refusal.
	Refuse
	// Hold: it waits for what other members or owners say.
	Hold
)

// Decision is what becomes of a request (§9, Answering).
type Decision struct {
	Act     Act
	Until   Millis        // of Defer: wall clock
	Refusal proto.Refusal // of Refuse
	Entered uint64        // number of the epoch entered last when the request came
	Box     bool          // of Answer: the record has no masked share, so the share is boxed
	alone   bool          // and only owners can answer
	// Resynced: a member asked, or a joiner under a binding that was heard, and it was not seen before: everybody that opens it
	// reports it, and whoever answers it shows it to all.
	Resynced bool
	// Binding is the binding under which it was asked, Asker its index and key; it may not be known.
	Binding Binding
	Asker   Maker
	// New: it was not seen before, and is not refused.
	New bool
}

// errNotListed is for step 5a.
var errNotListed = errors.New("ratchet: asker that the root does not list")

// Request decides about a request that opened, under the root whose invite it names (a joiner) or the preferred one (a member).
// It returns suite.ErrInvalid, or wire.ErrMalformed for the inbox key, if the request is false. A request that was deferred is
// only looked at again from step 7 on.
func (d Desk) Request(q proto.Asked, tag proto.Tag, r Root, who Answerer, c Clock) (Desk, Decision, error) {
	name := q.ID().Name()
	known, ok := d.get(name)
	done := known.stage == answered || known.stage == refused
	if ok && (known.stage == ended || done && !over(c.Wall, known.done, copyWithin)) { // step 4
		return d, Decision{}, nil
	}
	var x proto.Record
	if q.Kind == proto.Join {
		var ok bool
		if x, _, ok = r.Record(tag); !ok {
			return d, Decision{Act: Hold}, nil
		}
	}
	key, err := r.asker(q, who)
	if errors.Is(err, errNotListed) {
		if key != (suite.PublicKey{}) {
			if err := r.verifyAsked(q, x, key); err != nil {
				return d, Decision{}, err
			}
		}
		k := Maker{Index: q.Index, Key: key}
		return d.refuse(q, k, func() proto.Refusal { return r.notListed(q, k, who) }, r, who, c)
	}
	if err != nil {
		return d, Decision{}, err
	}
	k := Maker{Index: q.Index, Key: key}
	first := !ok || known.stage == ticketsOnly
	if first {
		if err := r.verifyAsked(q, x, key); err != nil {
			return d, Decision{}, err
		}
		d = d.open(q, k, who.Entered, c)
	}
	d, out, err := d.decide(q, k, x, r, who, c)
	out.Asker, out.New = k, out.New && first
	out.Resynced = !known.heard && (q.Kind == proto.Resync || out.Binding.Heard())
	return d, out, err
}

// asker returns the key under which a request is made (steps 5 and 5a): that of a joiner's binding; of a member the listed one,
// or that of a binding that is right under the certificate beside it, of this root, or that this member holds (D64). With errNotListed it
// is the key that the asker names, itself or by the notice of its root; zero if none is known.
func (r Root) asker(q proto.Asked, who Answerer) (suite.PublicKey, error) {
	if q.Kind == proto.Join {
		return q.Binding.Signing, nil
	}
	named := q.Credential.Key()
	if q.Credential.IsZero() {
		named, _ = who.Named.Listed(q.Index)
	}
	if key, ok := r.Listed(q.Index); ok {
		if named != key && named != (suite.PublicKey{}) {
			return named, errNotListed // the notice decided for another binding
		}
		if q.Root != r.ID() && q.Credential.IsZero() && who.Named.IsZero() && q.Verify(r.Space(), key) != nil {
			return named, errNotListed // whom the root listed that it names nobody can tell any more
		}
		return key, nil
	}
	if q.Credential.IsZero() {
		for _, b := range r.Bindings(q.Index) {
			if q.Verify(r.Space(), b.Key) == nil {
				return b.Key, nil
			}
		}
		return named, errNotListed
	}
	if b, ok := r.Binding(Maker{Index: q.Index, Key: q.Credential.Key()}); ok && b.Body == q.Credential.Binding.Hash() {
		return b.Key, nil
	}
	if q.Credential.Verify(r.Terms) != nil {
		return named, errNotListed
	}
	return named, nil
}

// verifyAsked makes the checks of steps 5 and 6.
func (r Root) verifyAsked(q proto.Asked, x proto.Record, key suite.PublicKey) error {
	if q.Index.Check(r.Depth()) != nil {
		return fmt.Errorf("%w: index of a request", suite.ErrInvalid)
	}
	if q.Kind == proto.Join {
		return q.VerifyJoin(r.Space(), r.Suite(), x.Certificate)
	}
	return q.VerifyResync(r.Space(), r.Suite(), key)
}

// open notes a request whose signature is right. A later one of the same key ends those with lower counters (D26).
func (d Desk) open(q proto.Asked, k Maker, entered uint64, c Clock) Desk {
	name := q.ID().Name()
	row, _ := d.get(name)
	row.name, row.stage, row.since, row.seen = name, deferred, c.Age, c.Wall
	row.heard, row.maker, row.counter, row.joiner, row.entered = true, k, q.Counter, q.Kind == proto.Join, entered
	d = d.put(row)
	a := d.of(k.Key)
	last := &a.newest
	switch {
	case q.Counter > uint64(c.Wall)+maxAnswered:
		last = &a.ahead
	case q.Counter <= a.greatest:
		last = nil
	default:
		a.greatest = q.Counter
	}
	if last != nil {
		if old, ok := d.get(*last); ok && old.maker == k && old.counter < q.Counter && old.stage != ended {
			d = d.end(old, c)
		}
		*last = name
	}
	a.since = c.Age
	return d.putAsker(a)
}

// decide makes the steps from 7 on.
func (d Desk) decide(q proto.Asked, k Maker, x proto.Record, r Root, who Answerer, c Clock) (Desk, Decision, error) {
	name := q.ID().Name()
	row, _ := d.get(name)
	b, known := r.Binding(k)
	heard := known && b.Heard()
	out := Decision{Binding: b, Entered: row.entered}
	refuse := func(say func() proto.Refusal) (Desk, Decision, error) {
		e, dec, err := d.refuse(q, k, say, r, who, c)
		dec.Binding = out.Binding
		return e, dec, err
	}
	greatest := max(b.Answered, d.of(k.Key).greatest)
	switch {
	case q.Counter == b.Answered: // step 7
		return d.end(row, c), out, nil
	case q.Counter < greatest:
		return refuse(hints(proto.HintOldCounter, greatest))
	case who.Died || r.dead(q, x): // step 8
		return refuse(func() proto.Refusal { return r.deathOf(q, x, k) })
	}
	if other, ok := r.taken(q, k); ok { // step 9
		if other.Credential.IsZero() { // listed by the notice: there is no binding that proves it
			return refuse(hints(proto.HintNotListed, uint64(who.free(x.Certificate))))
		}
		return refuse(func() proto.Refusal {
			return proto.Taken{Binding: other.Credential.Binding, Free: who.free(x.Certificate), Bind: r.word(q, k, other.Body, who)}
		})
	}
	if q.Kind == proto.Join {
		switch {
		case x.Certificate.ExpiredAt(uint64(c.Wall)): // step 10
			return refuse(hints(proto.HintExpired, 0))
		case !x.IsOpen() && !(heard && who.CanBox): // step 11
			if heard {
				return refuse(hints(proto.HintOwnerNeeded, 0))
			}
			out.Act = Hold
			return d, out, nil
		}
		out.Box = !x.IsOpen()
		out.alone = out.Box
	} else if q.Root != r.ID() && who.Gives != nil { // step 11, after a rekey
		switch who.Gives(q, b) {
		case Nothing:
			return refuse(hints(proto.HintOwnerNeeded, 0))
		case Boxes:
			out.Box = true
		case BoxesAlone:
			out.Box, out.alone = true, true
		}
	}
	out.New = true
	return d.turn(row, out, Answer, r, who, c)
}

// turn makes steps 13 to 15, for an answer or a refusal.
func (d Desk) turn(row request, out Decision, act Act, r Root, who Answerer, c Clock) (Desk, Decision, error) {
	place, in := r.Place(who.Index, row.maker.Index, row.maker.Key)
	if !in {
		out.Act = Stale // not a member that answers
		return d, out, nil
	}
	if act == Answer && out.alone { // no refusals of others delay it
		if among, is := r.placeAmong(who.Index, row.maker.Index, row.maker.Key, r.IsOwner); is {
			place = min(place, among)
		}
	}
	if act == Refuse && who.Bind != nil {
		place = min(place, fewPlaces-1) // others may have no proof
	}
	if act == Refuse && !who.AtOnce && row.answers >= fewTickets && place >= fewPlaces {
		out.Act = Stale
		return d, out, nil
	}
	a := d.of(row.maker.Key)
	last := a.answered
	if act == Refuse {
		last = a.refused
	}
	until := row.seen + wait(place, int(row.answers))
	if act == Refuse && row.answers >= fewTickets {
		until = max(until, row.seen+laterWait)
	}
	if last != 0 && !over(c.Wall, last, hour) {
		until = max(until, last+hour)
	}
	if !who.Ready {
		until = max(until, c.Wall+minute)
	}
	if !who.AtOnce && (!who.Ready || c.Wall < until && c.Wall >= row.seen-hour) {
		row.next = until
		out.Act, out.Until = Defer, until
		if row.stage != answered && row.stage != refused {
			row.stage = deferred
		}
		return d.put(row), out, nil
	}
	if out.Act = act; act == Refuse { // noted here, since a request that nobody signed for is not remembered
		a.refused, a.since = c.Wall, c.Age
		d = d.putAsker(a)
	}
	return d, out, nil
}

// refuse decides about a refusal, which takes its turn like a ticket. What it says is made when that has come: an owner may sign it.
func (d Desk) refuse(q proto.Asked, k Maker, say func() proto.Refusal, r Root, who Answerer, c Clock) (Desk, Decision, error) {
	row, ok := d.get(q.ID().Name())
	if !ok || row.stage == ticketsOnly {
		row.name, row.stage, row.since, row.seen, row.maker, row.counter = q.ID().Name(), deferred, c.Age, c.Wall, k, q.Counter
	}
	d, out, err := d.turn(row, Decision{}, Refuse, r, who, c)
	if out.Act == Refuse {
		out.Refusal = say()
	}
	return d, out, err
}
