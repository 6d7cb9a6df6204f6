package state_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
)

// G4: hooks run in the commit, in the order of the steps of a batch, even if nothing else is committed. That of a frame that
// stops is left out, and a store that runs none refuses.
func TestG4Hooks(t *testing.T) {
	ctx := t.Context()
	s, closeAll := openFile(t, filepath.Join(t.TempDir(), "trefoil.db"))
	defer closeAll()
	v := openToys(t, s, state.Options{})
	var ran []string
	hook := func(name string) store.Hook {
		return sqlstore.Rows(func(context.Context, *sqlstore.Tx) error {
			ran = append(ran, name)
			return nil
		})
	}
	only := func(name string) func(*state.Tx[toy]) error {
		return func(tx *state.Tx[toy]) error { tx.InCommit(hook(name)); return nil }
	}
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), only("create")))
	require.NoError(t, v.Create(ctx, newToy(t, id(2)), nil))
	before, err := s.Head(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	require.NoError(t, state.Batch(ctx, v.Updating(id(2), only("first")), v.Updating(id(1), only("second"))))
	after, err := s.Head(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	require.Equal(t, before.Version+1, after.Version)
	require.Equal(t, []string{"create", "first", "second"}, ran)

	stop := errors.New("stop")
	_, err = v.Receive(ctx, id(1), state.Frame{Source: "peer", Data: []byte("0")}, func(tx *state.Tx[toy], _ state.Frame) error {
		tx.InCommit(hook("stopped"))
		return stop
	})
	require.ErrorIs(t, err, stop)
	require.Len(t, ran, 3)

	memory := openToys(t, store.NewMemory(), state.Options{})
	require.Error(t, memory.Create(ctx, newToy(t, id(1)), only("memory")))
	_, err = memory.Load(ctx, id(1))
	require.ErrorIs(t, err, state.ErrNotFound)
}
