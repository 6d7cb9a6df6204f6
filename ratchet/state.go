package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/parts"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
	"github.com/trefoil-im/trefoil/state"
)

// millis is a time in milliseconds since 1970.
type millis = proto.Millis

// stateBody is what a State holds. Its collections are persistent, stored in segments, and share what did not change with the value
// before.
type stateBody struct {
	space state.ID
	phase Phase

	clock  clock
	rhythm rhythm // when to commit and to send
	roots  segmap.Map[rootRow]
	forest epochs.Forest
	calm

	presumed *checks // that this value, or one before it, rests on; nil if there are none
}

// calm is what of a state does not change with a plain message. It is a piece of its own, so that a message does not write the list
// of these.
type calm struct {
	self state.Segment[identity]

	rootOwner state.Segment[rootOwner]
	orphans   state.Segment[orphans.Index]
	desk      state.Segment[members.Desk]

	news     state.Segment[announcements] // what the next messages say
	lines    state.Segment[lines]         // ways that the next messages carry
	asking   state.Segment[asking.Asking] // own requests, their ticket keys, and what became of them
	parts    state.Segment[parts.Sets]    // sets of parts that are not complete
	repeats  state.Segment[repeats]       // own tickets, to be posted again
	duties   state.Segment[duties]        // what an owner owes to members
	devices  state.Segment[devices]       // further devices that are to come
	rekeys   state.Segment[rekey.Rekeys]  // a rekey that this owner makes, and what is kept of those that came
	reported state.Segment[reported]      // commits of a twin
	copies   bool                         // a part of a ticket was given up: copies of it that are retained are to be tried
}

// stateVersion is the version of the stored format.
const stateVersion = 7

// newState returns the state of a member of a space that holds no root yet.
func newState(me identity, now millis) stateBody {
	space := me.origin.Space()
	return stateBody{
		space: space, phase: Member, clock: newClock(now), rhythm: newRhythm(now), forest: epochs.New(space, me.index), calm: calm{
			self: state.NewSegment(me), rootOwner: state.NewSegment(rootOwner{}),
			orphans: state.NewSegment(orphans.Index{}), desk: state.NewSegment(members.Desk{}),
			news: state.NewSegment(announcements{}), lines: state.NewSegment(lines{}),
			asking: state.NewSegment(asking.Asking{}), parts: state.NewSegment(parts.Sets{}), repeats: state.NewSegment(repeats{}), duties: state.NewSegment(duties{}),
			devices: state.NewSegment(devices{}), rekeys: state.NewSegment(rekey.Rekeys{}), reported: state.NewSegment(reported{}),
		}}
}

// encode writes the body.
func (s stateBody) encode(e *state.Encoder) {
	e.Version(stateVersion)
	e.Fixed(s.space[:])
	e.Uint8(uint8(s.phase))
	s.clock.encode(e)
	s.rhythm.encode(e)
	s.roots.Encode(e, "roots")
	s.forest.Encode(e)
	state.NewSegment(s.calm).Encode(e, "calm") // written only if it says something new
}

// decodeState reads what encode wrote.
func decodeState(d *state.Decoder) (s stateBody, err error) {
	d.Version(stateVersion, stateVersion)
	d.Into(s.space[:])
	s.phase = Phase(d.Uint8())
	s.clock = decodeClock(d)
	s.rhythm = decodeRhythm(d)
	if s.roots, err = segmap.Decode[rootRow](d, "roots"); err != nil {
		return stateBody{}, err
	}
	if s.forest, err = epochs.DecodeForest(d); err != nil {
		return stateBody{}, err
	}
	calm, err := state.DecodeSegment[calm](d, "calm")
	if err == nil {
		err = d.Err()
	}
	if err != nil {
		return stateBody{}, err
	}
	s.calm = calm.Value()
	return s, s.check()
}

// Encode implements state.Piece.
func (c calm) Encode(e *state.Encoder) {
	c.self.Encode(e, "self")
	c.rootOwner.Encode(e, "owner")
	c.orphans.Encode(e, "orphans")
	c.desk.Encode(e, "desk")
	c.news.Encode(e, "news")
	c.lines.Encode(e, "lines")
	c.asking.Encode(e, "asking")
	c.parts.Encode(e, "parts")
	c.repeats.Encode(e, "repeats")
	c.duties.Encode(e, "duties")
	c.devices.Encode(e, "devices")
	c.rekeys.Encode(e, "rekeys")
	c.reported.Encode(e, "reported")
	e.Bool(c.copies)
}

// Decode implements state.Piece.
func (calm) Decode(d *state.Decoder) (c calm, err error) {
	for _, read := range []func() error{
		func() (err error) { c.self, err = state.DecodeSegment[identity](d, "self"); return },
		func() (err error) { c.rootOwner, err = state.DecodeSegment[rootOwner](d, "owner"); return },
		func() (err error) { c.orphans, err = state.DecodeSegment[orphans.Index](d, "orphans"); return },
		func() (err error) { c.desk, err = state.DecodeSegment[members.Desk](d, "desk"); return },
		func() (err error) { c.news, err = state.DecodeSegment[announcements](d, "news"); return },
		func() (err error) { c.lines, err = state.DecodeSegment[lines](d, "lines"); return },
		func() (err error) { c.asking, err = state.DecodeSegment[asking.Asking](d, "asking"); return },
		func() (err error) { c.parts, err = state.DecodeSegment[parts.Sets](d, "parts"); return },
		func() (err error) { c.repeats, err = state.DecodeSegment[repeats](d, "repeats"); return },
		func() (err error) { c.duties, err = state.DecodeSegment[duties](d, "duties"); return },
		func() (err error) { c.devices, err = state.DecodeSegment[devices](d, "devices"); return },
		func() (err error) { c.rekeys, err = state.DecodeSegment[rekey.Rekeys](d, "rekeys"); return },
		func() (err error) { c.reported, err = state.DecodeSegment[reported](d, "reported"); return },
	} {
		if err := read(); err != nil {
			return calm{}, err
		}
	}
	c.copies = d.Bool()
	return c, nil
}

// check returns wire.ErrMalformed if the pieces of a state that was decoded do not belong together.
func (s stateBody) check() error {
	if s.phase < Joining || s.phase > Left || s.self.Value().space() != s.space {
		return wire.ErrMalformed
	}
	for e := range s.forest.All() {
		if !s.roots.Has(segmap.ByID(e.Root())) {
			return fmt.Errorf("%w: an epoch without its root", wire.ErrMalformed)
		}
	}
	return nil
}

// succeeds refuses a state of another space, another member than before, and every counter that
// falls. It waits for signatures that are being checked (see Parallel), and refuses a state that rests on a wrong one.
func (s stateBody) succeeds(prev stateBody) error {
	a, b := prev.self.Value(), s.self.Value()
	switch {
	case s.space != prev.space:
		return fmt.Errorf("%w: another space", state.ErrStale)
	case prev.phase != Joining && s.phase == Joining:
		return fmt.Errorf("%w: joined already", state.ErrStale)
	case prev.phase != Joining && !b.follows(a):
		return fmt.Errorf("%w: another member", state.ErrStale)
	case b.owners.Counter < a.owners.Counter, b.drawn < a.drawn, s.asking.Value().Counter() < prev.asking.Value().Counter(),
		s.forest.Entered() < prev.forest.Entered(), s.clock.falls(prev.clock):
		return fmt.Errorf("%w: a counter falls", state.ErrStale)
	}
	for row := range s.roots.All() {
		old, ok := prev.roots.Get(row.Key())
		if ok && old.members != row.members && row.members.Value().Readmits(old.members.Value()) {
			return fmt.Errorf("%w: somebody who was gone is back", state.ErrStale)
		}
	}
	if s.presumed != nil && s.presumed != prev.presumed && !s.presumed.hold() {
		return errPresumed
	}
	return s.sentNoLess(prev)
}

// sentNoLess returns state.ErrStale if fewer messages were sent in an epoch than before.
func (s stateBody) sentNoLess(prev stateBody) error {
	if s.me().index != prev.me().index {
		return nil // another chain
	}
	if s.forest.SentLess(prev.forest) {
		return fmt.Errorf("%w: own message counter falls", state.ErrStale)
	}
	return nil
}

// me returns who this member is.
func (s stateBody) me() identity { return s.self.Value() }
