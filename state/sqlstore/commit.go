package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// write runs f in a transaction that writes. The version of the schema is looked at last: a newer release that changed a
// table which f has written to since has been waited for, or waits now.
func (s *database) write(ctx context.Context, c *conn, f func() error) error {
	if err := s.dialect.check(); err != nil {
		return err
	}
	return c.transaction(ctx, s.dialect.write, func() error {
		if err := f(); err != nil {
			return err
		}
		return s.current(ctx, c)
	})
}

// current makes sure that no newer release has changed the schema since the store was opened.
func (s *database) current(ctx context.Context, c *conn) error {
	var version int
	if err := c.query(ctx, func(r *sql.Rows) error { return r.Scan(&version) }, schemaVersion); err != nil {
		return err
	}
	if err := tooNew(version, len(s.dialect.schema)); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	return nil
}

// isRefusal reports whether err says that a change was refused for what the row is. No statement has failed then.
func isRefusal(err error) bool {
	var refused *store.ChangeError
	return errors.As(err, &refused)
}

// apply carries out changes within a transaction. Rows come first, so that a refusal is found before most is written. They
// come in the order of kind and ID, so that of two transactions that write at the same time neither waits for the other
// while that waits for it.
func (s *database) apply(ctx context.Context, c *conn, namespace string, changes []store.Change) error {
	order := make([]int, len(changes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := changes[i], changes[j]
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), a.ID.Compare(b.ID))
	})
	for _, i := range order {
		err := s.tables[changes[i].Kind].swap(ctx, c, key{namespace, changes[i].ID}, changes[i])
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
		if err := s.tables[change.Kind].beside(ctx, c, key{namespace, change.ID}, change); err != nil {
			return err
		}
	}
	return nil
}

// rank orders kinds: the store's own row first, which most commits only assert.
func rank(k store.Kind) store.Kind {
	if k == store.Vault {
		return 0
	}
	return k
}

// swap does to a row what a change does, if its head is the one that the change was made from. What it relies on it has
// locked then, if others write at the same time.
func (t *tables) swap(ctx context.Context, c *conn, at key, change store.Change) error {
	base := at.args(number(change.Base.Version), filled(change.Base.Sealed))
	switch change.Action() {
	case store.Create:
		return t.insert(ctx, c, at, change)
	case store.Assert:
		return t.assert(ctx, c, at, change.Base)
	case store.Delete:
		n, err := c.exec(ctx, t.remove, base...)
		if err == nil && n == 0 {
			return t.missed(ctx, c, at)
		}
		if err == nil {
			_, err = c.exec(ctx, t.bury, at.args()...)
		}
		for _, beside := range t.clear {
			if err == nil {
				_, err = c.exec(ctx, beside, at.args()...)
			}
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
		err = t.missed(ctx, c, at)
	}
	return err
}

// insert creates a row. Whether one was deleted is looked at afterwards, because the insertion has waited for a deletion that
// was under way.
func (t *tables) insert(ctx context.Context, c *conn, at key, change store.Change) error {
	args := at.args(number(change.Next.Version), filled(change.Next.Sealed))
	for _, p := range change.Parts {
		args = append(args, p)
	}
	n, err := c.exec(ctx, t.create, args...)
	switch {
	case err != nil:
		return err
	case n == 0:
		return store.ErrExists
	case change.Revive:
		_, err = c.exec(ctx, t.revive, at.args()...)
		return err
	}
	if err := t.absent(ctx, c, at); errors.Is(err, store.ErrDeleted) || !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// assert makes sure that the head of a row is base until the transaction ends, or that there is no row.
func (t *tables) assert(ctx context.Context, c *conn, at key, base store.Head) error {
	if base.IsZero() && t.locked != t.head {
		return t.assertAbsent(ctx, c, at)
	}
	head, err := t.readHead(ctx, c, t.locked, at)
	switch {
	case errors.Is(err, store.ErrNotFound) && base.IsZero():
		return nil
	case err == nil && !head.Equal(base):
		return store.ErrConflict
	}
	return err
}

// assertAbsent makes sure that there is no row, and will be none until the transaction ends. Where there is no row there is
// nothing to lock, so one is put there and taken away again: another that is put there meanwhile waits.
func (t *tables) assertAbsent(ctx context.Context, c *conn, at key) error {
	none := store.Head{Version: 1, Sealed: []byte{}}
	args := at.args(number(none.Version), none.Sealed)
	for range t.names {
		args = append(args, []byte{})
	}
	n, err := c.exec(ctx, t.create, args...)
	if err == nil && n == 0 {
		return store.ErrConflict
	}
	if err == nil {
		_, err = c.exec(ctx, t.remove, at.args(number(none.Version), none.Sealed)...)
	}
	return err
}

// missed says why no row had the wanted head.
func (t *tables) missed(ctx context.Context, c *conn, at key) error {
	_, err := t.readHead(ctx, c, t.head, at)
	if err == nil {
		err = store.ErrConflict
	}
	return err
}

// readHead returns the head of a row by one of the statements for it, ErrNotFound or ErrDeleted.
func (t *tables) readHead(ctx context.Context, c *conn, text string, at key) (head store.Head, err error) {
	err = c.query(ctx, func(r *sql.Rows) error { return r.Scan(&head.Version, &head.Sealed) }, text, at.args()...)
	if err != nil {
		return store.Head{}, err
	}
	if head.Version == 0 {
		return store.Head{}, t.absent(ctx, c, at)
	}
	head.Sealed = filled(head.Sealed)
	return head, nil
}

// absent returns ErrDeleted or ErrNotFound for a row that is not there.
func (t *tables) absent(ctx context.Context, c *conn, at key) error {
	why := store.ErrNotFound
	err := c.query(ctx, func(*sql.Rows) error {
		why = store.ErrDeleted
		return nil
	}, t.deleted, at.args()...)
	if err != nil {
		return err
	}
	return why
}

// beside writes what a change puts beside its row.
func (t *tables) beside(ctx context.Context, c *conn, at key, change store.Change) (err error) {
	one := func(text string, args ...any) {
		if err == nil {
			_, err = c.exec(ctx, text, args...)
		}
	}
	all := func(statements iter.Seq2[string, []any]) {
		for text, args := range statements {
			one(text, args...)
		}
	}
	for _, path := range change.Drop {
		one(t.drop, at.args([]byte(path))...)
	}
	for path, sealed := range change.Put {
		one(t.put, at.args([]byte(path), filled(sealed))...)
	}
	all(inPieces(t.take, at.args(int64(store.Outbox)), stored(change.Sent), numberArg))
	all(inPieces(t.take, at.args(int64(store.Inbox)), stored(change.Taken), numberArg))
	all(inPieces(t.enqueue, at.args(int64(store.Outbox)), change.Outbox, itemArgs))
	all(inPieces(t.enqueue, at.args(int64(store.Inbox)), change.Inbox, itemArgs))
	all(inPieces(t.lose, at.args(), change.Lost, hashArg))
	all(inPieces(t.record, at.args(), change.Frames, recordArgs))
	if change.Forget > 0 {
		one(t.forget, at.args(number(change.Forget))...)
	}
	return err
}
