package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/trefoil-im/trefoil/state/store"
)

// TestFail lets each method fail in both ways and looks at what became of the row.
func TestFail(t *testing.T) {
	ctx, k := t.Context(), store.Spaces
	calls := map[string]func(store.Store, store.ID, model) error{
		"Load":   func(s store.Store, id store.ID, _ model) error { _, err := s.Load(ctx, k, id); return err },
		"Head":   func(s store.Store, id store.ID, _ model) error { _, err := s.Head(ctx, k, id); return err },
		"List":   func(s store.Store, id store.ID, _ model) error { _, err := s.List(ctx, k, id, 9); return err },
		"Commit": func(s store.Store, id store.ID, m model) error { return apply(ctx, s, k, id, full(k, m)) },
		"Items": func(s store.Store, id store.ID, _ model) error {
			_, err := s.Items(ctx, k, id, store.Outbox, 1)
			return err
		},
		"Frames": func(s store.Store, id store.ID, _ model) error { _, err := s.Frames(ctx, k, id, hash(3)); return err },
	}
	if n := reflect.TypeFor[store.Store]().NumMethod(); n != len(calls) {
		t.Fatalf("%d of %d methods are tried", len(calls), n)
	}
	changes := map[string]bool{"Commit": true}
	for method, do := range calls {
		for _, fault := range []Fault{None, Before, After} {
			mem, id := store.NewMemory(), store.NewID()
			c := full(k, model{})
			if err := apply(ctx, mem, k, id, c); err != nil {
				t.Fatal(err)
			}
			m := model{}.next(c)
			var seen []Call
			s := Fail(mem, func(c Call) Fault {
				seen = append(seen, c)
				return fault
			})
			err := do(s, id, m)
			if failed := errors.Is(err, ErrFault); failed != (fault != None) || !failed && err != nil {
				t.Errorf("%s with fault %d returns %v", method, fault, err)
			}
			if len(seen) != 1 || seen[0] != (Call{1, method}) {
				t.Errorf("%s is announced as %v", method, seen)
			}
			changed := m.differs(ctx, mem, k, id) != nil
			if changed != (changes[method] && fault != Before) {
				t.Errorf("%s with fault %d: the row has changed: %v", method, fault, changed)
			}
		}
	}
}

func TestNth(t *testing.T) {
	s := Fail(store.NewMemory(), Nth(2, Before))
	for n := 1; n <= 4; n++ {
		_, err := s.Head(context.Background(), store.Spaces, store.NewID())
		if errors.Is(err, ErrFault) != (n == 2) {
			t.Errorf("call %d returns %v", n, err)
		}
	}
}
