package storetest

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/state/store"
)

// commitDiseases are ways of being wrong about heads, transactions and contexts.
var commitDiseases = []disease{
	{"compares versions only", "G3/a change of an old head is refused", each(func(s store.Store) store.Store {
		return rebased(s, func(c store.Change, head store.Head) bool { return head.Version == c.Base.Version })
	})},
	{"compares seals only", "G3/a change of an old head is refused", each(func(s store.Store) store.Store {
		return rebased(s, func(c store.Change, head store.Head) bool { return bytes.Equal(head.Sealed, c.Base.Sealed) })
	})},
	{"deletes whatever the head", "G3/a change of an old head is refused", each(func(s store.Store) store.Store {
		return rebased(s, func(c store.Change, _ store.Head) bool { return c.Delete })
	})},
	{"believes every assertion", "G3/an assertion holds or refuses", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			kept := slices.DeleteFunc(slices.Clone(changes), func(c store.Change) bool { return c.Action() == store.Assert })
			return s.Commit(ctx, kept...)
		}}
	})},
	{"compares, then writes", "G3/of many writers none is lost", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			if len(changes) != 1 {
				return s.Commit(ctx, changes...)
			}
			c := changes[0]
			head, err := s.Head(ctx, c.Kind, c.ID)
			if c.Action() != store.Update || err != nil || !sameHead(head, c.Base) {
				return s.Commit(ctx, changes...)
			}
			runtime.Gosched()
			return force(ctx, s, c)
		}}
	})},
	{"writes the row, then what lies beside it", "G4/a refused change leaves nothing behind", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			err := s.Commit(ctx, changes...)
			if err != nil && !errors.Is(err, store.ErrConflict) && len(changes) == 1 {
				c := changes[0]
				c.Outbox, c.Inbox, c.Frames = nil, nil, nil
				s.Commit(ctx, c)
			}
			return err
		}}
	})},
	{"loses the outbox of a change with frames", "G4/random changes do what the rules say", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			if len(c.Frames) > 1 {
				c.Outbox = nil
			}
		})
	})},
	{"has no eye for contexts", "G4/an ended context changes nothing", each(func(s store.Store) store.Store {
		return broken{Store: s, items: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) ([]store.Item, error) {
			return s.Items(context.WithoutCancel(ctx), k, id, q, seqs...)
		}}
	})},
	{"commits, then looks at the context", "G4/an ended context changes nothing", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			if err := s.Commit(context.WithoutCancel(ctx), changes...); err != nil {
				return err
			}
			return ctx.Err()
		}}
	})},
	{"is stuck after a context ended", "G4/a context that ends meanwhile leaves a whole row", each(func(s store.Store) store.Store {
		var once sync.Once
		stuck := false
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			if ctx.Err() != nil {
				once.Do(func() { stuck = true })
			}
			if stuck {
				return errors.New("cannot start a transaction within a transaction")
			}
			return s.Commit(ctx, changes...)
		}}
	})},
	{"commits what it had given up", "G4/a commit is decided when it returns", all(func(s store.Store) store.Store {
		var mu sync.Mutex
		var late []store.Change
		asked := 0
		return broken{
			Store: s,
			commit: func(ctx context.Context, changes ...store.Change) error {
				if ctx.Err() == nil {
					return s.Commit(ctx, changes...)
				}
				mu.Lock()
				defer mu.Unlock()
				late, asked = changes, 0
				return ctx.Err()
			},
			head: func(ctx context.Context, k store.Kind, id store.ID) (store.Head, error) {
				mu.Lock()
				defer mu.Unlock()
				if asked++; late != nil && asked > 3 {
					s.Commit(ctx, late...)
					late = nil
				}
				return s.Head(ctx, k, id)
			},
		}
	})},
	{"commits changes one by one", "G33/several changes are made or none", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			if err := store.Check(changes); err != nil {
				return err
			}
			for i, c := range changes {
				if err := s.Commit(ctx, c); err != nil {
					var at *store.ChangeError
					if errors.As(err, &at) {
						at.Index = i
					}
					return err
				}
			}
			return nil
		}}
	})},
	{"does not say which change was refused", "G33/several changes are made or none", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			err := s.Commit(ctx, changes...)
			if at := (*store.ChangeError)(nil); errors.As(err, &at) {
				return at.Err
			}
			return err
		}}
	})},
	{"loses a change of two now and then", "G33/many batches at once", each(func(s store.Store) store.Store {
		var commits atomic.Int64
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			if len(changes) == 2 && commits.Add(1)%5 == 0 {
				changes = changes[:1]
			}
			return s.Commit(ctx, changes...)
		}}
	})},
}

// rebased breaks Commit: a change for which that says so is made from whatever head the row has.
func rebased(s store.Store, wrong func(store.Change, store.Head) bool) store.Store {
	return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
		changes = slices.Clone(changes)
		for i, c := range changes {
			head, err := s.Head(ctx, c.Kind, c.ID)
			if err != nil || c.Base.IsZero() || !wrong(c, head) {
				continue
			}
			if changes[i].Base = head; c.Action() == store.Update {
				changes[i].Next.Version = head.Version + 1
			}
		}
		return s.Commit(ctx, changes...)
	}}
}

// force carries out an update whatever the row's head is.
func force(ctx context.Context, s store.Store, c store.Change) error {
	for {
		head, err := s.Head(ctx, c.Kind, c.ID)
		if err != nil {
			return err
		}
		c.Base, c.Next.Version = head, head.Version+1
		if err := s.Commit(ctx, c); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}
