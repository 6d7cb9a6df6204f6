package dkg

import "github.com/trefoil-im/trefoil/internal/ed448"

// Kind is what an invite is for. Its numbers are part of the format.
type Kind uint8

// Numbers of the format.
const (
	// Kinds: in a link for one person, behind a public link, to a known person. 1 is reserved.
	Private Kind = 2
	Public  Kind = 3
	Direct  Kind = 4

	// DefaultDepth and MaxDepth are numbers of bits of an index: under depth d indices are less than 2^d. MaxIndex is the
	// largest index under any depth.
	DefaultDepth       = 14
	MaxDepth           = 20
	MaxIndex     Index = 1<<MaxDepth - 1

	// DefaultCapacity is how many evals a dealer has unless it chooses otherwise; the most is 2^depth - 1.
	DefaultCapacity = 10_000
	// MaxOffers is the number of offers that are open at a time, and MaxDealers that of the members that deal from one polynomial.
	MaxOffers  = 256
	MaxDealers = 16

	// Sizes in bytes: of an encoded share (index, then scalar), a commitment (C0, then C1) and a polynomial (a0, then a1); of
	// the share and the polynomial that a Mask hides; and of the secret of an offer.
	ShareSize            = 4 + ed448.ScalarSize
	CommitmentSize       = 2 * ed448.PointSize
	PolynomialSize       = 2 * ed448.ScalarSize
	MaskedShareSize      = ed448.ScalarSize
	MaskedPolynomialSize = 2 * ed448.ScalarSize
	OfferSecretSize      = 32
)
