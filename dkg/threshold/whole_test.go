package threshold

import (
	"crypto/rand"
	"testing"

	circl "github.com/cloudflare/circl/sign/ed448"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// A whole key is the key that RFC 8032 derives from the seed, and is stored like any share.
func TestWhole(t *testing.T) {
	for range 32 {
		seed := make([]byte, SeedSize)
		rand.Read(seed)
		whole, err := Whole(seed)
		require.NoError(t, err)
		public := circl.NewKeyFromSeed(seed).Public().(circl.PublicKey)
		require.Equal(t, []byte(public), whole.Key().Public(), "seed %x", seed)
		require.Equal(t, 1, whole.Key().Threshold())
		require.True(t, whole.Key().Holds(1))
		require.False(t, whole.Key().Holds(2))
		back, err := ParseKey(whole.Key().Bytes())
		require.NoError(t, err)
		require.True(t, back.Equal(whole.Key()))
		again, err := NewShare(back, 1, whole.Scalar())
		require.NoError(t, err)
		require.True(t, again.Equal(whole))
	}
	for _, n := range []int{0, 32, SeedSize - 1, SeedSize + 1} {
		_, err := Whole(make([]byte, n))
		require.ErrorIs(t, err, ErrShare)
	}
	_, err := NewKey(Terms{Holders: []Index{7}}, []ed448.Point{ed448.BaseMult(ed448.RandomScalar())})
	require.NoError(t, err)
}
