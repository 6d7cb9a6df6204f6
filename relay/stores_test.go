package relay_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/sqlrelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

// stores are the stores that a test of rules runs on; each returns an empty one.
var stores = map[string]func(testing.TB) store.Store{
	"memory": func(testing.TB) store.Store { return store.NewMemory() },
	"sqlite": func(tb testing.TB) store.Store { return openSQLite(tb, filepath.Join(tb.TempDir(), "relay.db")) },
}

// openSQLite opens a store in a file, which is closed with the test.
func openSQLite(tb testing.TB, path string) store.Store {
	db, err := sql.Open("sqlite", path)
	require.NoError(tb, err)
	tb.Cleanup(func() { db.Close() })
	s, err := sqlrelay.SQLite(tb.Context(), db)
	require.NoError(tb, err)
	tb.Cleanup(func() { s.Close() })
	return s
}

// onEveryStore runs a test on each of the stores.
func onEveryStore(t *testing.T, f func(*testing.T, *world)) {
	for _, some := range []map[string]func(testing.TB) store.Store{stores, serverStores} {
		for name, empty := range some {
			t.Run(name, func(t *testing.T) { f(t, newWorld(t, empty(t))) })
		}
	}
}

func asStale(err error, target **relay.StaleError) bool { return errors.As(err, target) }
