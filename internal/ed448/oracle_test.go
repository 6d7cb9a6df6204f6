package ed448

import (
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
)

// The oracle is the textbook: affine points, the addition law of RFC 8032, section 5.2.4, on math/big, bit by bit. It
// shares nothing with circl.

// affine is a point of the curve.
type affine struct{ x, y *big.Int }

var (
	oraclePrime, oracleD = func() (*big.Int, *big.Int) {
		p := new(big.Int).Lsh(big.NewInt(1), 448)
		p.Sub(p, new(big.Int).Lsh(big.NewInt(1), 224)).Sub(p, big.NewInt(1))
		return p, new(big.Int).Sub(p, big.NewInt(39081))
	}()
	oracleZero = affine{big.NewInt(0), big.NewInt(1)}
)

func (a affine) add(b affine) affine {
	mul := func(v ...*big.Int) *big.Int {
		out := big.NewInt(1)
		for _, f := range v {
			out.Mod(out.Mul(out, f), oraclePrime)
		}
		return out
	}
	over := func(n, d *big.Int) *big.Int { return mul(n, new(big.Int).ModInverse(d, oraclePrime)) }
	k := mul(oracleD, a.x, b.x, a.y, b.y)
	xy := new(big.Int).Add(mul(a.x, b.y), mul(a.y, b.x))
	yy := new(big.Int).Sub(mul(a.y, b.y), mul(a.x, b.x))
	yy.Mod(yy, oraclePrime)
	plus := new(big.Int).Add(big.NewInt(1), k)
	minus := new(big.Int).Sub(big.NewInt(1), k)
	minus.Mod(minus, oraclePrime)
	return affine{over(xy, plus), over(yy, minus)}
}

func (a affine) mult(k *big.Int) affine {
	r := oracleZero
	for i := k.BitLen() - 1; i >= 0; i-- {
		r = r.add(r)
		if k.Bit(i) == 1 {
			r = r.add(a)
		}
	}
	return r
}

func (a affine) bytes() []byte {
	return append(ed448test.LittleEndian(a.y, 56), byte(a.x.Bit(0))<<7)
}

// oracleOf returns the oracle's view of a point.
func oracleOf(p Point) affine {
	q := *p.raw()
	x, y := q.ToAffine()
	return affine{littleEndian(x[:]), littleEndian(y[:])}
}

// scalarOf returns v mod q.
func scalarOf(v *big.Int) Scalar { return varTimeScalar(new(big.Int).Mod(v, order)) }

func bigHex(s string) *big.Int {
	v, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic(s)
	}
	return v
}

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// encoded returns the encoding of any point of the curve.
func encoded(p *goldilocks.Point) []byte {
	q := *p
	return newPoint(&q).Bytes()
}
