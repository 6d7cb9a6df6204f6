//go:build unix

package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func pgPool(tb testing.TB, dsn string) *sql.DB {
	db, err := sql.Open("pgx", dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { db.Close() })
	return db
}

// openPG opens a store on a server.
func openPG(tb testing.TB, dsn string) handle { return openPool(tb, pgPool(tb, dsn)) }

func openPool(tb testing.TB, db *sql.DB) handle {
	s, err := Postgres(tb.Context(), db)
	require.NoError(tb, err)
	return handle{s, db}
}

// tenant is the store of a namespace that closes its pool, too.
type tenant struct {
	*Store
	all handle
}

func (t tenant) Close() error { return t.all.Close() }

func (h handle) tenant(tb testing.TB, name string) tenant {
	s, err := h.Namespace(name)
	require.NoError(tb, err)
	return tenant{s, h}
}

// Every place is a namespace beside those of the other tests. Each connection is a process of the server that has every
// statement to learn: two that write and one that reads, of each of two handles, show what twelve do.
func TestPostgres(t *testing.T) {
	dsn, places := pgtest.Database(t), 0
	storetest.Run(t, func(testing.TB) storetest.Backend {
		places++
		name := fmt.Sprint("tenant ", places)
		return func(tb testing.TB) store.Store {
			db := pgPool(tb, dsn)
			db.SetMaxOpenConns(3)
			return openPool(tb, db).tenant(tb, name)
		}
	})
}

// Many stores may find the same empty database.
func TestPostgresOpenedAtOnce(t *testing.T) {
	dsn := pgtest.Database(t)
	var all sync.WaitGroup
	for range 8 {
		db := pgPool(t, dsn)
		all.Go(func() {
			s, err := Postgres(t.Context(), db)
			if err == nil {
				create, _ := row()
				err = s.Commit(t.Context(), create)
				s.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s := openPG(t, dsn)
	defer s.Close()
	ids, err := s.List(t.Context(), store.Spaces, store.ID{}, 99)
	require.NoError(t, err)
	require.Len(t, ids, 8)
}

func TestRowsOnPostgres(t *testing.T) {
	s := openPG(t, pgtest.Database(t))
	defer s.Close()
	_, err := s.db.Exec("CREATE TABLE texts (text TEXT PRIMARY KEY)")
	require.NoError(t, err)
	testNamespaces(t, s)
	testRows(t, s)
}

// A hook that gives way to another one runs again, and what it wrote before is gone. Here two wait for each other.
func TestDeadlockedRowsRunAgain(t *testing.T) {
	s := openPG(t, pgtest.Database(t)+" options='-c deadlock_timeout=10ms'")
	defer s.Close()
	_, err := s.db.Exec("CREATE TABLE texts (text TEXT PRIMARY KEY)")
	require.NoError(t, err)
	var met, all sync.WaitGroup
	met.Add(2)
	var runs atomic.Int64
	for _, texts := range [][]string{{"a", "b"}, {"b", "a"}} {
		first := true
		all.Go(func() {
			create, _ := row()
			err := s.CommitHook(t.Context(), Rows(func(ctx context.Context, tx *Tx) error {
				runs.Add(1)
				for _, text := range texts {
					if _, err := tx.ExecContext(ctx, "INSERT INTO texts VALUES ($1) ON CONFLICT (text) DO NOTHING", text); err != nil {
						return err
					}
					if first {
						first = false
						met.Done()
						met.Wait()
					}
				}
				return nil
			}), create)
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 3, runs.Load())
	require.Equal(t, []string{"a", "b"}, s.texts(t))
	ids, err := s.List(t.Context(), store.Spaces, store.ID{}, 9)
	require.NoError(t, err)
	require.Len(t, ids, 2)
}

// Tables of an older release are brought up to date, wholly or not at all; those of a newer one are refused, also by a store
// that was open before.
func TestG28Postgres(t *testing.T) {
	dsn := pgtest.Database(t)
	older := openPG(t, dsn)
	defer older.Close()
	create, update := row()
	require.NoError(t, older.Commit(t.Context(), create))
	second := "ALTER TABLE trefoil_spaces ADD COLUMN later bigint NOT NULL DEFAULT 7;\nCREATE TABLE later (x bigint)"
	_, err := openPostgres(t.Context(), pgPool(t, dsn), []string{postgresScripts[0], second, "CREATE TABLE later (x bigint)"})
	require.ErrorContains(t, err, "already exists")
	require.NoError(t, older.Commit(t.Context(), update))

	newer, err := openPostgres(t.Context(), pgPool(t, dsn), []string{postgresScripts[0], second})
	require.NoError(t, err)
	defer newer.Close()
	got, err := newer.Load(t.Context(), create.Kind, create.ID)
	require.NoError(t, err)
	require.Equal(t, update.Next, got.Head)
	require.ErrorIs(t, older.Commit(t.Context(), other(create)), store.ErrTooNew)
	require.ErrorIs(t, older.Commit(t.Context(), store.Change{Kind: create.Kind, ID: create.ID, Base: update.Next, Delete: true}), store.ErrTooNew)
	require.NoError(t, newer.Commit(t.Context(), store.Change{Kind: create.Kind, ID: create.ID, Base: update.Next}), "nothing was deleted")
	_, err = Postgres(t.Context(), pgPool(t, dsn))
	require.ErrorIs(t, err, store.ErrTooNew)
}

// A connection for which commits are not durable is set right; what a server refuses has the names of package store; and a
// store goes on when the server was started anew.
func TestPostgresSettings(t *testing.T) {
	server := pgtest.Start(t)
	s := openPG(t, server.DSN()+" options='-c synchronous_commit=off'")
	defer s.Close()
	s.each(t, func(_ string, c *conn) {
		var got string
		require.NoError(t, c.pinned.QueryRowContext(t.Context(), "SHOW synchronous_commit").Scan(&got))
		require.Equal(t, "on", got)
	})
	create, update := row()
	require.NoError(t, s.Commit(t.Context(), create))

	readOnly := openPG(t, server.DSN()+" options='-c default_transaction_read_only=on'")
	defer readOnly.Close()
	_, err := readOnly.Load(t.Context(), create.Kind, create.ID)
	require.NoError(t, err)
	require.ErrorIs(t, readOnly.Commit(t.Context(), update), store.ErrReadOnly)

	locked := openPG(t, server.DSN()+" options='-c lock_timeout=10ms'")
	defer locked.Close()
	require.NoError(t, s.CommitHook(t.Context(), func(ctx context.Context, _ any) error {
		require.ErrorIs(t, locked.Commit(ctx, update), store.ErrBusy)
		return nil
	}, update))

	server.Kill(t)
	server.Restart(t)
	for range 2 * postgresWriters {
		create, _ := row()
		require.NoError(t, s.Commit(t.Context(), create))
		_, err := s.Load(t.Context(), create.Kind, create.ID)
		require.NoError(t, err)
	}
}
