package storetest

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// meanwhile lets others run until done, or for a while.
func meanwhile(done func() bool) {
	for range 1000 {
		if done() {
			return
		}
		runtime.Gosched()
	}
}

func never() bool { return false }

var skewDiseases = []disease{
	{"looks at what is asserted first, and then no more", "G33/assertions hold to the end of a commit", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			isAssertion := func(c store.Change) bool { return c.Action() == store.Assert }
			for i, c := range changes {
				if !isAssertion(c) {
					continue
				}
				var at *store.ChangeError
				if err := s.Commit(ctx, c); errors.As(err, &at) {
					at.Index = i
					return err
				} else if err != nil {
					return err
				}
			}
			meanwhile(never)
			return s.Commit(ctx, slices.DeleteFunc(slices.Clone(changes), isAssertion)...)
		}}
	})},
	{"looks for a deletion first, and then no more", "G11/what is deleted meanwhile is not created", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			changes = slices.Clone(changes)
			for i, c := range changes {
				if c.Action() == store.Delete {
					meanwhile(never)
				}
				if c.Action() != store.Create || c.Revive {
					continue
				}
				deleted := func() bool {
					_, err := s.Head(ctx, c.Kind, c.ID)
					return errors.Is(err, store.ErrDeleted)
				}
				if deleted() {
					return &store.ChangeError{Index: i, Err: store.ErrDeleted}
				}
				changes[i].Revive = true
				meanwhile(deleted)
			}
			return s.Commit(ctx, changes...)
		}}
	})},
}
