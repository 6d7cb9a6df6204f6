package threshold

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/internal/poly"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

func sample(t testing.TB, generation uint32, p poly.Polynomial) (Key, Share) {
	t.Helper()
	k, err := NewKey(Terms{[32]byte{1}, generation, []Index{1, 3, 255}}, p.Commitments())
	require.NoError(t, err)
	s, err := NewShare(k, 3, p.At(3))
	require.NoError(t, err)
	return k, s
}

func TestNewKeyRefuses(t *testing.T) {
	c := poly.New(ed448.RandomScalar(), 3).Commitments()
	for name, v := range map[string]struct {
		holders []Index
		c       []ed448.Point
	}{
		"threshold 1":       {[]Index{1, 2}, c[:1]},
		"too few holders":   {[]Index{1, 2}, c},
		"index 0":           {[]Index{0, 1, 2}, c},
		"index twice":       {[]Index{1, 2, 2}, c},
		"descending":        {[]Index{3, 2, 1}, c},
		"identity":          {[]Index{1, 2}, []ed448.Point{{}, c[1]}},
		"identity at x":     {[]Index{1, 2}, []ed448.Point{c[0], {}}},
		"nothing committed": {nil, nil},
		"one holder, none":  {[]Index{1}, nil},
	} {
		_, err := NewKey(Terms{Holders: v.holders}, v.c)
		require.ErrorIs(t, err, ErrKey, name)
	}
}

func TestKeyEncoding(t *testing.T) {
	k, _ := sample(t, 7, poly.New(ed448.RandomScalar(), 2))
	back, err := ParseKey(k.Bytes())
	require.NoError(t, err)
	require.True(t, back.Equal(k))
	require.Equal(t, k.Terms(), back.Terms())
	at := len(k.Bytes()) - ed448.PointSize
	for name, bad := range ed448test.BadPoints(t) {
		_, err := ParseKey(append(k.Bytes()[:at], bad...))
		require.ErrorIs(t, err, ErrKey, name)
	}
	require.Nil(t, Key{}.Bytes())
	require.Zero(t, Key{}.Threshold())
	require.False(t, Key{}.Verify(nil, make([]byte, 114)))
	require.False(t, Key{}.Holds(0))
}

func FuzzKey(f *testing.F) {
	k, _ := sample(f, 7, poly.New(ed448.RandomScalar(), 2))
	wiretest.Fuzz(f, ParseKey, Key.Bytes, k.Bytes())
}

func TestNewShareRefuses(t *testing.T) {
	p := poly.New(ed448.RandomScalar(), 2)
	k, s := sample(t, 0, p)
	for _, i := range []Index{0, 2, 4} {
		_, err := NewShare(k, i, p.At(uint8(i)))
		require.ErrorIs(t, err, ErrIndex)
	}
	_, err := NewShare(k, 1, s.Scalar())
	require.ErrorIs(t, err, ErrShare)
	_, err = NewShare(k, 3, ed448.Scalar{})
	require.ErrorIs(t, err, ErrShare)
	_, err = NewShare(Key{}, 3, p.At(3))
	require.ErrorIs(t, err, ErrIndex)
}

// A share is stored whole and never replaced by an older one, another key's, or another party's.
func TestShareInAVault(t *testing.T) {
	type slot = state.One[Share]
	p := poly.New(ed448.RandomScalar(), 2)
	k, first := sample(t, 0, p)
	_, second := sample(t, 1, poly.New(p.Constant(), 2))
	_, other := sample(t, 2, poly.New(ed448.RandomScalar(), 2))
	neighbour, err := NewShare(k, 1, p.At(1))
	require.NoError(t, err)

	vaultKey, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	v, err := state.Open[slot](t.Context(), store.NewMemory(), vaultKey, state.Options{})
	require.NoError(t, err)
	o, err := state.NewOne(state.ID{1}, first)
	require.NoError(t, err)
	require.NoError(t, v.Create(t.Context(), o, nil))
	put := func(s Share) error {
		return v.Update(t.Context(), o.ID(), func(tx *state.Tx[slot]) error { tx.Set(tx.Value().With(s)); return nil })
	}
	require.NoError(t, put(second))
	for _, bad := range []Share{first, other, neighbour} {
		require.ErrorIs(t, put(bad), ErrStale)
	}
	stored, err := v.Load(t.Context(), o.ID())
	require.NoError(t, err)
	require.True(t, stored.Part().Equal(second))
	_, err = state.NewOne(state.ID{1}, Share{})
	require.ErrorIs(t, err, state.ErrIncomplete)
}

func TestNothingShowsAShare(t *testing.T) {
	k, s := sample(t, 0, poly.New(ed448.RandomScalar(), 2))
	secrettest.Check(t, s, s.Scalar().Bytes())
	_, err := NewShare(k, 1, s.Scalar())
	secrettest.Check(t, err, s.Scalar().Bytes())
}
