package sqlstore

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/store"
)

// TestReadOnly: a file that may only be read is opened and read, and each commit is refused by name; so is one for which the
// database becomes read-only while the store is open. Nothing is changed.
func TestReadOnly(t *testing.T) {
	ctx := t.Context()
	path := file(t)
	s := open(t, path)
	create, update := row()
	require.NoError(t, s.Commit(ctx, create))

	holds := func(s store.Store, want store.Head) {
		t.Helper()
		head, err := s.Head(ctx, store.Spaces, create.ID)
		require.NoError(t, err)
		require.Equal(t, want, head)
	}
	s.each(t, func(lane string, c *conn) {
		if lane == "writer" {
			_, err := c.pinned.ExecContext(ctx, "PRAGMA query_only = ON")
			require.NoError(t, err)
		}
	})
	require.ErrorIs(t, s.Commit(ctx, update), store.ErrReadOnly)
	holds(s, create.Next)
	require.NoError(t, s.Commit(ctx, update), "another connection may write")
	require.NoError(t, s.Close())

	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, again := row()
	again.ID, again.Base = create.ID, update.Next
	again.Next.Version = again.Base.Version + 1
	r, err := SQLite(ctx, pool(t, "file:"+path+"?mode=ro"))
	require.NoError(t, err)
	holds(r, update.Next)
	for range 2 {
		require.ErrorIs(t, r.Commit(ctx, again), store.ErrReadOnly)
	}
	holds(r, update.Next)
	require.NoError(t, r.Close())
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// TestBusy: a lock that another connection holds for too long is an error by name for commits and Scrub, which changes nothing,
// and the store goes on when the lock is free.
func TestBusy(t *testing.T) {
	ctx := t.Context()
	path := file(t)
	s, holder := open(t, path), open(t, path)
	create, update := row()
	require.NoError(t, s.Commit(ctx, create))
	impatient := func() {
		s.each(t, func(_ string, c *conn) { c.patience = time.Millisecond })
	}
	require.NoError(t, holder.writer.use(ctx, nil, func(c *conn) error {
		return c.transaction(ctx, holder.dialect.write, func() error {
			for range 2 {
				impatient()
				require.ErrorIs(t, s.Commit(ctx, update), store.ErrBusy)
			}
			head, err := s.Head(ctx, store.Spaces, create.ID)
			require.NoError(t, err)
			require.Equal(t, create.Next, head)
			return nil
		})
	}))
	require.NoError(t, s.Commit(ctx, update))

	// Whoever reads an older state keeps the log from being truncated.
	require.NoError(t, holder.readers.use(ctx, nil, func(c *conn) error {
		return c.transaction(ctx, holder.dialect.read, func() error {
			tables := holder.tables[store.Spaces]
			_, err := tables.readHead(ctx, c, tables.head, key{id: create.ID})
			require.NoError(t, err)
			other, _ := row()
			require.NoError(t, s.Commit(ctx, other))
			impatient()
			require.ErrorIs(t, s.Scrub(ctx), store.ErrBusy)
			return nil
		})
	}))
	require.NoError(t, s.Scrub(ctx))
	log, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	require.Zero(t, log.Size())
}
