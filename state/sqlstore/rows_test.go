package sqlstore

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/store"
)

// texts returns what is in a table of the program's own.
func (h handle) texts(t *testing.T) (all []string) {
	rows, err := h.db.QueryContext(t.Context(), "SELECT text FROM texts ORDER BY text")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		all = append(all, s)
	}
	require.NoError(t, rows.Err())
	return all
}

func insert(text string) store.Hook {
	return Rows(func(ctx context.Context, tx *Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO texts (text) VALUES ('"+text+"')")
		return err
	})
}

func (h handle) version(t *testing.T, c store.Change) uint64 {
	head, err := h.Head(t.Context(), c.Kind, c.ID)
	require.NoError(t, err)
	return head.Version
}

// G4: rows of the program's own are written with the changes of a commit or not at all. They may have been there before the
// store was.
func TestRows(t *testing.T) {
	path := file(t)
	_, err := pool(t, path).Exec("CREATE TABLE texts (text TEXT PRIMARY KEY)")
	require.NoError(t, err)
	s := open(t, path)
	testRows(t, s)
}

func testRows(t *testing.T, s handle) {
	ctx := t.Context()
	create, update := row()
	require.NoError(t, s.CommitHook(ctx, insert("a"), create))
	require.Equal(t, []string{"a"}, s.texts(t))

	own := errors.New("the program's own")
	require.Equal(t, own, s.CommitHook(ctx, func(ctx context.Context, tx any) error {
		require.NoError(t, insert("b")(ctx, tx))
		return own
	}, update))
	require.ErrorIs(t, s.CommitHook(ctx, insert("b"), create), store.ErrExists)
	require.Error(t, s.CommitHook(ctx, insert("a"), update), "is there")
	require.Error(t, s.CommitHook(ctx, Rows(func(ctx context.Context, tx *Tx) error {
		tx.ExecContext(ctx, "INSERT INTO texts (text) VALUES ('a')") // fails
		_, err := tx.ExecContext(ctx, "INSERT INTO texts (text) VALUES ('b')")
		require.ErrorIs(t, err, errStatement)
		_, err = tx.QueryContext(ctx, "SELECT 1")
		require.ErrorIs(t, err, errStatement)
		return nil
	}), update), "a failure that nobody cares about")
	require.Error(t, s.CommitHook(ctx, Rows(func(ctx context.Context, tx *Tx) error {
		tx.QueryRowContext(ctx, "SELECT nothing")
		return nil
	}), update))
	require.Panics(t, func() {
		s.CommitHook(ctx, Rows(func(ctx context.Context, tx *Tx) error { panic("the program's own") }), update)
	})
	require.Equal(t, []string{"a"}, s.texts(t))
	require.EqualValues(t, 1, s.version(t, create))

	var kept *Tx
	require.NoError(t, s.CommitHook(ctx, Rows(func(ctx context.Context, tx *Tx) error {
		kept = tx
		var n int
		require.NoError(t, tx.QueryRowContext(ctx, "SELECT count(*) FROM texts").Scan(&n))
		require.Equal(t, 1, n)
		rows, err := tx.QueryContext(ctx, "SELECT text FROM texts")
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.NoError(t, rows.Close())
		return insert("b")(ctx, tx)
	}), update))
	require.Equal(t, []string{"a", "b"}, s.texts(t))
	require.EqualValues(t, 2, s.version(t, create))
	_, err := kept.ExecContext(ctx, "DELETE FROM texts")
	require.ErrorIs(t, err, errOver)
	_, err = kept.QueryContext(ctx, "DELETE FROM texts")
	require.ErrorIs(t, err, errOver)
	require.Error(t, kept.QueryRowContext(ctx, "DELETE FROM texts").Scan())
	require.Equal(t, []string{"a", "b"}, s.texts(t))

	require.ErrorContains(t, Rows(nil)(ctx, "tx"), "not one of this package")
}

// Two namespaces in one database have nothing in common, and their connections.
func TestNamespaces(t *testing.T) { testNamespaces(t, open(t, file(t))) }

func testNamespaces(t *testing.T, s handle) {
	ctx := t.Context()
	one, err := s.Namespace("one")
	require.NoError(t, err)
	two, err := s.Namespace("two")
	require.NoError(t, err)
	create, update := row()
	require.NoError(t, one.Commit(ctx, create))
	for _, other := range []*Store{s.Store, two} {
		_, err := other.Load(ctx, create.Kind, create.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		ids, err := other.List(ctx, create.Kind, store.ID{}, 9)
		require.NoError(t, err)
		require.Empty(t, ids)
		require.ErrorIs(t, other.Commit(ctx, update), store.ErrNotFound)
		require.NoError(t, other.Commit(ctx, create))
	}
	require.NoError(t, two.Commit(ctx, update))
	require.NoError(t, one.Commit(ctx, store.Change{Kind: create.Kind, ID: create.ID, Base: create.Next, Delete: true}))
	require.NoError(t, one.Close())
	require.EqualValues(t, 1, s.version(t, create))
	head, err := two.Head(ctx, create.Kind, create.ID)
	require.NoError(t, err)
	require.Equal(t, update.Next, head)
	for _, bad := range []string{"a\x00", "ä", string(make([]byte, 65))} {
		_, err := s.Namespace(bad)
		require.Error(t, err)
	}
}
