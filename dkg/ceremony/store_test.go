package ceremony

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

type slotOf = state.One[Run]

func openVault(t testing.TB, s store.Store) *state.Vault[slotOf] {
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	v, err := state.Open[slotOf](t.Context(), s, key, state.Options{})
	require.NoError(t, err)
	return v
}

// stored returns a function that stores a run over the last one of its party and loads it with another vault.
func stored(t testing.TB) func(Run) Run {
	stores := make(map[index]store.Store)
	return func(r Run) Run {
		id := state.ID{1}
		o, err := state.NewOne(id, r)
		require.NoError(t, err)
		if stores[r.self] == nil {
			stores[r.self] = store.NewMemory()
			require.NoError(t, openVault(t, stores[r.self]).Create(t.Context(), o, nil))
		} else {
			require.NoError(t, openVault(t, stores[r.self]).Update(t.Context(), id, func(tx *state.Tx[slotOf]) error {
				tx.Set(tx.Value().With(r))
				return nil
			}))
		}
		back, err := openVault(t, stores[r.self]).Load(t.Context(), id)
		require.NoError(t, err)
		require.True(t, back.Equal(o))
		return back.Part()
	}
}

// A crash of every party between any two steps, before or after it stored, loses no ceremony.
func TestCrashAndRestart(t *testing.T) {
	s, err := NewGeneration([]byte("crash"), 3, parties(1, 2, 3, 4))
	require.NoError(t, err)
	w := newWorld(t, s, nil)
	w.restart = stored(t)
	key, shares := w.run().finish()
	secret := secretOf(t, key, shares)

	s, err = NewRefresh(nil, key, parties(1, 2, 3, 4))
	require.NoError(t, err)
	w = newWorld(t, s, shares)
	w.restart = stored(t)
	key, shares = w.run().finish()
	require.True(t, secretOf(t, key, shares).Equal(secret))

	s, err = NewRepair(nil, key, parties(4)[0], parties(1, 2, 3))
	require.NoError(t, err)
	lost := shares[4]
	delete(shares, 4)
	w = newWorld(t, s, shares)
	w.restart = stored(t)
	_, got := w.run().finish()
	require.True(t, got[4].Equal(lost))
	for i, r := range w.runs {
		again := w.restart(r)
		res, err := again.Result()
		require.NoError(t, err)
		require.Equal(t, i == 4, !res.Share.IsZero())
	}
}

// A stored run is never replaced by one that has not said what it has, so that nobody says two things in one round.
func TestRunsDoNotGoBack(t *testing.T) {
	s, err := NewGeneration(nil, 2, parties(1, 2))
	require.NoError(t, err)
	w := newWorld(t, s, nil)
	joined := w.runs[1]
	other, err := Begin(s, keyOf(1), threshold.Share{})
	require.NoError(t, err)
	require.ErrorIs(t, other.Succeeds(joined), ErrStale, "another polynomial")
	dealt, err := joined.Receive(w.runs[2].Messages()[0])
	require.NoError(t, err)
	require.NoError(t, dealt.Succeeds(joined))
	require.ErrorIs(t, joined.Succeeds(dealt), ErrStale)
	again, err := joined.Receive(w.runs[2].Messages()[0])
	require.NoError(t, err)
	require.ErrorIs(t, again.Succeeds(dealt), ErrStale, "boxes are sealed anew")
	_, err = joined.Receive(dealt.Messages()[1])
	require.ErrorIs(t, err, ErrStale, "the own Deal shows that the run is an old copy")
	require.ErrorIs(t, Run{}.Succeeds(dealt), ErrStale)
	require.ErrorIs(t, dealt.Succeeds(Run{}), ErrStale)
	_, err = state.NewOne(state.ID{1}, Run{})
	require.ErrorIs(t, err, state.ErrIncomplete)
}

// Secrets are gone from a run when they are no longer needed, and show in nothing that is printed.
func TestSecretsOfARun(t *testing.T) {
	key, shares := generate(t, 2, 3)
	s, err := NewRefresh(nil, key, parties(1, 2, 3))
	require.NoError(t, err)
	w := newWorld(t, s, shares)
	begun := w.runs[1]
	secrets := [][]byte{begun.boxSeed.Expose(), begun.dealt.Constant().Bytes(), shares[1].Scalar().Bytes()}
	secrettest.Check(t, begun, secrets...)
	w.run()
	ended := w.runs[1]
	require.True(t, ended.boxSeed.IsZero())
	require.Empty(t, ended.dealt.Coefficients())
	secrettest.Check(t, ended, append(secrets, ended.value.Bytes())...)
	res, err := ended.Result()
	require.NoError(t, err)
	secrettest.Check(t, res, ended.value.Bytes())
}

// damaged is a run that encodes what no run holds. It is stored in the rows of runs.
type damaged struct{ Run }

func (damaged) Decode(*state.Decoder) (damaged, error) { return damaged{}, nil }
func (damaged) Succeeds(damaged) error                 { return nil }

func TestDecodeRefuses(t *testing.T) {
	s, err := NewGeneration(nil, 2, parties(1, 2, 3))
	require.NoError(t, err)
	ended := newWorld(t, s, nil).run().runs[1]
	begun, err := Begin(s, keyOf(1), threshold.Share{})
	require.NoError(t, err)
	for name, damage := range map[string]func() Run{
		"phase 0":               func() Run { r := ended; r.phase = 0; return r },
		"phase over the end":    func() Run { r := ended; r.phase = done + 1; return r },
		"of nobody":             func() Run { r := ended; r.self = 9; return r },
		"of another":            func() Run { r := begun; r.self = 2; return r },
		"ahead of itself":       func() Run { r := begun; r.phase = Echo; return r },
		"behind itself":         func() Run { r := ended; r.phase = Deal; return r },
		"no key":                func() Run { r := ended; r.key = threshold.Key{}; return r },
		"no box seed":           func() Run { r := begun; r.boxSeed = ended.boxSeed; return r },
		"no polynomial":         func() Run { r := begun; r.dealt = ended.dealt; return r },
		"a polynomial kept":     func() Run { r := ended; r.dealt = begun.dealt; return r },
		"a message missing":     func() Run { r := ended.edit(); delete(r.messages, slot{Deal, 2}); return r.Run },
		"a message elsewhere":   func() Run { r := ended.edit(); r.messages[slot{Deal, 2}] = r.messages[slot{Deal, 3}]; return r.Run },
		"a message of no sense": func() Run { r := ended.edit(); r.put(newMessage(s, keyOf(2), Deal, 2, nil)); return r.Run },
		"no evidence":           func() Run { r := begun; r.blamed = []*BlameError{{}}; return r },
	} {
		key, err := state.NewKey(make([]byte, state.KeySize))
		require.NoError(t, err)
		backend := store.NewMemory()
		v, err := state.Open[state.One[damaged]](t.Context(), backend, key, state.Options{})
		require.NoError(t, err)
		o, err := state.NewOne(state.ID{1}, damaged{damage()})
		require.NoError(t, err)
		require.NoError(t, v.Create(t.Context(), o, nil))
		_, err = openVault(t, backend).Load(t.Context(), state.ID{1})
		require.ErrorIs(t, err, state.ErrCorrupt, name)
	}
}
