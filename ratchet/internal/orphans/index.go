package orphans

import (
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Index is what is known of all that cannot be read yet. It is immutable; the zero Index is empty.
type Index struct {
	pages      pages
	candidates segmap.Map[Candidate]
	serial     uint64 // last number given to a frame
	led        uint64 // last number given to a candidate
	waiting    waiting

	lookup lookup // follows from the above and is not stored
}

// Get returns the note of a frame.
func (x Index) Get(name FrameName) (Note, bool) {
	s, ok := x.lookup.names.get(name)
	if !ok {
		return Note{}, false
	}
	return x.pages.get(s)
}

// retained returns the note of a frame that the vault keeps. What is left of a frame that was read is none: its commits are other ones than
// the frame's, and the frame comes again if a relay repeats it.
func (x Index) retained(name FrameName) (Note, bool) {
	n, ok := x.Get(name)
	return n, ok && !n.rest()
}

// Retains reports whether a frame is noted that the vault keeps.
func (x Index) Retains(name FrameName) bool {
	_, ok := x.retained(name)
	return ok
}

// Candidate returns a candidate.
func (x Index) Candidate(id proto.EpochID) (Candidate, bool) {
	return x.candidates.Get(segmap.ByID(id))
}

// Frames returns the number of retained frames that are noted, and their bytes.
func (x Index) Frames() (frames, bytes int) {
	s := x.lookup.sums
	all := s[opened].and(s[unopened]).and(s[untagged])
	return all.frames, all.bytes
}

// Candidates returns the number of candidates.
func (x Index) Candidates() int { return x.lookup.numbers.size }

// put returns the index with a note in place of the one of the same name.
func (x Index) put(n Note) Index {
	s, ok := x.lookup.names.get(n.Name)
	if ok {
		old, _ := x.pages.get(s)
		x.lookup = x.lookup.without(s, old)
	} else {
		s = x.lookup.vacant()
	}
	x.pages = x.pages.put(s, n)
	x.lookup = x.lookup.with(s, n)
	return x
}

// drop returns the index without a note.
func (x Index) drop(name FrameName) Index {
	s, ok := x.lookup.names.get(name)
	if !ok {
		return x
	}
	n, _ := x.pages.get(s)
	x.lookup = x.lookup.without(s, n)
	x.pages = x.pages.drop(s)
	return x
}

// lead returns the index with a new candidate.
func (x Index) lead(c Candidate) Index {
	x.led++
	c.number = x.led
	x.candidates = x.candidates.Put(c)
	x.lookup = x.lookup.leads(c)
	return x
}

// unlead returns the index without a candidate. What was found out through it is left as it is.
func (x Index) unlead(c Candidate) Index {
	x.candidates = x.candidates.Drop(c.Key())
	x.lookup = x.lookup.leadsNot(c)
	return x
}

const format = 2 // of a stored Index

// Encode implements state.Piece.
func (x Index) Encode(e *state.Encoder) {
	e.Version(format)
	e.Uint64(x.serial)
	e.Uint64(x.led)
	x.waiting.encode(e)
	x.pages.top.Encode(e, "v")
	x.candidates.Encode(e, "k")
}

// Decode implements state.Piece.
func (Index) Decode(d *state.Decoder) (x Index, err error) {
	d.Version(format, format)
	x.serial, x.led = d.Uint64(), d.Uint64()
	x.waiting = decodeWaiting(d)
	if x.pages.top, err = segmap.Decode[volume](d, "v"); err != nil {
		return Index{}, err
	}
	if x.candidates, err = segmap.Decode[Candidate](d, "k"); err != nil {
		return Index{}, err
	}
	for s, n := range x.pages.all() {
		if x.lookup.names.has(n.Name) || x.lookup.order.has(number(n.serial)) || n.serial > x.serial || s >= maxSlots {
			return Index{}, wire.ErrMalformed
		}
		x.lookup = x.lookup.with(s, n)
	}
	for c := range x.candidates.All() {
		if x.lookup.numbers.has(number(c.number)) || c.number > x.led {
			return Index{}, wire.ErrMalformed
		}
		x.lookup = x.lookup.leads(c)
	}
	return x, d.Err()
}
