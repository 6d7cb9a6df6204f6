//go:build unix

package sqlstore

import (
	"database/sql"
	"fmt"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

func pgPool(tb testing.TB, dsn string) *sql.DB {
	db, err := sql.Open("pgx", dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { db.Close() })
	return db
}

// openPG opens a store on a server.
func openPG(tb testing.TB, dsn string) handle {
	db := pgPool(tb, dsn)
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

// Every place is a namespace beside those of the other tests.
func TestPostgres(t *testing.T) {
	server, places := pgtest.Start(t), 0
	storetest.Run(t, func(testing.TB) storetest.Backend {
		places++
		name := fmt.Sprint("tenant ", places)
		return func(tb testing.TB) store.Store { return openPG(tb, server.DSN()).tenant(tb, name) }
	})
}

// Many stores may find the same empty database.
func TestPostgresOpenedAtOnce(t *testing.T) {
	server := pgtest.Start(t)
	var all sync.WaitGroup
	for range 8 {
		db := pgPool(t, server.DSN())
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
	s := openPG(t, server.DSN())
	defer s.Close()
	ids, err := s.List(t.Context(), store.Spaces, store.ID{}, 99)
	require.NoError(t, err)
	require.Len(t, ids, 8)
}
