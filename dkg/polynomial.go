package dkg

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// Polynomial is f(x) = a0 + a1·x with coefficients other than 0: the secret that a dealer draws for a root. Make Evals of it to
// keep it, and Shares to send; its bytes are for other dealers alone.
type Polynomial struct{ a0, a1 ed448.Scalar }

// NewPolynomial draws a fresh random polynomial.
func NewPolynomial() Polynomial { return Polynomial{ed448.RandomScalar(), ed448.RandomScalar()} }

// Commitment returns (a0·G, a1·G).
func (p Polynomial) Commitment() Commitment {
	return Commitment{ed448.BaseMult(p.a0), ed448.BaseMult(p.a1)}
}

// Share returns f(i). It returns ErrIndex for an index that is 0 or over MaxIndex, and ErrShare if f(i) is 0, which
// happens to one polynomial in 2^425: draw another.
func (p Polynomial) Share(i Index) (Share, error) {
	if p.IsZero() {
		return Share{}, fmt.Errorf("%w: no polynomial", ErrShare)
	}
	return newShare(i, p.a0.Add(p.a1.Mul(i.scalar())))
}

// Bytes returns the 112 bytes that ParsePolynomial reads. They are every share of the root.
func (p Polynomial) Bytes() secret.Bytes { return secret.Own(append(p.a0.Bytes(), p.a1.Bytes()...)) }

// ParsePolynomial reads 112 bytes. It returns ErrShare for any other length, for a coefficient that is not less than the order,
// and for one that is 0.
func ParsePolynomial(b []byte) (p Polynomial, err error) {
	if len(b) != PolynomialSize {
		return Polynomial{}, fmt.Errorf("%w: not %d bytes", ErrShare, PolynomialSize)
	}
	for k, a := range []*ed448.Scalar{&p.a0, &p.a1} {
		if *a, err = ed448.ParseScalar(b[k*ed448.ScalarSize : (k+1)*ed448.ScalarSize]); err != nil {
			return Polynomial{}, fmt.Errorf("%w: %w", ErrShare, err)
		}
	}
	if p.IsZero() {
		return Polynomial{}, fmt.Errorf("%w: a coefficient is zero", ErrShare)
	}
	return p, nil
}

// IsZero reports whether this is the zero value, of which nothing can be dealt.
func (p Polynomial) IsZero() bool { return p.a0.IsZero() || p.a1.IsZero() }

func (p Polynomial) equal(o Polynomial) bool { return p.a0.Equal(o.a0) && p.a1.Equal(o.a1) }
