package storetest

import (
	"slices"
	"testing"

	"github.com/trefoil-im/trefoil/state/store"
)

// TestKitFindsBrokenStores shows that each way in which a store can be wrong makes the kit fail, in the test that is
// named beside it among others.
func TestKitFindsBrokenStores(t *testing.T) {
	for _, d := range diseases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			var others []string
			for _, c := range slices.SortedFunc(slices.Values(checks), d.first) {
				failures := record(t, func(tb testing.TB) { c.run(newProbe(tb, d.place())) })
				if len(failures) > 0 && c.name == d.found {
					return
				}
				if len(failures) > 0 {
					others = append(others, c.name+": "+failures[0])
				}
			}
			t.Fatalf("not found by %q, but by %d tests: %q", d.found, len(others), others)
		})
	}
}

// TestKitPassesASoundStore shows that the wrapper under the broken stores is not what the kit finds, nor the recorder.
func TestKitPassesASoundStore(t *testing.T) {
	for _, c := range checks {
		for _, failure := range record(t, func(tb testing.TB) {
			c.run(newProbe(tb, each(func(s store.Store) store.Store { return broken{Store: s} })()))
		}) {
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
	place       func() Backend
}

// first orders the check that must find it before the others, which are only asked if it does not.
func (d disease) first(a, b check) int {
	switch d.found {
	case a.name:
		return -1
	case b.name:
		return 1
	}
	return 0
}

// each breaks every handle on a memory.
func each(break_ func(store.Store) store.Store) func() Backend {
	return func() Backend {
		m := store.NewMemory()
		return func(testing.TB) store.Store { return break_(m) }
	}
}

// all breaks a memory once, for all its handles.
func all(break_ func(store.Store) store.Store) func() Backend {
	return func() Backend {
		s := break_(store.NewMemory())
		return func(testing.TB) store.Store { return s }
	}
}

var diseases = slices.Concat(rowDiseases, commitDiseases, skewDiseases, sideDiseases)
