// Package relaytest holds the tests that every store.Store of a relay must pass, a Store that fails on demand, and a dump that
// tells two states apart. It needs nothing but the standard library:
//
//	func TestStore(t *testing.T) {
//		relaytest.Run(t, func(tb testing.TB) relaytest.Backend {
//			path := filepath.Join(tb.TempDir(), "test.db")
//			return func(tb testing.TB) store.Store { return open(tb, path) }
//		})
//	}
package relaytest

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/trefoil-im/trefoil/relay/store"
)

// Backend is one place where rows are kept. Each call opens one more handle on it, as another process would, and fails the test
// if it cannot. A handle that is an io.Closer is closed by the test that opened it; what was written through it must be found
// by the next.
type Backend func(testing.TB) store.Store

// Run tests the Store that empty makes a place for. Every test has a new and empty place, and leaves it as it likes.
func Run(t *testing.T, empty func(testing.TB) Backend) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(newProbe(t, empty(t))) })
	}
}

// check is one test of the kit.
type check struct {
	name string
	run  func(*probe)
}

var checks = []check{
	{"rows are found again", found},
	{"put replaces and adds", puts},
	{"any bytes are kept", anyBytes},
	{"scans are ordered and bounded", scans},
	{"random transactions do what the rules say", randomTransactions},
	{"every failed write undoes the transaction", failedWrites},
	{"an error of a call loses the transaction", lostTransactions},
	{"a panic undoes the transaction", panics},
	{"an ended context changes nothing", endedContext},
	{"keys are unique", keys},
	{"unique columns are unique", uniques},
	{"references hold", references},
	{"lengths and ranges hold", ranges},
	{"the low one is below the high one", below},
	{"a reader sees one moment", oneMoment},
	{"of many counts none is lost", counts},
	{"who adds a row beside a rival adds the next one", appends},
	{"who removes a row beside a rival removes what refers to it", removes},
	{"checks hold until the commit", skew},
	{"slices are neither kept nor shared", scribbling},
}

// probe is the running test of one store: two handles on the same place.
type probe struct {
	testing.TB
	open     Backend
	s, other store.Store
}

func newProbe(tb testing.TB, open Backend) *probe {
	p := &probe{TB: tb, open: open}
	p.s, p.other = open(tb), open(tb)
	tb.Cleanup(func() {
		p.done(p.s)
		p.done(p.other)
	})
	return p
}

// done closes a handle.
func (p *probe) done(s store.Store) {
	p.Helper()
	if c, ok := s.(io.Closer); ok {
		p.must(c.Close())
	}
}

// must ends the test if err is one.
func (p *probe) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatalf("unexpected error: %v", err)
	}
}

// refused ends the test if err is not the wanted error.
func (p *probe) refused(err, want error, what string) {
	p.Helper()
	if !errors.Is(err, want) {
		p.Fatalf("%s: got error %v, want %v", what, err, want)
	}
}

// update runs a transaction.
func (p *probe) update(f func(store.Tx) error) error { return p.s.Update(p.Context(), f) }

// insert writes rows in a transaction of their own.
func (p *probe) insert(t *store.Table, rows ...store.Row) error {
	return p.update(func(tx store.Tx) error { return tx.Insert(t, rows...) })
}

// ready writes row n of a table with all that it refers to.
func (p *probe) ready(t *store.Table, n int) store.Row {
	p.Helper()
	p.must(p.update(func(tx store.Tx) error {
		if err := parents(tx, t, n); err != nil {
			return err
		}
		return tx.Put(t, row(t, n))
	}))
	return row(t, n)
}

// scan returns the rows that another handle finds.
func (p *probe) scan(t *store.Table, q store.Query) (rows []store.Row) {
	p.Helper()
	p.must(p.other.View(p.Context(), func(r store.Reader) (err error) {
		rows, err = r.Scan(t, q)
		return err
	}))
	return rows
}

// dump is Dump through another handle.
func (p *probe) dump() string {
	p.Helper()
	d, err := Dump(p.Context(), p.other)
	p.must(err)
	return d
}

// ended returns a context that has ended.
func (p *probe) ended() context.Context {
	ctx, cancel := context.WithCancel(p.Context())
	cancel()
	return ctx
}
