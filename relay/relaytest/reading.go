package relaytest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/trefoil-im/trefoil/relay/store"
)

func found(p *probe) {
	for _, t := range store.Schema {
		want := p.ready(t, 1)
		p.must(p.other.View(p.Context(), func(r store.Reader) error {
			rows, err := r.Get(t, t.Key(row(t, 2)), t.Key(want), t.Key(want))
			if err == nil && (len(rows) != 1 || !equal(rows[0], want)) {
				err = fmt.Errorf("%s: got %d rows, want the one that is there", t.Name, len(rows))
			}
			return err
		}))
	}
	fresh := p.open(p)
	defer p.done(fresh)
	after, err := Dump(p.Context(), fresh)
	p.must(err)
	if after != p.dump() {
		p.Fatal("a new handle finds something else")
	}
}

func puts(p *probe) {
	r := p.ready(store.Mailboxes, 1)
	r[1] = int64(7)
	p.must(p.update(func(tx store.Tx) error {
		if err := tx.Put(store.Mailboxes, r); err != nil {
			return err
		}
		rows, err := tx.Get(store.Mailboxes, store.Mailboxes.Key(r))
		if err == nil && (len(rows) != 1 || !equal(rows[0], r)) {
			err = fmt.Errorf("a transaction does not read what it wrote: %v", rows)
		}
		return err
	}))
	if rows := p.scan(store.Mailboxes, store.Query{Limit: 9}); len(rows) != 1 || !equal(rows[0], r) {
		p.Fatalf("got %d rows after a row was replaced", len(rows))
	}
	p.must(p.update(func(tx store.Tx) error {
		return tx.Delete(store.Mailboxes, store.Mailboxes.Key(r), store.Key{make([]byte, 32)})
	}))
	if rows := p.scan(store.Mailboxes, store.Query{Limit: 9}); len(rows) != 0 {
		p.Fatalf("got %d rows after the row was deleted", len(rows))
	}
}

func anyBytes(p *probe) {
	r := p.ready(store.Messages, 1)
	for _, data := range [][]byte{{}, {0}, bytes.Repeat([]byte{0}, 100), bytes.Repeat([]byte{0xff}, 100), []byte("'; --\x00\xc3\x28"), data("long", 1<<20)} {
		r[len(r)-1] = data
		r[2] = append([]byte("topic \x00\xff"), make([]byte, len(data)%50)...)
		p.must(p.update(func(tx store.Tx) error { return tx.Put(store.Messages, r) }))
		if rows := p.scan(store.Messages, store.Query{Limit: 9}); len(rows) != 1 || !equal(rows[0], r) {
			p.Fatalf("%d bytes do not come back", len(data))
		}
	}
}

// scans compares every query over some rows of an index with what sorting and picking says.
func scans(p *probe) {
	const many = 12
	t := store.Items // two columns of the key, and an index over another column
	var all []store.Row
	p.must(p.update(func(tx store.Tx) error {
		all = nil
		for n := range many {
			if err := parents(tx, t, n); err != nil {
				return err
			}
		}
		for n := range many * many {
			r := row(t, n%many)
			r[1] = int64(n*n%97 + 1)
			r[2] = row(store.Messages, n%5)[0]
			if slices.ContainsFunc(all, func(o store.Row) bool { return equal(o[:2], r[:2]) }) {
				continue
			}
			all = append(all, r)
		}
		return tx.Insert(t, all...)
	}))
	for _, index := range []string{"", "message"} {
		order, err := t.Order(index)
		p.must(err)
		for n := range many {
			at := all[n*7]
			for equalColumns := range len(order) {
				q := store.Query{Index: index, Equal: pick(at, order[:equalColumns]), Limit: 5}
				p.finds(t, all, order, q)
				q.Limit = 1000
				p.finds(t, all, order, q)
				q.After = pick(at, order[equalColumns:])
				p.finds(t, all, order, q)
				q.Limit = 0
				p.finds(t, all, order, q)
			}
		}
	}
}

func (p *probe) finds(t *store.Table, all []store.Row, order []int, q store.Query) {
	p.Helper()
	var want []store.Row
	for _, r := range all {
		k := pick(r, order)
		if store.Compare(k[:len(q.Equal)], q.Equal) == 0 && (q.After == nil || store.Compare(k[len(q.Equal):], q.After) > 0) {
			want = append(want, r)
		}
	}
	slices.SortFunc(want, func(a, b store.Row) int { return store.Compare(pick(a, order), pick(b, order)) })
	want = want[:min(len(want), q.Limit)]
	if got := p.scan(t, q); !slices.EqualFunc(got, want, equal) {
		p.Fatalf("%s: a scan of %d columns equal, after %v, at most %d: got %d rows, want %d, or in another order",
			t.Name, len(q.Equal), q.After != nil, q.Limit, len(got), len(want))
	}
}

func pick(r store.Row, places []int) store.Key {
	var k store.Key
	for _, i := range places {
		k = append(k, r[i])
	}
	return k
}

// randomTransactions compares a store with a map through random writes, some of which are given up.
func randomTransactions(p *probe) {
	const seed = 11
	random := rand.New(rand.NewPCG(seed, 0))
	t := store.Hashes // refers to nothing
	model := map[int64]store.Row{}
	for step := range 60 {
		next := map[int64]store.Row{}
		for k, r := range model {
			next[k] = r
		}
		fails := random.IntN(3) == 0
		ops := random.Perm(40)[:1+random.IntN(20)]
		err := p.update(func(tx store.Tx) error {
			for _, k := range ops {
				r := store.Row{int64(k), data(fmt.Sprint(step), 32)}
				_, there := model[int64(k)]
				var err error
				switch {
				case (k+step)%3 == 0:
					delete(next, int64(k))
					err = tx.Delete(t, store.Key{int64(k)})
				case there:
					next[int64(k)] = r
					err = tx.Put(t, r)
				default:
					next[int64(k)] = r
					err = tx.Insert(t, r)
				}
				if err != nil {
					return err
				}
			}
			if fails {
				return ErrFault
			}
			return nil
		})
		if fails {
			p.refused(err, ErrFault, "a transaction that is given up")
		} else {
			p.must(err)
			model = next
		}
		got := p.scan(t, store.Query{Limit: 1000})
		if len(got) != len(model) {
			p.Fatalf("seed %d, step %d: %d rows, want %d", seed, step, len(got), len(model))
		}
		for _, r := range got {
			if !equal(r, model[r[0].(int64)]) {
				p.Fatalf("seed %d, step %d: row %d is another one", seed, step, r[0])
			}
		}
	}
}
