package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/trefoil-im/trefoil/state/store"
)

// write runs f in a transaction that writes. Waiting for the one connection that does, the writers of a process form a
// queue; the database's own lock, at which others poll, is for other processes.
func (s *Store) write(ctx context.Context, c *conn, f func() error) error {
	return c.transaction(ctx, s.dialect.write, func() error {
		if err := s.current(ctx, c); err != nil {
			return err
		}
		return f()
	})
}

// current makes sure that no newer release has changed the schema since the store was opened.
func (s *Store) current(ctx context.Context, c *conn) error {
	var version int
	if err := c.query(ctx, func(r *sql.Rows) error { return r.Scan(&version) }, schemaVersion); err != nil {
		return err
	}
	if err := tooNew(version, s.version); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	return nil
}

// isRefusal reports whether err says that a change was refused for what the row is. No statement has failed then.
func isRefusal(err error) bool {
	var refused *store.ChangeError
	return errors.As(err, &refused)
}

// apply carries out changes within a transaction. Rows come first, so that a refusal is found before most is written; if
// it is found after the first, what was written has to be rolled back.
func (s *Store) apply(ctx context.Context, c *conn, changes []store.Change) error {
	for i, change := range changes {
		err := s.tables[change.Kind].swap(ctx, c, change)
		for _, refusal := range []error{store.ErrExists, store.ErrNotFound, store.ErrConflict} {
			if errors.Is(err, refusal) {
				return &store.ChangeError{Index: i, Err: err}
			}
		}
		if err != nil {
			return err
		}
	}
	for _, change := range changes {
		if err := s.tables[change.Kind].beside(ctx, c, change); err != nil {
			return err
		}
	}
	return nil
}

// swap does to a row what a change does, if its head is the one that the change was made from.
func (t *tables) swap(ctx context.Context, c *conn, change store.Change) error {
	base, id := []any{change.ID[:], number(change.Base.Version), filled(change.Base.Sealed)}, change.ID
	switch change.Action() {
	case store.Create:
		return t.insert(ctx, c, change)
	case store.Assert:
		head, err := t.readHead(ctx, c, id)
		switch {
		case errors.Is(err, store.ErrNotFound) && change.Base.IsZero():
			return nil
		case err == nil && !head.Equal(change.Base):
			return store.ErrConflict
		}
		return err
	case store.Delete:
		n, err := c.exec(ctx, t.remove, base...)
		if err == nil && n == 0 {
			return t.missed(ctx, c, id)
		}
		if err == nil {
			_, err = c.exec(ctx, t.bury, id[:])
		}
		return err
	}
	args := []any{number(change.Next.Version), filled(change.Next.Sealed)}
	for _, p := range change.Parts {
		if p != nil {
			args = append(args, p)
		}
	}
	n, err := c.exec(ctx, t.update(change.Parts), append(args, base...)...)
	if err == nil && n == 0 {
		err = t.missed(ctx, c, id)
	}
	return err
}

// insert creates a row.
func (t *tables) insert(ctx context.Context, c *conn, change store.Change) error {
	id := change.ID
	if change.Revive {
		if _, err := c.exec(ctx, t.revive, id[:]); err != nil {
			return err
		}
	} else if err := t.absent(ctx, c, id); !errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDeleted) {
		return err
	}
	args := []any{id[:], number(change.Next.Version), filled(change.Next.Sealed)}
	for _, p := range change.Parts {
		args = append(args, p)
	}
	n, err := c.exec(ctx, t.create, args...)
	if err == nil && n == 0 {
		err = store.ErrExists
	}
	return err
}

// missed says why no row had the wanted head.
func (t *tables) missed(ctx context.Context, c *conn, id store.ID) error {
	_, err := t.readHead(ctx, c, id)
	if err == nil {
		err = store.ErrConflict
	}
	return err
}

// readHead returns the head of a row, ErrNotFound or ErrDeleted.
func (t *tables) readHead(ctx context.Context, c *conn, id store.ID) (head store.Head, err error) {
	err = c.query(ctx, func(r *sql.Rows) error { return r.Scan(&head.Version, &head.Sealed) }, t.head, id[:])
	if err != nil {
		return store.Head{}, err
	}
	if head.Version == 0 {
		return store.Head{}, t.absent(ctx, c, id)
	}
	head.Sealed = filled(head.Sealed)
	return head, nil
}

// absent returns ErrDeleted or ErrNotFound for a row that is not there.
func (t *tables) absent(ctx context.Context, c *conn, id store.ID) error {
	why := store.ErrNotFound
	err := c.query(ctx, func(*sql.Rows) error {
		why = store.ErrDeleted
		return nil
	}, t.deleted, id[:])
	if err != nil {
		return err
	}
	return why
}

// beside writes what a change puts beside its row.
func (t *tables) beside(ctx context.Context, c *conn, change store.Change) (err error) {
	id := change.ID
	exec := func(text string, args ...any) {
		if err == nil {
			_, err = c.exec(ctx, text, append([]any{id[:]}, args...)...)
		}
	}
	for _, path := range change.Drop {
		exec(t.drop, []byte(path))
	}
	for path, sealed := range change.Put {
		exec(t.put, []byte(path), filled(sealed))
	}
	for q, seqs := range map[store.Queue][]uint64{store.Outbox: change.Sent, store.Inbox: change.Taken} {
		for _, seq := range seqs {
			if seq <= math.MaxInt64 { // no item has another
				exec(t.take, int64(q), number(seq))
			}
		}
	}
	for q, items := range map[store.Queue][]store.Item{store.Outbox: change.Outbox, store.Inbox: change.Inbox} {
		for _, it := range items {
			exec(t.enqueue, int64(q), number(it.Seq), number(it.Lane), filled(it.Data))
		}
	}
	for _, f := range change.Frames {
		exec(t.record, f.Hash[:], number(f.Seq), f.Data)
	}
	if change.Forget > 0 {
		exec(t.forget, number(change.Forget))
	}
	return err
}
