package sqlstore

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// handle is a Store that closes its pool, too.
type handle struct {
	*Store
	db *sql.DB
}

func (h handle) Close() error {
	h.Store.Close()
	return h.db.Close()
}

func pool(tb testing.TB, path string) *sql.DB {
	db, err := sql.Open("sqlite", path)
	require.NoError(tb, err)
	tb.Cleanup(func() { db.Close() })
	return db
}

func open(tb testing.TB, path string) handle {
	db := pool(tb, path)
	s, err := SQLite(tb.Context(), db)
	require.NoError(tb, err)
	return handle{s, db}
}

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(tb testing.TB) storetest.Backend {
		path := filepath.Join(tb.TempDir(), "trefoil.db")
		return func(tb testing.TB) store.Store { return open(tb, path) }
	})
}
