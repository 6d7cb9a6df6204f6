package ed448

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/cloudflare/circl/math/fp448"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

// Scenario 13 of the specification.
func TestG18PointsRefused(t *testing.T) {
	t.Parallel()
	for name, b := range ed448test.BadPoints(t) {
		t.Run(name, func(t *testing.T) {
			given := bytes.Clone(b)
			p, err := ParsePoint(b)
			require.ErrorIs(t, err, ErrPoint)
			require.True(t, p.IsIdentity())
			require.Equal(t, given, b, "the input is not written to")
		})
	}
}

// circl accepts what the table says it does: the test would notice if there were nothing left to hide.
func TestSharpEdgesAreThere(t *testing.T) {
	bad := ed448test.BadPoints(t)
	for _, name := range []string{"57+3 bytes", "identity", "torsion 0", "P + torsion 0", "P + torsion 1", "P + torsion 2"} {
		_, err := goldilocks.FromBytes(bad[name])
		require.NoError(t, err, name)
	}
	q := curve.Order()
	for _, c := range ed448test.Torsion(t) {
		sum := curve.Add(curve.Generator(), c)
		require.True(t, curve.ScalarMult(&q, sum).IsIdentity(), "q·P says nothing of torsion")
	}
}

// TestG18SubgroupCheck compares the characters of inSubgroup with what multiplication says, in all four cosets of the
// subgroup, and makes sure that the yardstick, 1·P == P by circl, tells all of them apart.
func TestG18SubgroupCheck(t *testing.T) {
	t.Parallel()
	unit := goldilocks.Scalar{1}
	cosets := append([]*goldilocks.Point{curve.Identity()}, ed448test.Torsion(t)...)
	for range 100 {
		p := BaseMult(RandomScalar()).affine
		for i, c := range cosets {
			sum := curve.Add(p, c)
			b := encoded(sum)
			kept := curve.ScalarMult(&unit, sum).IsEqual(sum)
			require.Equal(t, i == 0, kept, "1·P == P in coset %d", i)
			require.Equal(t, kept, inSubgroup(fp448.Elt(b[:fp448.Size])), "coset %d, %x", i, b)
			_, err := ParsePoint(b)
			require.Equal(t, kept, err == nil, "coset %d, %x", i, b)
		}
	}
}

// Points of random y lie in each coset equally often. The oracle multiplies by q itself.
func TestG18SubgroupCheckOnRandomPoints(t *testing.T) {
	t.Parallel()
	in, out, chance := 0, 0, rand.NewChaCha8([32]byte{18})
	for in+out < 60 {
		var b [PointSize]byte
		chance.Read(b[:fp448.Size])
		r, err := goldilocks.FromBytes(b[:])
		if err != nil {
			continue
		}
		x, y := r.ToAffine()
		o := affine{littleEndian(x[:]), littleEndian(y[:])}.mult(order)
		want := o.x.Sign() == 0 && o.y.Cmp(big.NewInt(1)) == 0
		require.Equal(t, want, inSubgroup(fp448.Elt(b[:fp448.Size])), "%x", b)
		if want {
			in++
		} else {
			out++
		}
	}
	require.NotZero(t, in)
	require.Greater(t, out, in)
}

func TestG18ScalarsRefused(t *testing.T) {
	t.Parallel()
	for name, b := range ed448test.BadScalars() {
		t.Run(name, func(t *testing.T) {
			given := bytes.Clone(b)
			s, err := ParseScalar(b)
			require.ErrorIs(t, err, ErrScalar)
			require.True(t, s.IsZero())
			require.Equal(t, given, b, "the input is not written to")
		})
	}
	for name, v := range map[string]*big.Int{"0": new(big.Int), "1": big.NewInt(1), "q - 1": new(big.Int).Sub(order, big.NewInt(1))} {
		b := ed448test.LittleEndian(v, 56)
		s, err := ParseScalar(b)
		require.NoError(t, err, name)
		require.Equal(t, b, s.Bytes(), name)
	}
}

func FuzzParsePoint(f *testing.F) {
	seeds := [][]byte{BaseMult(ScalarFromUint32(1)).Bytes(), BaseMult(ScalarFromUint32(2)).Bytes()}
	for _, b := range ed448test.BadPoints(f) {
		seeds = append(seeds, b)
	}
	wiretest.Fuzz(f, ParsePoint, Point.Bytes, seeds...)
}

func FuzzParseScalar(f *testing.F) {
	wiretest.Fuzz(f, ParseScalar, Scalar.Bytes, make([]byte, 56), ed448test.LittleEndian(order, 56),
		ed448test.LittleEndian(new(big.Int).Sub(order, big.NewInt(1)), 56), make([]byte, 55))
}
