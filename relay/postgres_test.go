//go:build unix

package relay_test

import (
	"database/sql"
	"fmt"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/relay/sqlrelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

// server is the PostgreSQL of all tests of this package, started by the first that needs it.
var server struct {
	*pgtest.Server
	schemas int
}

// serverStores are the stores that need a server.
var serverStores = map[string]func(testing.TB) store.Store{"postgres": emptyPostgres}

// emptyPostgres returns a store in a schema of its own.
func emptyPostgres(tb testing.TB) store.Store {
	if server.Server == nil {
		server.Server = pgtest.Start(tb)
		tb.Cleanup(func() { server.Server = nil })
	}
	server.schemas++
	admin, err := sql.Open("pgx", server.DSN())
	require.NoError(tb, err)
	defer admin.Close()
	_, err = admin.Exec(fmt.Sprintf("CREATE SCHEMA place%d_%d", os.Getpid(), server.schemas))
	require.NoError(tb, err)
	db, err := sql.Open("pgx", fmt.Sprintf("%s search_path=place%d_%d", server.DSN(), os.Getpid(), server.schemas))
	require.NoError(tb, err)
	tb.Cleanup(func() { db.Close() })
	s, err := sqlrelay.Postgres(tb.Context(), db)
	require.NoError(tb, err)
	tb.Cleanup(func() { s.Close() })
	return s
}
