//go:build unix

package state_test

import (
	"database/sql"
	"fmt"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
)

// Forget on PostgreSQL seals everything anew while others write, leaves what is held, and removes the old key. What remains in
// the files of a server is not promised.
func TestForgetOnPostgres(t *testing.T) {
	ctx := t.Context()
	server := pgtest.Start(t)
	open := func() store.Store {
		db, err := sql.Open("pgx", server.DSN())
		require.NoError(t, err)
		s, err := sqlstore.Postgres(ctx, db)
		require.NoError(t, err)
		t.Cleanup(func() { s.Close(); db.Close() })
		return s
	}
	backend := open()
	v := openToys(t, backend, state.Options{})
	const values, rounds = 3, 15
	for n := range byte(values) {
		require.NoError(t, v.Create(ctx, newToy(t, id(n+1)), nil))
		converse(t, backend, v, id(n+1), 4)
	}
	old, err := backend.Head(ctx, store.Spaces, id(1))
	require.NoError(t, err)

	writer := openToys(t, open(), state.Options{}) // another process
	wrote := make(chan error)
	go func() {
		for n := range rounds {
			if err := writer.Update(ctx, id(byte(n%values)+1), push(uint64(n))); err != nil {
				wrote <- fmt.Errorf("round %d: %w", n, err)
				return
			}
		}
		wrote <- nil
	}()
	for range 2 {
		require.NoError(t, v.Forget(ctx))
	}
	require.NoError(t, <-wrote)
	require.NoError(t, v.Forget(ctx))

	vault, err := backend.Load(ctx, store.Vault, listed(t, backend, store.Vault)[0])
	require.NoError(t, err)
	require.Equal(t, 1, dataKeys(t, vault))
	pushed := 0
	for n := range byte(values) {
		row, err := backend.Load(ctx, store.Spaces, id(n+1))
		require.NoError(t, err)
		for _, sealed := range append(row.Parts, row.Head.Sealed) {
			require.NotEqual(t, state.DataKey(old.Sealed), state.DataKey(sealed))
		}
		s, err := v.Load(ctx, id(n+1))
		require.NoError(t, err)
		pushed += len(s.State().all()) - 4
		require.Len(t, drained(t, v, id(n+1)), 4)
	}
	require.Equal(t, rounds, pushed)
}
