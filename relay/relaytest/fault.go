package relaytest

import (
	"context"
	"errors"

	"github.com/trefoil-im/trefoil/relay/store"
)

// ErrFault is what a transaction returns that was made to fail.
var ErrFault = errors.New("relaytest: injected fault")

// AtCommit, as the number of a write, is the commit: all writes were made, and it fails.
const AtCommit = -1

// Fail returns a Store like s of which the nth write of each transaction fails, with ErrFault: 1 for the first, AtCommit for
// the commit. A row that is inserted, put or deleted is one write. A transaction with fewer writes succeeds. Failed, if it is
// not nil, is called for each transaction that was made to fail. A test that runs once for each n, until none has failed, has
// tried them all.
func Fail(s store.Store, n int, failed func()) store.Store { return faulty{s, n, failed} }

type faulty struct {
	store.Store
	n      int
	failed func()
}

// Update implements store.Store.
func (s faulty) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.Store.Update(ctx, func(inner store.Tx) error {
		tx := &faultyTx{Tx: inner, left: s.n}
		err := f(tx)
		if err == nil && s.n == AtCommit {
			err = ErrFault
		}
		if tx.err != nil {
			err = tx.err
		}
		if errors.Is(err, ErrFault) && s.failed != nil {
			s.failed()
		}
		return err
	})
}

type faultyTx struct {
	store.Tx
	left int
	err  error
}

// fails makes the writes before the one that fails, if that is among n.
func (tx *faultyTx) fails(n int, do func(n int) error) error {
	if tx.err != nil {
		return tx.err
	}
	if tx.left <= 0 || tx.left > n {
		tx.left -= n
		return do(n)
	}
	if tx.left > 1 {
		if err := do(tx.left - 1); err != nil {
			return err
		}
	}
	tx.err = ErrFault
	return ErrFault
}

func (tx *faultyTx) Insert(t *store.Table, rows ...store.Row) error {
	return tx.fails(len(rows), func(n int) error { return tx.Tx.Insert(t, rows[:n]...) })
}

func (tx *faultyTx) Put(t *store.Table, rows ...store.Row) error {
	return tx.fails(len(rows), func(n int) error { return tx.Tx.Put(t, rows[:n]...) })
}

func (tx *faultyTx) Delete(t *store.Table, keys ...store.Key) error {
	return tx.fails(len(keys), func(n int) error { return tx.Tx.Delete(t, keys[:n]...) })
}
