package members

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Desk is the requests of others that were seen, and what became of them. It is an immutable value; the zero Desk is empty.
type Desk struct {
	requests segmap.Map[request]
	askers   segmap.Map[asker]
	serial   uint64
}

// maxRequests is the number of requests that are remembered. Those of which only tickets were seen go first, then the oldest.
const maxRequests = 20_000

// overAfter is how long, by the pruning clock, a request is remembered after it is over or was deferred last.
const overAfter = 7 * day

// stage says what became of a request here.
type stage uint8

const (
	// ticketsOnly: frames of its name were seen, not the request.
	ticketsOnly stage = iota
	deferred
	answered
	refused
	ended
)

// request is what is remembered of one.
type request struct {
	name    proto.Name
	stage   stage
	serial  uint64
	since   Millis   // pruning clock, when it came to this stage
	seen    Millis   // wall clock, when the request came; the turns are counted from there
	done    Millis   // wall clock, when it was answered or refused last
	next    Millis   // wall clock, when a deferred one is to be looked at again
	answers uint32   // tickets and refusals of others that were seen
	entered uint64   // number of the epoch entered last when the request came
	frame   [32]byte // that the vault retains while the request is deferred; zero if it is not known
	maker   Maker    // unless only tickets were seen
	counter uint64
	joiner  bool
	heard   bool // opened, or shown by who answered it: Resynced is reported once
}

// asker is what is remembered of a signing key that asked.
type asker struct {
	key      [32]byte   // H of the key
	greatest uint64     // counter of a request whose signature was right, not more than an hour past one's own time
	newest   proto.Name // that request
	ahead    proto.Name // the last one with a counter beyond that
	answered Millis     // wall clock
	refused  Millis
	since    Millis // pruning clock
}

func nameKey(n proto.Name) (k segmap.Key) {
	copy(k.Place[:], n[:])
	k.Block = uint32(n[0])
	return k
}

func hashOfKey(k suite.PublicKey) [32]byte {
	d := suite.Hash(k.Bytes())
	return [32]byte(d[:32])
}

// Key implements segmap.Row.
func (q request) Key() segmap.Key { return nameKey(q.name) }

// Key implements segmap.Row.
func (a asker) Key() segmap.Key { return segmap.ByID(a.key) }

// Encode implements state.Piece.
func (q request) Encode(e *state.Encoder) {
	e.Fixed(q.name[:])
	e.Uint8(uint8(q.stage))
	e.Uint64(q.serial)
	for _, t := range []Millis{q.since, q.seen, q.done, q.next} {
		e.Int64(t)
	}
	e.Uint32(q.answers)
	e.Bool(q.heard)
	if q.stage == ticketsOnly {
		return
	}
	e.Fixed(q.frame[:])
	e.Uint64(q.entered)
	e.Uint32(uint32(q.maker.Index))
	e.Bytes(q.maker.Key.Bytes())
	e.Uint64(q.counter)
	e.Bool(q.joiner)
}

// Decode implements state.Piece.
func (request) Decode(d *state.Decoder) (q request, err error) {
	d.Into(q.name[:])
	q.stage, q.serial = stage(d.Uint8()), d.Uint64()
	for _, t := range []*Millis{&q.since, &q.seen, &q.done, &q.next} {
		*t = d.Int64()
	}
	q.answers, q.heard = d.Uint32(), d.Bool()
	if q.stage > ended {
		return request{}, wire.ErrMalformed
	}
	if q.stage != ticketsOnly {
		d.Into(q.frame[:])
		q.entered = d.Uint64()
		q.maker.Index = dkg.Index(d.Uint32())
		optional(d, &err, &q.maker.Key, suite.LoadPublicKey) // a member that is not listed may not show its key
		q.counter, q.joiner = d.Uint64(), d.Bool()
	}
	if err != nil {
		return request{}, err
	}
	return q, d.Err()
}

// Encode implements state.Piece.
func (a asker) Encode(e *state.Encoder) {
	e.Fixed(a.key[:])
	e.Uint64(a.greatest)
	e.Fixed(a.newest[:])
	e.Fixed(a.ahead[:])
	for _, t := range []Millis{a.answered, a.refused, a.since} {
		e.Int64(t)
	}
}

// Decode implements state.Piece.
func (asker) Decode(d *state.Decoder) (a asker, err error) {
	d.Into(a.key[:])
	a.greatest = d.Uint64()
	d.Into(a.newest[:])
	d.Into(a.ahead[:])
	for _, t := range []*Millis{&a.answered, &a.refused, &a.since} {
		*t = d.Int64()
	}
	return a, d.Err()
}

// Encode implements state.Piece.
func (d Desk) Encode(e *state.Encoder) {
	e.Version(format)
	e.Uint64(d.serial)
	d.requests.Encode(e, "q")
	d.askers.Encode(e, "a")
}

// Decode implements state.Piece.
func (Desk) Decode(in *state.Decoder) (d Desk, err error) {
	in.Version(format, format)
	d.serial = in.Uint64()
	if d.requests, err = segmap.Decode[request](in, "q"); err != nil {
		return Desk{}, err
	}
	d.askers, err = segmap.Decode[asker](in, "a")
	return d, err
}

func (d Desk) get(n proto.Name) (request, bool) { return d.requests.Get(nameKey(n)) }

// put returns the desk with a request, within the bound.
func (d Desk) put(q request) Desk {
	if q.serial == 0 {
		d.serial++
		q.serial = d.serial
		if d.requests.Size() >= maxRequests {
			d = d.drop()
		}
	}
	d.requests = d.requests.Put(q)
	return d
}

// drop lets go of the request that goes first.
func (d Desk) drop() Desk {
	var first request
	for q := range d.requests.All() {
		a, b := q.stage == ticketsOnly, first.stage == ticketsOnly
		if first.serial == 0 || a && !b || a == b && q.serial < first.serial {
			first = q
		}
	}
	d.requests = d.requests.Drop(first.Key())
	return d
}

// putAsker returns the desk with what is remembered of a signing key, within the bound: whoever has a public link can sign any
// number of bindings.
func (d Desk) putAsker(a asker) Desk {
	if d.askers.Size() >= maxRequests && !d.askers.Has(a.Key()) {
		var first asker
		for o := range d.askers.All() {
			if first.key == [32]byte{} || o.since < first.since {
				first = o
			}
		}
		d.askers = d.askers.Drop(first.Key())
	}
	d.askers = d.askers.Put(a)
	return d
}

// of returns what is remembered of a signing key.
func (d Desk) of(k suite.PublicKey) asker {
	a, ok := d.askers.Get(segmap.ByID(hashOfKey(k)))
	if !ok {
		a.key = hashOfKey(k)
	}
	return a
}

// Ticket notes that a ticket or refusal of others with this name was seen. It delays one's own and never ends it: nobody can
// verify a ticket for somebody else.
func (d Desk) Ticket(n proto.Name, age Millis) Desk {
	q, ok := d.get(n)
	if !ok {
		q = request{name: n, since: age}
	}
	if q.answers < 1<<31 {
		q.answers++
	}
	if q.stage == deferred {
		q.next = 0 // the turn is another one now
	}
	return d.put(q)
}

// Show takes in a request that another member answered and shows (flag 128). It reports whether it counts and is news: its
// signature is right under a key of a binding known of the index, and neither it nor the request was seen. It changes nothing
// else (D68).
func (d Desk) Show(s proto.ShownRequest, r Root, c Clock) (Desk, bool) {
	signed := func(b Binding) bool { return s.Verify(r.Space(), b.Key) == nil }
	if !slices.ContainsFunc(r.Bindings(s.Index), signed) {
		return d, false
	}
	q, ok := d.get(s.Request.Name())
	if q.heard {
		return d, false
	}
	if !ok {
		q = request{name: s.Request.Name(), since: c.Age}
	}
	q.heard = true
	return d.put(q), true
}

// Answered notes that one's own ticket for a request was posted, and Refused that a refusal was.
func (d Desk) Answered(n proto.Name, c Clock) Desk {
	return d.did(n, answered, c, func(a *asker) { a.answered = c.Wall })
}

// Refused notes that one's own refusal of a request was posted.
func (d Desk) Refused(n proto.Name, c Clock) Desk {
	return d.did(n, refused, c, func(a *asker) { a.refused = c.Wall })
}

func (d Desk) did(n proto.Name, s stage, c Clock, note func(*asker)) Desk {
	q, ok := d.get(n)
	if !ok || q.stage == ticketsOnly {
		return d
	}
	q.stage, q.since, q.done, q.frame = s, c.Age, c.Wall, [32]byte{}
	a := d.of(q.maker.Key)
	note(&a)
	a.since = c.Age
	return d.putAsker(a).put(q)
}

// Read notes that a message of a binding was read, and the counter that it repeated (flag 16), 0 if none: its requests up to this
// counter are over, and those of a joiner that were seen before. A counter of more than an hour past one's own time ends only
// the request that was seen with this very counter (§9, Counters from outside).
func (d Desk) Read(k Maker, counter uint64, c Clock) Desk {
	if d.askers.Size() == 0 {
		return d
	}
	a, ok := d.askers.Get(segmap.ByID(hashOfKey(k.Key)))
	if !ok {
		return d
	}
	for _, n := range []proto.Name{a.newest, a.ahead} {
		q, ok := d.get(n)
		if !ok || q.stage == ended || q.maker != k {
			continue
		}
		believed := counter <= uint64(c.Wall)+maxAnswered && q.counter <= counter
		if q.joiner || believed || counter == q.counter {
			d = d.end(q, c)
		}
	}
	return d
}

func (d Desk) end(q request, c Clock) Desk {
	q.stage, q.since = ended, c.Age
	return d.put(q)
}

// Deferred notes in which frame a request lies that is to be looked at again.
func (d Desk) Deferred(n proto.Name, frame [32]byte) Desk {
	q, ok := d.get(n)
	if !ok || q.stage == ticketsOnly || q.frame == frame {
		return d
	}
	q.frame = frame
	return d.put(q)
}

// Settled notes that a frame was read or discarded, in which a request lay that was to be looked at again.
func (d Desk) Settled(n proto.Name, frame [32]byte) Desk {
	q, ok := d.get(n)
	if !ok || q.frame != frame || frame == [32]byte{} {
		return d
	}
	q.frame = [32]byte{}
	return d.put(q)
}

// waits reports whether a request is to be looked at again: one that was deferred, or that came again after it was answered.
func (q request) waits() bool {
	return q.stage == deferred || (q.stage == answered || q.stage == refused) && q.frame != [32]byte{}
}

func (q request) dueAt(wall Millis) bool { return wall >= q.next || wall < q.seen-hour }

// Frames returns the frames of deferred requests: of all, or of those that are due.
func (d Desk) Frames(due bool, wall Millis) (out [][32]byte) {
	for q := range d.requests.All() {
		if q.waits() && q.frame != [32]byte{} && (!due || q.dueAt(wall)) {
			out = append(out, q.frame)
		}
	}
	return out
}

// Due returns the deferred requests whose turn may have come, in the order in which they came.
func (d Desk) Due(wall Millis) []proto.Name {
	var due []request
	for q := range d.requests.All() {
		if q.waits() && q.dueAt(wall) {
			due = append(due, q)
		}
	}
	slices.SortFunc(due, func(a, b request) int { return int(min(max(int64(a.serial)-int64(b.serial), -1), 1)) })
	out := make([]proto.Name, len(due))
	for i, q := range due {
		out[i] = q.name
	}
	return out
}

// Prune lets go of what was over or deferred 7 days (pruning clock) ago, and of what is known of keys that asked no more. The
// greatest counter of a key outlives its requests by 30 days.
func (d Desk) Prune(age Millis) Desk {
	for q := range d.requests.All() {
		if age-q.since >= overAfter {
			d.requests = d.requests.Drop(q.Key())
		}
	}
	for a := range d.askers.All() {
		if age-a.since >= 30*day {
			d.askers = d.askers.Drop(a.Key())
		}
	}
	return d
}
