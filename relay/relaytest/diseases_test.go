package relaytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/trefoil-im/trefoil/relay/store"
)

var diseases = []disease{
	{"a row is not found", "rows are found again", func(s store.Store) store.Store {
		return broken{Store: s, get: func(r store.Reader, t *store.Table, keys []store.Key) ([]store.Row, error) {
			return r.Get(t, keys[:1]...)
		}}
	}},
	{"put does not replace", "put replaces and adds", func(s store.Store) store.Store {
		return broken{Store: s, put: func(tx store.Tx, t *store.Table, rows []store.Row) error {
			for _, r := range rows {
				if there, err := tx.Get(t, t.Key(r)); err != nil || len(there) > 0 {
					return err
				}
				if err := tx.Insert(t, r); err != nil {
					return err
				}
			}
			return nil
		}}
	}},
	{"trailing zeros are cut off", "any bytes are kept", writing(func(t *store.Table, r store.Row) store.Row {
		if t == store.Messages {
			r[len(r)-1] = bytes.TrimRight(r[len(r)-1].([]byte), "\x00")
		}
		return r
	})},
	{"the limit is one more", "scans are ordered and bounded", scanning(func(t *store.Table, q store.Query) store.Query {
		q.Limit++
		return q
	})},
	{"after is not exclusive", "scans are ordered and bounded", scanning(func(t *store.Table, q store.Query) store.Query {
		if n := len(q.After) - 1; n >= 0 {
			if last, ok := q.After[n].(int64); ok {
				q.After = slices.Clone(q.After)
				q.After[n] = last - 1
			}
		}
		return q
	})},
	{"rows come backwards", "scans are ordered and bounded", func(s store.Store) store.Store {
		return broken{Store: s, scan: func(r store.Reader, t *store.Table, q store.Query) ([]store.Row, error) {
			rows, err := r.Scan(t, q)
			slices.Reverse(rows)
			return rows, err
		}}
	}},
	{"a deletion deletes nothing", "random transactions do what the rules say", removing(func(keys []store.Key) []store.Key {
		return keys[:0]
	})},
	{"what fails is kept", "every failed write undoes the transaction", keeping(func(err error) bool {
		return errors.Is(err, ErrFault)
	})},
	{"an error may be swallowed", "an error of a call loses the transaction", func(s store.Store) store.Store {
		return broken{Store: s, insert: func(tx store.Tx, t *store.Table, rows []store.Row) error {
			for _, r := range rows {
				if err := tried(tx, t, r); err != nil {
					return err // without the transaction knowing
				}
			}
			return tx.Insert(t, rows...)
		}}
	}},
	{"a panic commits", "a panic undoes the transaction", func(s store.Store) store.Store {
		return broken{Store: s, update: func(ctx context.Context, s store.Store, f func(store.Tx) error) error {
			var what any
			err := s.Update(ctx, func(tx store.Tx) error {
				defer func() { what = recover() }()
				return f(tx)
			})
			if what != nil {
				panic(what)
			}
			return err
		}}
	}},
	{"the context is not looked at", "an ended context changes nothing", func(s store.Store) store.Store {
		return broken{Store: s, update: func(ctx context.Context, s store.Store, f func(store.Tx) error) error {
			return s.Update(context.WithoutCancel(ctx), f)
		}}
	}},
	{"insert replaces", "keys are unique", func(s store.Store) store.Store {
		return broken{Store: s, insert: func(tx store.Tx, t *store.Table, rows []store.Row) error { return tx.Put(t, rows...) }}
	}},
	{"what is taken is dropped in silence", "unique columns are unique", skipping(store.ErrExists)},
	{"what refers to nothing is dropped in silence", "references hold", skipping(store.ErrConstraint)},
	{"what is too long is cut", "lengths and ranges hold", writing(func(t *store.Table, r store.Row) store.Row {
		for i, c := range t.Columns[:min(len(r), len(t.Columns))] {
			if b, ok := r[i].([]byte); ok && int64(len(b)) > c.Max {
				r[i] = b[:c.Max]
			}
		}
		return r
	})},
	{"a NULL becomes a zero", "lengths and ranges hold", writing(func(t *store.Table, r store.Row) store.Row {
		for i, c := range t.Columns[:min(len(r), len(t.Columns))] {
			if r[i] == nil && !c.IsBytes {
				r[i] = c.Min
			}
		}
		return r
	})},
	{"pairs are turned around", "the low one is below the high one", writing(func(t *store.Table, r store.Row) store.Row {
		if t.Below != nil && store.Compare(r[:1], r[1:2]) > 0 {
			r[0], r[1] = r[1], r[0]
		}
		return r
	})},
	{"every read is of its own moment", "a reader sees one moment", func(s store.Store) store.Store { return torn{s} }},
	{"transactions do not see each other", "of many counts none is lost", func(s store.Store) store.Store {
		return unordered{s, new(sync.Mutex), false}
	}},
	{"only what is written is compared", "checks hold until the commit", func(s store.Store) store.Store {
		return unordered{s, new(sync.Mutex), true}
	}},
	{"the row of a rival is an error", "who adds a row beside a rival adds the next one", func(s store.Store) store.Store {
		return unordered{s, new(sync.Mutex), false}
	}},
	{"a reference that a rival adds is an error", "who removes a row beside a rival removes what refers to it", func(s store.Store) store.Store {
		return unordered{s, new(sync.Mutex), true}
	}},
	{"rows are shared", "slices are neither kept nor shared", func(s store.Store) store.Store { return &sharing{Store: s} }},
}

// scanning breaks Scan by altering the queries that it is given.
func scanning(alter func(*store.Table, store.Query) store.Query) func(store.Store) store.Store {
	return func(s store.Store) store.Store {
		return broken{Store: s, scan: func(r store.Reader, t *store.Table, q store.Query) ([]store.Row, error) {
			return r.Scan(t, alter(t, q))
		}}
	}
}

// removing breaks Delete by altering the keys that it is given.
func removing(alter func([]store.Key) []store.Key) func(store.Store) store.Store {
	return func(s store.Store) store.Store {
		return broken{Store: s, remove: func(tx store.Tx, t *store.Table, keys []store.Key) error {
			return tx.Delete(t, alter(keys)...)
		}}
	}
}

// skipping breaks Update: what it would refuse with an error, it leaves out in silence.
func skipping(refused error) func(store.Store) store.Store {
	return func(s store.Store) store.Store {
		return broken{Store: s, update: func(ctx context.Context, s store.Store, f func(store.Tx) error) error {
			err := s.Update(ctx, f)
			if errors.Is(err, refused) {
				return nil
			}
			return err
		}}
	}
}

// torn runs each read of a View in a View of its own.
type torn struct{ store.Store }

func (s torn) View(ctx context.Context, f func(store.Reader) error) error {
	return f(tornReader{ctx, s.Store})
}

type tornReader struct {
	ctx context.Context
	s   store.Store
}

func (r tornReader) Get(t *store.Table, keys ...store.Key) (rows []store.Row, err error) {
	err = r.s.View(r.ctx, func(r store.Reader) (err error) {
		rows, err = r.Get(t, keys...)
		return err
	})
	return rows, err
}

func (r tornReader) Scan(t *store.Table, q store.Query) (rows []store.Row, err error) {
	err = r.s.View(r.ctx, func(r store.Reader) (err error) {
		rows, err = r.Scan(t, q)
		return err
	})
	return rows, err
}

// unordered runs f in a View, collects what it writes, and writes that afterwards: a transaction that is not isolated. With
// compares, Update runs again if one of the rows to be written was changed meanwhile, as many databases do.
type unordered struct {
	store.Store
	mu       *sync.Mutex
	compares bool
}

func (s unordered) Update(ctx context.Context, f func(store.Tx) error) error {
	for {
		tx := &collecting{ctx: ctx, tornReader: tornReader{ctx, s.Store}, seen: map[string]store.Row{}}
		if err := f(tx); err != nil {
			return err
		}
		again := false
		err := s.Store.Update(ctx, func(inner store.Tx) error {
			for _, w := range tx.writes {
				again = again || s.compares && w.stale(inner)
			}
			for _, w := range tx.writes {
				if again {
					return nil
				}
				if err := w.do(inner); err != nil {
					return err
				}
			}
			return nil
		})
		if !again {
			return err
		}
	}
}

type collecting struct {
	tornReader
	ctx    context.Context
	seen   map[string]store.Row
	writes []write
}

type write struct {
	do    func(store.Tx) error
	stale func(store.Tx) bool
}

func (tx *collecting) Get(t *store.Table, keys ...store.Key) ([]store.Row, error) {
	rows, err := tx.tornReader.Get(t, keys...)
	for _, r := range rows {
		tx.seen[t.Name+fmt.Sprint(t.Key(r))] = r.Clone()
	}
	return rows, err
}

func (tx *collecting) note(t *store.Table, rows []store.Row, do func(store.Tx) error) error {
	tx.writes = append(tx.writes, write{do, func(inner store.Tx) bool {
		for _, r := range rows {
			now, _ := inner.Get(t, t.Key(r))
			before, read := tx.seen[t.Name+fmt.Sprint(t.Key(r))]
			if read && (len(now) == 0 || !equal(now[0], before)) {
				return true
			}
		}
		return false
	}})
	return nil
}

func (tx *collecting) Insert(t *store.Table, rows ...store.Row) error {
	return tx.note(t, rows, func(inner store.Tx) error { return inner.Insert(t, rows...) })
}

func (tx *collecting) Put(t *store.Table, rows ...store.Row) error {
	return tx.note(t, rows, func(inner store.Tx) error { return inner.Put(t, rows...) })
}

func (tx *collecting) Delete(t *store.Table, keys ...store.Key) error {
	return tx.note(t, nil, func(inner store.Tx) error { return inner.Delete(t, keys...) })
}

// sharing answers reads from the rows that it returned before.
type sharing struct {
	store.Store
	last []store.Row
}

func (s *sharing) View(ctx context.Context, f func(store.Reader) error) error {
	return s.Store.View(ctx, func(r store.Reader) error { return f(sharingReader{r, s}) })
}

type sharingReader struct {
	store.Reader
	s *sharing
}

func (r sharingReader) Scan(t *store.Table, q store.Query) ([]store.Row, error) {
	if t == store.Persons && r.s.last != nil {
		return r.s.last, nil
	}
	rows, err := r.Reader.Scan(t, q)
	if t == store.Persons && len(rows) > 0 {
		r.s.last = rows
	}
	return rows, err
}
