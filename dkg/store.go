package dkg

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/state"
)

// Versions of the stored format of Evals: the second has offers, and is written where there are some.
const (
	version       = 1
	versionOffers = 2
)

// ledgerName begins the names of the segments that hold the ledger.
const ledgerName = "ledger-"

// Encode implements state.Part. It writes 168 bytes, of which the coefficients are 112, and lists the blocks of the ledger and
// the offers.
func (e Evals) Encode(w *state.Encoder) {
	if e.offers.IsZero() {
		w.Version(version)
	} else {
		w.Version(versionOffers)
	}
	w.Uint8(uint8(e.mode))
	if e.mode == none {
		return
	}
	w.Fixed(e.root[:])
	w.Uint64(e.generation)
	w.Uint8(uint8(e.depth))
	w.Uint32(uint32(e.capacity))
	w.Uint32(uint32(e.next))
	if e.mode == dealing {
		w.Fixed(e.polynomial.a0.Bytes())
		w.Fixed(e.polynomial.a1.Bytes())
	}
	e.ledger.rows.Encode(w, ledgerName)
	if !e.offers.IsZero() {
		e.offers.Encode(w, offersName)
	}
}

// Decode implements state.Part. It returns an error for anything that Encode does not write.
func (Evals) Decode(r *state.Decoder) (Evals, error) {
	found := r.Version(version, versionOffers)
	e := Evals{mode: mode(r.Uint8())}
	if e.mode == none && found == version || r.Err() != nil {
		return e, r.Err()
	}
	if e.mode != dealing && e.mode != readOnly {
		return Evals{}, errors.New("dkg: no such kind of evals")
	}
	r.Into(e.root[:])
	e.generation = r.Uint64()
	e.depth = int(r.Uint8())
	e.capacity = Index(r.Uint32())
	e.next = Index(r.Uint32())
	var err error
	if e.mode == dealing {
		if e.polynomial, err = decodePolynomial(r); err != nil {
			return Evals{}, err
		}
	}
	if e.ledger.rows, err = segmap.Decode[row](r, ledgerName); err != nil {
		return Evals{}, err
	}
	if found == versionOffers {
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

// Succeeds implements state.Part: it returns ErrLedger if e would take back something that prev has done (G5). Under one
// root the cursor and the ledger only grow, records only move forwards, and what is read-only stays so. Another root must
// be of a later generation and keep cursor and depth. Whoever had evals has them, if read-only, as long as the space.
func (e Evals) Succeeds(prev Evals) error {
	switch {
	case e.mode == 0 || prev.mode == 0:
		return fmt.Errorf("%w: zero evals", ErrLedger)
	case prev.mode == none:
		return nil
	case e.mode == none:
		return fmt.Errorf("%w: evals are gone", ErrLedger)
	case e.next < prev.next:
		return fmt.Errorf("%w: cursor %d after %d", ErrLedger, e.next, prev.next)
	case e.depth < prev.depth:
		return fmt.Errorf("%w: depth %d after %d", ErrLedger, e.depth, prev.depth)
	case e.root != prev.root:
		if e.generation <= prev.generation {
			return fmt.Errorf("%w: another root of generation %d after %d", ErrLedger, e.generation, prev.generation)
		}
		return nil
	case e.mode < prev.mode:
		return fmt.Errorf("%w: read-only evals stay so until a rekey", ErrLedger)
	case e.generation != prev.generation || e.depth != prev.depth || e.capacity != prev.capacity,
		e.mode == dealing && !e.polynomial.equal(prev.polynomial):
		return fmt.Errorf("%w: another dealing under the same root", ErrLedger)
	}
	return e.ledger.succeeds(prev.ledger)
}
