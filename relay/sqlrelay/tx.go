package sqlrelay

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/relay/store"
)

// tx is a transaction on a connection.
type tx struct {
	ctx    context.Context
	s      *Store
	c      *conn
	err    error // the first one of a method
	own    bool  // err is of this package, not of the driver
	ending bool  // COMMIT was sent and not answered
	sound  bool  // the connection has no open transaction
	lost   write // the first one that failed
}

// write is a statement that writes rows, and what constraints look at of them. The other columns may differ from one run of a transaction
// to the next, as the time does.
type write struct {
	text   string
	values []any
}

// same reports whether two writes are one that was made again.
func (w write) same(other write) bool {
	return w.text == other.text && store.Compare(w.values, other.values) == 0
}

// constrained returns the columns of rows that are in the key, in an index with unique values or in a reference.
func constrained(tab *store.Table, rows []store.Row) (values []any) {
	names := make(map[string]bool)
	for _, x := range tab.Indexes {
		for _, name := range x.Columns {
			names[name] = names[name] || x.Unique
		}
	}
	for _, r := range tab.Refer {
		for _, name := range r.Columns {
			names[name] = true
		}
	}
	for _, r := range rows {
		for i, v := range r.Clone() {
			if i < tab.Keys || names[tab.Columns[i].Name] {
				values = append(values, v)
			}
		}
	}
	return values
}

// run runs f between begin and COMMIT. If f or one of its calls fails, or the context ends before COMMIT, nothing of it remains.
func (t *tx) run(begin string, f func(*tx) error) error {
	if t.err = t.c.exec(t.ctx, begin); t.err != nil {
		return t.err
	}
	err := f(t)
	if t.err == nil && err == nil {
		t.err = t.ctx.Err()
	}
	// To interrupt the end of a transaction would only leave in doubt how it ended.
	ctx := context.WithoutCancel(t.ctx)
	if t.err != nil || err != nil {
		t.sound = t.c.exec(ctx, "ROLLBACK") == nil
		if t.err != nil {
			return t.err
		}
		return err
	}
	t.ending = true
	t.err = t.c.exec(ctx, "COMMIT")
	t.sound = t.err == nil
	return t.err
}

// failed notes the first error, after which nothing more is done.
func (t *tx) failed(err error) error {
	if t.err == nil {
		t.err = err
	}
	return t.err
}

// refused notes an error of what the caller gave.
func (t *tx) refused(err error) error {
	if t.err == nil {
		t.err, t.own = err, true
	}
	return t.err
}

// Get implements store.Reader.
func (t *tx) Get(tab *store.Table, keys ...store.Key) (rows []store.Row, err error) {
	for _, k := range keys {
		if err := tab.CheckKey(k); err != nil {
			return nil, t.refused(err)
		}
	}
	err = inBatches(keys, func(keys []store.Key) error {
		more, err := t.query(tab, getText(tab, len(keys)), flat(keys))
		rows = append(rows, more...)
		return err
	})
	slices.SortFunc(rows, func(a, b store.Row) int { return store.Compare(tab.Key(a), tab.Key(b)) })
	return slices.CompactFunc(rows, func(a, b store.Row) bool { return store.Compare(tab.Key(a), tab.Key(b)) == 0 }), err
}

// Scan implements store.Reader.
func (t *tx) Scan(tab *store.Table, q store.Query) ([]store.Row, error) {
	order, err := tab.CheckQuery(q)
	if err != nil {
		return nil, t.refused(err)
	}
	return t.query(tab, scanText(tab, q, order), slices.Concat(q.Equal, q.After, store.Key{int64(max(q.Limit, 0))}))
}

// Insert implements store.Tx.
func (t *tx) Insert(tab *store.Table, rows ...store.Row) error { return t.write(tab, rows, false) }

// Put implements store.Tx.
func (t *tx) Put(tab *store.Table, rows ...store.Row) error { return t.write(tab, rows, true) }

func (t *tx) write(tab *store.Table, rows []store.Row, put bool) error {
	for _, r := range rows {
		if err := tab.CheckRow(r); err != nil {
			return t.refused(err)
		}
	}
	return inBatches(rows, func(rows []store.Row) error {
		return t.change(insertText(tab, len(rows), put), flat(rows), func() []any { return constrained(tab, rows) })
	})
}

// Delete implements store.Tx.
func (t *tx) Delete(tab *store.Table, keys ...store.Key) error {
	for _, k := range keys {
		if err := tab.CheckKey(k); err != nil {
			return t.refused(err)
		}
	}
	return inBatches(keys, func(keys []store.Key) error {
		all := flat(keys)
		return t.change(deleteText(tab, len(keys)), all, func() []any { return store.Row(all).Clone() })
	})
}

// change executes a write, and notes it if it fails.
func (t *tx) change(text string, args []any, constrained func() []any) error {
	err := t.exec(text, args)
	if err != nil && t.lost.text == "" {
		t.lost = write{text, constrained()}
	}
	return err
}

// inBatches calls f with all of the values, as many at once as a statement names.
func inBatches[T any](all []T, f func([]T) error) error {
	for len(all) > 0 {
		n := batch(len(all))
		if err := f(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// flat returns the values of rows or keys, one after the other.
func flat[T ~[]any](all []T) []any {
	var out []any
	for _, values := range all {
		out = append(out, values...)
	}
	return out
}

func (t *tx) prepare(text string) (*sql.Stmt, error) {
	if t.err != nil {
		return nil, t.err
	}
	stmt, err := t.c.stmt(t.ctx, t.s.d.bind(text))
	if err != nil {
		return nil, t.failed(err)
	}
	return stmt, nil
}

func (t *tx) exec(text string, args []any) error {
	stmt, err := t.prepare(text)
	if err != nil {
		return err
	}
	if _, err := stmt.ExecContext(t.ctx, args...); err != nil {
		return t.failed(t.s.failure(t.ctx, err))
	}
	return nil
}

func (t *tx) query(tab *store.Table, text string, args []any) (out []store.Row, err error) {
	stmt, err := t.prepare(text)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(t.ctx, args...)
	if err != nil {
		return nil, t.failed(t.s.failure(t.ctx, err))
	}
	defer rows.Close()
	for rows.Next() {
		r, places := make(store.Row, len(tab.Columns)), make([]any, len(tab.Columns))
		for i := range r {
			places[i] = &r[i]
		}
		if err := rows.Scan(places...); err != nil {
			return nil, t.failed(err)
		}
		for i, c := range tab.Columns {
			if b, ok := r[i].([]byte); c.IsBytes && (ok && b == nil || r[i] == nil) {
				r[i] = []byte{} // drivers return this for no bytes; no column is NULL
			}
		}
		if err := tab.CheckRow(r); err != nil {
			return nil, t.refused(fmt.Errorf("what the database returns: %w", err))
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, t.failed(t.s.failure(t.ctx, err))
	}
	return out, nil
}
