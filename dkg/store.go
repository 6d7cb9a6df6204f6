package dkg

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/state"
)

// version of the stored format of Evals.
const version = 1

// Encode implements state.Part. It writes 165 bytes, of which the coefficients are 112, and lists the offers.
func (e Evals) Encode(w *state.Encoder) {
	w.Version(version)
	w.Uint8(uint8(e.mode))
	if e.mode == none {
		return
	}
	w.Fixed(e.terms.Root[:])
	w.Uint64(e.terms.Generation)
	w.Uint8(uint8(e.terms.Depth))
	w.Uint32(uint32(e.terms.Capacity))
	w.Uint32(uint32(e.terms.Next))
	if e.mode == dealing {
		w.Fixed(e.polynomial.a0.Bytes())
		w.Fixed(e.polynomial.a1.Bytes())
	}
	w.Bool(!e.offers.IsZero())
	if !e.offers.IsZero() {
		e.offers.Encode(w, offersName)
	}
}

// Decode implements state.Part. It returns an error for anything that Encode does not write.
func (Evals) Decode(r *state.Decoder) (Evals, error) {
	r.Version(version, version)
	e := Evals{mode: mode(r.Uint8())}
	if e.mode == none || r.Err() != nil {
		return e, r.Err()
	}
	if e.mode != dealing && e.mode != readOnly {
		return Evals{}, errors.New("dkg: no such kind of evals")
	}
	r.Into(e.terms.Root[:])
	e.terms.Generation = r.Uint64()
	e.terms.Depth = int(r.Uint8())
	e.terms.Capacity = Index(r.Uint32())
	e.terms.Next = Index(r.Uint32())
	var err error
	if e.mode == dealing {
		if e.polynomial, err = decodePolynomial(r); err != nil {
			return Evals{}, err
		}
	}
	if r.Bool() {
		if e.offers, err = state.DecodeSegment[offers](r, offersName); err != nil {
			return Evals{}, err
		}
	}
	if err := r.Err(); err != nil {
		return Evals{}, err
	}
	return e, e.check()
}

func decodePolynomial(r *state.Decoder) (p Polynomial, err error) {
	for _, a := range []*ed448.Scalar{&p.a0, &p.a1} {
		b := r.Fixed(ed448.ScalarSize)
		if err := r.Err(); err != nil {
			return Polynomial{}, err
		}
		if *a, err = ed448.ParseScalar(b); err != nil {
			return Polynomial{}, err
		}
	}
	if p.IsZero() {
		return Polynomial{}, errors.New("dkg: a coefficient is zero")
	}
	return p, nil
}

// Succeeds implements state.Part: it returns ErrOrder if e would take back something that prev has done (G5). Under one
// root the cursor only grows, and what is read-only stays so. Another root must be of a later generation and keep cursor and
// depth. Whoever had evals has them, if read-only, as long as the space.
func (e Evals) Succeeds(prev Evals) error {
	at, before := e.terms, prev.terms
	switch {
	case e.mode == 0 || prev.mode == 0:
		return fmt.Errorf("%w: zero evals", ErrOrder)
	case prev.mode == none:
		return nil
	case e.mode == none:
		return fmt.Errorf("%w: evals are gone", ErrOrder)
	case at.Next < before.Next:
		return fmt.Errorf("%w: cursor %d after %d", ErrOrder, at.Next, before.Next)
	case at.Depth < before.Depth:
		return fmt.Errorf("%w: depth %d after %d", ErrOrder, at.Depth, before.Depth)
	case at.Root != before.Root:
		if at.Generation <= before.Generation {
			return fmt.Errorf("%w: another root of generation %d after %d", ErrOrder, at.Generation, before.Generation)
		}
		return nil
	case e.mode < prev.mode:
		return fmt.Errorf("%w: read-only evals stay so until a rekey", ErrOrder)
	case at.Generation != before.Generation || at.Depth != before.Depth || at.Capacity != before.Capacity,
		e.mode == dealing && !e.polynomial.equal(prev.polynomial):
		return fmt.Errorf("%w: another dealing under the same root", ErrOrder)
	}
	return nil
}
