package ceremony

import (
	"crypto/ed25519"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/threshold"
)

func TestSetupRefuses(t *testing.T) {
	key, _ := generate(t, 3, 4)
	keyless := parties(1, 2)
	keyless[1].Key = keyless[1].Key[:31]
	shared := parties(1, 2)
	shared[1].Key = shared[0].Key
	whole, err := threshold.Whole(make([]byte, threshold.SeedSize))
	require.NoError(t, err)
	one := whole.Key()
	for name, err := range map[string]error{
		"threshold 1 again":     failure(NewResharing(nil, one, 1, parties(1), parties(1))),
		"one share refreshed":   failure(NewRefresh(nil, one, parties(1))),
		"one share repaired":    failure(NewRepair(nil, one, parties(1)[0], parties(1))),
		"no parties":            failure(NewGeneration(nil, 2, nil)),
		"threshold 1":           failure(NewGeneration(nil, 1, parties(1, 2))),
		"threshold 0":           failure(NewGeneration(nil, 0, parties(1, 2))),
		"threshold over n":      failure(NewGeneration(nil, 3, parties(1, 2))),
		"index 0":               failure(NewGeneration(nil, 2, parties(0, 1))),
		"index twice":           failure(NewGeneration(nil, 2, append(parties(1, 2), Party{2, keyOf(9).Public().(ed25519.PublicKey)}))),
		"key twice":             failure(NewGeneration(nil, 2, shared)),
		"short key":             failure(NewGeneration(nil, 2, keyless)),
		"long context":          failure(NewGeneration(make([]byte, MaxContext+1), 2, parties(1, 2))),
		"no key":                failure(NewResharing(nil, threshold.Key{}, 2, parties(1, 2), parties(1, 2))),
		"too few dealers":       failure(NewResharing(nil, key, 2, parties(1, 2), parties(1, 2))),
		"a dealer with nothing": failure(NewResharing(nil, key, 2, parties(1, 2, 3, 9), parties(1, 2))),
		"not all holders":       failure(NewRefresh(nil, key, parties(1, 2, 3))),
		"refresh for others":    failure(NewRefresh(nil, key, parties(1, 2, 3, 5))),
		"two keys of one index": failure(NewResharing(nil, key, 2, parties(1, 2, 3), []Party{parties(1)[0], {2, parties(7)[0].Key}})),
		"helps itself":          failure(NewRepair(nil, key, parties(3)[0], parties(1, 2, 3))),
		"too few helpers":       failure(NewRepair(nil, key, parties(3)[0], parties(1, 2))),
		"nothing lost":          failure(NewRepair(nil, key, parties(9)[0], parties(1, 2, 3))),
	} {
		require.ErrorIs(t, err, ErrSetup, name)
	}
}

// The largest ceremony has a setup, and every part of a setup is in its ID.
func TestSetupID(t *testing.T) {
	s, err := NewGeneration(nil, 255, parties(upTo(255)...))
	require.NoError(t, err)
	require.Less(t, s.maxBody(), maxStored)
	require.LessOrEqual(t, len(s.Bytes()), maxSetup)

	ids := make(map[[32]byte]bool)
	add := func(s Setup, err error) Setup {
		require.NoError(t, err)
		require.False(t, ids[s.ID()])
		ids[s.ID()] = true
		back, err := ParseSetup(s.Bytes())
		require.NoError(t, err)
		require.Equal(t, s.ID(), back.ID())
		return s
	}
	first := add(NewGeneration(nil, 2, parties(1, 2, 3)))
	add(NewGeneration([]byte("context"), 2, parties(1, 2, 3)))
	add(NewGeneration(nil, 3, parties(1, 2, 3)))
	add(NewGeneration(nil, 2, parties(1, 2, 4)))
	add(NewGeneration(nil, 2, parties(1, 2)))
	add(first.Without(3))
	add(first.Without())
	key, _ := generate(t, 2, 3)
	refresh := add(NewRefresh(nil, key, parties(1, 2, 3)))
	add(NewResharing(nil, key, 2, parties(1, 2), parties(1, 2, 3)))
	add(NewRepair(nil, key, parties(3)[0], parties(1, 2)))
	same, err := NewResharing(nil, key, 2, parties(3, 1, 2), parties(2, 1, 3))
	require.NoError(t, err)
	require.Equal(t, refresh.ID(), same.ID(), "a refresh is a resharing, and the order of parties says nothing")

	for name, err := range map[string]error{
		"nobody": failure(first.Without(9)), "zero": failure(Setup{}.Without()), "parse nothing": failure(ParseSetup(nil)),
	} {
		require.ErrorIs(t, err, ErrSetup, name)
	}
	repair, err := NewRepair(nil, key, parties(3)[0], parties(1, 2))
	require.NoError(t, err)
	for _, i := range []index{1, 3} {
		_, err = repair.Without(i)
		require.ErrorIs(t, err, ErrTooFew)
	}
	require.Equal(t, parties(1, 2), repair.Dealers())
	require.Equal(t, parties(1, 2, 3), repair.Receivers())
	require.Equal(t, 2, repair.Threshold())
	require.True(t, repair.Key().Equal(key))
	require.Empty(t, repair.Context())
	require.Empty(t, Setup{}.Dealers())
	require.Empty(t, Setup{}.Context())
	require.Zero(t, Setup{}.Threshold())
	require.True(t, Setup{}.Key().IsZero())
	require.Nil(t, Setup{}.Bytes())
	require.Zero(t, Setup{}.ID())
}

func failure(_ Setup, err error) error { return err }

func TestBeginRefuses(t *testing.T) {
	key, shares := generate(t, 2, 3)
	another, err := NewGeneration([]byte("another"), 2, parties(1, 2, 3))
	require.NoError(t, err)
	_, others := newWorld(t, another, nil).run().finish()
	s, err := NewRefresh(nil, key, parties(1, 2, 3))
	require.NoError(t, err)
	for name, b := range map[string]func() (Run, error){
		"no setup":      func() (Run, error) { return Begin(Setup{}, keyOf(1), shares[1]) },
		"no party":      func() (Run, error) { return Begin(s, keyOf(9), shares[1]) },
		"no identity":   func() (Run, error) { return Begin(s, nil, shares[1]) },
		"no share":      func() (Run, error) { return Begin(s, keyOf(1), threshold.Share{}) },
		"another's":     func() (Run, error) { return Begin(s, keyOf(1), shares[2]) },
		"another key's": func() (Run, error) { return Begin(s, keyOf(1), others[1]) },
	} {
		_, err := b()
		require.ErrorIs(t, err, ErrSetup, name)
	}
	_, err = Run{}.Receive(nil)
	require.ErrorIs(t, err, ErrMessage)
	_, err = Run{}.Result()
	require.ErrorIs(t, err, ErrUnfinished)
	require.Empty(t, Run{}.Messages())
	require.Empty(t, Run{}.Held())
}

// What is not signed, or of another ceremony, changes nothing and blames nobody.
func TestForeignMessages(t *testing.T) {
	s, err := NewGeneration(nil, 2, parties(1, 2, 3))
	require.NoError(t, err)
	other, err := s.Without()
	require.NoError(t, err)
	r, err := Begin(s, keyOf(1), threshold.Share{})
	require.NoError(t, err)
	second, err := Begin(s, keyOf(2), threshold.Share{})
	require.NoError(t, err)
	elsewhere, err := Begin(other, keyOf(2), threshold.Share{})
	require.NoError(t, err)
	good := second.Messages()[0]
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 4
		next, err := r.Receive(bad)
		require.ErrorIs(t, err, ErrMessage, "byte %d", i)
		require.Empty(t, next.Blamed())
	}
	for _, bad := range [][]byte{nil, good[1:], append(slices.Clone(good), 0), elsewhere.Messages()[0], newMessage(s, keyOf(1), Hand, 2, nil).bytes(s)} {
		_, err := r.Receive(bad)
		require.ErrorIs(t, err, ErrMessage)
	}
	next, err := r.Receive(good)
	require.NoError(t, err)
	again, err := next.Receive(good)
	require.NoError(t, err)
	require.Empty(t, again.Blamed())
	round, missing := again.Waiting()
	require.Equal(t, Join, round)
	require.Equal(t, []index{3}, missing)
}
