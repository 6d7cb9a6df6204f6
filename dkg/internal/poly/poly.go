// Package poly is a polynomial over the scalars of Ed448, of any degree: drawn, evaluated, and interpolated.
package poly

import (
	"slices"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// Polynomial is secret coefficients, the constant term first. It is immutable. The zero Polynomial is 0.
type Polynomial struct{ coefficients []ed448.Scalar }

// New returns a polynomial with the given constant term and m-1 further coefficients, random and not 0; m is at least 1.
func New(constant ed448.Scalar, m int) Polynomial {
	c := []ed448.Scalar{constant}
	for len(c) < m {
		c = append(c, ed448.RandomScalar())
	}
	return Polynomial{c}
}

// Of returns the polynomial with these coefficients, which the caller gives up.
func Of(coefficients []ed448.Scalar) Polynomial { return Polynomial{coefficients} }

// Coefficients returns the coefficients, the constant term first.
func (p Polynomial) Coefficients() []ed448.Scalar { return slices.Clone(p.coefficients) }

// Constant returns the value at 0.
func (p Polynomial) Constant() ed448.Scalar {
	if len(p.coefficients) == 0 {
		return ed448.Scalar{}
	}
	return p.coefficients[0]
}

// At returns the value at x in time that depends on the number of coefficients only.
func (p Polynomial) At(x uint8) ed448.Scalar {
	var v ed448.Scalar
	at := ed448.ScalarFromUint32(uint32(x))
	for _, c := range slices.Backward(p.coefficients) {
		v = v.Mul(at).Add(c)
	}
	return v
}

// Commitments returns the multiples of the generator by the coefficients.
func (p Polynomial) Commitments() []ed448.Point {
	out := make([]ed448.Point, len(p.coefficients))
	for i, c := range p.coefficients {
		out[i] = ed448.BaseMult(c)
	}
	return out
}

// VarTimeLagrange returns the coefficient with which the value at index i adds up, with those at the other indices, to
// the value at x of any polynomial of a degree less than their number. Indices and x are public, and the time depends on
// them. The indices differ from each other, and i is one of them.
func VarTimeLagrange(x, i uint8, indices []uint8) ed448.Scalar {
	num, den := ed448.ScalarFromUint32(1), ed448.ScalarFromUint32(1)
	for _, j := range indices {
		if j != i {
			num = num.Mul(difference(x, j))
			den = den.Mul(difference(i, j))
		}
	}
	return num.Mul(den.VarTimeInverse())
}

// difference returns a - b.
func difference(a, b uint8) ed448.Scalar {
	return ed448.ScalarFromUint32(uint32(a)).Sub(ed448.ScalarFromUint32(uint32(b)))
}
