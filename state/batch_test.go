package state_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

type toySession = state.One[counter]

// pair is a vault of spaces and one of sessions on one store, with a value of ID 1 in each.
func pair(t testing.TB, s store.Store) (*state.Vault[toy], *state.Vault[toySession]) {
	spaces := openToys(t, s, state.Options{})
	sessions, err := state.Open[toySession](t.Context(), s, testKey(t, 1), state.Options{})
	require.NoError(t, err)
	return spaces, sessions
}

func newSession(t testing.TB, id state.ID) toySession {
	one, err := state.NewOne(id, counter{})
	require.NoError(t, err)
	return one
}

// advance moves a session on and sends a text.
func advance(text func() string) func(*state.Tx[toySession]) error {
	return func(tx *state.Tx[toySession]) error {
		tx.Set(tx.Value().With(tx.Value().Part().next()))
		tx.Send("mailbox", []byte(text()))
		return nil
	}
}

// G33: values of different types are made and changed in one commit, and one function uses what another found.
func TestG33Batch(t *testing.T) {
	ctx := t.Context()
	spaces, sessions := pair(t, store.NewMemory())
	require.NoError(t, state.Batch(ctx,
		spaces.Creating(newToy(t, id(1)), push(4)),
		sessions.Creating(newSession(t, id(1)), nil),
		sessions.Creating(newSession(t, id(2)), nil),
	))
	var link string
	invite := func(tx *state.Tx[toy]) error {
		link = fmt.Sprint("link ", tx.Value().Evals().n)
		return push(5)(tx)
	}
	require.NoError(t, state.Batch(ctx,
		spaces.Updating(id(1), invite),
		sessions.Updating(id(2), advance(func() string { return link })),
		sessions.Updating(id(1), advance(func() string { return link })),
	))
	for n := range byte(2) {
		var got []string
		_, err := sessions.Flush(ctx, id(n+1), func(_ context.Context, o state.Outgoing) state.Delivery {
			got = append(got, string(o.Data))
			return state.Delivered()
		})
		require.NoError(t, err)
		require.Equal(t, []string{"link 1"}, got)
	}
	s, err := spaces.Load(ctx, id(1))
	require.NoError(t, err)
	require.Equal(t, []uint64{4, 5}, s.State().all())
}

// G33: whichever value fails, none is changed, and the error says which it was.
func TestG33BatchFailsWhole(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	spaces, sessions := pair(t, backend)
	require.NoError(t, spaces.Create(ctx, newToy(t, id(1)), nil))
	require.NoError(t, sessions.Create(ctx, newSession(t, id(1)), nil))
	good := func() string { return "text" }
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		steps []state.Step
		index int
		id    state.ID
		want  error
	}{
		"a function":    {[]state.Step{sessions.Updating(id(1), advance(good)), spaces.Updating(id(1), func(*state.Tx[toy]) error { return boom })}, 1, id(1), boom},
		"not there":     {[]state.Step{sessions.Updating(id(9), advance(good)), spaces.Updating(id(1), push(1))}, 0, id(9), state.ErrNotFound},
		"there already": {[]state.Step{spaces.Updating(id(1), push(1)), sessions.Creating(newSession(t, id(1)), nil)}, 1, id(1), state.ErrExists},
		"a step back": {[]state.Step{spaces.Updating(id(1), push(1)), sessions.Updating(id(1), func(tx *state.Tx[toySession]) error {
			tx.Set(newSession(t, id(3)))
			return nil
		})}, 1, id(1), state.ErrStale},
	} {
		err := state.Batch(ctx, c.steps...)
		var at *state.BatchError
		require.ErrorAs(t, err, &at, name)
		require.Equal(t, c.index, at.Index, name)
		require.Equal(t, c.id, at.ID, name)
		require.ErrorIs(t, err, c.want, name)
	}
	require.Error(t, state.Batch(ctx, spaces.Updating(id(1), push(1)), spaces.Updating(id(1), push(2))), "two steps on one value")
	elsewhere, _ := pair(t, store.NewMemory())
	require.Error(t, state.Batch(ctx, spaces.Updating(id(1), push(1)), elsewhere.Creating(newToy(t, id(2)), nil)), "two stores")
	require.Error(t, state.Batch(ctx, state.Step{}))
	require.NoError(t, state.Batch(ctx))
	s, err := spaces.Load(ctx, id(1))
	require.NoError(t, err)
	require.True(t, s.Equal(newToy(t, id(1))))
	one, err := sessions.Load(ctx, id(1))
	require.NoError(t, err)
	require.Zero(t, one.Part().n)
}

// G33: a value that a function only looked at is still that one when the others are written, and all functions run again
// after a conflict on any of them.
func TestG33BatchConflicts(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	spaces, sessions := pair(t, backend)
	require.NoError(t, spaces.Create(ctx, newToy(t, id(1)), nil))
	require.NoError(t, sessions.Create(ctx, newSession(t, id(1)), nil))
	others, _ := pair(t, backend)
	var looked []uint64
	require.NoError(t, state.Batch(ctx,
		spaces.Updating(id(1), func(tx *state.Tx[toy]) error {
			looked = append(looked, tx.Value().Evals().n)
			return nil
		}),
		sessions.Updating(id(1), func(tx *state.Tx[toySession]) error {
			if len(looked) == 1 {
				require.NoError(t, others.Update(ctx, id(1), push(1)))
			}
			return advance(func() string { return fmt.Sprint(looked) })(tx)
		}),
	))
	require.Equal(t, []uint64{0, 1}, looked)
	one, err := sessions.Load(ctx, id(1))
	require.NoError(t, err)
	require.EqualValues(t, 1, one.Part().n, "once")
}

// G33: batches that name the same values in any order do not wait for each other, and lose nothing.
func TestG33ConcurrentBatches(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	spaces, sessions := pair(t, backend)
	others, _ := pair(t, backend)
	require.NoError(t, spaces.Create(ctx, newToy(t, id(1)), nil))
	require.NoError(t, sessions.Create(ctx, newSession(t, id(1)), nil))
	const writers, each = 8, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				vault := spaces
				if w%4 > 1 {
					vault = others
				}
				steps := []state.Step{vault.Updating(id(1), push(uint64(n))), sessions.Updating(id(1), advance(func() string { return "" }))}
				if w%2 == 0 {
					steps[0], steps[1] = steps[1], steps[0]
				}
				if err := state.Batch(ctx, steps...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s, err := spaces.Load(ctx, id(1))
	require.NoError(t, err)
	require.EqualValues(t, writers*each, s.Evals().n)
	one, err := sessions.Load(ctx, id(1))
	require.NoError(t, err)
	require.EqualValues(t, writers*each, one.Part().n)
}

// G4: whichever call of the store fails, a batch is made whole or not at all, and its error tells the truth.
func TestG33BatchOnFailingStore(t *testing.T) {
	ctx := t.Context()
	for _, fault := range []storetest.Fault{storetest.Before, storetest.After} {
		for n := 1; ; n++ {
			backend := store.NewMemory()
			cleanSpaces, cleanSessions := pair(t, backend)
			require.NoError(t, cleanSpaces.Create(ctx, newToy(t, id(1)), nil))
			require.NoError(t, cleanSessions.Create(ctx, newSession(t, id(1)), nil))
			calls := 0
			spaces, sessions := pair(t, storetest.Fail(backend, func(storetest.Call) storetest.Fault {
				if calls++; calls == n+2*openCalls {
					return fault
				}
				return storetest.None
			}))
			err := state.Batch(ctx, spaces.Updating(id(1), push(1)), sessions.Updating(id(1), advance(func() string { return "" })))
			s, serr := cleanSpaces.Load(ctx, id(1))
			require.NoError(t, serr)
			one, oerr := cleanSessions.Load(ctx, id(1))
			require.NoError(t, oerr)
			require.Equal(t, s.Evals().n, one.Part().n, "both or none")
			require.Equal(t, err == nil, s.Evals().n == 1)
			if calls < n+2*openCalls {
				break
			}
		}
	}
}
