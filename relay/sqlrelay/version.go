package sqlrelay

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/trefoil-im/trefoil/relay/store"
)

// The version of the tables, and the digest of the text that made them, lie in one row, which is there before the tables are, so
// that it can be locked.
const (
	versionTable  = "CREATE TABLE IF NOT EXISTS relay_schema (one bigint NOT NULL PRIMARY KEY CHECK (one = 1), version bigint NOT NULL CHECK (version >= 0), digest text NOT NULL)"
	versionRow    = "INSERT INTO relay_schema (one, version, digest) VALUES (1, 0, '') ON CONFLICT (one) DO NOTHING"
	versionSelect = "SELECT version, digest FROM relay_schema WHERE one = 1"
)

// makeTables makes the tables unless they are there, and returns store.ErrTooNew if they are a newer release's, and
// store.ErrMismatch if they were made by another text than this release has for the same version.
func (s *Store) makeTables(ctx context.Context, ty types, lock string) error {
	for try := 0; ; try++ {
		again, _, err := s.once(ctx, s.writers, s.d.write, true, func(t *tx) error { return t.makeTables(ty, lock) })
		// Whoever makes a table beside others, and comes second, may be told so as if it existed.
		if err == nil || try == maxTries-1 || !again && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
}

func (t *tx) makeTables(ty types, lock string) error {
	for _, text := range []string{versionTable, versionRow} {
		if err := t.exec(text, nil); err != nil {
			return err
		}
	}
	var version int
	var made string
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(ty.schema(), ";"))))
	if err := t.c.pinned.QueryRowContext(t.ctx, versionSelect+lock).Scan(&version, &made); err != nil {
		return t.failed(t.s.failure(t.ctx, err))
	}
	switch {
	case version > store.Version:
		return fmt.Errorf("sqlrelay: %w: version %d, this one knows %d", store.ErrTooNew, version, store.Version)
	case version == store.Version && made != digest:
		return fmt.Errorf("sqlrelay: %w: version %d", store.ErrMismatch, version)
	case version == store.Version:
		return nil
	}
	for _, text := range ty.schema() {
		if err := t.exec(text, nil); err != nil {
			return err
		}
	}
	return t.exec(fmt.Sprintf("UPDATE relay_schema SET version = %d, digest = '%s' WHERE one = 1", store.Version, digest), nil)
}
