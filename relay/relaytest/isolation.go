package relaytest

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/trefoil-im/trefoil/relay/store"
)

// yields is how often a transaction gives way to its rival before it goes on: often enough for a rival that nothing holds up, if
// the store is in memory. A store that makes the rival wait makes it wait for longer than that.
const yields = 10_000

// rival is a transaction that is run in the middle of another one.
type rival struct {
	do   func() error
	once sync.Once
	done chan error
}

func newRival(do func() error) *rival { return &rival{do: do, done: make(chan error, 1)} }

// comes starts the rival, the first time that it is called, and returns when it is through, or has been given its chances.
func (r *rival) comes() {
	r.once.Do(func() {
		go func() { r.done <- r.do() }()
		for range yields {
			if len(r.done) > 0 {
				return
			}
			runtime.Gosched()
		}
	})
}

// ends waits for the end of the rival.
func (r *rival) ends() error {
	r.comes()
	return <-r.done
}

// oneMoment reads two rows that a writer always changes together, also between both reads.
func oneMoment(p *probe) {
	set := func(n int64) error {
		return p.other.Update(p.Context(), func(tx store.Tx) error {
			return tx.Put(store.Hashes, store.Row{int64(0), data(fmt.Sprint(n), 32)}, store.Row{int64(7), data(fmt.Sprint(n), 32)})
		})
	}
	p.must(set(0))
	for n := range int64(each) {
		writer := newRival(func() error { return set(n + 1) })
		p.must(p.s.View(p.Context(), func(r store.Reader) error {
			first, err := r.Get(store.Hashes, store.Key{int64(0)})
			if err != nil {
				return err
			}
			writer.comes()
			second, err := r.Get(store.Hashes, store.Key{int64(7)})
			if err == nil && !equal(first[0][1:], second[0][1:]) {
				err = errors.New("a reader saw half of a transaction")
			}
			return err
		}))
		p.must(writer.ends())
	}
}

// parallel is how many writers there are at once, and each how often each writes.
const (
	parallel = 6
	each     = 5
)

// together runs f in parallel through two handles.
func (p *probe) together(f func(s store.Store, n int) error) {
	p.Helper()
	var all sync.WaitGroup
	for n := range parallel {
		s := []store.Store{p.s, p.other}[n%2]
		all.Go(func() {
			if err := f(s, n); err != nil {
				p.Error(err)
			}
		})
	}
	all.Wait()
	if p.Failed() {
		p.FailNow()
	}
}

// counts adds to a number, while a rival does, and while many do.
func counts(p *probe) {
	key := p.ready(store.Mailboxes, 1)[:1]
	count := func(s store.Store, between func()) error {
		return s.Update(p.Context(), func(tx store.Tx) error {
			rows, err := tx.Get(store.Mailboxes, store.Key(key))
			if err != nil {
				return err
			}
			between()
			rows[0][1] = rows[0][1].(int64) + 1
			return tx.Put(store.Mailboxes, rows[0])
		})
	}
	other := newRival(func() error { return count(p.other, func() {}) })
	p.must(count(p.s, other.comes))
	p.must(other.ends())
	p.together(func(s store.Store, _ int) error {
		for range each {
			if err := count(s, func() {}); err != nil {
				return err
			}
		}
		return nil
	})
	want := row(store.Mailboxes, 1)[1].(int64) + 2 + parallel*each
	if got := p.scan(store.Mailboxes, store.Query{Limit: 1})[0][1]; got != want {
		p.Fatalf("%d counts, want %d", got, want)
	}
}

// appends lets each writer add the row after the last one, whose number lies in another row. Who finds the row of a rival there begins
// anew; it is no error of the caller's.
func appends(p *probe) {
	add := func(s store.Store, between func()) error {
		return s.Update(p.Context(), func(tx store.Tx) error {
			rows, err := tx.Get(store.Tree, store.Key{int64(1)})
			between()
			if err != nil {
				return err
			}
			var size int64
			if len(rows) > 0 {
				size = rows[0][1].(int64)
			}
			if err := tx.Insert(store.Hashes, store.Row{size, data(fmt.Sprint(size), 32)}); err != nil {
				return err
			}
			return tx.Put(store.Tree, store.Row{int64(1), size + 1})
		})
	}
	other := newRival(func() error { return add(p.other, func() {}) })
	p.must(add(p.s, other.comes))
	p.must(other.ends())
	p.together(func(s store.Store, _ int) error {
		for range each {
			if err := add(s, func() {}); err != nil {
				return err
			}
		}
		return nil
	})
	const want = 2 + parallel*each
	if got := len(p.scan(store.Hashes, store.Query{Limit: want + 1})); got != want {
		p.Fatalf("%d rows, want %d", got, want)
	}
}

// removes lets a writer remove a row with those that refer to it, while a rival adds one that does. If the rival was faster, its row goes,
// too; if it was not, its row is refused.
func removes(p *probe) {
	member := p.ready(store.Members, 1)
	leaver := store.Row(member[:2])
	add := func() error {
		return p.other.Update(p.Context(), func(tx store.Tx) error { return tx.Put(store.Leavers, leaver) })
	}
	other := newRival(add)
	p.must(p.s.Update(p.Context(), func(tx store.Tx) error {
		rows, err := tx.Scan(store.Leavers, store.Query{Equal: store.Key(leaver), Limit: 1})
		other.comes()
		for _, r := range rows {
			if err == nil {
				err = tx.Delete(store.Leavers, store.Leavers.Key(r))
			}
		}
		if err == nil {
			err = tx.Delete(store.Members, store.Members.Key(member))
		}
		return err
	}))
	if err := other.ends(); err != nil {
		p.refused(err, store.ErrConstraint, "a row that refers to one that was removed")
	}
	if rows := p.scan(store.Leavers, store.Query{Limit: 1}); len(rows) > 0 {
		p.Fatal("a row refers to one that was removed")
	}
}

// skew lets each writer add a row of its own only if there is none yet: as with one conversation for each pair, but without a
// key that would be unique.
func skew(p *probe) {
	only := func(s store.Store, round, n int64, between func()) error {
		return s.Update(p.Context(), func(tx store.Tx) error {
			rows, err := tx.Scan(store.Hashes, store.Query{After: store.Key{round*100 - 1}, Limit: 1})
			between()
			if err != nil || len(rows) > 0 {
				return err
			}
			return tx.Insert(store.Hashes, store.Row{round*100 + n, data(fmt.Sprint(n), 32)})
		})
	}
	other := newRival(func() error { return only(p.other, 0, 1, func() {}) })
	p.must(only(p.s, 0, 2, other.comes))
	p.must(other.ends())
	for round := range int64(each) {
		p.together(func(s store.Store, n int) error { return only(s, round, int64(n), func() {}) })
		if rows := p.scan(store.Hashes, store.Query{Limit: 100}); len(rows) != int(round)+1 {
			p.Fatalf("round %d: %d rows, of which each was to be the only one", round, len(rows))
		}
	}
}
