package state_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// aging is a store with much in it and a vault whose data key is about to be too old.
type aging struct {
	*testing.T
	backend *counting
	store   store.Store // the same, or around it
	now     time.Time
	options state.Options
	events  recorded
	v       *state.Vault[toy]
}

func newAging(t *testing.T, wrap func(*counting) store.Store) *aging {
	a := &aging{T: t, backend: &counting{Store: store.NewMemory()}, now: time.UnixMilli(1_795_000_000_000)}
	a.store = wrap(a.backend)
	a.options = state.Options{Now: func() time.Time { return a.now }, Events: a.events.add}
	a.v = openToys(t, a.store, a.options)
	for n := range byte(200) { // many rows, of which one is large
		require.NoError(t, a.v.Create(t.Context(), newToy(t, id(n+1)), push(uint64(n))))
	}
	for n := range 5 {
		require.NoError(t, a.v.Update(t.Context(), id(7), func(tx *state.Tx[toy]) error {
			tx.Deliver(bytes.Repeat([]byte{byte(n)}, 900<<10))
			return nil
		}))
	}
	a.now = a.now.Add(25 * time.Hour)
	return a
}

// commit makes a commit in a vault and returns what was written besides.
func (a *aging) commit(v *state.Vault[toy]) (commits, written int) {
	before := a.backend.written
	commits = a.backend.commits(func() { require.NoError(a, v.Update(a.Context(), id(200), push(1))) })
	return commits - 1, a.backend.written - before
}

// keys returns how many data keys the store's own row holds.
func (a *aging) keys() int {
	row, err := a.backend.Load(a.Context(), store.Vault, listed(a.T, a.backend, store.Vault)[0])
	require.NoError(a, err)
	return dataKeys(a.T, row)
}

// G34: commits replace an old data key by themselves, each by a small step, also in a vault that was opened meanwhile.
func TestG34CommitsForgetInSteps(t *testing.T) {
	for name, reopen := range map[string]bool{"one vault": false, "interrupted": true} {
		t.Run(name, func(t *testing.T) {
			a := newAging(t, func(s *counting) store.Store { return s })
			steps := 0
			for ; steps == 0 || a.keys() > 1; steps++ {
				commits, written := a.commit(a.v)
				require.LessOrEqual(t, commits, 17)
				require.Less(t, written, 3<<20)
				require.Less(t, steps, 100)
				if reopen && steps == 5 {
					a.v = openToys(t, a.store, a.options)
				}
			}
			require.Greater(t, steps, 10)
			current := func() (key [8]byte) {
				row, err := a.backend.Load(t.Context(), store.Spaces, id(200))
				require.NoError(t, err)
				return state.DataKey(row.Head.Sealed)
			}
			now := current()
			for n := range byte(200) {
				row, err := a.backend.Load(t.Context(), store.Spaces, id(n+1))
				require.NoError(t, err)
				require.Equal(t, now, state.DataKey(row.Head.Sealed))
				require.Equal(t, now, state.DataKey(row.Parts[0]))
			}
			require.Len(t, drained(t, a.v, id(7)), 5)
			commits, _ := a.commit(a.v)
			require.Zero(t, commits, "it is done")
			require.Empty(t, a.events)
		})
	}
}

// scrubbing is a store that cannot always erase its traces.
type scrubbing struct {
	store.Store
	scrubs int
	err    error
}

func (s *scrubbing) Scrub(context.Context) error {
	s.scrubs++
	return s.err
}

// A step that fails fails no commit. It is reported, and made again an hour later.
func TestForgetFailsInSteps(t *testing.T) {
	broken := &scrubbing{err: fmt.Errorf("toy: %w", store.ErrBusy)}
	a := newAging(t, func(s *counting) store.Store { broken.Store = s; return broken })
	for n := 0; broken.scrubs == 0; n++ {
		a.commit(a.v)
		require.Less(t, n, 100)
	}
	require.Equal(t, recorded{"state.ForgetFailed"}, a.events)
	a.commit(a.v)
	require.Equal(t, 1, broken.scrubs, "not before an hour has gone")
	a.now, broken.err = a.now.Add(time.Hour), nil
	a.commit(a.v)
	require.Equal(t, 2, broken.scrubs)
	a.commit(a.v)
	require.Equal(t, 2, broken.scrubs)
	require.Len(t, a.events, 1)
}

// A batch whose vaults know different data keys is sealed under the one in use: none of it is lost with the old one.
func TestForgetBesideBatch(t *testing.T) {
	ctx := t.Context()
	for _, stale := range []int{0, 1} {
		backend := store.NewMemory()
		v := openToys(t, backend, state.Options{})
		require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
		other, err := state.Open[toySession](ctx, backend, testKey(t, 1), state.Options{})
		require.NoError(t, err)
		require.NoError(t, v.Forget(ctx)) // which the other vault does not know yet, nor has to ask to create a value
		one, err := state.NewOne(id(9), counter{n: 5})
		require.NoError(t, err)
		steps := []state.Step{v.Updating(id(1), push(1)), other.Creating(one, nil)}
		require.NoError(t, state.Batch(ctx, steps[stale], steps[1-stale]))

		again, err := state.Open[toySession](ctx, backend, testKey(t, 1), state.Options{})
		require.NoError(t, err)
		_, err = again.Load(ctx, id(9))
		require.NoError(t, err)
		_, err = openToys(t, backend, state.Options{}).Load(ctx, id(1))
		require.NoError(t, err)
	}
}
