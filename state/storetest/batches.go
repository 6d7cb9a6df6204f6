package storetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/trefoil-im/trefoil/state/store"
)

// several makes changes of rows of both kinds in one commit: all of them, or none if one is refused, wherever that stands.
func several(p *probe) {
	p.must(p.s.Commit(p.Context()))
	type row struct {
		k  store.Kind
		id store.ID
		m  model
	}
	rows := make([]row, 5)
	for i := range rows {
		rows[i] = row{k: kinds[i%2], id: store.NewID()}
		if i < 4 {
			rows[i].m = p.create(rows[i].k, rows[i].id)
		}
	}
	// One of each: two updates, an assertion, a deletion, a creation.
	build := func() []store.Change {
		changes := []store.Change{
			full(rows[0].k, rows[0].m), full(rows[1].k, rows[1].m),
			{Base: rows[2].m.head}, {Base: rows[3].m.head, Delete: true}, full(rows[4].k, model{}),
		}
		for i := range changes {
			changes[i].Kind, changes[i].ID = rows[i].k, rows[i].id
		}
		return changes
	}
	same := func() {
		p.Helper()
		for _, r := range rows {
			p.holds(r.k, r.id, r.m)
		}
	}
	stale := store.Head{Version: 1, Sealed: sealed("head")}
	for i, want := range []error{store.ErrConflict, store.ErrConflict, store.ErrConflict, store.ErrConflict, store.ErrExists} {
		changes := build()
		if i < 4 {
			changes[i].Base = stale
			if i < 2 {
				changes[i].Next.Version = 2
			}
		} else {
			changes[i].ID, changes[i].Kind = rows[0].id, rows[0].k
			changes = changes[1:]
		}
		err := p.s.Commit(p.Context(), changes...)
		p.refused(err, want)
		var at *store.ChangeError
		if !errors.As(err, &at) || at.Index != min(i, 3) {
			p.Fatalf("change %d is refused with %v, which does not say which it is", i, err)
		}
		same()
	}
	twice := build()
	twice[1] = twice[0]
	if p.s.Commit(p.Context(), twice...) == nil {
		p.Fatal("two changes of one row were carried out")
	}
	same()
	taken := build() // found only when it is written
	taken[1].Frames = append(taken[1].Frames, store.FrameRecord{Hash: hash(99), Seq: 2})
	if p.s.Commit(p.Context(), taken...) == nil {
		p.Fatal("changes were carried out though a number of one is taken")
	}
	same()
	good := build()
	p.must(p.s.Commit(p.Context(), good...))
	for i := range rows {
		rows[i].m = rows[i].m.next(good[i])
	}
	same()
}

// manyBatches lets goroutines on two handles move units between four rows of both kinds, two rows in each commit, beside
// others that change one row alone. The sum stays.
func manyBatches(p *probe) {
	const writers, times, accounts = 16, 6, 4
	ids := make([]store.ID, accounts)
	kind := func(i int) store.Kind { return kinds[i%2] }
	amount := func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	for i := range ids {
		ids[i] = store.NewID()
		c := change(kind(i), model{})
		c.Parts[0] = amount(0)
		p.must(p.apply(kind(i), ids[i], c))
	}
	// add returns the change that adds n to an account.
	add := func(s store.Store, i int, n int64) (store.Change, error) {
		row, err := s.Load(p.Context(), kind(i), ids[i])
		if err != nil {
			return store.Change{}, err
		}
		c := store.Change{
			Kind: kind(i), ID: ids[i], Base: row.Head,
			Next:  store.Head{Version: row.Head.Version + 1, Sealed: sealed("head")},
			Parts: make([][]byte, len(kind(i).Parts())),
			Put:   map[string][]byte{fmt.Sprint("state/", row.Head.Version): sealed("segment")},
		}
		c.Parts[0] = amount(int64(binary.BigEndian.Uint64(row.Parts[0])) + n)
		return c, nil
	}
	// Each conflict means that another batch was faster, so there can be no more of them than there are batches.
	move := func(s store.Store, to, from int) error {
		for range writers * times {
			a, err := add(s, to, 1)
			if err != nil {
				return err
			}
			b, err := add(s, from, -1)
			if err != nil {
				return err
			}
			if err := s.Commit(p.Context(), a, b); !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
		return errors.New("a writer finds conflicts though nobody else writes")
	}
	var wg sync.WaitGroup
	for w := range writers {
		s := p.s
		if w%2 == 1 {
			s = p.other
		}
		wg.Go(func() {
			for n := range times {
				if err := move(s, (w+n)%accounts, (w+n+1+w%3)%accounts); err != nil {
					p.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	var sum int64
	versions := uint64(0)
	for i := range ids {
		row, err := p.s.Load(p.Context(), kind(i), ids[i])
		p.must(err)
		sum += int64(binary.BigEndian.Uint64(row.Parts[0]))
		versions += row.Head.Version - 1
	}
	if sum != 0 || versions != 2*writers*times {
		p.Fatalf("after %d batches the rows are worth %d, and were changed %d times", writers*times, sum, versions)
	}
}
