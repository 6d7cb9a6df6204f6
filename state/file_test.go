package state_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
)

// openFile opens a store in an SQLite file.
func openFile(t *testing.T, path string) (s *sqlstore.Store, closeAll func()) {
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	s, err = sqlstore.SQLite(t.Context(), db)
	require.NoError(t, err)
	return s, func() {
		require.NoError(t, s.Close())
		require.NoError(t, db.Close())
	}
}

// G35: one flipped bit makes the column of a head text, of the same bytes: the database gives it back and finds it equal to
// nothing. Changing and deleting the value fail; neither tries for ever.
func TestG35FlippedTypeOfTheHead(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "trefoil.db")
	s, closeAll := openFile(t, path)
	require.NoError(t, openToys(t, s, state.Options{}).Create(ctx, newToy(t, id(1)), nil))
	head, err := s.Head(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	closeAll()

	b, err := os.ReadFile(path)
	require.NoError(t, err)
	serial := 2*len(head.Sealed) + 12 // of a blob; of a text it is one more
	at := bytes.LastIndex(b[:bytes.Index(b, head.Sealed)], []byte{byte(serial>>7) | 0x80, byte(serial & 0x7f)})
	require.Positive(t, at)
	b[at+1] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))

	s, closeAll = openFile(t, path)
	defer closeAll()
	v := openToys(t, s, state.Options{})
	runs := 0
	err = v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		runs++
		return push(1)(tx)
	})
	require.ErrorIs(t, err, state.ErrCorrupt)
	require.LessOrEqual(t, runs, 2)
	require.ErrorIs(t, v.Delete(ctx, id(1)), state.ErrCorrupt)
	require.NoError(t, v.Create(ctx, newToy(t, id(2)), nil), "others go on")
}
