package parts

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

const (
	// maxSets is the number of incomplete sets of one name. Two members answer at once, and a few more later.
	maxSets = 16
	// maxWhole bounds a whole, in bytes: the body of a ticket and what boxing and signing it add.
	maxWhole = max(proto.MaxTicketBody, proto.MaxRekey) + 4<<10
	// maxDone is the number of sets that are remembered after their end, so that a copy of a part does not begin one anew.
	maxDone = 64
)

var (
	// ErrStale: a part of a set that was complete, or too large.
	ErrStale = errors.New("ratchet: part of a set that is done")
	// ErrTooLarge: a part of a set that is longer than any whole.
	ErrTooLarge = fmt.Errorf("%w: set of parts is too long", wire.ErrMalformed)
)

// FrameName names a retained frame as the vault does.
type FrameName = orphans.FrameName

// Sets is the incomplete sets. It is an immutable value; the zero Sets is empty.
type Sets struct {
	sets   segmap.Map[set]
	done   []id
	serial uint64
}

// id names a set.
type id [32]byte

func idOf(p proto.Part) id {
	d := p.Set()
	return id(d[:32])
}

// Got says what came of a part.
type Got struct {
	// Whole is what the parts give; nil while they are not all there.
	Whole []byte
	// Taken: the piece is kept here, and its frame is done with. Else the frame is to be retained.
	Taken bool
	// Retry are frames that are to be read again, since all parts of their set are there, or since it is done with.
	Retry []FrameName
	// Forget are frames of a set that was given up because of a bound.
	Forget []FrameName
}

// Add takes in a part, whose frame is retained or about to be. It returns ErrStale, ErrTooLarge or wire.ErrMalformed (the piece of another
// set) for a frame that is to be discarded.
func (s Sets) Add(f FrameName, p proto.Part) (Sets, Got, error) {
	name := idOf(p)
	if slices.Contains(s.done, name) {
		return s, Got{}, ErrStale
	}
	if err := p.Verify(); err != nil {
		return s, Got{}, err
	}
	if len(p.Hashes) == 1 {
		return s, Got{Whole: p.Piece, Taken: true}, nil
	}
	row, ok := s.sets.Get(segmap.ByID(name))
	var got Got
	if !ok {
		s, got.Forget = s.room(p.Name)
		s.serial++
		row = set{id: name, of: p.Type, name: p.Name, serial: s.serial, places: make([]place, len(p.Hashes))}
	}
	row.places = slices.Clone(row.places)
	at := &row.places[p.Place]
	if !at.held() {
		at.frame, at.size = f, uint32(len(p.Piece))
	}
	if row.size() > maxWhole {
		return s.finish(row), Got{Retry: row.without(f), Forget: got.Forget}, ErrTooLarge
	}
	if !row.complete() {
		s.sets = s.sets.Put(row)
		return s, got, nil
	}
	got.Taken = true
	if at.piece.IsZero() {
		at.piece = state.NewSegment(piece(bytes.Clone(p.Piece)))
		got.Retry = row.frames()
	}
	if !row.gathered() {
		s.sets = s.sets.Put(row)
		return s, got, nil
	}
	got.Whole = row.whole()
	return s.finish(row), got, nil
}

// room lets go of the oldest set of a name if there are as many as there may be.
func (s Sets) room(n proto.Name) (Sets, []FrameName) {
	var oldest set
	count := 0
	for row := range s.sets.All() {
		if row.name != n {
			continue
		}
		count++
		if a, b := row.complete(), oldest.complete(); oldest.serial == 0 || b && !a || a == b && row.serial < oldest.serial {
			oldest = row
		}
	}
	if count < maxSets {
		return s, nil
	}
	s.sets = s.sets.Drop(oldest.Key())
	return s, oldest.frames()
}

// finish returns the sets without one that is done with.
func (s Sets) finish(row set) Sets {
	s.sets = s.sets.Drop(row.Key())
	done := append(slices.Clone(s.done), row.id)
	s.done = done[max(0, len(done)-maxDone):]
	return s
}

// Forget lets go of frames that the vault gave up. It reports whether retained frames are to be read again: a copy of what was
// given up may be among them.
func (s Sets) Forget(frames ...FrameName) (Sets, bool) {
	again := false
	for row := range s.sets.All() {
		places := slices.Clone(row.places)
		changed := false
		for k, p := range places {
			if p.held() && p.piece.IsZero() && slices.Contains(frames, p.frame) {
				places[k], changed = place{}, true
			}
		}
		if !changed {
			continue
		}
		again = true
		if row.places = places; row.empty() {
			s.sets = s.sets.Drop(row.Key())
		} else {
			s.sets = s.sets.Put(row)
		}
	}
	return s, again
}

// Keep lets go of the sets of tickets of all names but those that are wanted: their ticket keys are gone. It returns their frames, which are to
// be read again, and are of no use then.
func (s Sets) Keep(wanted func(proto.Name) bool) (Sets, []FrameName) {
	return s.drop(func(x set) bool { return x.of == proto.TypeTicket && !wanted(x.name) })
}

// Without lets go of the sets of a name, and returns their frames, which are to be read again.
func (s Sets) Without(n proto.Name) (Sets, []FrameName) {
	return s.drop(func(x set) bool { return x.name == n })
}

func (s Sets) drop(which func(set) bool) (Sets, []FrameName) {
	var frames []FrameName
	for row := range s.sets.All() {
		if which(row) {
			s.sets, frames = s.sets.Drop(row.Key()), append(frames, row.frames()...)
		}
	}
	return s, frames
}

// Size returns the number of incomplete sets.
func (s Sets) Size() int { return s.sets.Size() }

// format is the version of the stored form.
const format = 2

// Encode implements state.Piece.
func (s Sets) Encode(e *state.Encoder) {
	e.Version(format)
	e.Uint64(s.serial)
	e.Uint32(uint32(len(s.done)))
	for _, d := range s.done {
		e.Fixed(d[:])
	}
	s.sets.Encode(e, "s")
}

// Decode implements state.Piece.
func (Sets) Decode(d *state.Decoder) (s Sets, err error) {
	d.Version(format, format)
	s.serial = d.Uint64()
	for range d.Count(maxDone, len(id{})) {
		var name id
		d.Into(name[:])
		s.done = append(s.done, name)
	}
	s.sets, err = segmap.Decode[set](d, "s")
	return s, err
}
