package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/trefoil-im/trefoil/state/store"
)

// Tx is the transaction that stores a value, as what a function given to Rows writes rows of its own in. Statements are in the
// SQL of the database and name tables of the program's own, never those that begin with trefoil_. An error of a statement ends
// the transaction, even if the function returns nil. A Tx must not be used after the function has returned, nor by several
// goroutines; rows of a query are to be closed before the next statement.
type Tx struct {
	conn *conn
	over bool
}

// errOver is what a statement returns that comes too late.
var errOver = errors.New("sqlstore: the transaction is over")

// errStatement is what a commit returns of which a statement failed that nobody cared about.
var errStatement = errors.New("sqlstore: a statement of the program's own failed")

// Rows returns the hook that writes rows of the program's own in the transaction that stores a value: state.Tx.InCommit takes
// it. Both are durable together or not at all.
//
// The function runs after the value was written and before the transaction ends, in a transaction that holds no other
// commit. It runs again if the transaction gives way to another one or the value was changed meanwhile, so it must have no
// effects but its statements. It must not begin or end transactions, nor call a vault of this store. If it returns an error
// nothing is stored, and the error is returned as it is.
func Rows(f func(context.Context, *Tx) error) store.Hook {
	return func(ctx context.Context, tx any) error {
		t, ok := tx.(*Tx)
		if !ok {
			return errors.New("sqlstore: rows for a store that is not one of this package")
		}
		return f(ctx, t)
	}
}

// ExecContext is that of database/sql.
func (t *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	res, err := t.conn.pinned.ExecContext(ctx, query, args...)
	t.conn.failed = t.conn.failed || err != nil
	return res, err
}

// QueryContext is that of database/sql.
func (t *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	rows, err := t.conn.pinned.QueryContext(ctx, query, args...)
	t.conn.failed = t.conn.failed || err != nil
	return rows, err
}

// QueryRowContext is that of database/sql.
func (t *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if t.usable() != nil { // a Row has its errors from a context only
		ended, cancel := context.WithCancel(ctx)
		cancel()
		ctx = ended
	}
	row := t.conn.pinned.QueryRowContext(ctx, query, args...)
	t.conn.failed = t.conn.failed || row.Err() != nil
	return row
}

func (t *Tx) usable() error {
	switch {
	case t.over:
		return errOver
	case t.conn.failed:
		return errStatement
	}
	return nil
}

// CommitHook implements store.Hooked.
func (s *Store) CommitHook(ctx context.Context, hook store.Hook, changes ...store.Change) error {
	if err := store.Check(changes); err != nil {
		return err
	}
	return s.alone(&pending{ctx: ctx, namespace: s.namespace, changes: changes, hook: hook})
}

// runHook runs a hook within a transaction.
func runHook(ctx context.Context, c *conn, hook store.Hook) error {
	t := &Tx{conn: c}
	defer func() { t.over = true }()
	if err := hook(ctx, t); err != nil {
		return err
	}
	if c.failed {
		return errStatement
	}
	return nil
}
