package dkg

import (
	"fmt"

	"github.com/trefoil-im/trefoil/state"
)

// Evals are what a member may deal from: the explicit NoEvals, or a polynomial with a cursor and the offers that are open, or
// cursor and offers alone, which are read-only. They are a part of a space (state.Part): no function yields their bytes. They show
// nothing when printed and cannot be compared with ==. The zero Evals hold nothing, and state.New refuses them.
type Evals struct {
	_          [0]func()
	mode       mode
	terms      Terms
	polynomial Polynomial            // zero unless mode is dealing
	offers     state.Segment[offers] // zero if there are none
}

// mode says what Evals are. Its numbers are part of the stored format; except for a new root it only grows.
type mode uint8

const (
	none     mode = 1
	dealing  mode = 2
	readOnly mode = 3
)

// Terms are what a dealing is made under.
type Terms struct {
	Root       [32]byte // epoch ID of the genesis or rekey that brings the polynomial
	Generation uint64   // rekey generation of that root, 0 for a genesis
	Depth      int      // 1 to MaxDepth, DefaultDepth as a rule; never less than before
	Capacity   Index    // 1 to 2^Depth - 1, DefaultCapacity as a rule: the largest index to be offered
	Next       Index    // cursor: the next index to be offered, greater than any seen so far; over 2^Depth counts as that
}

// NoEvals returns the evals of a member that deals nothing.
func NoEvals() Evals { return Evals{mode: none} }

// Evals returns the evals of a dealer that brings this polynomial under the given terms. It returns ErrIndex if the terms
// are out of their ranges, and ErrShare for the zero Polynomial.
func (p Polynomial) Evals(t Terms) (Evals, error) {
	if p.IsZero() {
		return Evals{}, fmt.Errorf("%w: no polynomial", ErrShare)
	}
	if t.Depth >= 1 && t.Depth <= MaxDepth {
		t.Next = min(t.Next, 1<<t.Depth)
	}
	e := Evals{mode: dealing, polynomial: p, terms: t}
	if err := e.check(); err != nil {
		return Evals{}, err
	}
	return e, nil
}

// check returns ErrIndex if terms, cursor and offers of evals with a root contradict each other.
func (e Evals) check() error {
	switch t := e.terms; {
	case t.Depth < 1 || t.Depth > MaxDepth:
		return fmt.Errorf("%w: depth %d", ErrIndex, t.Depth)
	case t.Capacity < 1 || t.Capacity >= 1<<t.Depth:
		return fmt.Errorf("%w: capacity %d at depth %d", ErrIndex, t.Capacity, t.Depth)
	case t.Next < 1 || t.Next > 1<<t.Depth:
		return fmt.Errorf("%w: cursor %d at depth %d", ErrIndex, t.Next, t.Depth)
	}
	for o := range e.Offers() {
		if o.Last() >= e.terms.Next {
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

// Root returns the epoch ID of the root that the evals belong to, zeros for NoEvals.
func (e Evals) Root() [32]byte { return e.terms.Root }

// Next returns the cursor: no index from it on was offered or seen under this root. It goes into the next rekey. It is 0 for
// NoEvals.
func (e Evals) Next() Index { return e.terms.Next }

// MoveCursorPast moves the cursor past an index seen in any root, so that it is never offered anew. It does nothing if the
// cursor is past it already, or for NoEvals, which have none. It returns ErrIndex unless 1 ≤ i < 2^depth.
func (e Evals) MoveCursorPast(i Index) (Evals, error) {
	if e.mode == none {
		return e, nil
	}
	if err := i.Check(e.terms.Depth); err != nil {
		return e, err
	}
	e.terms.Next = max(e.terms.Next, i+1)
	return e, nil
}

// Share returns the share of an index, for a member that was given it before and lost it. It returns ErrReadOnly if CanDeal is
// false, and errors of Polynomial.Share.
func (e Evals) Share(i Index) (Share, error) {
	if e.mode != dealing {
		return Share{}, ErrReadOnly
	}
	return e.polynomial.Share(i)
}

// ReadOnly returns the evals without their polynomial: for a root that lost against another, and for a state that was
// restored from a copy, since either might offer a share that was offered before. There is no way back but a rekey.
// NoEvals stay what they are.
func (e Evals) ReadOnly() Evals {
	if e.mode == dealing {
		e.mode, e.polynomial = readOnly, Polynomial{}
	}
	return e
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
