//go:build unix

package sqlrelay

import (
	"bytes"
	"database/sql"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/relay/relaytest"
	"github.com/trefoil-im/trefoil/relay/store"
)

func openPostgres(tb testing.TB, dsn string) handle {
	db, err := sql.Open("pgx", dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { db.Close() })
	s, err := Postgres(tb.Context(), db)
	require.NoError(tb, err)
	return handle{s, db}
}

// empty deletes all rows: to make the tables anew for each test takes longer than the tests.
func empty(tb testing.TB, dsn string) {
	h := openPostgres(tb, dsn)
	defer h.Close()
	var all []string
	for _, t := range slices.Backward(store.Schema) {
		all = append(all, "DELETE FROM "+table(t))
	}
	_, err := h.db.Exec(strings.Join(all, ";"))
	require.NoError(tb, err)
}

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func TestPostgres(t *testing.T) {
	dsn := pgtest.Database(t)
	t.Run("opened at once", func(t *testing.T) { openedAtOnce(t, dsn) })
	t.Run("constraints", func(t *testing.T) {
		h := openPostgres(t, dsn)
		defer h.Close()
		testConstraints(t, h.db, dollars, "decode(repeat('00', %d), 'hex')")
	})
	relaytest.Run(t, func(tb testing.TB) relaytest.Backend {
		empty(tb, dsn)
		return func(tb testing.TB) store.Store { return openPostgres(tb, dsn) }
	})
}

// The server is killed under an open store: what was answered is there when it runs again, a transaction under way is not,
// and the store goes on with connections that are alive.
func TestServerIsKilled(t *testing.T) {
	server := pgtest.Start(t)
	h := openPostgres(t, server.DSN())
	defer h.Close()
	hash := func(n int64) store.Row { return store.Row{n, make([]byte, 32)} }
	insert := func(n int64, between func()) error {
		return h.Update(t.Context(), func(tx store.Tx) error {
			err := tx.Insert(store.Hashes, hash(n))
			between()
			return err
		})
	}
	var all sync.WaitGroup
	for n := range int64(4) { // several connections are in use
		all.Go(func() {
			if err := insert(n, func() {}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	killed := false
	require.NoError(t, insert(4, func() {
		if !killed {
			killed = true
			server.Kill(t)
			server.Restart(t)
		}
	}), "it runs again on another connection")
	require.NoError(t, h.View(t.Context(), func(r store.Reader) error {
		rows, err := r.Scan(store.Hashes, store.Query{Limit: 9})
		require.Len(t, rows, 5)
		return err
	}))
	require.NoError(t, h.Close())
	require.ErrorIs(t, insert(5, func() {}), store.ErrClosed)
}

// Rows of rivals that are committed while a transaction runs make it run again, however many come one after the other.
func TestRivalsComeFirst(t *testing.T) {
	dsn := pgtest.Database(t)
	h, other := openPostgres(t, dsn), openPostgres(t, dsn)
	defer h.Close()
	defer other.Close()
	const rivals = 12
	require.NoError(t, h.Update(t.Context(), func(tx store.Tx) error {
		return tx.Put(store.Tree, store.Row{int64(1), int64(1)})
	}))
	add := func(s store.Store, between func(size int64)) error {
		return s.Update(t.Context(), func(tx store.Tx) error {
			rows, err := tx.Get(store.Tree, store.Key{int64(1)})
			if err != nil {
				return err
			}
			size := rows[0][1].(int64)
			between(size)
			if err := tx.Insert(store.Hashes, store.Row{size, make([]byte, 32)}); err != nil {
				return err
			}
			return tx.Put(store.Tree, store.Row{int64(1), size + 1})
		})
	}
	came := 0
	require.NoError(t, add(h, func(size int64) {
		if came < rivals {
			came++
			require.NoError(t, add(other, func(seen int64) { require.Equal(t, size, seen) }))
		}
	}))
	require.NoError(t, h.View(t.Context(), func(r store.Reader) error {
		rows, err := r.Scan(store.Hashes, store.Query{Limit: 2 * rivals})
		require.Len(t, rows, rivals+1)
		return err
	}))
}

// A row that is there refuses at the second run, also if what no constraint looks at is another one each time.
func TestRowThatIsThereRefuses(t *testing.T) {
	h := openPostgres(t, pgtest.Database(t))
	defer h.Close()
	person := make([]byte, 32)
	runs := int64(0)
	run := func(write func(store.Tx) error) error {
		runs = 0
		return h.Update(t.Context(), func(tx store.Tx) error {
			runs++
			return write(tx)
		})
	}
	insert := func(tx store.Tx) error { return tx.Insert(store.Persons, store.Row{person, runs, int64(0)}) }
	require.NoError(t, run(insert))
	require.EqualValues(t, 1, runs)

	require.ErrorIs(t, run(insert), store.ErrExists)
	require.EqualValues(t, 2, runs)

	require.ErrorIs(t, run(func(tx store.Tx) error {
		return tx.Put(store.Storage, store.Row{bytes.Repeat([]byte{1}, 32), runs})
	}), store.ErrConstraint)
	require.EqualValues(t, 2, runs)

	require.NoError(t, run(func(tx store.Tx) error { return tx.Put(store.Storage, store.Row{person, runs}) }))
	require.ErrorIs(t, run(func(tx store.Tx) error { return tx.Delete(store.Persons, store.Key{person}) }), store.ErrConstraint)
	require.EqualValues(t, 2, runs)
}

// openedAtOnce opens several stores that find the same empty database.
func openedAtOnce(t *testing.T, dsn string) {
	var all sync.WaitGroup
	for range 4 {
		db, err := sql.Open("pgx", dsn)
		require.NoError(t, err)
		t.Cleanup(func() { db.Close() })
		all.Go(func() {
			s, err := Postgres(t.Context(), db)
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	all.Wait()
}
