//go:build unix

package relay_test

import (
	"database/sql"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/relay/sqlrelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func TestOnPostgres(t *testing.T) {
	db, err := sql.Open("pgx", pgtest.Database(t))
	require.NoError(t, err)
	defer db.Close()
	s, err := sqlrelay.Postgres(t.Context(), db)
	require.NoError(t, err)
	defer s.Close()
	onStore(t, func(tb testing.TB) store.Store {
		empty(tb, db)
		return s
	})
}
