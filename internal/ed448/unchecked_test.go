package ed448

import (
	"bytes"
	"testing"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/cloudflare/circl/math/fp448"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

func affineOf(p *goldilocks.Point) []byte {
	r := *p
	x, y := r.ToAffine()
	return append(bytes.Clone(x[:]), y[:]...)
}

// Sums of unchecked points are the sums of the points, and checking gives the points back.
func TestUncheckedSums(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ps := rapid.SliceOfN(points(), 0, 5).Draw(rt, "points")
		var us []Unchecked
		want := Point{}
		for _, p := range ps {
			want = want.Add(p)
			u, err := ParseUnchecked(p.Affine())
			if p.IsIdentity() {
				require.ErrorIs(t, err, ErrPoint)
				continue
			}
			require.NoError(t, err)
			us = append(us, u)
			got, err := u.Check()
			require.NoError(t, err)
			require.True(t, got.Equal(p))
		}
		got, err := SumUnchecked(us...).Check()
		if want.IsIdentity() {
			require.ErrorIs(t, err, ErrPoint)
			return
		}
		require.NoError(t, err)
		require.True(t, got.Equal(want))
	})
}

// A point outside of the subgroup is found by checking it, or a sum that it is in, and not by reading it.
func TestUncheckedFindsTorsion(t *testing.T) {
	good := BaseMult(RandomScalar())
	u, err := ParseUnchecked(good.Affine())
	require.NoError(t, err)
	for i, c := range ed448test.Torsion(t) {
		_, err := ParseUnchecked(affineOf(c))
		require.ErrorIs(t, err, ErrPoint, "torsion %d", i)
		bad, err := ParseUnchecked(affineOf(curve.Add(good.affine, c)))
		require.NoError(t, err)
		_, err = bad.Check()
		require.ErrorIs(t, err, ErrPoint)
		_, err = SumUnchecked(u, bad).Check()
		require.ErrorIs(t, err, ErrPoint)
	}
	_, err = Unchecked{}.Check()
	require.ErrorIs(t, err, ErrPoint)
}

func TestParseUncheckedRefuses(t *testing.T) {
	good := BaseMult(RandomScalar()).Affine()
	p := fp448.P()
	with := func(i int, v byte) []byte { b := bytes.Clone(good); b[i] ^= v; return b }
	for name, b := range map[string][]byte{
		"nil": nil, "short": good[1:], "long": append(bytes.Clone(good), 0), "another x": with(0, 1), "another y": with(60, 4),
		"x = p": append(bytes.Clone(p[:]), good[56:]...), "y = p": append(bytes.Clone(good[:56]), p[:]...),
		"ones": bytes.Repeat([]byte{0xff}, AffineSize), "zeros": make([]byte, AffineSize),
		"identity": Point{}.Affine(),
	} {
		_, err := ParseUnchecked(b)
		require.ErrorIs(t, err, ErrPoint, name)
	}
}

func FuzzParseUnchecked(f *testing.F) {
	wiretest.Fuzz(f, ParseUnchecked, func(u Unchecked) []byte { return affineOf(u.raw) }, BaseMult(RandomScalar()).Affine())
}

// Evaluating commitments gives the commitment of the value.
func TestVarTimeEvaluate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		coefficients := rapid.SliceOfN(scalars(), 0, 4).Draw(rt, "coefficients")
		x := rapid.OneOf(rapid.Uint32Range(0, 255), rapid.Uint32()).Draw(rt, "x")
		var value Scalar
		power := ScalarFromUint32(1)
		committed := make([]Point, len(coefficients))
		for i, c := range coefficients {
			committed[i] = BaseMult(c)
			value = value.Add(c.Mul(power))
			power = power.Mul(ScalarFromUint32(x))
		}
		require.True(t, VarTimeEvaluate(committed, x).Equal(BaseMult(value)))
	})
}

func BenchmarkParseUnchecked(b *testing.B) {
	in := BaseMult(RandomScalar()).Affine()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseUnchecked(in); err != nil {
			b.Fatal(err)
		}
	}
}
