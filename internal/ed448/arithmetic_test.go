package ed448

import (
	"bytes"
	"crypto/sha3"
	"fmt"
	"math/big"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
)

// scalars draws scalars of all sizes, the edges included.
func scalars() *rapid.Generator[Scalar] {
	edges := []Scalar{{}, ScalarFromUint32(1), ScalarFromUint32(2), ScalarFromUint32(4), Scalar{}.Sub(ScalarFromUint32(1)),
		scalarOf(new(big.Int).Rsh(order, 1)), scalarOf(new(big.Int).Add(new(big.Int).Rsh(order, 1), big.NewInt(1))),
		scalarOf(new(big.Int).Lsh(big.NewInt(1), 445)), scalarOf(new(big.Int).Lsh(big.NewInt(1), wideFrom-1))}
	return rapid.Custom(func(t *rapid.T) Scalar {
		switch rapid.IntRange(0, 4).Draw(t, "size") {
		case 0:
			return edges[rapid.IntRange(0, len(edges)-1).Draw(t, "edge")]
		case 1:
			return ScalarFromUint32(rapid.Uint32().Draw(t, "small"))
		case 2:
			return ShortScalar([32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "short")))
		}
		return ReduceScalar(rapid.SliceOfN(rapid.Byte(), WideSize, WideSize).Draw(t, "wide"))
	})
}

func points() *rapid.Generator[Point] {
	return rapid.Custom(func(t *rapid.T) Point { return BaseMult(scalars().Draw(t, "log")) })
}

func TestScalarArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := scalars().Draw(t, "a"), scalars().Draw(t, "b")
		x, y := a.varTimeInt(), b.varTimeInt()
		equal := func(want *big.Int, got Scalar) {
			require.Zero(t, new(big.Int).Mod(want, order).Cmp(got.varTimeInt()))
			back, err := ParseScalar(got.Bytes())
			require.NoError(t, err, "results are reduced")
			require.True(t, back.Equal(got))
		}
		equal(new(big.Int).Add(x, y), a.Add(b))
		equal(new(big.Int).Sub(x, y), a.Sub(b))
		equal(new(big.Int).Mul(x, y), a.Mul(b))
		equal(new(big.Int).Neg(x), a.Neg())
		if !a.IsZero() {
			equal(big.NewInt(1), a.Mul(a.VarTimeInverse()))
		}
		require.Equal(t, x.Cmp(y) == 0, a.Equal(b))
		require.Equal(t, x.Sign() == 0, a.IsZero())
	})
	require.True(t, Scalar{}.VarTimeInverse().IsZero())
}

func TestReduceScalar(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		wide := rapid.SliceOfN(rapid.Byte(), WideSize, 2*WideSize).Draw(t, "wide")
		given := bytes.Clone(wide)
		require.Zero(t, new(big.Int).Mod(littleEndian(wide), order).Cmp(ReduceScalar(wide).varTimeInt()))
		require.Equal(t, given, wide)
	})
	require.True(t, ReduceScalar(ed448test.LittleEndian(order, WideSize)).IsZero())
	require.True(t, ReduceScalar(ed448test.LittleEndian(new(big.Int).Lsh(order, 200), WideSize)).IsZero())
	require.Panics(t, func() { ReduceScalar(make([]byte, WideSize-1)) })
	require.Zero(t, ShortScalar([32]byte{1, 2}).varTimeInt().Cmp(big.NewInt(0x0201)))
}

// RFC 8032, section 5.2: the generator; and section 7.4, the public key of the first vector, which is a multiple of it.
func TestRFC8032(t *testing.T) {
	g := affine{
		bigHex("4f1970c66bed0ded221d15a622bf36da9e146570470f1767ea6de324a3d3a46412ae1af72ab66511433b80e18b00938e2626a82bc70cc05e"),
		bigHex("693f46716eb6bc248876203756c9c7624bea73736ca3984087789c1e05a0c2d73ad3ff1ce67c39c4fdbd132c4ed7c8ad9808795bf230fa14"),
	}
	require.Equal(t, g.bytes(), BaseMult(ScalarFromUint32(1)).Bytes())
	require.Zero(t, order.Cmp(bigHex("3fffffffffffffffffffffffffffffffffffffffffffffffffffffff7cca23e9c44edb49aed63690216cc2728dc58f552378c292ab5844f3")))

	seed := fromHex(t, "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b")
	h := make([]byte, 57)
	shake := sha3.NewSHAKE256()
	shake.Write(seed)
	shake.Read(h)
	h[0], h[55], h[56] = h[0]&0xfc, h[55]|0x80, 0
	key := ReduceScalar(append(h, make([]byte, WideSize-57)...))
	require.Equal(t, fromHex(t, "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180"),
		BaseMult(key).Bytes())
}

func TestMultiplicationAgainstTextbook(t *testing.T) {
	t.Parallel()
	g := oracleOf(BaseMult(ScalarFromUint32(1)))
	for i := range 12 {
		r := sha3.SumSHAKE256([]byte{byte(i)}, 3*WideSize)
		a, b, c := ReduceScalar(r[:WideSize]), ReduceScalar(r[WideSize:2*WideSize]), ReduceScalar(r[2*WideSize:])
		if i == 0 {
			b = Scalar{}
		}
		p := BaseMult(a)
		require.Equal(t, g.mult(a.varTimeInt()).bytes(), p.Bytes())
		bp, cg := oracleOf(p).mult(b.varTimeInt()), g.mult(c.varTimeInt())
		require.Equal(t, bp.bytes(), p.Mult(b).Bytes())
		require.Equal(t, bp.bytes(), SharedSecret(b, p).Expose())
		sum := bp.add(cg).bytes()
		require.Equal(t, sum, p.Mult(b).Add(BaseMult(c)).Bytes())
		require.Equal(t, sum, VarTimeDoubleBaseMult(c, b, p).Bytes())
		require.Equal(t, sum, VarTimeMultiMult([]Scalar{b, c}, []Point{p, BaseMult(ScalarFromUint32(1))}).Bytes())
		require.Equal(t, sum, SharedSecret(b, p, BaseMult(c)).Expose())
	}
}

// All ways to multiply agree, whatever the sizes of the scalars, and results parse.
func TestWaysOfMultiplyingAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 4).Draw(t, "terms")
		ks := rapid.SliceOfN(scalars(), n, n).Draw(t, "scalars")
		ps := rapid.SliceOfN(points(), n, n).Draw(t, "points")
		want := Point{}
		for i := range ks {
			want = want.Add(ps[i].Mult(ks[i]))
		}
		require.True(t, want.Equal(VarTimeMultiMult(ks, ps)))
		if n > 0 {
			require.True(t, BaseMult(ks[0]).Add(ps[0].Mult(ks[n-1])).Equal(VarTimeDoubleBaseMult(ks[0], ks[n-1], ps[0])))
			require.Equal(t, want.Bytes(), SharedSecret(ks[0], ps[0], VarTimeMultiMult(ks[1:], ps[1:])).Expose())
		}
		p, err := ParsePoint(want.Bytes())
		if want.IsIdentity() {
			require.ErrorIs(t, err, ErrPoint)
		} else {
			require.NoError(t, err)
			require.True(t, p.Equal(want))
		}
	})
	require.Panics(t, func() { VarTimeMultiMult(make([]Scalar, 1), nil) })
}

func TestIdentity(t *testing.T) {
	p := BaseMult(ScalarFromUint32(7))
	minus := BaseMult(ScalarFromUint32(7).Neg())
	for name, id := range map[string]Point{
		"zero value":  {},
		"0·G":         BaseMult(Scalar{}),
		"0·P":         p.Mult(Scalar{}),
		"P - P":       p.Add(minus),
		"empty sum":   VarTimeMultiMult(nil, nil),
		"double base": VarTimeDoubleBaseMult(Scalar{}, Scalar{}, p),
		"cancelling":  VarTimeDoubleBaseMult(ScalarFromUint32(7).Neg(), ScalarFromUint32(1), p),
		"k·0":         Point{}.Mult(RandomScalar()),
		"0 + 0":       Point{}.Add(Point{}),
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, id.IsIdentity())
			require.True(t, id.Equal(Point{}))
			require.True(t, Point{}.Equal(id))
			require.Equal(t, oracleZero.bytes(), id.Bytes())
			require.True(t, id.Add(p).Equal(p))
			require.False(t, id.Equal(p))
		})
	}
	require.False(t, p.IsIdentity())
}

// A long chain through every operation ends where it always did. The value was computed by the textbook of oracle_test.go
// once, and is checked against it over the chain's first links each time.
func TestAccumulated(t *testing.T) {
	t.Parallel()
	g := oracleOf(BaseMult(ScalarFromUint32(1)))
	p, k, o := BaseMult(ScalarFromUint32(1)), ScalarFromUint32(3), g
	sum := sha3.NewSHAKE256()
	for i := range 500 {
		wide := make([]byte, WideSize)
		h := sha3.NewSHAKE256()
		h.Write(p.Bytes())
		h.Write(k.Bytes())
		h.Read(wide)
		c := ReduceScalar(wide)
		if i < 3 {
			o = o.mult(k.varTimeInt()).add(g.mult(c.varTimeInt())).add(o.mult(c.varTimeInt()))
		}
		p = p.Mult(k).Add(VarTimeDoubleBaseMult(c, c, p))
		if i < 3 {
			require.Equal(t, o.bytes(), p.Bytes())
		}
		k = k.Mul(c).Sub(c.VarTimeInverse()).Add(ScalarFromUint32(uint32(i)))
		sum.Write(p.Bytes())
		sum.Write(k.Bytes())
	}
	var out [32]byte
	sum.Read(out[:])
	require.Equal(t, "b1a3f12bdacfdb5fbbf84b640e869e2319cf7c34862a405ea0f8b7b89b2872ca", fmt.Sprintf("%x", out))
}

// Operands may be one value, results share no memory with anything, and what Bytes returned may be written to.
func TestAliasing(t *testing.T) {
	k := RandomScalar()
	p := BaseMult(k)
	two := ScalarFromUint32(2)
	require.True(t, p.Add(p).Equal(p.Mult(two)))
	require.True(t, VarTimeMultiMult([]Scalar{k, k}, []Point{p, p}).Equal(p.Mult(k.Add(k))))
	require.True(t, VarTimeDoubleBaseMult(k, k, p).Equal(p.Add(p.Mult(k))))
	require.Equal(t, p.Add(p).Add(p).Bytes(), SharedSecret(ScalarFromUint32(1), p, p, p).Expose())
	require.True(t, k.Add(k).Equal(k.Mul(two)))
	require.True(t, k.Sub(k).IsZero())
	require.True(t, k.Mul(k).Equal(scalarOf(new(big.Int).Mul(k.varTimeInt(), k.varTimeInt()))))

	pb, kb := p.Bytes(), k.Bytes()
	in := bytes.Clone(pb)
	q, err := ParsePoint(in)
	require.NoError(t, err)
	l, err := ParseScalar(kb)
	require.NoError(t, err)
	for _, b := range [][]byte{in, kb, p.Bytes(), k.Bytes()} {
		clear(b)
	}
	require.Equal(t, pb, p.Bytes())
	require.Equal(t, pb, q.Bytes())
	require.True(t, k.Equal(l))
	require.True(t, BaseMult(l).Equal(q))
}

// Nothing writes to a value that others may read: run with -race.
func TestSharedValues(t *testing.T) {
	k := RandomScalar()
	p, q := BaseMult(k), BaseMult(ScalarFromUint32(5))
	want := p.Mult(k)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, ok := range []bool{
				p.Mult(k).Equal(want),
				VarTimeMultiMult([]Scalar{k, {}}, []Point{p, {}}).Equal(want),
				VarTimeDoubleBaseMult(Scalar{}, k, p).Equal(want),
				bytes.Equal(SharedSecret(k, p, Point{}).Expose(), want.Bytes()),
				p.Add(q).Equal(q.Add(p)),
				!p.IsIdentity(), Point{}.IsIdentity(), !k.IsZero(),
				len(p.Bytes()) == PointSize, len(p.String()) == 2*PointSize,
				k.Mul(k.VarTimeInverse()).Equal(ScalarFromUint32(1)),
			} {
				if !ok {
					t.Error("wrong result on a shared value")
				}
			}
		})
	}
	wg.Wait()
}

func TestRandomScalar(t *testing.T) {
	a, b := RandomScalar(), RandomScalar()
	require.False(t, a.IsZero())
	require.False(t, a.Equal(b))
}

// G6: a scalar shows nothing, alone or inside of something.
func TestG6ScalarShowsNothing(t *testing.T) {
	k := RandomScalar()
	secrettest.Check(t, k, k.Bytes())
	secrettest.Check(t, []any{k, &k, map[string]Scalar{"k": k}, k.Neg()}, k.Bytes(), k.Neg().Bytes())
	ss := SharedSecret(k, BaseMult(k))
	secrettest.Check(t, ss, ss.Expose())
}
