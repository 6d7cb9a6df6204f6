package dkg

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// Index says which evaluation of the polynomial a member holds. It is at least 1.
type Index uint32

// Check returns ErrIndex unless 1 ≤ i < 2^depth. A depth over MaxDepth counts as MaxDepth, a negative one as 0.
func (i Index) Check(depth int) error {
	if i == 0 || i>>max(0, min(depth, MaxDepth)) != 0 {
		return fmt.Errorf("%w: %d at depth %d", ErrIndex, i, depth)
	}
	return nil
}

// scalar returns the index as the argument of the polynomial.
func (i Index) scalar() ed448.Scalar { return ed448.ScalarFromUint32(uint32(i)) }

// lagrangeAtZero returns the coefficients of interpolation: li·f(i) + lj·f(j) = f(0) with li = j/(j-i), lj = i/(i-j), for
// every polynomial of degree 1. It returns ErrIndex if the indices are equal or one is 0 or over MaxIndex. Indices are
// public; the time it takes depends on them.
func lagrangeAtZero(i, j Index) (li, lj ed448.Scalar, err error) {
	for _, k := range []Index{i, j} {
		if err := k.Check(MaxDepth); err != nil {
			return ed448.Scalar{}, ed448.Scalar{}, err
		}
	}
	if i == j {
		return ed448.Scalar{}, ed448.Scalar{}, fmt.Errorf("%w: %d twice", ErrIndex, i)
	}
	inverse := j.scalar().Sub(i.scalar()).VarTimeInverse()
	return j.scalar().Mul(inverse), i.scalar().Mul(inverse).Neg(), nil
}
