package sqlstore

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/trefoil-im/trefoil/state/store"
)

// unprivileged takes from the goroutine, until the test ends, root's right to read and write what the modes of files forbid.
// Files are opened in the goroutine that asks for it.
func unprivileged(t *testing.T) {
	runtime.LockOSThread() // rights are those of a thread
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	require.NoError(t, unix.Capget(&header, &before[0]))
	now := before
	now[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	require.NoError(t, unix.Capset(&header, &now[0]))
	t.Cleanup(func() {
		require.NoError(t, unix.Capset(&header, &before[0]))
		runtime.UnlockOSThread()
	})
}

// contents returns what is in the files of a directory.
func contents(t *testing.T, dir string) map[string]string {
	all := make(map[string]string)
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		all[name] = string(b)
		return err
	}))
	return all
}

// TestReadOnlyDirectory: SQLite needs an index of its log, in shared memory beside the file. Where the directory may not be written
// to and there is no index, a store is not opened, and the error says why; where there is one, because another process has the
// store open, it is read. Nothing is made and nothing is changed.
func TestReadOnlyDirectory(t *testing.T) {
	for name, c := range map[string]struct {
		beside []string // what lies beside the file of an open store
		reads  bool
	}{
		"closed":  {nil, false},
		"crashed": {[]string{"-wal"}, false},
		"open":    {[]string{"-wal", "-shm"}, true},
	} {
		for _, mode := range []string{"", "?mode=ro"} {
			t.Run(name+mode, func(t *testing.T) {
				unprivileged(t)
				ctx := t.Context()
				origin := file(t)
				s := open(t, origin)
				create, update := row()
				require.NoError(t, s.Commit(ctx, create))
				if c.beside == nil {
					require.NoError(t, s.Scrub(ctx))
				}
				dir := t.TempDir()
				path := filepath.Join(dir, "trefoil.db")
				for _, suffix := range append(c.beside, "") {
					copyFile(t, origin+suffix, path+suffix)
					require.NoError(t, os.Chmod(path+suffix, 0o400))
				}
				require.NoError(t, os.Chmod(dir, 0o500))
				defer os.Chmod(dir, 0o700)
				require.Error(t, os.WriteFile(path+"x", nil, 0o600), "it may not be written to")
				before := contents(t, dir)

				r, err := SQLite(ctx, pool(t, "file:"+path+mode))
				if c.reads {
					require.NoError(t, err)
					head, err := r.Head(ctx, create.Kind, create.ID)
					require.NoError(t, err)
					require.Equal(t, create.Next, head)
					require.ErrorIs(t, r.Commit(ctx, update), store.ErrReadOnly)
					require.NoError(t, r.Close())
				} else {
					require.ErrorIs(t, err, store.ErrReadOnly)
				}
				require.Equal(t, before, contents(t, dir))
				_, err = SQLite(ctx, pool(t, filepath.Join(dir, "another.db")))
				require.ErrorContains(t, err, "unable to open database file")
				require.Equal(t, before, contents(t, dir))
			})
		}
	}
}

// TestReadOnlyFile: a file that may not be written to, in a directory that may, is read, and commits are refused. The log that SQLite
// makes to read it holds nothing.
func TestReadOnlyFile(t *testing.T) {
	unprivileged(t)
	ctx := t.Context()
	path := file(t)
	s := open(t, path)
	create, update := row()
	require.NoError(t, s.Commit(ctx, create))
	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(path, 0o400))
	before := contents(t, filepath.Dir(path))

	r := open(t, path)
	for range 2 {
		head, err := r.Head(ctx, create.Kind, create.ID)
		require.NoError(t, err)
		require.Equal(t, create.Next, head)
		require.ErrorIs(t, r.Commit(ctx, update), store.ErrReadOnly)
	}
	require.NoError(t, r.Close())
	after := contents(t, filepath.Dir(path))
	require.Empty(t, after["trefoil.db-wal"])
	maps.DeleteFunc(after, func(name, _ string) bool { return name != "trefoil.db" })
	require.Equal(t, before, after)
}
