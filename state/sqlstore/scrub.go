package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/trefoil-im/trefoil/state/store"
)

var _ store.Scrubber = (*Store)(nil)

// Scrub implements store.Scrubber. On SQLite it moves what the write-ahead log holds into the database file and truncates the log:
// then nothing that was superseded is left in the files, since what is deleted is overwritten with zeros there. It waits for
// readers, those of other processes too, ten seconds at most, and returns store.ErrBusy after that.
//
// What it cannot reach are copies below the file: blocks that a file system or a disk has set aside instead of overwriting
// them, snapshots, and backups.
func (s *Store) Scrub(ctx context.Context) error {
	if s.dialect.scrub == "" {
		return nil
	}
	return s.writer.use(ctx, nil, func(c *conn) error { return c.scrub(ctx, s.dialect.scrub) })
}

func (c *conn) scrub(ctx context.Context, statement string) error {
	return c.waiting(ctx, func() error {
		var busy, frames, moved int
		err := c.query(ctx, func(r *sql.Rows) error { return r.Scan(&busy, &frames, &moved) }, statement)
		if err == nil && busy != 0 {
			err = fmt.Errorf("sqlstore: the log cannot be truncated: %w", store.ErrBusy)
		}
		return err
	})
}
