package sqlstore

import (
	"context"
	"database/sql"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/internal/disktest"
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

// A context that ends while a commit is made durable does not end it: it is made, and Commit says so.
func TestContextEndsInCommit(t *testing.T) {
	disk, err := disktest.New(nil)
	require.NoError(t, err)
	s := open(t, disk.DSN(file(t)))
	create, update := row()
	require.NoError(t, s.Commit(t.Context(), create))
	ctx, cancel := context.WithCancel(t.Context())
	disk.Decide(func(op disktest.Op) disktest.Fault {
		if op.Kind == disktest.Sync {
			cancel()
			for range 1000 {
				runtime.Gosched() // so that everybody hears of it
			}
		}
		return disktest.None
	})
	require.NoError(t, s.Commit(ctx, update))
	require.Error(t, ctx.Err())
	disk.Decide(nil)
	head, err := s.Head(t.Context(), update.Kind, update.ID)
	require.NoError(t, err)
	require.Equal(t, update.Next, head)
}
