package state_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// G6: a wrong key is found when a store is opened, before anything is written, also if the store holds no value yet.
func TestG6WrongKeyAtOpen(t *testing.T) {
	ctx := t.Context()
	backend := &counting{Store: store.NewMemory()}
	openToys(t, backend, state.Options{})
	made := backend.commits(func() {
		_, err := state.Open[toy](ctx, backend, testKey(t, 2), state.Options{})
		require.ErrorIs(t, err, state.ErrWrongKey)
		_, err = state.Open[toySession](ctx, backend, testKey(t, 2), state.Options{})
		require.ErrorIs(t, err, state.ErrWrongKey)
	})
	require.Zero(t, made)
}

// Two stores under one key have different data keys: a row of the one does not open in the other.
func TestDataKeysDiffer(t *testing.T) {
	ctx := t.Context()
	first, second := store.NewMemory(), store.NewMemory()
	require.NoError(t, openToys(t, first, state.Options{}).Create(ctx, newToy(t, id(1)), nil))
	v := openToys(t, second, state.Options{})
	row, err := first.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	require.NoError(t, second.Commit(ctx, store.Change{Kind: store.Spaces, ID: id(1), Next: row.Head, Parts: row.Parts, Put: row.Segments}))
	_, err = v.Load(ctx, id(1))
	require.ErrorIs(t, err, state.ErrWrongKey)
}

// Whoever opens an empty store first makes its row; the others use that one.
func TestOpenedAtOnce(t *testing.T) {
	ctx := t.Context()
	for range 10 {
		backend := store.NewMemory()
		var wg sync.WaitGroup
		for n := range byte(8) {
			wg.Go(func() {
				v, err := state.Open[toy](ctx, backend, testKey(t, 1), state.Options{})
				if err == nil {
					err = v.Create(ctx, newToy(t, id(n+1)), nil)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		v := openToys(t, backend, state.Options{})
		for n := range byte(8) {
			_, err := v.Load(ctx, id(n+1))
			require.NoError(t, err)
		}
	}
}

// Open fails or works, whichever call of the store fails, and the next try works.
func TestOpenOnFailingStore(t *testing.T) {
	ctx := t.Context()
	for _, fault := range []storetest.Fault{storetest.Before, storetest.After} {
		for n := 1; n <= 3; n++ {
			backend := store.NewMemory()
			faulty := storetest.Fail(backend, storetest.Nth(n, fault))
			v, err := state.Open[toy](ctx, faulty, testKey(t, 1), state.Options{})
			if err != nil {
				require.ErrorIs(t, err, storetest.ErrFault)
				v, err = state.Open[toy](ctx, faulty, testKey(t, 1), state.Options{})
				require.NoError(t, err)
			}
			require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
			_, err = openToys(t, backend, state.Options{}).Load(ctx, id(1))
			require.NoError(t, err)
		}
	}
}

// Each byte of the store's own row counts.
func TestDamagedVaultRow(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	openToys(t, backend, state.Options{})
	ids, err := backend.List(ctx, store.Vault, store.ID{}, 9)
	require.NoError(t, err)
	require.Len(t, ids, 1)
	row, err := backend.Load(ctx, store.Vault, ids[0])
	require.NoError(t, err)
	open := func(head store.Head, parts ...[]byte) error {
		other := store.NewMemory()
		require.NoError(t, other.Commit(ctx, store.Change{Kind: store.Vault, ID: ids[0], Next: head, Parts: parts}))
		_, err := state.Open[toy](ctx, other, testKey(t, 1), state.Options{})
		return err
	}
	require.NoError(t, open(row.Head, row.Parts...))
	for at := range row.Parts[0] {
		flipped := bytes.Clone(row.Parts[0])
		flipped[at] ^= 1
		require.Error(t, open(row.Head, flipped, row.Parts[1]), "identity, byte %d", at)
	}
	for at := range row.Parts[1] {
		flipped := bytes.Clone(row.Parts[1])
		flipped[at] ^= 1
		require.Error(t, open(row.Head, row.Parts[0], flipped), "keys, byte %d", at)
	}
	for at := range row.Head.Sealed {
		flipped := bytes.Clone(row.Head.Sealed)
		flipped[at] ^= 1
		require.Error(t, open(store.Head{Version: 1, Sealed: flipped}, row.Parts...), "head, byte %d", at)
	}
}
