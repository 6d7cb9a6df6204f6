// Package ed448test is the table of hostile encodings that every function reading points or scalars of Ed448 must refuse.
package ed448test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/cloudflare/circl/math/fp448"
)

const (
	pointSize  = 57
	scalarSize = 56
)

var curve goldilocks.Curve

// BadPoints returns encodings that no reader of a point accepts, by what is wrong with them: of another length, not
// canonical, not on the curve, the identity, of small order, and sums of torsion with a point of the subgroup.
func BadPoints(t testing.TB) map[string][]byte {
	t.Helper()
	p := new(big.Int).Lsh(big.NewInt(1), 448)
	p.Sub(p, new(big.Int).Lsh(big.NewInt(1), 224)).Sub(p, big.NewInt(1))
	y := func(base *big.Int, plus int64, last byte) []byte {
		return append(LittleEndian(new(big.Int).Add(base, big.NewInt(plus)), 56), last)
	}
	zero := new(big.Int)
	good := randomPoint()
	valid := encode(good)
	withLast := func(bits byte) []byte { return append(bytes.Clone(valid[:pointSize-1]), valid[pointSize-1]|bits) }
	generator := encode(curve.Generator())
	slices.Reverse(generator)
	bad := map[string][]byte{
		"nil":                     nil,
		"empty":                   {},
		"56 bytes":                valid[:56],
		"57+1 bytes":              append(bytes.Clone(valid), 0),
		"57+3 bytes":              append(bytes.Clone(valid), 1, 2, 3),
		"two points":              append(bytes.Clone(valid), valid...),
		"shifted by one":          append(bytes.Clone(valid[1:]), 1),
		"zeros":                   make([]byte, pointSize), // of order 4
		"ones":                    bytes.Repeat([]byte{0xff}, pointSize),
		"identity":                y(zero, 1, 0),
		"identity, x = -0":        y(zero, 1, 0x80),
		"identity, y = p + 1":     y(p, 1, 0),
		"order 2, x = -0":         y(p, -1, 0x80),
		"order 4, y = p":          y(p, 0, 0),
		"order 4, y = p, other x": y(p, 0, 0x80),
		"y = p + 2":               y(p, 2, 0),
		"y = 2^448 - 1":           y(new(big.Int).Lsh(big.NewInt(1), 448), -1, 0),
		"an unused bit":           withLast(0x01),
		"another unused bit":      withLast(0x40),
		"all unused bits":         withLast(0x7f),
		"big-endian":              generator,
		"not on the curve":        offCurve(t),
	}
	for i, c := range Torsion(t) {
		bad[fmt.Sprintf("torsion %d", i)] = encode(c)
		bad[fmt.Sprintf("P + torsion %d", i)] = encode(curve.Add(good, c))
		bad[fmt.Sprintf("G + torsion %d", i)] = encode(curve.Add(curve.Generator(), c))
	}
	return bad
}

// BadScalars returns encodings that no reader of a scalar accepts. Zero is not among them: only shares and private keys
// must not be zero.
func BadScalars() map[string][]byte {
	order := curve.Order()
	le := order[:]
	slices.Reverse(le)
	q := new(big.Int).SetBytes(le)
	multiple := func(k, plus int64) []byte {
		return LittleEndian(new(big.Int).Add(new(big.Int).Mul(q, big.NewInt(k)), big.NewInt(plus)), scalarSize)
	}
	return map[string][]byte{
		"nil":       nil,
		"empty":     {},
		"short":     make([]byte, scalarSize-1),
		"long":      append([]byte{1}, make([]byte, scalarSize)...),
		"two":       append([]byte{1}, make([]byte, 2*scalarSize-1)...),
		"q":         multiple(1, 0),
		"q + 1":     multiple(1, 1),
		"z + q":     multiple(1, 12345),
		"z + 2q":    multiple(2, 12345),
		"z + 3q":    multiple(3, 12345),
		"2^446":     append(make([]byte, scalarSize-1), 0x40),
		"top bit":   append(make([]byte, scalarSize-1), 0x80),
		"2^448 - 1": bytes.Repeat([]byte{0xff}, scalarSize),
	}
}

// Torsion returns the points of order 2 and 4: (0, -1), (1, 0), (-1, 0).
func Torsion(t testing.TB) []*goldilocks.Point {
	t.Helper()
	var zero, minus fp448.Elt
	one := fp448.One()
	fp448.Neg(&minus, &one)
	fp448.Modp(&minus)
	var out []*goldilocks.Point
	for _, xy := range [][2]fp448.Elt{{zero, minus}, {one, zero}, {minus, zero}} {
		p, err := goldilocks.FromAffine(&xy[0], &xy[1])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// LittleEndian writes v into n bytes.
func LittleEndian(v *big.Int, n int) []byte {
	b := v.FillBytes(make([]byte, n))
	slices.Reverse(b)
	return b
}

func randomPoint() *goldilocks.Point {
	var k goldilocks.Scalar
	wide := make([]byte, 56)
	rand.Read(wide)
	k.FromBytes(wide)
	return curve.ScalarBaseMult(&k)
}

func encode(p *goldilocks.Point) []byte {
	q := *p
	b, err := q.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return b
}

// offCurve returns an encoding whose y belongs to no point.
func offCurve(t testing.TB) []byte {
	t.Helper()
	for y := byte(2); y < 200; y++ {
		b := append([]byte{y}, make([]byte, pointSize-1)...)
		if _, err := goldilocks.FromBytes(b); err != nil {
			return b
		}
	}
	t.Fatal("every small y belongs to a point")
	return nil
}
