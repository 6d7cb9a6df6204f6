package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/trefoil-im/trefoil/state/store"
)

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, k store.Kind, id store.ID, change store.Change) error {
	if err := change.Check(k); err != nil {
		return err
	}
	return s.write(ctx, k, func(c *conn, t *tables) error {
		if err := t.swap(ctx, c, id, change); err != nil {
			return err
		}
		return t.beside(ctx, c, id, change)
	})
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, k store.Kind, id store.ID, head store.Head) error {
	return s.write(ctx, k, func(c *conn, t *tables) error {
		n, err := c.exec(ctx, t.remove, id[:], number(head.Version), filled(head.Sealed))
		if err == nil && n == 0 {
			err = t.missed(ctx, c, id)
		}
		return err
	})
}

// Remove implements store.Store.
func (s *Store) Remove(ctx context.Context, k store.Kind, id store.ID, q store.Queue, items ...store.Item) error {
	return s.write(ctx, k, func(c *conn, t *tables) error {
		for _, it := range items {
			if _, err := c.exec(ctx, t.take, id[:], int64(q), number(it.Seq), filled(it.Data)); err != nil {
				return err
			}
		}
		return nil
	})
}

// write runs f for a kind of value in a transaction that writes. Waiting for the one connection that does, the writers of
// a process form a queue; the database's own lock, at which others poll, is for other processes.
func (s *Store) write(ctx context.Context, k store.Kind, f func(*conn, *tables) error) error {
	t, err := s.at(k)
	if err != nil {
		return err
	}
	return s.writer.use(ctx, func(c *conn) error {
		return c.transaction(ctx, s.dialect.write, func() error {
			if err := s.current(ctx, c); err != nil {
				return err
			}
			return f(c, t)
		})
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

// swap creates a row, or changes one if its head is the one that the change was made from.
func (t *tables) swap(ctx context.Context, c *conn, id store.ID, change store.Change) error {
	var args []any
	if change.Creates() {
		args = append(args, id[:], number(change.Next.Version), filled(change.Next.Sealed))
		for _, p := range change.Parts {
			args = append(args, p)
		}
		n, err := c.exec(ctx, t.create, args...)
		if err == nil && n == 0 {
			err = store.ErrExists
		}
		return err
	}
	args = append(args, number(change.Next.Version), filled(change.Next.Sealed))
	for _, p := range change.Parts {
		if p != nil {
			args = append(args, p)
		}
	}
	args = append(args, id[:], number(change.Base.Version), filled(change.Base.Sealed))
	n, err := c.exec(ctx, t.update(change.Parts), args...)
	if err == nil && n == 0 {
		err = t.missed(ctx, c, id)
	}
	return err
}

// missed says why no row had the wanted head.
func (t *tables) missed(ctx context.Context, c *conn, id store.ID) error {
	why := store.ErrNotFound
	err := c.query(ctx, func(*sql.Rows) error {
		why = store.ErrConflict
		return nil
	}, t.head, id[:])
	if err != nil {
		return err
	}
	return why
}

// beside writes what a change puts beside its row.
func (t *tables) beside(ctx context.Context, c *conn, id store.ID, change store.Change) error {
	for _, path := range change.Drop {
		if _, err := c.exec(ctx, t.drop, id[:], path); err != nil {
			return err
		}
	}
	for path, sealed := range change.Put {
		if _, err := c.exec(ctx, t.put, id[:], path, filled(sealed)); err != nil {
			return err
		}
	}
	for q, items := range map[store.Queue][]store.Item{store.Outbox: change.Outbox, store.Inbox: change.Inbox} {
		for _, it := range items {
			if _, err := c.exec(ctx, t.enqueue, id[:], int64(q), number(it.Seq), filled(it.Data)); err != nil {
				return err
			}
		}
	}
	for _, f := range change.Frames {
		if _, err := c.exec(ctx, t.record, id[:], f.Hash[:], number(f.Seq), f.Data); err != nil {
			return err
		}
	}
	if change.Forget > 0 {
		if _, err := c.exec(ctx, t.forget, id[:], number(change.Forget)); err != nil {
			return err
		}
	}
	return nil
}
