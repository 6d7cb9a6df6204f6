package ed448

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"slices"
	"testing"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/cloudflare/circl/math/fp448"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

// badPoints is the hostile table of scenario 13 and G18.
func badPoints(t testing.TB) map[string][]byte {
	good := BaseMult(RandomScalar())
	valid := good.Bytes()
	withLast := func(b []byte, last byte) []byte { return append(bytes.Clone(b[:PointSize-1]), last) }
	y := func(v *big.Int, last byte) []byte { return append(littleEndianBytes(v, 56), last) }
	p := oraclePrime
	bad := map[string][]byte{
		"nil":                              nil,
		"empty":                            {},
		"56 bytes":                         valid[:56],
		"57+1 bytes":                       append(bytes.Clone(valid), 0),
		"57+3 bytes":                       append(bytes.Clone(valid), 1, 2, 3),
		"two points":                       append(bytes.Clone(valid), valid...),
		"zeros":                            make([]byte, PointSize), // (1, 0) or (-1, 0), of order 4
		"ones":                             bytes.Repeat([]byte{0xff}, PointSize),
		"identity":                         y(big.NewInt(1), 0),
		"identity, x = -0":                 y(big.NewInt(1), 0x80),
		"identity, y = p + 1":              y(new(big.Int).Add(p, big.NewInt(1)), 0),
		"order 2":                          y(new(big.Int).Sub(p, big.NewInt(1)), 0),
		"order 2, x = -0":                  y(new(big.Int).Sub(p, big.NewInt(1)), 0x80),
		"order 4, y = p":                   y(p, 0),
		"order 4, y = p, other x":          y(p, 0x80),
		"y = p + 2":                        y(new(big.Int).Add(p, big.NewInt(2)), 0),
		"y = 2^448 - 1":                    y(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 448), big.NewInt(1)), 0),
		"an unused bit":                    withLast(valid, valid[56]|0x01),
		"another unused bit":               withLast(valid, valid[56]|0x40),
		"all unused bits":                  withLast(valid, valid[56]|0x7f),
		"generator in big-endian":          reversed(BaseMult(ScalarFromUint32(1)).Bytes()),
		"a point of the curve's y, no x":   offCurve(t),
		"hexadecimal digits instead":       []byte(good.String())[:PointSize],
		"the zero Point's bytes":           Point{}.Bytes(),
		"an encoding that ends one before": valid[1:],
	}
	for i, c := range torsion(t) {
		bad["torsion "+string(rune('1'+i))] = encoded(c)
		bad["P + torsion "+string(rune('1'+i))] = encoded(curve.Add(good.affine, c))
		bad["G + torsion "+string(rune('1'+i))] = encoded(curve.Add(curve.Generator(), c))
	}
	return bad
}

func reversed(b []byte) []byte {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return b
}

// offCurve returns an encoding whose y belongs to no point.
func offCurve(t testing.TB) []byte {
	for y := byte(2); ; y++ {
		b := append([]byte{y}, make([]byte, PointSize-1)...)
		if _, err := goldilocks.FromBytes(b); err != nil {
			return b
		}
		require.Less(t, y, byte(200))
	}
}

func TestG18PointsRefused(t *testing.T) {
	for name, b := range badPoints(t) {
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
	bad := badPoints(t)
	for _, name := range []string{"57+3 bytes", "identity", "order 2", "P + torsion 1", "P + torsion 2", "P + torsion 3"} {
		_, err := goldilocks.FromBytes(bad[name])
		require.NoError(t, err, name)
	}
	q := curve.Order()
	for _, c := range torsion(t) {
		sum := curve.Add(curve.Generator(), c)
		require.True(t, curve.ScalarMult(&q, sum).IsIdentity(), "q·P says nothing of torsion")
	}
}

// TestG18SubgroupCheck compares the characters of inSubgroup with what multiplication says, in all four cosets of the
// subgroup, and makes sure that the yardstick, 1·P == P by circl, tells all of them apart.
func TestG18SubgroupCheck(t *testing.T) {
	unit := goldilocks.Scalar{1}
	cosets := append([]*goldilocks.Point{curve.Identity()}, torsion(t)...)
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
	in, out := 0, 0
	for in+out < 60 {
		var b [PointSize]byte
		rand.Read(b[:fp448.Size])
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
	z := big.NewInt(12345)
	top := new(big.Int).Lsh(big.NewInt(1), 448)
	plus := func(a, b *big.Int) []byte { return littleEndianBytes(new(big.Int).Add(a, b), 56) }
	for name, b := range map[string][]byte{
		"nil":       nil,
		"short":     make([]byte, 55),
		"long":      make([]byte, 57),
		"two":       make([]byte, 112),
		"q":         littleEndianBytes(order, 56),
		"q + 1":     plus(order, big.NewInt(1)),
		"z + q":     plus(z, order),
		"z + 2q":    plus(z, new(big.Int).Lsh(order, 1)),
		"z + 3q":    plus(z, new(big.Int).Mul(order, big.NewInt(3))),
		"2^446":     littleEndianBytes(new(big.Int).Rsh(top, 2), 56),
		"2^448 - 1": plus(top, big.NewInt(-1)),
		"top bit":   append(make([]byte, 55), 0x80),
	} {
		t.Run(name, func(t *testing.T) {
			given := bytes.Clone(b)
			s, err := ParseScalar(b)
			require.ErrorIs(t, err, ErrScalar)
			require.True(t, s.IsZero())
			require.Equal(t, given, b, "the input is not written to")
		})
	}
	for name, v := range map[string]*big.Int{"0": new(big.Int), "1": big.NewInt(1), "q - 1": new(big.Int).Sub(order, big.NewInt(1))} {
		b := littleEndianBytes(v, 56)
		s, err := ParseScalar(b)
		require.NoError(t, err, name)
		require.Equal(t, b, s.Bytes(), name)
	}
}

func FuzzParsePoint(f *testing.F) {
	seeds := [][]byte{BaseMult(ScalarFromUint32(1)).Bytes(), BaseMult(ScalarFromUint32(2)).Bytes()}
	for _, b := range badPoints(f) {
		seeds = append(seeds, b)
	}
	wiretest.Fuzz(f, ParsePoint, Point.Bytes, seeds...)
}

func FuzzParseScalar(f *testing.F) {
	wiretest.Fuzz(f, ParseScalar, Scalar.Bytes, make([]byte, 56), littleEndianBytes(order, 56),
		littleEndianBytes(new(big.Int).Sub(order, big.NewInt(1)), 56), make([]byte, 55))
}
