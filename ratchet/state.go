package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Space is everything a device holds of one space.
type Space = state.SpaceEncryptionState[State, Template, dkg.Evals]

// Phase is where a member stands in its space.
type Phase uint8

// The phases. Their numbers are part of the stored format.
const (
	Joining Phase = 1 // asked to be let in, no ticket entered yet: can neither send nor read
	Member  Phase = 2
	Removed Phase = 3 // by a rekey: history stays, nothing can be sent
	Left    Phase = 4 // said so; until the next rekey it can still read
)

// String returns the phase's name in lower case.
func (p Phase) String() string {
	switch p {
	case Joining:
		return "joining"
	case Member:
		return "member"
	case Removed:
		return "removed"
	case Left:
		return "left"
	}
	return "no phase"
}

// State is the ratchet state of a space (§11): identity, roots, epochs with their chains, and what is kept of messages
// that cannot be read yet. It is a part of a Space (state.Part): no function yields its bytes. It is immutable, shows
// nothing when printed and cannot be compared with ==. All its collections are persistent, stored in segments, and share
// what did not change with the value before.
type State struct {
	_          [0]func()
	space      state.ID
	phase      Phase
	self       state.Segment[identity]
	owner      state.Segment[ownerKeys]
	roots      segmap.Map[rootRow]
	epochs     segmap.Map[epochRow]
	headers    segmap.Map[orphanHeader]
	commits    segmap.Map[orphanCommit]
	requests   segmap.Map[requestRecord]
	serial     uint64 // of the epoch entered last
	arrivals   uint64 // of the commit held last
	clock      int64  // pruning clock, ms
	pruned     int64  // ms; when Prune ran last, by the local clock
	restored   bool   // opened from a copy, nothing sent and no ticket entered since
	restoredAt uint64 // generation in which it was then
	lastRead   int64  // ms; when a message was read last
	commit     bool   // the next send makes a commit
	ask        bool   // a ticket is needed
	catchUps   []catchUp
	backoff    backoff

	preferred proto.EpochID // follows from the epochs; zero if none can be preferred
}

// backoff is where a member stands with messages that stay unread (§7).
type backoff struct {
	stage   uint8 // how often the waiting time was doubled
	sends   uint8 // without effect
	last    int64 // ms; of the last of them
	entered int64 // ms; when a ticket was entered last
}

// stateVersion is the version of the stored format.
const stateVersion = 1

// Encode implements state.Part.
func (s State) Encode(e *state.Encoder) {
	e.Version(stateVersion)
	e.Fixed(s.space[:])
	e.Uint8(uint8(s.phase))
	s.self.Encode(e, "self")
	s.owner.Encode(e, "owner")
	s.roots.Encode(e, "roots")
	s.epochs.Encode(e, "epochs")
	s.headers.Encode(e, "headers")
	s.commits.Encode(e, "commits")
	s.requests.Encode(e, "requests")
	e.Uint64(s.serial)
	e.Uint64(s.arrivals)
	e.Int64(s.clock)
	e.Int64(s.pruned)
	e.Bool(s.restored)
	e.Uint64(s.restoredAt)
	e.Int64(s.lastRead)
	e.Bool(s.commit)
	e.Bool(s.ask)
	e.Uint32(uint32(len(s.catchUps)))
	for _, c := range s.catchUps {
		c.encode(e)
	}
	e.Uint8(s.backoff.stage)
	e.Uint8(s.backoff.sends)
	e.Int64(s.backoff.last)
	e.Int64(s.backoff.entered)
}

// Decode implements state.Part.
func (State) Decode(d *state.Decoder) (s State, err error) {
	d.Version(stateVersion, stateVersion)
	d.Into(s.space[:])
	s.phase = Phase(d.Uint8())
	for _, read := range []func() error{
		func() (err error) { s.self, err = state.DecodeSegment[identity](d, "self"); return },
		func() (err error) { s.owner, err = state.DecodeSegment[ownerKeys](d, "owner"); return },
		func() (err error) { s.roots, err = segmap.Decode[rootRow](d, "roots"); return },
		func() (err error) { s.epochs, err = segmap.Decode[epochRow](d, "epochs"); return },
		func() (err error) { s.headers, err = segmap.Decode[orphanHeader](d, "headers"); return },
		func() (err error) { s.commits, err = segmap.Decode[orphanCommit](d, "commits"); return },
		func() (err error) { s.requests, err = segmap.Decode[requestRecord](d, "requests"); return },
	} {
		if err := read(); err != nil {
			return State{}, err
		}
	}
	s.serial = d.Uint64()
	s.arrivals = d.Uint64()
	s.clock = d.Int64()
	s.pruned = d.Int64()
	s.restored = d.Bool()
	s.restoredAt = d.Uint64()
	s.lastRead = d.Int64()
	s.commit = d.Bool()
	s.ask = d.Bool()
	for range d.Count(maxCatchUps, 2*32+1) {
		c, err := decodeCatchUp(d)
		if err != nil {
			return State{}, err
		}
		s.catchUps = append(s.catchUps, c)
	}
	s.backoff = backoff{d.Uint8(), d.Uint8(), d.Int64(), d.Int64()}
	if err := d.Err(); err != nil {
		return State{}, err
	}
	if s.phase < Joining || s.phase > Left || s.self.Value().origin.Space() != s.space {
		return State{}, wire.ErrMalformed
	}
	for r := range s.epochs.All() {
		e := r.epoch()
		if !s.roots.Has(segmap.Key{Place: e.root}) || e.serial > s.serial || e.isRoot() && e.generation != 0 {
			return State{}, fmt.Errorf("%w: an epoch without its root", wire.ErrMalformed)
		}
	}
	s.preferred = s.findPreferred()
	return s, nil
}

// Succeeds implements state.Part: it refuses a state of another space, a member or a member's share that changed, and
// every counter that falls.
func (s State) Succeeds(prev State) error {
	a, b := prev.self.Value(), s.self.Value()
	switch {
	case s.space != prev.space:
		return fmt.Errorf("%w: another space", state.ErrStale)
	case a.index != b.index || a.signing.Public != b.signing.Public:
		return fmt.Errorf("%w: another member", state.ErrStale)
	case prev.phase != Joining && s.phase == Joining:
		return fmt.Errorf("%w: joined already", state.ErrStale)
	case b.owners.Counter < a.owners.Counter:
		return fmt.Errorf("%w: an older owner list", state.ErrStale)
	case s.serial < prev.serial, s.arrivals < prev.arrivals, s.clock < prev.clock, b.asked < a.asked, b.drawn < a.drawn:
		return fmt.Errorf("%w: a counter falls", state.ErrStale)
	case prev.owner.Value().isNone() != s.owner.Value().isNone() && s.owner.Value().isNone():
		return fmt.Errorf("%w: owner's keys are gone", state.ErrStale)
	}
	for r := range prev.epochs.All() {
		next, ok := s.epochs.Get(r.Key())
		if !ok || next.record == r.record {
			continue
		}
		if r.epoch().nextNumber(a.index) > next.epoch().nextNumber(a.index) {
			return fmt.Errorf("%w: own message counter falls", state.ErrStale)
		}
	}
	return nil
}

// nextNumber returns the number of member i's next message.
func (e epoch) nextNumber(i dkg.Index) uint32 {
	if b, ok := e.blocks.Get(segmap.Key{Block: blockOf(i)}); ok {
		if at, ok := b.find(i); ok {
			return b.chains[at].next
		}
	}
	return 0
}

// String shows nothing of what the state holds.
func (s State) String() string { return "ratchet state: " + s.phase.String() }

// GoString is String: %#v shows no more than %v.
func (s State) GoString() string { return s.String() }

// epoch returns an epoch held.
func (s State) epoch(id proto.EpochID) (epoch, bool) {
	r, ok := s.epochs.Get(segmap.ByID(id))
	if !ok {
		return epoch{}, false
	}
	return r.epoch(), true
}

// root returns a root held.
func (s State) root(id proto.EpochID) (root, bool) {
	r, ok := s.roots.Get(segmap.Key{Place: id})
	return r.record.Value(), ok
}
