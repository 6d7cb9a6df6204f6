package ed448

import (
	"testing"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/cloudflare/circl/math/fp448"
)

// The unit of all figures is BenchmarkScalarMult. A commit's follower (§4) has to parse two points, to find two points of
// its proof and one public share, and to combine the secret: BenchmarkFollow is that, without the hashes.

func BenchmarkScalarMult(b *testing.B) {
	p, k := BaseMult(RandomScalar()), RandomScalar()
	b.ReportAllocs()
	for b.Loop() {
		p.Mult(k)
	}
}

func BenchmarkScalarBaseMult(b *testing.B) {
	k := RandomScalar()
	b.ReportAllocs()
	for b.Loop() {
		BaseMult(k)
	}
}

func BenchmarkVarTimeDoubleBaseMult(b *testing.B) {
	p, k, l := BaseMult(RandomScalar()), RandomScalar(), RandomScalar()
	b.ReportAllocs()
	for b.Loop() {
		VarTimeDoubleBaseMult(k, l, p)
	}
}

func BenchmarkVarTimeMultiMult(b *testing.B) {
	points := []Point{BaseMult(RandomScalar()), BaseMult(RandomScalar())}
	for name, scalars := range map[string][]Scalar{
		"full":      {RandomScalar(), RandomScalar()},
		"challenge": {RandomScalar(), ShortScalar([32]byte(RandomScalar().Bytes())).Neg()},
		"index":     {ScalarFromUint32(1), ScalarFromUint32(9_999)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				VarTimeMultiMult(scalars, points)
			}
		})
	}
}

func BenchmarkParsePoint(b *testing.B) {
	in := BaseMult(RandomScalar()).Bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePoint(in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSubgroupCheck is the part of ParsePoint that finds torsion, beside the multiplication that would.
func BenchmarkSubgroupCheck(b *testing.B) {
	p := BaseMult(RandomScalar())
	b.Run("halving", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			inSubgroup(fp448.Elt(p.encoding[:fp448.Size]))
		}
	})
	b.Run("multiplication", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k := goldilocks.Scalar{1}
			curve.ScalarMult(&k, p.affine).IsEqual(p.affine)
		}
	})
}

// BenchmarkEncode is what each Point costs beside its arithmetic.
func BenchmarkEncode(b *testing.B) {
	k := RandomScalar().box.Expose()
	r := *curve.ScalarBaseMult(&k)
	b.ReportAllocs()
	for b.Loop() {
		s := r
		newPoint(&s)
	}
}

func BenchmarkVarTimeInverse(b *testing.B) {
	k := ScalarFromUint32(9_999)
	b.ReportAllocs()
	for b.Loop() {
		k.VarTimeInverse()
	}
}

func BenchmarkFollow(b *testing.B) {
	c0, c1 := BaseMult(RandomScalar()), BaseMult(RandomScalar())
	pb, db := BaseMult(RandomScalar()).Bytes(), BaseMult(RandomScalar()).Bytes()
	z, c, i := RandomScalar(), ShortScalar([32]byte(RandomScalar().Bytes())).Neg(), ScalarFromUint32(9_999)
	share, lambda := RandomScalar(), RandomScalar()
	b.ReportAllocs()
	for b.Loop() {
		p, _ := ParsePoint(pb)
		d, _ := ParsePoint(db)
		s := VarTimeMultiMult([]Scalar{ScalarFromUint32(1), i}, []Point{c0, c1})
		VarTimeDoubleBaseMult(z, c, s)
		VarTimeMultiMult([]Scalar{z, c}, []Point{p, d})
		SharedSecret(lambda.Mul(share), p, VarTimeDoubleBaseMult(Scalar{}, lambda, d))
	}
}
