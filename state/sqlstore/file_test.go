package sqlstore

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/store"
)

// vaultRow returns the change that makes the store's own row.
func vaultRow() store.Change {
	return store.Change{
		Kind: store.Vault, ID: store.NewID(),
		Next: store.Head{Version: 1, Sealed: []byte("1")}, Parts: [][]byte{{1}, {2}},
	}
}

func copyFile(t *testing.T, from, to string) {
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, b, 0o600))
}

// TestFileMode: a new file and those beside it are their owner's alone; the mode of one that is there is its owner's business.
func TestFileMode(t *testing.T) {
	path := file(t)
	s := open(t, path)
	create, _ := row()
	require.NoError(t, s.Commit(t.Context(), create))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), suffix)
	}
	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(path, 0o660))
	require.NoError(t, open(t, path).Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o660), info.Mode().Perm())
}

// TestG35ReplacedFile: the commit after a file was deleted, renamed or replaced is refused, and nothing of it is in either file.
func TestG35ReplacedFile(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, path, other string){
		"deleted": func(t *testing.T, path, _ string) { require.NoError(t, os.Remove(path)) },
		"renamed": func(t *testing.T, path, other string) { require.NoError(t, os.Rename(path, other)) },
		"replaced": func(t *testing.T, path, other string) {
			copyFile(t, path, other)
			require.NoError(t, os.Rename(other, path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			s := open(t, path)
			create, update := row()
			require.NoError(t, s.Commit(t.Context(), create))
			require.NoError(t, s.Scrub(t.Context()))
			harm(t, path, path+".other")
			for range 3 {
				require.ErrorIs(t, s.Commit(t.Context(), update), store.ErrReplaced)
			}
			for range sqliteReaders {
				got, err := s.Load(t.Context(), store.Spaces, create.ID)
				if err != nil { // there was no connection yet
					require.ErrorIs(t, err, store.ErrReplaced)
					continue
				}
				require.Equal(t, create.Next, got.Head)
			}
			require.NoError(t, s.Close())
			if name != "replaced" {
				require.NoFileExists(t, path)
			}
		})
	}
}

// TestG35CopyWithoutLog: whoever copies the file of an open store without its log gets a store that is not empty.
func TestG35CopyWithoutLog(t *testing.T) {
	path := file(t)
	s := open(t, path)
	bare := filepath.Join(t.TempDir(), "bare.db")
	copyFile(t, path, bare)
	c := open(t, bare)
	_, err := c.List(t.Context(), store.Vault, store.ID{}, 1)
	require.NoError(t, err, "it has tables")

	vault := vaultRow()
	require.NoError(t, s.Commit(t.Context(), vault))
	create, _ := row()
	require.NoError(t, s.Commit(t.Context(), create))
	second := filepath.Join(t.TempDir(), "copy.db")
	copyFile(t, path, second)
	got, err := open(t, second).Load(t.Context(), store.Vault, vault.ID)
	require.NoError(t, err)
	require.Equal(t, vault.Next, got.Head)
}

// TestBackup: a backup made beside writers is a whole store, which goes on by itself.
func TestBackup(t *testing.T) {
	ctx := t.Context()
	s := open(t, file(t))
	create, update := row()
	require.NoError(t, s.Commit(ctx, vaultRow(), create))
	wrote := make(chan error)
	stop := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				wrote <- nil
				return
			default:
			}
			first, second := row()
			if err := s.Commit(ctx, first); err != nil {
				wrote <- err
				return
			}
			if err := s.Commit(ctx, second); err != nil {
				wrote <- err
				return
			}
		}
	}()
	target := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(ctx, target))
	close(stop)
	require.NoError(t, <-wrote)
	info, err := os.Stat(target)
	require.NoError(t, err)
	require.Equal(t, private, info.Mode().Perm())
	names, err := os.ReadDir(filepath.Dir(target))
	require.NoError(t, err)
	require.Len(t, names, 1, "nothing lies beside it")

	before, err := os.ReadFile(target)
	require.NoError(t, err)
	require.ErrorIs(t, s.Backup(ctx, target), os.ErrExist)
	require.Error(t, s.Backup(ctx, filepath.Join(t.TempDir(), "nowhere", "backup.db")))
	after, err := os.ReadFile(target)
	require.NoError(t, err)
	require.Equal(t, before, after)

	b := open(t, target)
	require.NoError(t, b.Commit(ctx, update))
	got, err := s.Load(ctx, store.Spaces, create.ID)
	require.NoError(t, err)
	require.Equal(t, create.Next, got.Head)
}

// TestFaultsOfTheMedium: what a file cannot do has its error, and nothing is changed.
func TestFaultsOfTheMedium(t *testing.T) {
	ctx := t.Context()
	path := file(t)
	s := open(t, path)
	create, update := row()
	require.NoError(t, s.Commit(ctx, create))

	// A limit of pages is to SQLite what a full disk is.
	s.each(t, func(lane string, c *conn) {
		if lane == "writer" {
			_, err := c.pinned.ExecContext(ctx, "PRAGMA max_page_count = 1")
			require.NoError(t, err)
		}
	})
	large := update
	large.Parts = [][]byte{make([]byte, 1<<20), nil, nil}
	require.ErrorIs(t, s.Commit(ctx, large), store.ErrDiskFull)
	require.NoError(t, s.Commit(ctx, update), "another connection has no such limit")
	got, err := s.Load(ctx, store.Spaces, create.ID)
	require.NoError(t, err)
	require.Equal(t, update.Next, got.Head)
	require.NoError(t, s.Close())

	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 4096; i < len(b); i++ { // all but the first page
		b[i] = 0xff
	}
	require.NoError(t, os.WriteFile(path, b, 0o600))
	_, err = SQLite(ctx, pool(t, path))
	require.ErrorIs(t, err, store.ErrDamaged)
}
