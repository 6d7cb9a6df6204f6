package relaytest

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/trefoil-im/trefoil/relay/store"
)

// TestKitFindsBrokenStores shows that each way in which a store can be wrong makes the check fail that is named beside it. On one
// processor a transaction that gives way is sure to let its rival through; on several the thread that runs the rival may have to wait
// for the machine meanwhile.
func TestKitFindsBrokenStores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, d := range diseases {
		t.Run(d.name, func(t *testing.T) {
			i := slices.IndexFunc(checks, func(c check) bool { return c.name == d.found })
			if i < 0 {
				t.Fatalf("there is no check %q", d.found)
			}
			m := store.NewMemory()
			place := func(testing.TB) store.Store { return d.breaks(m) }
			if len(record(t, func(tb testing.TB) { checks[i].run(newProbe(tb, place)) })) == 0 {
				t.Fatalf("not found by %q", d.found)
			}
		})
	}
}

// TestKitPassesASoundStore shows that the wrapper under the broken stores is not what the kit finds, nor the recorder.
func TestKitPassesASoundStore(t *testing.T) {
	for _, c := range checks {
		m := store.NewMemory()
		place := func(testing.TB) store.Store { return broken{Store: m} }
		for _, failure := range record(t, func(tb testing.TB) { c.run(newProbe(tb, place)) }) {
			t.Errorf("%s: %s", c.name, failure)
		}
	}
}

// TestEveryCheckFindsSomething keeps checks out of the kit that nothing shows to be of use.
func TestEveryCheckFindsSomething(t *testing.T) {
	for _, c := range checks {
		if !slices.ContainsFunc(diseases, func(d disease) bool { return d.found == c.name }) {
			t.Errorf("no broken store is there for %q", c.name)
		}
	}
}

// disease is one way of being wrong, and the check that must find it.
type disease struct {
	name, found string
	breaks      func(store.Store) store.Store
}

// broken is a sound store with some of its parts replaced. A nil function leaves the part as it is.
type broken struct {
	store.Store
	update func(ctx context.Context, s store.Store, f func(store.Tx) error) error
	get    func(r store.Reader, t *store.Table, keys []store.Key) ([]store.Row, error)
	scan   func(r store.Reader, t *store.Table, q store.Query) ([]store.Row, error)
	insert func(tx store.Tx, t *store.Table, rows []store.Row) error
	put    func(tx store.Tx, t *store.Table, rows []store.Row) error
	remove func(tx store.Tx, t *store.Table, keys []store.Key) error
}

func (b broken) View(ctx context.Context, f func(store.Reader) error) error {
	return b.Store.View(ctx, func(r store.Reader) error { return f(brokenReader{r, b}) })
}

func (b broken) Update(ctx context.Context, f func(store.Tx) error) error {
	wrapped := func(tx store.Tx) error { return f(brokenTx{tx, brokenReader{tx, b}}) }
	if b.update == nil {
		return b.Store.Update(ctx, wrapped)
	}
	return b.update(ctx, b.Store, wrapped)
}

type brokenReader struct {
	store.Reader
	b broken
}

func (r brokenReader) Get(t *store.Table, keys ...store.Key) ([]store.Row, error) {
	if r.b.get == nil {
		return r.Reader.Get(t, keys...)
	}
	return r.b.get(r.Reader, t, keys)
}

func (r brokenReader) Scan(t *store.Table, q store.Query) ([]store.Row, error) {
	if r.b.scan == nil {
		return r.Reader.Scan(t, q)
	}
	return r.b.scan(r.Reader, t, q)
}

type brokenTx struct {
	store.Tx
	r brokenReader
}

func (tx brokenTx) Get(t *store.Table, keys ...store.Key) ([]store.Row, error) {
	return tx.r.Get(t, keys...)
}

func (tx brokenTx) Scan(t *store.Table, q store.Query) ([]store.Row, error) { return tx.r.Scan(t, q) }

func (tx brokenTx) Insert(t *store.Table, rows ...store.Row) error {
	if tx.r.b.insert == nil {
		return tx.Tx.Insert(t, rows...)
	}
	return tx.r.b.insert(tx.Tx, t, rows)
}

func (tx brokenTx) Put(t *store.Table, rows ...store.Row) error {
	if tx.r.b.put == nil {
		return tx.Tx.Put(t, rows...)
	}
	return tx.r.b.put(tx.Tx, t, rows)
}

func (tx brokenTx) Delete(t *store.Table, keys ...store.Key) error {
	if tx.r.b.remove == nil {
		return tx.Tx.Delete(t, keys...)
	}
	return tx.r.b.remove(tx.Tx, t, keys)
}

// writing breaks Insert and Put by altering the rows that they are given.
func writing(alter func(t *store.Table, r store.Row) store.Row) func(store.Store) store.Store {
	all := func(t *store.Table, rows []store.Row) []store.Row {
		rows = slices.Clone(rows)
		for i := range rows {
			rows[i] = alter(t, rows[i].Clone())
		}
		return rows
	}
	return func(s store.Store) store.Store {
		return broken{Store: s,
			insert: func(tx store.Tx, t *store.Table, rows []store.Row) error { return tx.Insert(t, all(t, rows)...) },
			put:    func(tx store.Tx, t *store.Table, rows []store.Row) error { return tx.Put(t, all(t, rows)...) },
		}
	}
}

// keeping breaks Update: what f wrote before it failed is kept if when says so of the error. What the function returned is
// still returned.
func keeping(when func(error) bool) func(store.Store) store.Store {
	return func(s store.Store) store.Store {
		return broken{Store: s, update: func(ctx context.Context, s store.Store, f func(store.Tx) error) error {
			var failed error
			err := s.Update(ctx, func(tx store.Tx) error {
				if failed = f(tx); failed != nil && when(failed) {
					return nil
				}
				return failed
			})
			if failed != nil {
				return failed
			}
			return err
		}}
	}
}

// tried returns what the schema says against a row, and against its key if it is there.
func tried(tx store.Tx, t *store.Table, r store.Row) error {
	if err := t.CheckRow(r); err != nil {
		return err
	}
	rows, err := tx.Get(t, t.Key(r))
	if err == nil && len(rows) > 0 {
		return store.ErrExists
	}
	return err
}
