package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/trefoil-im/trefoil/state/store"
)

// private is the mode of a new file: its owner's alone. SQLite gives that of the database to the files beside it.
const private fs.FileMode = 0o600

// sqliteFile is the database file of a store, as it was when the store was opened.
type sqliteFile struct {
	path string // empty if the database has none
	info fs.FileInfo
}

// sqlitePath returns the path of the database that a connection has opened.
func sqlitePath(ctx context.Context, c *sql.Conn) (path string, err error) {
	err = c.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path)
	return path, err
}

// protect makes an empty file its owner's alone.
func protect(ctx context.Context, c *sql.Conn) error {
	path, err := sqlitePath(ctx, c)
	if err != nil || path == "" {
		return err
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 0 {
		return err
	}
	return os.Chmod(path, private)
}

// note remembers the file that a connection has opened. It reports whether it is still empty, so that all is in the log.
func (f *sqliteFile) note(ctx context.Context, c *sql.Conn) (empty bool, err error) {
	if f.path, err = sqlitePath(ctx, c); err != nil || f.path == "" {
		return false, err
	}
	if f.info, err = os.Stat(f.path); err != nil {
		return false, f.check()
	}
	return f.info.Size() == 0, nil
}

// check returns store.ErrReplaced if what lies at the path is no longer the file that was opened. SQLite itself goes on writing
// to a file that was deleted or replaced, and all is lost with the process.
func (f *sqliteFile) check() error {
	if f.path == "" {
		return nil
	}
	now, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("sqlstore: the file is gone: %w", store.ErrReplaced)
	case err != nil:
		return fmt.Errorf("sqlstore: %w", err)
	case f.info == nil || !os.SameFile(f.info, now):
		return fmt.Errorf("sqlstore: the file is another one: %w", store.ErrReplaced)
	}
	return nil
}

// makesVault reports whether changes make the store's own row.
func makesVault(changes []store.Change) bool {
	for _, c := range changes {
		if c.Kind == store.Vault && c.Action() == store.Create {
			return true
		}
	}
	return false
}
