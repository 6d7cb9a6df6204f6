package dkg

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
)

func newMask() Mask { return Mask{ed448.RandomScalar(), ed448.RandomScalar()} }

// TestMasks: what a mask hides comes back with it, for every index, and with no other mask.
func TestMasks(t *testing.T) {
	p := NewPolynomial()
	c := p.Commitment()
	rapid.Check(t, func(t *rapid.T) {
		i := Index(rapid.Uint32Range(1, uint32(MaxIndex)).Draw(t, "index"))
		m, other := newMask(), newMask()
		share, err := p.Share(i)
		require.NoError(t, err)
		single, run := m.HideShare(share), m.HidePolynomial(p)
		require.Equal(t, MaskedShareSize, single.Len())
		require.Equal(t, MaskedPolynomialSize, run.Len())
		for _, v := range []secret.Bytes{single, run} {
			got, err := m.OpenShare(v, i)
			require.NoError(t, err)
			require.True(t, got.Equal(share))
			wrong, err := other.OpenShare(v, i)
			require.NoError(t, err)
			require.ErrorIs(t, c.Verify(wrong), ErrShare)
		}
		got, err := m.OpenPolynomial(run)
		require.NoError(t, err)
		require.True(t, got.equal(p))
	})
}

// TestMaskOfOneInviteDiffersByPolynomial: two masked shares of one index under one mask give the difference of the shares, so a
// mask must differ by polynomial; under two masks they give nothing that the commitments do not.
func TestMaskOfOneInviteDiffersByPolynomial(t *testing.T) {
	a, b := NewPolynomial(), NewPolynomial()
	sa, err := a.Share(7)
	require.NoError(t, err)
	sb, err := b.Share(7)
	require.NoError(t, err)
	difference := func(x, y Mask) Share {
		v, err := ed448.ParseScalar(x.HideShare(sa).Expose())
		require.NoError(t, err)
		w, err := ed448.ParseScalar(y.HideShare(sb).Expose())
		require.NoError(t, err)
		s, err := newShare(7, w.Add(sa.Scalar().Sub(v))) // what who holds the share under a learns of that under b
		require.NoError(t, err)
		return s
	}
	m := newMask()
	require.NoError(t, b.Commitment().Verify(difference(m, m)), "one mask for two polynomials hands on the new share")
	require.ErrorIs(t, b.Commitment().Verify(difference(m, newMask())), ErrShare)
}

// TestMasksRefuse: bytes that hide nothing.
func TestMasksRefuse(t *testing.T) {
	m := newMask()
	var over [2 * ed448.ScalarSize]byte
	for i := range over {
		over[i] = 0xff
	}
	var zero Mask
	for name, err := range map[string]error{
		"nothing":          second(m.OpenShare(secret.Bytes{}, 1)),
		"57 bytes":         second(m.OpenShare(secret.Random(57), 1)),
		"no scalar":        second(m.OpenShare(secret.New(over[:56]), 1)),
		"no scalars":       second(m.OpenShare(secret.New(over[:]), 1)),
		"zero share":       second(zero.OpenShare(secret.New(make([]byte, 56)), 1)),
		"zero polynomial":  second(zero.OpenPolynomial(secret.New(make([]byte, 112)))),
		"short polynomial": second(m.OpenPolynomial(secret.Random(56))),
		"parse short":      second(ParsePolynomial(over[:111])),
		"parse over":       second(ParsePolynomial(over[:])),
		"parse zero":       second(ParsePolynomial(make([]byte, 112))),
	} {
		require.ErrorIs(t, err, ErrShare, name)
	}
	p := NewPolynomial()
	back, err := ParsePolynomial(p.Bytes().Expose())
	require.NoError(t, err)
	require.True(t, back.equal(p))
	v := m.HidePolynomial(p)
	_, err = m.OpenShare(v, 0)
	require.ErrorIs(t, err, ErrIndex)
	secrettest.Check(t, m, m[0].Bytes(), m[1].Bytes())
}
