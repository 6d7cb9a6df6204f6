package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/trefoil-im/trefoil/state"
)

// TestFail lets each method fail in both ways and looks at what became of the row.
func TestFail(t *testing.T) {
	ctx, k := t.Context(), state.Spaces
	calls := map[string]func(state.Store, state.ID, model) error{
		"Load":   func(s state.Store, id state.ID, _ model) error { _, err := s.Load(ctx, k, id); return err },
		"Head":   func(s state.Store, id state.ID, _ model) error { _, err := s.Head(ctx, k, id); return err },
		"List":   func(s state.Store, _ state.ID, _ model) error { _, err := s.List(ctx, k); return err },
		"Commit": func(s state.Store, id state.ID, m model) error { return s.Commit(ctx, k, id, full(k, m)) },
		"Delete": func(s state.Store, id state.ID, m model) error { return s.Delete(ctx, k, id, m.row.Head) },
		"Items": func(s state.Store, id state.ID, _ model) error {
			_, err := s.Items(ctx, k, id, state.Outbox, 0, 9)
			return err
		},
		"Count": func(s state.Store, id state.ID, _ model) error {
			_, err := s.Count(ctx, k, id, state.Outbox)
			return err
		},
		"Remove": func(s state.Store, id state.ID, m model) error {
			return s.Remove(ctx, k, id, state.Outbox, m.queues[state.Outbox][0])
		},
		"Frame":    func(s state.Store, id state.ID, _ model) error { _, err := s.Frame(ctx, k, id, hash(3)); return err },
		"Retained": func(s state.Store, id state.ID, _ model) error { _, err := s.Retained(ctx, k, id, 0, 9); return err },
	}
	if n := reflect.TypeFor[state.Store]().NumMethod(); n != len(calls) {
		t.Fatalf("%d of %d methods are tried", len(calls), n)
	}
	changes := map[string]bool{"Commit": true, "Delete": true, "Remove": true}
	for method, do := range calls {
		for _, fault := range []Fault{None, Before, After} {
			mem, id := state.NewMemory(), state.NewID()
			c := full(k, model{})
			if err := mem.Commit(ctx, k, id, c); err != nil {
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
	s := Fail(state.NewMemory(), Nth(2, Before))
	for n := 1; n <= 4; n++ {
		_, err := s.Head(context.Background(), state.Spaces, state.NewID())
		if errors.Is(err, ErrFault) != (n == 2) {
			t.Errorf("call %d returns %v", n, err)
		}
	}
}
