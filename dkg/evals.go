package dkg

import (
	"fmt"
	"iter"
	"slices"

	"github.com/trefoil-im/trefoil/state"
)

// Evals are what a member may deal from: the explicit NoEvals, or a polynomial with a cursor and a ledger, or a cursor and
// a ledger alone, which are read-only. They are a part of a space (state.Part): no function yields their bytes. They show
// nothing when printed and cannot be compared with ==. The zero Evals hold nothing, and state.New refuses them.
type Evals struct {
	_    [0]func()
	mode mode
	terms
	polynomial Polynomial // zero unless mode is dealing
	ledger     ledger
	offers     state.Segment[offers] // zero if there are none
}

// mode says what Evals are. Its numbers are part of the stored format; except for a new root it only grows.
type mode uint8

const (
	none     mode = 1
	dealing  mode = 2
	readOnly mode = 3
)

// terms are the public fields of evals with a root.
type terms struct {
	root       [32]byte
	generation uint64
	depth      int   // 1 to MaxDepth
	capacity   Index // the largest index to be handed out
	next       Index // cursor: the next index to be handed out; at most 2^depth
}

// Terms are what a dealing is made under.
type Terms struct {
	Root       [32]byte // epoch ID of the genesis or rekey that brings the polynomial
	Generation uint64   // rekey generation of that root, 0 for a genesis
	Depth      int      // 1 to MaxDepth, DefaultDepth as a rule; never less than before
	Capacity   Index    // 1 to 2^Depth - 1, DefaultCapacity as a rule: the largest index to be handed out
	Held       []Index  // whom the dealing itself gives shares: the founder, or those who stay
	Next       Index    // where to go on; greater than any Held and any index seen so far; over 2^Depth counts as that
}

// NoEvals returns the evals of a member that deals nothing.
func NoEvals() Evals { return Evals{mode: none} }

// Evals returns the evals of a dealer that brings this polynomial under the given terms. It returns ErrIndex if the terms
// are out of their ranges, and ErrShare for the zero Polynomial.
func (p Polynomial) Evals(t Terms) (Evals, error) {
	if p.IsZero() {
		return Evals{}, fmt.Errorf("%w: no polynomial", ErrShare)
	}
	e := Evals{mode: dealing, polynomial: p, terms: terms{t.Root, t.Generation, t.Depth, t.Capacity, t.Next}}
	if t.Depth >= 1 && t.Depth <= MaxDepth {
		e.next = min(t.Next, 1<<t.Depth)
	}
	for _, i := range t.Held {
		switch {
		case i == 0:
			return Evals{}, fmt.Errorf("%w: 0", ErrIndex)
		case e.ledger.get(i).Status != Free:
			return Evals{}, fmt.Errorf("%w: %d twice", ErrIndex, i)
		}
		e.ledger = e.ledger.with(Record{Index: i, Kind: Held, Status: Redeemed})
	}
	if err := e.check(); err != nil {
		return Evals{}, err
	}
	return e, nil
}

// check returns ErrIndex if terms, cursor and ledger of evals with a root contradict each other.
func (e Evals) check() error {
	switch {
	case e.depth < 1 || e.depth > MaxDepth:
		return fmt.Errorf("%w: depth %d", ErrIndex, e.depth)
	case e.capacity < 1 || e.capacity >= 1<<e.depth:
		return fmt.Errorf("%w: capacity %d at depth %d", ErrIndex, e.capacity, e.depth)
	case e.next < 1 || e.next > 1<<e.depth:
		return fmt.Errorf("%w: cursor %d at depth %d", ErrIndex, e.next, e.depth)
	case e.ledger.last() >= e.next:
		return fmt.Errorf("%w: %d is not below the cursor", ErrIndex, e.ledger.last())
	}
	for o := range e.Offers() {
		if o.Last() >= e.next {
			return fmt.Errorf("%w: offer of %d is not below the cursor", ErrIndex, o.Last())
		}
	}
	return nil
}

// IsZero reports whether these are no evals at all, not even the explicit NoEvals.
func (e Evals) IsZero() bool { return e.mode == 0 }

// IsNone reports whether these are NoEvals.
func (e Evals) IsNone() bool { return e.mode == none }

// CanDeal reports whether there is a polynomial to deal from.
func (e Evals) CanDeal() bool { return e.mode == dealing }

// Root returns the root that the evals belong to, and its rekey generation; zeros for NoEvals.
func (e Evals) Root() (id [32]byte, generation uint64) { return e.root, e.generation }

// Depth returns the number of bits of an index, 0 for NoEvals.
func (e Evals) Depth() int { return e.depth }

// Next returns the cursor: no index from it on was handed out or seen under this root. It goes into the next rekey. It is
// 0 for NoEvals.
func (e Evals) Next() Index { return e.next }

// Remaining returns how many indices from the cursor on can be handed out, 0 if CanDeal is false.
func (e Evals) Remaining() int {
	if e.mode != dealing || e.next > e.capacity {
		return 0
	}
	return int(e.capacity-e.next) + 1
}

// Record returns what the ledger knows of an index; its Status is Free if that is nothing.
func (e Evals) Record(i Index) Record { return e.ledger.get(i).clone() }

// Records yields the ledger in ascending order of indices.
func (e Evals) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for r := range e.ledger.all() {
			if !yield(r.clone()) {
				return
			}
		}
	}
}

// Open yields the records of invites that were issued and neither redeemed nor revoked: of the given kinds, or of all.
func (e Evals) Open(kinds ...Kind) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for r := range e.Records() {
			if r.Status == Issued && (len(kinds) == 0 || slices.Contains(kinds, r.Kind)) && !yield(r) {
				return
			}
		}
	}
}

// String names the kind of evals and shows nothing of what they hold.
func (e Evals) String() string {
	switch e.mode {
	case none:
		return "no evals"
	case dealing:
		return "evals"
	case readOnly:
		return "read-only evals"
	}
	return "zero evals"
}

// GoString is String: %#v shows no more than %v.
func (e Evals) GoString() string { return e.String() }
