package poly

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
)

// As many values as there are coefficients give every other value, and commitments agree with values.
func TestInterpolation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		indices := rapid.SliceOfNDistinct(rapid.Uint8Min(1), 1, 7, rapid.ID[uint8]).Draw(rt, "indices")
		x := rapid.Uint8().Draw(rt, "x")
		p := New(ed448.RandomScalar(), rapid.IntRange(1, len(indices)).Draw(rt, "m"))
		var sum ed448.Scalar
		for _, i := range indices {
			sum = sum.Add(VarTimeLagrange(x, i, indices).Mul(p.At(i)))
		}
		require.True(t, sum.Equal(p.At(x)))
		require.True(t, ed448.VarTimeEvaluate(p.Commitments(), uint32(x)).Equal(ed448.BaseMult(p.At(x))))
	})
}

func TestPolynomialIsItsCoefficients(t *testing.T) {
	c := ed448.RandomScalar()
	p := New(c, 3)
	require.True(t, p.Constant().Equal(c))
	require.True(t, p.At(0).Equal(c))
	require.True(t, Of(p.Coefficients()).At(5).Equal(p.At(5)))
	require.True(t, Polynomial{}.Constant().IsZero())
	require.True(t, Polynomial{}.At(3).IsZero())
	secrettest.Check(t, p, c.Bytes(), p.coefficients[2].Bytes())
}
