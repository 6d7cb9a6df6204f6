package ceremony

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/frost"
	"github.com/trefoil-im/trefoil/dkg/threshold"
)

func sign(t testing.TB, key threshold.Key, shares map[index]threshold.Share, signers ...index) {
	t.Helper()
	var nonces []*frost.Nonce
	var commitments []frost.Commitment
	for _, i := range signers {
		n, c := frost.Commit(shares[i])
		nonces, commitments = append(nonces, n), append(commitments, c)
	}
	p, err := frost.NewPackage(key, []byte("message"), commitments)
	require.NoError(t, err)
	var parts []frost.SignatureShare
	for _, n := range nonces {
		z, err := n.Sign(p)
		require.NoError(t, err)
		parts = append(parts, z)
	}
	sig, err := p.Aggregate(parts)
	require.NoError(t, err)
	require.True(t, key.Verify([]byte("message"), sig))
}

// every calls f for all t ≤ n ≤ 4 and, unless with -short, for n = 7 with the least, a middle and the greatest t; in the long
// suite for all t ≤ n ≤ 7.
func every(t *testing.T, f func(m, n int)) {
	all := 4
	switch {
	case os.Getenv("TREFOIL_LONG") != "":
		all = 7
	case !testing.Short():
		for _, m := range []int{2, 4, 7} {
			f(m, 7)
		}
	}
	for n := 2; n <= all; n++ {
		for m := 2; m <= n; m++ {
			f(m, n)
		}
	}
}

// All parties get shares of one key that any t of them make, and that signs.
func TestGeneration(t *testing.T) {
	every(t, func(m, n int) {
		key, shares := generate(t, m, n)
		require.Equal(t, m, key.Threshold())
		require.Len(t, shares, n)
		secretOf(t, key, shares)
		sign(t, key, shares, upTo(n)[n-m:]...)
	})
}

// Refreshing changes every share and not the key; old and new shares do not mix.
func TestRefresh(t *testing.T) {
	every(t, func(m, n int) {
		key, shares := generate(t, m, n)
		s, err := NewRefresh(nil, key, parties(upTo(n)...))
		require.NoError(t, err)
		next, fresh := newWorld(t, s, shares).run().finish()
		require.Equal(t, key.Public(), next.Public())
		require.Equal(t, uint32(1), next.Terms().Generation)
		require.True(t, secretOf(t, next, fresh).Equal(secretOf(t, key, shares)))
		for i := range shares {
			require.False(t, shares[i].Scalar().Equal(fresh[i].Scalar()))
			require.NoError(t, fresh[i].Succeeds(shares[i]))
			require.ErrorIs(t, shares[i].Succeeds(fresh[i]), threshold.ErrStale)
			_, err := threshold.NewShare(next, i, shares[i].Scalar())
			require.ErrorIs(t, err, threshold.ErrShare)
		}
	})
}

// t holders give the key new holders and a new threshold, and leave themselves if they do not receive.
func TestResharing(t *testing.T) {
	every(t, func(m, n int) {
		key, shares := generate(t, m, n)
		receivers := []index{index(n), 100, 101, 255}
		s, err := NewResharing(nil, key, 3, parties(upTo(m)...), parties(receivers...))
		require.NoError(t, err)
		next, fresh := newWorld(t, s, shares).run().finish()
		require.Equal(t, key.Public(), next.Public())
		require.Equal(t, receivers, next.Terms().Holders)
		require.Equal(t, 3, next.Threshold())
		require.Len(t, fresh, 4)
		require.True(t, secretOf(t, next, fresh).Equal(secretOf(t, key, shares)))
		sign(t, next, fresh, 100, 101, 255)
	})
}

// A key that one party holds is shared out for any t and n: to the party itself and others, or to others alone. Whoever held it before
// signs with it still; nobody else does alone.
func TestSharingAWholeKey(t *testing.T) {
	every(t, func(m, n int) {
		seed := make([]byte, threshold.SeedSize)
		seed[0], seed[1] = byte(m), byte(n)
		whole, err := threshold.Whole(seed)
		require.NoError(t, err)
		old := map[index]threshold.Share{1: whole}
		sign(t, whole.Key(), old, 1)
		for first := range 2 {
			receivers := upTo(n + first)[first:]
			s, err := NewResharing(nil, whole.Key(), m, parties(1), parties(receivers...))
			require.NoError(t, err)
			back, err := ParseSetup(s.Bytes())
			require.NoError(t, err)
			key, shares := newWorld(t, back, old).run().finish()
			require.Equal(t, whole.Key().Public(), key.Public())
			require.Equal(t, receivers, key.Terms().Holders)
			require.Equal(t, uint32(1), key.Terms().Generation)
			require.True(t, secretOf(t, key, shares).Equal(whole.Scalar()))
			if first == 0 {
				require.NoError(t, shares[1].Succeeds(whole), "it takes the place of the whole")
			}
			sign(t, key, shares, receivers[:m]...)
		}
	})
}

// t helpers give a lost share back, and the key and the other shares stay.
func TestRepair(t *testing.T) {
	every(t, func(m, n int) {
		if m == n {
			return
		}
		key, shares := generate(t, m, n)
		for _, lost := range []index{1, index(n)} {
			helpers := slices.DeleteFunc(upTo(n), func(i index) bool { return i == lost })[:m]
			s, err := NewRepair(nil, key, parties(lost)[0], parties(helpers...))
			require.NoError(t, err)
			held := map[index]threshold.Share{}
			for _, h := range helpers {
				held[h] = shares[h]
			}
			same, got := newWorld(t, s, held).run().finish()
			require.True(t, same.Equal(key))
			require.Len(t, got, 1)
			require.True(t, got[lost].Equal(shares[lost]))
		}
	})
}
