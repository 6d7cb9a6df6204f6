package storetest

import (
	"errors"
	"sync"

	"github.com/trefoil-im/trefoil/state/store"
)

// skew lets two commits run at once of which each asserts what the other changes. One of them comes after the other, so that
// it is refused: with rows that are there, and with rows that are not.
func skew(p *probe) {
	for round := range 16 {
		ids := [2]store.ID{store.NewID(), store.NewID()}
		var rows [2]model
		if round%2 == 0 {
			for i, k := range kinds {
				rows[i] = p.create(k, ids[i])
			}
		}
		var changes [2]store.Change
		for i, k := range kinds {
			changes[i] = full(k, rows[i])
			changes[i].Kind, changes[i].ID = k, ids[i]
		}
		asserting := func(i int) []store.Change {
			other := store.Change{Kind: changes[1-i].Kind, ID: changes[1-i].ID, Base: changes[1-i].Base}
			return []store.Change{other, changes[i]}
		}
		errs := p.atOnce(asserting(0), asserting(1))
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		if errs[winner] != nil || !errors.Is(errs[1-winner], store.ErrConflict) {
			p.Fatalf("two commits that assert what the other changes returned %v and %v", errs[0], errs[1])
		}
		rows[winner] = rows[winner].next(changes[winner])
		for i, k := range kinds {
			p.holds(k, ids[i], rows[i])
		}
	}
}

// burial creates a row while it is deleted. Whichever comes first, it stays deleted.
func burial(p *probe) {
	for range 16 {
		k, id := store.Spaces, store.NewID()
		m := p.create(k, id)
		create := full(k, model{})
		create.Kind, create.ID, create.Revive = k, id, false
		errs := p.atOnce([]store.Change{{Kind: k, ID: id, Base: m.head, Delete: true}}, []store.Change{create})
		p.must(errs[0])
		if !errors.Is(errs[1], store.ErrExists) && !errors.Is(errs[1], store.ErrDeleted) {
			p.Fatalf("a row was created while it was deleted: %v", errs[1])
		}
		p.holds(k, id, model{})
		p.refused(p.s.Commit(p.Context(), create), store.ErrDeleted)
	}
}

// atOnce makes two commits on two handles.
func (p *probe) atOnce(a, b []store.Change) (errs [2]error) {
	var both, ready sync.WaitGroup
	ready.Add(2)
	for i, changes := range [][]store.Change{a, b} {
		both.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = []store.Store{p.s, p.other}[i].Commit(p.Context(), changes...)
		})
	}
	both.Wait()
	return errs
}
