package dkg

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

// indices draws valid indices, the first and the last often.
func indices() *rapid.Generator[Index] {
	last := uint32(MaxIndex)
	all := rapid.OneOf(rapid.Uint32Range(1, 6), rapid.Uint32Range(1, last), rapid.Uint32Range(last-3, last))
	return rapid.Map(all, func(v uint32) Index { return Index(v) })
}

// badIndices are refused whatever the depth.
var badIndices = []Index{0, 1 << MaxDepth, 1<<MaxDepth + 1, 1 << 24, 1 << 31, 1<<32 - 1, 1<<32 - 2, 3 << 20}

func mustShare(t require.TestingT, p Polynomial, i Index) Share {
	s, err := p.Share(i)
	require.NoError(t, err)
	return s
}

// Any two shares are the polynomial; with the first alone, a commit of its maker cannot be combined (§4).
func TestAnyTwoSharesInterpolate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := NewPolynomial()
		c := p.Commitment()
		i := indices().Draw(t, "i")
		j := indices().Filter(func(j Index) bool { return j != i }).Draw(t, "j")
		si, sj := mustShare(t, p, i), mustShare(t, p, j)
		require.NoError(t, c.Verify(si))
		require.NoError(t, c.Verify(sj))
		require.ErrorIs(t, c.Verify(Share{i, sj.value}), ErrShare)
		require.ErrorIs(t, NewPolynomial().Commitment().Verify(si), ErrShare)

		li, lj, err := lagrangeAtZero(i, j)
		require.NoError(t, err)
		require.True(t, ed448.BaseMult(li.Mul(si.Scalar()).Add(lj.Mul(sj.Scalar()))).Equal(c.C0()))
		require.True(t, li.Add(lj).Equal(ed448.ScalarFromUint32(1)), "of a constant polynomial")

		// The KEM of a commit: r·C0 for its maker, interpolated from D = f(i)·P by everybody else.
		r := ed448.RandomScalar()
		pub := ed448.BaseMult(r)
		ss, err := sj.Combine(i, pub.Mult(si.Scalar()), pub)
		require.NoError(t, err)
		require.True(t, ss.Equal(ed448.SharedSecret(r, c.C0())))
		own, err := si.Combine(i, pub.Mult(si.Scalar()), pub)
		require.ErrorIs(t, err, ErrIndex)
		require.True(t, own.IsZero())
	})
}

func TestPublicShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, i := NewPolynomial(), indices().Draw(t, "i")
		want := mustShare(t, p, i).Public()
		got, err := p.Commitment().PublicShare(i)
		require.NoError(t, err)
		require.True(t, want.Equal(got))
	})
}

// zeroAt returns a polynomial of which f(i) = 0.
func zeroAt(i Index) Polynomial {
	a1 := ed448.RandomScalar()
	return Polynomial{a1.Mul(i.scalar()).Neg(), a1}
}

func TestShareIsNeverZero(t *testing.T) {
	p := zeroAt(7)
	_, err := p.Share(7)
	require.ErrorIs(t, err, ErrShare)
	_, err = p.Commitment().PublicShare(7)
	require.ErrorIs(t, err, ErrCommitment)
	require.ErrorIs(t, p.Commitment().Verify(Share{7, ed448.Scalar{}}), ErrCommitment)
	require.NoError(t, p.Commitment().Verify(mustShare(t, p, 8)))
	_, err = newShare(7, ed448.Scalar{})
	require.ErrorIs(t, err, ErrShare)
}

// G18, scenario 13: every entry point refuses every bad index, point and scalar with its typed error.
func TestG18HostileMatrix(t *testing.T) {
	p := NewPolynomial()
	c, s := p.Commitment(), mustShare(t, p, 5)
	k := ed448.RandomScalar()
	g := ed448.BaseMult(k)
	for _, i := range badIndices {
		for name, err := range map[string]error{
			"Check":        i.Check(MaxDepth),
			"Check deep":   i.Check(1000),
			"Lagrange i":   third(lagrangeAtZero(i, 5)),
			"Lagrange j":   third(lagrangeAtZero(5, i)),
			"Share":        second(p.Share(i)),
			"NewShare":     second(newShare(i, k)),
			"ParseShare":   second(ParseShare(append([]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}, k.Bytes()...))),
			"PublicShare":  second(c.PublicShare(i)),
			"Verify":       c.Verify(Share{i, k}),
			"Combine":      second(s.Combine(i, g, g)),
			"Combine with": second(Share{i, k}.Combine(5, g, g)),
		} {
			require.ErrorIs(t, err, ErrIndex, "%s %d", name, i)
		}
	}
	for depth, i := range map[int]Index{-1: 1, 0: 1, 1: 2, 14: 1 << 14, 20: 1 << 20} {
		require.ErrorIs(t, i.Check(depth), ErrIndex)
	}
	require.NoError(t, Index(1).Check(1))
	require.NoError(t, Index(1<<14-1).Check(14))
	require.NoError(t, MaxIndex.Check(MaxDepth))
	require.ErrorIs(t, third(lagrangeAtZero(5, 5)), ErrIndex)

	valid := g.Bytes()
	points := ed448test.BadPoints(t)
	require.GreaterOrEqual(t, len(points), 16)
	for name, b := range points {
		for _, in := range [][]byte{slices.Concat(b, valid), slices.Concat(valid, b), slices.Concat(b, b)} {
			got, err := ParseCommitment(in)
			require.ErrorIs(t, err, ErrCommitment, name)
			require.ErrorIs(t, got.Verify(s), ErrCommitment, name)
		}
	}
	scalars := ed448test.BadScalars()
	scalars["zero"] = make([]byte, ed448.ScalarSize)
	require.GreaterOrEqual(t, len(scalars), 8)
	for name, b := range scalars {
		got, err := ParseShare(append([]byte{0, 0, 0, 5}, b...))
		require.ErrorIs(t, err, ErrShare, name)
		require.Zero(t, got.Index(), name)
	}
	for n := range CommitmentSize {
		require.ErrorIs(t, second(ParseCommitment(c.Bytes()[:n])), ErrCommitment)
	}

	// Zero values are refused, not computed with.
	require.ErrorIs(t, Commitment{}.Verify(s), ErrCommitment)
	require.ErrorIs(t, second(Commitment{}.PublicShare(1)), ErrCommitment)
	require.ErrorIs(t, second(Commitment{c.c0, ed448.Point{}}.PublicShare(1)), ErrCommitment)
	require.ErrorIs(t, c.Verify(Share{}), ErrIndex)
	require.ErrorIs(t, second(Polynomial{}.Share(1)), ErrShare)
	require.ErrorIs(t, second(Polynomial{}.Evals(Terms{Depth: 14, Capacity: 9, Next: 1})), ErrShare)
}

func second[T any](_ T, err error) error        { return err }
func third[T, U any](_ T, _ U, err error) error { return err }

// The encodings are pinned byte by byte: those of f(x) = 1 + 2x.
func TestEncodings(t *testing.T) {
	p := Polynomial{ed448.ScalarFromUint32(1), ed448.ScalarFromUint32(2)}
	s := mustShare(t, p, 0x01_02_03)
	want := append([]byte{0, 1, 2, 3, 0x07, 0x04, 0x02}, make([]byte, 53)...) // 1 + 2·0x010203, little-endian
	require.Equal(t, want, s.Bytes().Expose())
	require.Len(t, want, ShareSize)
	back, err := ParseShare(want)
	require.NoError(t, err)
	require.True(t, back.Equal(s))
	require.Equal(t, Index(0x010203), back.Index())
	require.False(t, back.Equal(mustShare(t, p, 1)))

	const g = "14fa30f25b790898adc8d74e2c13bdfdc4397ce61cffd33ad7c2a0051e9c78874098a36c7373ea4b62c7c9563720768824bcb66e71463f6900"
	const twice = "ed8693eacdfbeada6ba0cdd1beb2bcbb98302a3a8365650db8c4d88a726de3b7d74d8835a0d76e03b0c2865020d659b38d04d74a63e905ae80"
	c := p.Commitment()
	require.Equal(t, g+twice, fmt.Sprintf("%x", c.Bytes()))
	pc, err := ParseCommitment(c.Bytes())
	require.NoError(t, err)
	require.True(t, pc.Equal(c))
	require.False(t, pc.Equal(NewPolynomial().Commitment()))
	require.NoError(t, pc.Verify(s))

	b := s.Bytes().Expose()
	clear(b)
	require.Equal(t, want, s.Bytes().Expose(), "Bytes returns a copy")
}

// G6: polynomials, shares and evals show nothing, alone or inside of something.
func TestG6NothingShows(t *testing.T) {
	p := NewPolynomial()
	s := mustShare(t, p, 9)
	secrets := [][]byte{p.a0.Bytes(), p.a1.Bytes(), s.value.Bytes()}
	e := dealt(t, p, Terms{Next: 2})
	secrettest.Check(t, p, secrets...)
	secrettest.Check(t, s, secrets...)
	secrettest.Check(t, s.Bytes(), secrets...)
	secrettest.Check(t, e, secrets...)
	secrettest.Check(t, Mask{p.a0, p.a1}, secrets...)
	secrettest.Check(t, spaceOf(t, e), secrets...)
	_, _, err := e.Offer(Offer{Kind: Private}, 0, 1)
	secrettest.Check(t, err, secrets...)
	_, err = ParseShare(bytes.Repeat(p.a0.Bytes(), 2))
	secrettest.Check(t, err, secrets...)
}

func FuzzParseShare(f *testing.F) {
	s := Share{3, ed448.ScalarFromUint32(9)}
	wiretest.Fuzz(f, ParseShare, func(s Share) []byte { return s.Bytes().Expose() }, s.Bytes().Expose(), make([]byte, ShareSize))
}

func FuzzParseCommitment(f *testing.F) {
	valid := NewPolynomial().Commitment().Bytes()
	seeds := [][]byte{valid}
	for _, b := range slices.Collect(maps.Values(ed448test.BadPoints(f))) {
		seeds = append(seeds, slices.Concat(b, valid[:57]), slices.Concat(valid[57:], b))
	}
	wiretest.Fuzz(f, ParseCommitment, Commitment.Bytes, seeds...)
}

func BenchmarkVerify(b *testing.B) {
	p := NewPolynomial()
	c, s := p.Commitment(), mustShare(b, p, 9_999)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Verify(s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCombine stands beside BenchmarkScalarMult of internal/ed448, of which it takes about two.
func BenchmarkCombine(b *testing.B) {
	s, err := newShare(9_999, ed448.RandomScalar())
	require.NoError(b, err)
	p, d := ed448.BaseMult(ed448.RandomScalar()), ed448.BaseMult(ed448.RandomScalar())
	b.Run("combine", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Combine(3, d, p)
		}
	})
	b.Run("one multiplication", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.Mult(s.value)
		}
	})
}
