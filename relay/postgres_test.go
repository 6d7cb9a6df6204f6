//go:build unix

package relay_test

import (
	"context"
	"database/sql"
	"os"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/pgwake"
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
	t.Run("relays wake each other", func(t *testing.T) { relaysWakeEachOther(t, s, db) })
}

func TestOfflineThroughRotationsOnPostgres(t *testing.T) {
	db, err := sql.Open("pgx", pgtest.Database(t))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	offlineThroughRotations(t, 5, 50, func() store.Store {
		s, err := sqlrelay.Postgres(t.Context(), db)
		require.NoError(t, err)
		t.Cleanup(func() { s.Close() })
		return s
	})
}

// A device that watches at one relay is woken by what another relay on the database stores.
func relaysWakeEachOther(t *testing.T, s store.Store, db *sql.DB) {
	w := newWorld(t, s)
	one, two := pgwake.New(db), pgwake.New(db)
	w.r = direct(relay.New(s, relay.Options{Name: relayName, Woken: one.Tell}))
	other := relay.New(s, relay.Options{Name: relayName, Woken: two.Tell})
	from, to := w.person(1).devices[0], w.person(1).devices[0]
	to.subscribe("topic")
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() { one.Run(ctx, w.r.Wake) })
	woken, stop := other.Watch(to.id)
	defer stop()
	<-woken
	group.Go(func() { two.Run(ctx, other.Wake) })
	<-woken // it listens now
	for range 3 {
		from.post("topic", "frame")
		<-woken
	}
}
