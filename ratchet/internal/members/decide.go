package members

import (
	"errors"
	"fmt"
	"slices"

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
)

// Act says what is to be done about a request.
type Act uint8

const (
	// Stale: nothing. A refusal that goes with it is a hint.
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
	if ok && (known.stage == ended || done && !over(c.Wall, known.done, hour)) { // step 4
		return d, Decision{}, nil
	}
	var x proto.Record
	if q.Kind == proto.Join {
		var ok bool
		if x, _, ok = r.Record(tag); !ok {
			return d, Decision{Act: Hold}, nil
		}
	}
	key, err := r.asker(q, x)
	if errors.Is(err, errNotListed) {
		if !q.Credential.IsZero() {
			if err := r.verifyAsked(q, x, q.Credential.Key()); err != nil {
				return d, Decision{}, err
			}
		}
		return d.refuse(q, Maker{Index: q.Index, Key: q.Credential.Key()}, hint(proto.HintNotListed, 0), r, who, c)
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
// or that of a binding that is right under the certificate beside it, of this root, or that this member holds (D64).
func (r Root) asker(q proto.Asked, x proto.Record) (suite.PublicKey, error) {
	if q.Kind == proto.Join {
		return q.Binding.Signing, nil
	}
	if key, ok := r.Listed(q.Index); ok {
		return key, nil
	}
	if q.Credential.IsZero() {
		for _, b := range r.Bindings(q.Index) {
			if q.Verify(r.Space(), b.Key) == nil {
				return b.Key, nil
			}
		}
		return suite.PublicKey{}, errNotListed
	}
	if b, ok := r.Binding(Maker{Index: q.Index, Key: q.Credential.Key()}); ok && b.Body == q.Credential.Binding.Hash() {
		return b.Key, nil
	}
	if q.Credential.Verify(r.Terms) != nil {
		return suite.PublicKey{}, errNotListed
	}
	return q.Credential.Key(), nil
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
	refuse := func(y proto.Refusal) (Desk, Decision, error) {
		e, dec, err := d.refuse(q, k, y, r, who, c)
		dec.Binding = out.Binding
		return e, dec, err
	}
	greatest := max(b.Answered, d.of(k.Key).greatest)
	switch {
	case q.Counter == b.Answered: // step 7
		return d.end(row, c), out, nil
	case q.Counter < greatest:
		return refuse(hint(proto.HintOldCounter, greatest))
	case who.Died || r.dead(q, x): // step 8
		return refuse(r.deathOf(q, x, k))
	}
	if other, ok := r.taken(q, k); ok { // step 9
		if other.Credential.IsZero() { // listed by the notice: there is no binding that proves it
			return refuse(hint(proto.HintNotListed, uint64(who.free(x.Certificate))))
		}
		return refuse(proto.Taken{Binding: other.Credential.Binding, Free: who.free(x.Certificate), Bind: r.bindOf(q.Index, other.Body)})
	}
	if q.Kind == proto.Join {
		switch {
		case x.Certificate.ExpiredAt(uint64(c.Wall)): // step 10
			return refuse(hint(proto.HintExpired, 0))
		case !x.IsOpen() && !(heard && who.CanBox): // step 11
			if heard {
				return refuse(hint(proto.HintOwnerNeeded, 0))
			}
			out.Act = Hold
			return d, out, nil
		}
		out.Box = !x.IsOpen()
	} else if q.Root != r.ID() && who.Gives != nil { // step 11, after a rekey
		switch who.Gives(q, b) {
		case Nothing:
			return refuse(hint(proto.HintOwnerNeeded, 0))
		case Boxes:
			out.Box = true
		}
	}
	out.New = true
	return d.turn(row, out, Answer, r, who, c)
}

// turn makes steps 13 to 15, for an answer or a refusal.
func (d Desk) turn(row request, out Decision, act Act, r Root, who Answerer, c Clock) (Desk, Decision, error) {
	place, in := r.Place(who.Index, row.maker.Index, row.maker.Key)
	if !in {
		out.Act, out.Refusal = Stale, nil // not a member that answers
		return d, out, nil
	}
	if act == Refuse && !who.AtOnce && row.answers >= fewTickets && place >= fewPlaces {
		out.Act, out.Refusal = Stale, nil
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
		out.Act, out.Until, out.Refusal = Defer, until, nil
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

// refuse decides about a refusal, which takes its turn like a ticket.
func (d Desk) refuse(q proto.Asked, k Maker, y proto.Refusal, r Root, who Answerer, c Clock) (Desk, Decision, error) {
	row, ok := d.get(q.ID().Name())
	if !ok || row.stage == ticketsOnly {
		row.name, row.stage, row.since, row.seen, row.maker, row.counter = q.ID().Name(), deferred, c.Age, c.Wall, k, q.Counter
	}
	return d.turn(row, Decision{Refusal: y}, Refuse, r, who, c)
}

func hint(reason proto.HintReason, value uint64) proto.Refusal {
	return proto.Hint{Reason: reason, Value: value}
}

func (w Answerer) free(c proto.Certificate) dkg.Index {
	if w.Free == nil || c.Kind != dkg.Public {
		return 0
	}
	return w.Free(c)
}

// dead reports whether the asker's index is gone, or its invite revoked or closed.
func (r Root) dead(q proto.Asked, x proto.Record) bool {
	if r.Gone(q.Index) {
		return true
	}
	_, closed := r.closed(x.Certificate.Name())
	return q.Kind == proto.Join && closed && !r.Heard(q.Index)
}

// deathOf returns the refusal that proves it: a statement; or, of an index that is gone by a leave or the notice, the binding
// that is gone; else a hint.
func (r Root) deathOf(q proto.Asked, x proto.Record, k Maker) proto.Refusal {
	dead := proto.Dead{Origin: r.origin, Owners: r.notice.Owners}
	if s := r.revokes(q.Index); len(s) > 0 {
		dead.Statement = s[0]
		return dead
	}
	if s, ok := r.closed(x.Certificate.Name()); ok && q.Kind == proto.Join {
		dead.Statement = s
		return dead
	}
	for _, b := range r.Bindings(q.Index) {
		if b.Maker != k && !b.Credential.IsZero() {
			return proto.Taken{Binding: b.Credential.Binding, Bind: r.bindOf(q.Index, b.Body)}
		}
	}
	return hint(proto.HintClosed, 0)
}

// bindOf returns an owner's word for a binding of an index, the zero Bind if there is none.
func (r Root) bindOf(i dkg.Index, body proto.BodyHash) proto.Bind {
	for _, b := range r.member(i).binds {
		if b.said.Body == body {
			return b.said
		}
	}
	return proto.Bind{}
}

// taken returns the binding that another one gives way to: of a joiner one of which a message was read or that a bind names, of
// a member the listed one.
func (r Root) taken(q proto.Asked, k Maker) (Binding, bool) {
	m := r.member(q.Index)
	listed, ok := m.listed(r.Terms)
	if q.Kind == proto.Resync {
		if ok && m.bindings[listed].Maker != k {
			return m.bindings[listed], true
		}
		return Binding{}, false
	}
	at := slices.IndexFunc(m.bindings, func(b Binding) bool {
		return b.Maker != k && (b.Heard() || m.named(r.Terms, b.Body))
	})
	if at < 0 || m.decided(r.Terms, q.Binding.Hash()) {
		return Binding{}, false
	}
	return m.bindings[at], true
}
