package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/store"
)

// row returns a change that creates a row, and one that changes it.
func row() (create, update store.Change) {
	create = store.Change{
		Kind: store.Spaces, ID: store.NewID(),
		Next: store.Head{Version: 1, Sealed: []byte("1")}, Parts: [][]byte{{1}, {2}, {3}},
	}
	update = create
	update.Base, update.Next, update.Parts = create.Next, store.Head{Version: 2, Sealed: []byte("2")}, [][]byte{{4}, nil, nil}
	return create, update
}

// other returns the change with another ID.
func other(c store.Change) store.Change {
	c.ID = store.NewID()
	return c
}

func file(tb testing.TB) string { return filepath.Join(tb.TempDir(), "trefoil.db") }

// each runs f with every connection that a store holds, opening those that are not open yet.
func (s *Store) each(tb testing.TB, f func(lane string, c *conn)) {
	for name, l := range map[string]lane{"writer": s.writer, "reader": s.readers} {
		var held []*conn
		for range cap(l.free) {
			c, err := l.take(tb.Context(), nil)
			require.NoError(tb, err)
			f(name, c)
			held = append(held, c)
		}
		for _, c := range held {
			l.free <- c
		}
	}
}

// TestSettings asks every connection for its settings, with a pool whose connections come with others.
func TestSettings(t *testing.T) {
	s := open(t, file(t)+"?_pragma=synchronous(0)&_pragma=foreign_keys(0)&_pragma=ignore_check_constraints(1)&_pragma=secure_delete(0)")
	connections := 0
	s.each(t, func(lane string, c *conn) {
		connections++
		want := map[string]string{ // by number: synchronous is FULL
			"journal_mode": "wal", "synchronous": "2", "fullfsync": "1", "checkpoint_fullfsync": "1",
			"foreign_keys": "1", "ignore_check_constraints": "0", "secure_delete": "1", "busy_timeout": "0", "query_only": "0",
		}
		if lane == "reader" {
			want["busy_timeout"], want["query_only"] = "10000", "1"
		}
		for name, value := range want {
			var got string
			require.NoError(t, c.pinned.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got))
			require.Equal(t, value, got, "%s of a %s", name, lane)
		}
	})
	require.Equal(t, 1+sqliteReaders, connections)
	require.Equal(t, 1+sqliteReaders, s.db.Stats().OpenConnections)
	require.NoError(t, s.Store.Close())
	require.Zero(t, s.db.Stats().OpenConnections, "none goes back to the pool with our settings")
}

// TestRefusedSettings: a database that cannot do what commits rely on is not used.
func TestRefusedSettings(t *testing.T) {
	for _, name := range []string{":memory:", "file::memory:?cache=shared", ""} {
		_, err := SQLite(t.Context(), pool(t, name))
		require.ErrorContains(t, err, "journal_mode", name)
	}
	require.Error(t, pragma{"synchronous", "FULL", "3"}.settle(t.Context(), pin(t, pool(t, file(t)))))

	db := pool(t, file(t))
	db.SetMaxOpenConns(1)
	_, err := SQLite(t.Context(), db)
	require.ErrorContains(t, err, "two connections")
}

func pin(tb testing.TB, db *sql.DB) *sql.Conn {
	c, err := db.Conn(tb.Context())
	require.NoError(tb, err)
	tb.Cleanup(func() { c.Close() })
	return c
}

// TestSmallPool: two connections are enough.
func TestSmallPool(t *testing.T) {
	db := pool(t, file(t))
	db.SetMaxOpenConns(2)
	s, err := SQLite(t.Context(), db)
	require.NoError(t, err)
	defer s.Close()
	create, update := row()
	require.NoError(t, s.Commit(t.Context(), create))
	require.NoError(t, s.Commit(t.Context(), update))
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			got, err := s.Load(t.Context(), store.Spaces, create.ID)
			if err != nil || got.Head.Version != 2 {
				t.Error(got.Head.Version, err)
			}
		})
	}
	readers.Wait()
}

// TestForeignFile: a file that another program has marked is refused and left as it is, byte by byte.
func TestForeignFile(t *testing.T) {
	for _, foreign := range []string{"PRAGMA application_id = 7", "CREATE TABLE mine (x); PRAGMA application_id = 7"} {
		path := file(t)
		db := pool(t, path)
		_, err := db.Exec(foreign)
		require.NoError(t, err)
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		_, err = SQLite(t.Context(), db)
		require.ErrorContains(t, err, "another program")
		require.NoError(t, db.Close())
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
	path := file(t)
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("this is no database. ", 999)), 0o600))
	_, err := SQLite(t.Context(), pool(t, path))
	require.ErrorContains(t, err, "not a database")
	require.ErrorIs(t, err, store.ErrDamaged)
}

// TestG28NewerSchema: a file that a newer release has written is refused, also if that happens while it is open.
func TestG28NewerSchema(t *testing.T) {
	path := file(t)
	create, update := row()
	older := open(t, path)
	require.NoError(t, older.Commit(t.Context(), create))

	db := pool(t, path)
	newer, err := openSQLite(t.Context(), db, []string{sqliteScripts[0], "CREATE TABLE later (x INTEGER) STRICT"})
	require.NoError(t, err)
	defer newer.Close()
	require.ErrorIs(t, older.Commit(t.Context(), update), store.ErrTooNew)
	require.ErrorIs(t, older.Commit(t.Context(), store.Change{Kind: store.Spaces, ID: create.ID, Base: create.Next, Delete: true}), store.ErrTooNew)
	require.NoError(t, older.Close())
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = SQLite(t.Context(), pool(t, path))
	require.ErrorIs(t, err, store.ErrTooNew)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.NoError(t, newer.Commit(t.Context(), update))
}

// TestG28Upgrade: an older file is brought up to date when it is opened, wholly or not at all.
func TestG28Upgrade(t *testing.T) {
	path := file(t)
	create, _ := row()
	s := open(t, path)
	require.NoError(t, s.Commit(t.Context(), create))
	require.NoError(t, s.Close())

	second := "ALTER TABLE trefoil_spaces ADD COLUMN later INTEGER NOT NULL DEFAULT 7;\nCREATE TABLE later (x INTEGER) STRICT"
	_, err := openSQLite(t.Context(), pool(t, path), []string{sqliteScripts[0], second, "CREATE TABLE later (x INTEGER) STRICT"})
	require.ErrorContains(t, err, "later already exists")
	s = open(t, path) // still version 1
	require.NoError(t, s.Close())

	for range 2 {
		upgraded, err := openSQLite(t.Context(), pool(t, path), []string{sqliteScripts[0], second})
		require.NoError(t, err)
		got, err := upgraded.Load(t.Context(), store.Spaces, create.ID)
		require.NoError(t, err)
		require.Equal(t, create.Parts, got.Parts)
		require.NoError(t, upgraded.Close())
	}
	_, err = SQLite(t.Context(), pool(t, path))
	require.ErrorIs(t, err, store.ErrTooNew)
}

// TestOpenedAtOnce: many stores may find the same empty file.
func TestOpenedAtOnce(t *testing.T) {
	for range 5 {
		path := file(t)
		var wg sync.WaitGroup
		for range 8 {
			db := pool(t, path)
			wg.Go(func() {
				s, err := SQLite(t.Context(), db)
				if err == nil {
					create, _ := row()
					err = s.Commit(t.Context(), other(create))
					s.Close()
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s := open(t, path)
		ids, err := s.List(t.Context(), store.Spaces, store.ID{}, 99)
		require.NoError(t, err)
		require.Len(t, ids, 8)
	}
}

// TestG1DatabaseRefuses: what the schema rules out stays out, even if it does not come through the store.
func TestG1DatabaseRefuses(t *testing.T) {
	s := open(t, file(t))
	create, _ := row()
	require.NoError(t, s.Commit(t.Context(), create))
	s.each(t, func(lane string, c *conn) {
		for _, bad := range []string{
			"UPDATE trefoil_spaces SET state = NULL", "UPDATE trefoil_spaces SET template = NULL", "UPDATE trefoil_spaces SET evals = NULL",
			"UPDATE trefoil_spaces SET head = NULL", "UPDATE trefoil_spaces SET version = 0", "UPDATE trefoil_spaces SET state = 'text'",
			"INSERT INTO trefoil_spaces (namespace, id, version, head, state) VALUES ('', zeroblob(32), 1, x'01', x'02')",
			"INSERT INTO trefoil_sessions (namespace, id, version, head) VALUES ('', zeroblob(32), 1, x'01')",
			"INSERT INTO trefoil_spaces_items VALUES ('', zeroblob(32), 1, 1, 0, x'00')",
			"INSERT INTO trefoil_sessions_items SELECT namespace, id, 1, 1, 0, x'00' FROM trefoil_spaces",
			"INSERT INTO trefoil_spaces_items SELECT namespace, id, 1, 1, -1, x'00' FROM trefoil_spaces",
			"INSERT INTO trefoil_spaces_segments SELECT namespace, id, 'text', x'00' FROM trefoil_spaces",
			"INSERT INTO trefoil_spaces_items SELECT namespace, id, 3, 1, 0, x'00' FROM trefoil_spaces",
			"INSERT INTO trefoil_spaces_segments VALUES ('', zeroblob(32), x'61', x'00')",
			"INSERT INTO trefoil_spaces_frames VALUES ('', zeroblob(32), zeroblob(32), 1, NULL)",
			"INSERT INTO trefoil VALUES (2, 1)",
		} {
			_, err := c.pinned.ExecContext(t.Context(), bad)
			require.Error(t, err, "%s: %s", lane, bad)
		}
	})
	got, err := s.Load(t.Context(), store.Spaces, create.ID)
	require.NoError(t, err)
	require.Equal(t, create.Parts, got.Parts)
}

// TestLostConnections: a store whose connections died goes on with new ones, and says nothing of it.
func TestLostConnections(t *testing.T) {
	s := open(t, file(t))
	create, update := row()
	require.NoError(t, s.Commit(t.Context(), create))
	_, err := s.Load(t.Context(), store.Spaces, create.ID)
	require.NoError(t, err)
	s.each(t, func(_ string, c *conn) {
		require.NoError(t, c.pinned.PingContext(t.Context()))
		_, err := c.stmt(t.Context(), "SELECT 1") // it was in use
		require.NoError(t, err)
		c.pinned.Raw(func(any) error { return driver.ErrBadConn })
	})
	require.NoError(t, s.Commit(t.Context(), update))
	for range 2 * sqliteReaders {
		got, err := s.Load(t.Context(), store.Spaces, create.ID)
		require.NoError(t, err)
		require.Equal(t, update.Next, got.Head)
	}
	s.each(t, func(_ string, c *conn) { require.NoError(t, c.pinned.PingContext(t.Context())) })
}

// TestInterruptedTransaction: whatever a failed statement leaves open is gone with its connection, locks and all.
func TestInterruptedTransaction(t *testing.T) {
	path := file(t)
	s := open(t, path)
	create, update := row()
	require.NoError(t, s.Commit(t.Context(), create))
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.writer.use(ctx, nil, func(c *conn) error {
			return s.write(ctx, c, func() error {
				if err := s.tables[store.Spaces].swap(ctx, c, key{id: update.ID}, update); err != nil {
					return err
				}
				cancel()
				_, err := c.exec(ctx, s.tables[store.Spaces].drop, key{id: update.ID}.args([]byte("state/a"))...)
				return err
			})
		})
		require.ErrorIs(t, err, context.Canceled)
		second := open(t, path)
		require.NoError(t, second.Commit(t.Context(), other(create)))
		require.NoError(t, second.Close())
		got, err := s.Load(t.Context(), store.Spaces, create.ID)
		require.NoError(t, err)
		require.Equal(t, create.Next, got.Head)
	}
	require.NoError(t, s.Commit(t.Context(), update))
}

// TestWaitingWriters: a writer whose turn has not come gives up when its context ends, and Close waits for the one that
// writes.
func TestWaitingWriters(t *testing.T) {
	s := open(t, file(t))
	create, update := row()
	require.NoError(t, s.Commit(t.Context(), create))
	begun, goOn, wrote := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		wrote <- s.writer.use(t.Context(), nil, func(c *conn) error {
			return s.write(t.Context(), c, func() error {
				close(begun)
				<-goOn
				return s.tables[store.Spaces].swap(t.Context(), c, key{id: update.ID}, update)
			})
		})
	}()
	<-begun
	got, err := s.Load(t.Context(), store.Spaces, create.ID) // readers are not kept waiting
	require.NoError(t, err)
	require.Equal(t, create.Next, got.Head)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Commit(ctx, update), context.DeadlineExceeded)

	closed := make(chan error)
	go func() { closed <- s.Store.Close() }()
	<-s.done
	_, err = s.Load(t.Context(), store.Spaces, create.ID)
	require.ErrorIs(t, err, errClosed)
	close(goOn)
	require.NoError(t, <-wrote)
	require.NoError(t, <-closed)
	require.NoError(t, s.Store.Close())
	require.ErrorIs(t, s.Commit(t.Context(), update), errClosed)

	again, err := SQLite(t.Context(), s.db) // the pool is still its owner's
	require.NoError(t, err)
	defer again.Close()
	got, err = again.Load(t.Context(), store.Spaces, create.ID)
	require.NoError(t, err)
	require.Equal(t, update.Next, got.Head)
}
