// Package dkg is the dealing of the shares of a space: polynomials of degree 1 over the scalars of Ed448, their commitments, and the
// evals, from which a dealer hands out shares one by one.
//
// A dealer draws a Polynomial f and publishes its Commitment. Member j holds the Share f(j); anybody who knows the
// commitment knows its public share f(j)·G and can verify a share against it. Any two shares are the whole polynomial, one
// says nothing about it. Index 0 would be the secret itself and is refused everywhere.
//
// Evals are the shares that nobody holds yet. They are a part of a space's encryption state (state.Part), stored with the
// rest of it or not at all: the coefficients, a cursor, and the offers, which are the invites that are open. Most programs only
// name a Kind of invite; package ratchet deals and offers. The only way to a fresh share is Evals.Offer, which returns the next
// evals too. Whoever is no dealer holds NoEvals.
//
// All values are immutable and safe for concurrent use. Functions return the next value; with an error they return the one
// they were given. The package implements section 3 of the specification, the Trefoil ratchet.
package dkg

import "errors"

// Errors of this package, to be found with errors.Is. Their texts show no secret.
var (
	// ErrIndex: an index that is 0 or too large, or an offer that is not there.
	ErrIndex = errors.New("dkg: invalid index")
	// ErrShare: bytes that are no share, or a share that is not the committed one.
	ErrShare = errors.New("dkg: invalid share")
	// ErrCommitment: bytes that are no commitment, or a commitment that gives an index no public share.
	ErrCommitment = errors.New("dkg: invalid commitment")
	// ErrExhausted: every index up to the capacity was offered, which a rekey with a larger capacity repairs, or as many offers are
	// open as may be.
	ErrExhausted = errors.New("dkg: no evals left")
	// ErrReadOnly: there is nothing to deal from: no evals, those of a root that lost, or those of a restored copy. A rekey
	// makes new ones.
	ErrReadOnly = errors.New("dkg: evals are read-only")
	// ErrOrder: evals that take something back, an offer that is none, or a name that another offer has.
	ErrOrder = errors.New("dkg: against the order of the evals")
)
