package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// errNoBackup is the error for a database that is backed up by other means.
var errNoBackup = errors.New("sqlstore: this database is backed up with its own tools")

// Backup writes the database as of one moment to a new file, while the store is in use: all that was committed before the
// call, the program's own tables too. The file is its owner's alone, is complete under its name, durable when Backup returns, and
// has no log beside it. It is as secret as the store: the vault's key opens it. It is for SQLite; PostgreSQL has tools of its own.
//
// Values that come back from a backup repeat numbers that others have seen: docs/STORAGE.md says how to restore one.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	if s.dialect.scrub == "" {
		return errNoBackup
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("sqlstore: %w: %s", os.ErrExist, filepath.Base(path))
	}
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part") // of mode 0600
	if err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	defer os.Remove(part.Name())
	defer part.Close()
	err = s.writer.use(ctx, nil, func(c *conn) error {
		_, err := c.exec(ctx, "VACUUM INTO ?", part.Name())
		return err
	})
	if err != nil {
		return err
	}
	if err := part.Sync(); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	// A link fails if somebody has made the file meanwhile, where a rename would replace it.
	if err := os.Link(part.Name(), path); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	return syncDirectory(filepath.Dir(path))
}

// syncDirectory makes the names in a directory durable, on systems that can.
func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, os.ErrInvalid) {
		return fmt.Errorf("sqlstore: %w", err)
	}
	return nil
}
