package sqlrelay

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/relay/relaytest"
	"github.com/trefoil-im/trefoil/relay/store"
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

func openSQLite(tb testing.TB, path string) handle {
	db, err := sql.Open("sqlite", path)
	require.NoError(tb, err)
	tb.Cleanup(func() { db.Close() })
	s, err := SQLite(tb.Context(), db)
	require.NoError(tb, err)
	return handle{s, db}
}

func TestSQLite(t *testing.T) {
	relaytest.Run(t, func(tb testing.TB) relaytest.Backend {
		path := filepath.Join(tb.TempDir(), "relay.db")
		return func(tb testing.TB) store.Store { return openSQLite(tb, path) }
	})
}
