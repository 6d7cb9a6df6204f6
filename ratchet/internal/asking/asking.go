package asking

import (
	"math"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Times of asking. Those of the wall clock delay; those of the pruning clock end.
const (
	hour Millis = 3_600_000
	day         = 24 * hour

	firstWait   = hour    // wall clock; doubled with each post
	longestWait = day     // wall clock
	keyAfter    = day     // pruning clock, after the first ticket
	keyOfOlder  = day     // pruning clock, of a member's request after a later one was made
	keyUnheard  = 7 * day // pruning clock, of a member's request that nobody answered
	seedOfRun   = day     // pruning clock, after the first ticket (D63)
	afterEnd    = 7 * day // pruning clock, after the lifetime of a link was found over (D34)
	followEvery = hour    // wall clock, between hints of an old counter that are followed at once
)

const (
	// maxKeys is the number of ticket keys of a joiner: a ticket for one of its last 8 requests lets it in.
	maxKeys = 8
	// maxTried is the number of indices of a run that a joiner tries. Everybody with the link can take them.
	maxTried = 32
	// triedAtOnce is the number of them that it tries without waiting. Of a run that is not nearly full that is enough; a single member
	// with the link that answers first can take all others away in a moment, so for these it waits, and others come to answer.
	triedAtOnce = 8
)

// outcome says how asking ended.
type outcome uint8

const (
	open outcome = iota
	taken
	dead
	outcomes // their number
)

// Asking is what a device asked for and waits for. It is an immutable value; the zero Asking is that of a founder, who never
// asked.
type Asking struct {
	joining  bool // no ticket let it in yet
	ended    outcome
	requests []request // the oldest first
	tried    []dkg.Index
	history  state.Segment[history]
	floor    uint64 // greatest counter of a request that may be an own one and is not in the history

	counter  uint64    // greatest of a request
	hinted   uint64    // greatest that a hint named
	followed Millis    // wall clock, when one was followed last; 0 never
	moveTo   dkg.Index // that a joiner asks for with its next post; 0: the same
	since    Millis    // wall clock, when it began to wait
	told     uint32    // how often it was said that it waits
	posted   Millis    // wall clock
	wait     Millis    // wall clock, from there to the next post
	hints    uint8     // those that were told, a bit for each reason
	over     bool      // the lifetime of the link was found over
	overAt   Millis    // pruning clock, when that was
	entered  bool      // a ticket let it in, as a joiner
	enterAt  Millis    // pruning clock, when that was
	firstAt  Millis    // pruning clock, when the first ticket was entered, of whatever index (D63)
	goneAt   Millis    // pruning clock, when the last ticket key was erased
	seedGone bool
}

// Joining reports whether no ticket let the device in yet, and Over whether it was refused for good.
func (a Asking) Joining() bool { return a.joining }

// Over returns ErrTaken or ErrDead once asking ended without a ticket.
func (a Asking) Over() error {
	switch a.ended {
	case taken:
		return ErrTaken
	case dead:
		return ErrDead
	}
	return nil
}

// Counter returns the greatest counter of a request so far. Others must never see it fall.
func (a Asking) Counter() uint64 { return a.counter }

// Asked returns when the last request was made or posted anew, by the wall clock; 0 if none was.
func (a Asking) Asked() Millis { return a.posted }

// KeysGone reports that no ticket key is there, and since when by the pruning clock (§9, ErrBeforeJoin).
func (a Asking) KeysGone() (since Millis, gone bool) { return a.goneAt, len(a.requests) == 0 }

// Merged reports whether a ticket was entered whose key is still there.
func (a Asking) Merged() bool {
	return slices.ContainsFunc(a.requests, func(q request) bool { return q.answered })
}

// Joined reports whether the last request was a joiner's, or no key of one is there: no further ticket is wanted.
func (a Asking) Joined() bool {
	n := len(a.requests)
	return n == 0 || a.requests[n-1].kind == proto.Join
}

// Waiting reports whether the newest request is a member's that no ticket answered yet: it is made again by Tick.
func (a Asking) Waiting() bool {
	n := len(a.requests)
	return n > 0 && a.requests[n-1].kind == proto.Resync && !a.requests[n-1].answered
}

// Newest returns the id of the last request, zero if none is remembered.
func (a Asking) Newest() (id proto.RequestID) {
	if h := a.history.Value(); len(h) > 0 {
		id = h[len(h)-1].id
	}
	return id
}

// Own is a request of one's own, as far as its answers need it.
type Own struct {
	Context   proto.TicketContext
	Ticket    suite.KEMSecret
	Counter   uint64
	Preferred proto.EpochID // that the asker named; zero of a joiner
	Binding   proto.Binding // of a joiner
	Joining   bool          // it let the device in, or may
	Answered  bool          // a ticket for it was entered
}

// Find returns the request that a ticket or refusal with this name answers. It is not ok if its key is not there.
func (a Asking) Find(space state.ID, n proto.Name) (Own, bool) {
	at := a.find(n)
	if at < 0 {
		return Own{}, false
	}
	q := a.requests[at]
	return Own{proto.TicketContext{Space: space, Request: q.id, Index: q.index}, q.ticket, q.counter, q.preferred, q.binding, q.kind == proto.Join, q.answered}, true
}

func (a Asking) find(n proto.Name) int {
	return slices.IndexFunc(a.requests, func(q request) bool { return q.id.Name() == n })
}

// OfDirect returns what the ticket answers that may come with a direct link: the link itself, by the index and binding of the
// joiner's request.
func (a Asking) OfDirect(l proto.Link) (Own, error) {
	if l.Kind != dkg.Direct || !a.joining || len(a.requests) == 0 {
		return Own{}, ErrStale
	}
	key, err := proto.DirectTicketKey(l.Seed, l.Space, l.Suite)
	if err != nil {
		return Own{}, err
	}
	ctx := proto.TicketContext{Space: l.Space, Request: proto.DirectRequest(l), Index: l.First, Direct: true}
	return Own{ctx, key, 0, proto.EpochID{}, a.requests[len(a.requests)-1].binding, true, false}, nil
}

// Whose says whether one made a request that others show.
type Whose uint8

const (
	// Unknown: it is older than what is remembered.
	Unknown Whose = iota
	// Mine: this device made it.
	Mine
	// Others: somebody else made it with one's key.
	Others
)

// Whose says who made a request under one's own key with this id and counter (D68).
func (a Asking) Whose(id proto.RequestID, counter uint64) Whose {
	switch {
	case slices.ContainsFunc(a.history.Value(), func(m made) bool { return m.id == id }):
		return Mine
	case counter <= a.floor:
		return Unknown
	}
	return Others
}

// Made returns how many requests of the last ones are remembered: those since Restored, if there are few.
func (a Asking) Made() int { return len(a.history.Value()) }

// Restored returns what a state that was restored from a copy asks. Until a ticket answers a request that it makes from then on, any other
// one may be of the state that was lost. Its next counter is above all by time. A joiner, and a member that waits for a ticket, makes a new
// request with the next Tick.
func (a Asking) Restored() Asking {
	a.history, a.floor, a.posted, a.wait = state.Segment[history]{}, math.MaxUint64, 0, 0
	if a.joining {
		a.requests = slices.Clone(a.requests)
		for k := range a.requests {
			a.requests[k].signature = nil // not to be posted again
		}
	}
	return a
}

// remember notes a request that was made.
func (a Asking) remember(q request) Asking {
	h := append(slices.Clone(a.history.Value()), made{q.id, q.counter})
	if n := len(h) - maxMade; n > 0 {
		a.floor = max(a.floor, h[n-1].counter)
		h = h[n:]
	}
	a.history = state.NewSegment(h)
	a.counter = q.counter
	a.requests = append(slices.Clone(a.requests), q)
	return a
}

// next returns the counter of the next request.
func (a Asking) next(c Clock) uint64 { return members.NextCounter(uint64(c.Wall), a.counter, a.hinted) }

// format is the version of the stored form.
const format = 1

// Encode implements state.Piece.
func (a Asking) Encode(e *state.Encoder) {
	e.Version(format)
	e.Bool(a.joining)
	e.Uint8(uint8(a.ended))
	e.Uint32(uint32(len(a.requests)))
	for _, q := range a.requests {
		q.encode(e)
	}
	e.Uint32(uint32(len(a.tried)))
	for _, i := range a.tried {
		e.Uint32(uint32(i))
	}
	e.Bool(!a.history.IsZero())
	if !a.history.IsZero() {
		a.history.Encode(e, "made")
	}
	e.Uint64(a.counter)
	e.Uint64(a.hinted)
	e.Uint64(a.floor)
	e.Uint32(uint32(a.moveTo))
	e.Uint32(a.told)
	e.Uint8(a.hints)
	for _, t := range []Millis{a.since, a.posted, a.wait, a.overAt, a.enterAt, a.firstAt, a.goneAt, a.followed} {
		e.Int64(t)
	}
	for _, b := range []bool{a.over, a.entered, a.seedGone} {
		e.Bool(b)
	}
}

// maxRequests bounds what is decoded: a member makes one an hour, and a key without a ticket stays for a day.
const maxRequests = 64

// Decode implements state.Piece.
func (Asking) Decode(d *state.Decoder) (a Asking, err error) {
	d.Version(format, format)
	a.joining, a.ended = d.Bool(), outcome(d.Uint8())
	for range d.Count(maxRequests, 64) {
		q, err := decodeRequest(d)
		if err != nil {
			return Asking{}, err
		}
		a.requests = append(a.requests, q)
	}
	for range d.Count(maxTried, 4) {
		a.tried = append(a.tried, dkg.Index(d.Uint32()))
	}
	if d.Bool() {
		if a.history, err = state.DecodeSegment[history](d, "made"); err != nil {
			return Asking{}, err
		}
	}
	a.counter, a.hinted, a.floor, a.moveTo = d.Uint64(), d.Uint64(), d.Uint64(), dkg.Index(d.Uint32())
	a.told, a.hints = d.Uint32(), d.Uint8()
	for _, t := range []*Millis{&a.since, &a.posted, &a.wait, &a.overAt, &a.enterAt, &a.firstAt, &a.goneAt, &a.followed} {
		*t = d.Int64()
	}
	for _, b := range []*bool{&a.over, &a.entered, &a.seedGone} {
		*b = d.Bool()
	}
	if err := d.Err(); err != nil {
		return Asking{}, err
	}
	if a.ended >= outcomes || a.joining && (a.entered || a.ended == open && len(a.requests) == 0) {
		return Asking{}, wire.ErrMalformed
	}
	return a, nil
}
