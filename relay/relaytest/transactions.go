package relaytest

import (
	"context"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/relay/store"
)

// several writes to several tables, in each way, and more rows at once than a statement may take.
func several(tx store.Tx) error {
	if err := parents(tx, store.Items, 5); err != nil {
		return err
	}
	if err := tx.Insert(store.Items, row(store.Items, 5)); err != nil {
		return err
	}
	if err := tx.Delete(store.Mailboxes, store.Mailboxes.Key(row(store.Mailboxes, 1))); err != nil {
		return err
	}
	r := row(store.Persons, 1)
	r[1] = int64(99)
	var many []store.Row
	for n := range 10 {
		many = append(many, row(store.Hashes, n))
	}
	if err := tx.Put(store.Persons, r); err != nil {
		return err
	}
	return tx.Insert(store.Hashes, many...)
}

func failedWrites(p *probe) {
	p.ready(store.Mailboxes, 1)
	before := p.dump()
	for n := 1; ; n++ {
		failed := false
		err := Fail(p.s, n, func() { failed = true }).Update(p.Context(), several)
		if !failed {
			p.must(err)
			break
		}
		p.refused(err, ErrFault, fmt.Sprint("write ", n))
		if p.dump() != before {
			p.Fatalf("write %d failed, and something was changed", n)
		}
	}
	if p.dump() == before {
		p.Fatal("nothing was changed when no write failed")
	}
}

// lostTransactions swallows the error of a call.
func lostTransactions(p *probe) {
	p.ready(store.Mailboxes, 1)
	before := p.dump()
	for name, bad := range map[string]func(store.Tx) error{
		"insertion": func(tx store.Tx) error { return tx.Insert(store.Persons, row(store.Persons, 1)) },
		"form":      func(tx store.Tx) error { return tx.Insert(store.Persons, store.Row{}) },
		"reference": func(tx store.Tx) error { return tx.Put(store.Mailboxes, row(store.Mailboxes, 2)) },
		"key":       func(tx store.Tx) error { return tx.Delete(store.Persons, store.Key{}) },
		"index": func(tx store.Tx) error {
			_, err := tx.Scan(store.Persons, store.Query{Index: "none", Limit: 1})
			return err
		},
		"get": func(tx store.Tx) error {
			_, err := tx.Get(store.Persons, store.Key{"text"})
			return err
		},
	} {
		var inner error
		err := p.update(func(tx store.Tx) error {
			if err := several(tx); err != nil {
				return err
			}
			inner = bad(tx)
			return nil
		})
		if inner == nil || err == nil || !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrConstraint) {
			p.Fatalf("%s: the call returned %v, the transaction %v", name, inner, err)
		}
		if p.dump() != before {
			p.Fatalf("%s: a lost transaction changed something", name)
		}
	}
}

func panics(p *probe) {
	p.ready(store.Mailboxes, 1)
	before := p.dump()
	func() {
		defer func() { recover() }()
		p.update(func(tx store.Tx) error {
			if err := several(tx); err != nil {
				return err
			}
			panic("a function that panics")
		})
	}()
	if p.dump() != before {
		p.Fatal("a function that panicked changed something")
	}
	p.must(p.update(several))
}

func endedContext(p *probe) {
	p.ready(store.Mailboxes, 1)
	before := p.dump()
	p.refused(p.s.Update(p.ended(), several), context.Canceled, "Update")
	p.refused(p.s.View(p.ended(), func(r store.Reader) error {
		_, err := r.Scan(store.Persons, store.Query{Limit: 1})
		return err
	}), context.Canceled, "View")
	ctx, cancel := context.WithCancel(p.Context())
	defer cancel()
	p.refused(p.s.Update(ctx, func(tx store.Tx) error {
		err := several(tx)
		cancel()
		return err
	}), context.Canceled, "Update that is cancelled")
	if p.dump() != before {
		p.Fatal("something was changed after the context ended")
	}
	p.must(p.update(several))
}

// scribbling overwrites what was given to a store and what it returned.
func scribbling(p *probe) {
	scribble := func(r store.Row) {
		for i, v := range r {
			if b, ok := v.([]byte); ok {
				for i := range b {
					b[i] = '#'
				}
			} else {
				r[i] = int64(1)
			}
		}
	}
	var given []store.Row
	p.must(p.update(func(tx store.Tx) error {
		for range 2 {
			r := row(store.Persons, len(given))
			given = append(given, r)
			if err := tx.Put(store.Persons, r); err != nil {
				return err
			}
			scribble(r)
		}
		return nil
	}))
	before := p.dump()
	for range 2 {
		var got []store.Row
		p.must(p.s.View(p.Context(), func(r store.Reader) error {
			scanned, err := r.Scan(store.Persons, store.Query{Limit: 9})
			if err != nil {
				return err
			}
			more, err := r.Get(store.Persons, store.Persons.Key(row(store.Persons, 0)))
			got = append(scanned, more...)
			return err
		}))
		if len(got) != 3 {
			p.Fatalf("got %d rows, want 3", len(got))
		}
		for _, r := range got {
			if !equal(r, row(store.Persons, 0)) && !equal(r, row(store.Persons, 1)) {
				p.Fatal("a store goes on using what it returned")
			}
			scribble(r)
		}
	}
	if p.dump() != before {
		p.Fatal("what a store was given or returned is what it holds")
	}
}
