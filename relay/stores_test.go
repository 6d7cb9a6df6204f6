package relay_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/relay/sqlrelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

// everywhere are the tests of rules that run on every store, through the handler.
var everywhere = []struct {
	name string
	run  func(*testing.T, *world)
}{
	{"fifty creations of one pair", fiftyCreations},
	{"rotations at once", manyRotations},
	{"every writer, every reader", everyWriterEveryReader},
	{"many post at once", manyPostAtOnce},
	{"a failed write leaves nothing", failedWrites},
}

func onStore(t *testing.T, empty func(testing.TB) store.Store) {
	for _, e := range everywhere {
		t.Run(e.name, func(t *testing.T) { e.run(t, newHTTPWorld(t, empty(t))) })
	}
}

func TestOnMemory(t *testing.T) {
	onStore(t, func(testing.TB) store.Store { return store.NewMemory() })
}

func TestOnSQLite(t *testing.T) {
	onStore(t, func(tb testing.TB) store.Store { return openSQLite(tb, filepath.Join(tb.TempDir(), "relay.db")) })
}

// openSQLite opens a store in a file, which is closed with the test.
func openSQLite(tb testing.TB, path string) store.Store {
	db, err := sql.Open("sqlite", path)
	require.NoError(tb, err)
	s, err := sqlrelay.SQLite(tb.Context(), db)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		s.Close()
		db.Close()
	})
	return s
}

// empty deletes all rows: to make the tables anew for each test takes longer than the tests.
func empty(tb testing.TB, db *sql.DB) {
	var all []string
	for _, t := range slices.Backward(store.Schema) {
		all = append(all, "DELETE FROM relay_"+t.Name)
	}
	_, err := db.Exec(strings.Join(all, ";"))
	require.NoError(tb, err)
}
