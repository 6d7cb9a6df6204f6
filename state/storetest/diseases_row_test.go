package storetest

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/trefoil-im/trefoil/state/store"
)

// rowDiseases are ways of being wrong about rows and their contents.
var rowDiseases = []disease{
	{"forgets on reopening", "G1/created rows are found again", func() Backend {
		return func(testing.TB) store.Store { return store.NewMemory() }
	}},
	{"loads from a cache", "G4/random changes do what the rules say", each(func(s store.Store) store.Store {
		var cache sync.Map
		return broken{Store: s, load: func(ctx context.Context, k store.Kind, id store.ID) (store.Row, error) {
			if row, found := cache.Load(id); found {
				return row.(store.Row), nil
			}
			row, err := s.Load(ctx, k, id)
			if err == nil {
				cache.Store(id, row)
			}
			return row, err
		}}
	})},
	{"has a cache that only its own commits renew", "G1/created rows are found again", each(func(s store.Store) store.Store {
		var cache sync.Map
		return broken{
			Store: s,
			head: func(ctx context.Context, k store.Kind, id store.ID) (store.Head, error) {
				if h, found := cache.Load(id); found {
					return h.(store.Head), nil
				}
				h, err := s.Head(ctx, k, id)
				if err == nil {
					cache.Store(id, h)
				}
				return h, err
			},
			commit: func(ctx context.Context, changes ...store.Change) error {
				err := s.Commit(ctx, changes...)
				for _, c := range changes {
					cache.Store(c.ID, c.Next)
				}
				return err
			},
		}
	})},
	{"takes incomplete rows", "G1/an incomplete row is refused", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			c.Parts = slices.Clone(c.Parts)
			for i, p := range c.Parts {
				if p == nil && c.Action() == store.Create {
					c.Parts[i] = []byte{}
				}
			}
		})
	})},
	{"empties parts that are to stay", "G1/a part that is not given stays", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			c.Parts = slices.Clone(c.Parts)
			for i, p := range c.Parts {
				if p == nil && c.Action() == store.Update {
					c.Parts[i] = []byte{}
				}
			}
		})
	})},
	{"takes empty parts for missing ones", "G1/any bytes of any length are kept", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			c.Parts = slices.Clone(c.Parts)
			for i, p := range c.Parts {
				if len(p) == 0 {
					c.Parts[i] = nil
				}
			}
		})
	})},
	{"takes empty frames for such as are done with", "G1/any bytes of any length are kept", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			c.Frames = slices.Clone(c.Frames)
			for i, f := range c.Frames {
				if len(f.Data) == 0 {
					c.Frames[i].Data = nil
				}
			}
		})
	})},
	{"ends data at a zero byte", "G1/any bytes of any length are kept", each(func(s store.Store) store.Store {
		return loading(s, func(row *store.Row) {
			for path, b := range row.Segments {
				row.Segments[path], _, _ = bytes.Cut(b, []byte{0})
			}
		})
	})},
	{"drops no segments", "G1/segments are put, replaced and dropped", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) { c.Drop = nil })
	})},
	{"takes segments for directories", "G1/segments are put, replaced and dropped", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			if slices.Contains(c.Drop, "state/a") {
				c.Drop = append(slices.Clone(c.Drop), "state/a/b")
			}
		})
	})},
	{"takes paths for text and normalizes it", "G1/segments are put, replaced and dropped", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			put := map[string][]byte{}
			for path, b := range c.Put {
				put[string(bytes.ReplaceAll([]byte(path), []byte("a\u0308"), []byte("\u00e4")))] = b
			}
			c.Put = put
		})
	})},
	{"takes paths for UTF-8", "G1/segments are put, replaced and dropped", each(func(s store.Store) store.Store {
		return loading(s, func(row *store.Row) {
			segments := map[string][]byte{}
			for path, b := range row.Segments {
				segments[string([]rune(path))] = b
			}
			row.Segments = segments
		})
	})},
	{"adds segments but does not replace them", "G1/segments are put, replaced and dropped", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			changes = slices.Clone(changes)
			for i, c := range changes {
				row, _ := s.Load(ctx, c.Kind, c.ID)
				put := map[string][]byte{}
				for path, b := range c.Put {
					if _, held := row.Segments[path]; !held {
						put[path] = b
					}
				}
				changes[i].Put = put
			}
			return s.Commit(ctx, changes...)
		}}
	})},
	{"returns no map for no segments", "G1/a part that is not given stays", each(func(s store.Store) store.Store {
		return loading(s, func(row *store.Row) { row.Segments = nil })
	})},
	{"reads a row in two steps", "G1/readers see whole rows only", each(func(s store.Store) store.Store {
		return broken{Store: s, load: func(ctx context.Context, k store.Kind, id store.ID) (store.Row, error) {
			first, err := s.Load(ctx, k, id)
			if err != nil {
				return first, err
			}
			for range 1000 { // until somebody has written in between, or nobody does
				if head, _ := s.Head(ctx, k, id); head.Version != first.Head.Version {
					break
				}
				runtime.Gosched()
			}
			second, err := s.Load(ctx, k, id)
			second.Head, second.Parts = first.Head, first.Parts
			return second, err
		}}
	})},
	{"overwrites in creation", "G2/create fails if present, update if absent", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			err := s.Commit(ctx, changes...)
			if errors.Is(err, store.ErrExists) && len(changes) == 1 {
				c := changes[0]
				head, _ := s.Head(ctx, c.Kind, c.ID)
				s.Commit(ctx, store.Change{Kind: c.Kind, ID: c.ID, Base: head, Delete: true})
				c.Revive = true
				err = s.Commit(ctx, c)
			}
			return err
		}}
	})},
	{"creates in an update", "G2/create fails if present, update if absent", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			err := s.Commit(ctx, changes...)
			if errors.Is(err, store.ErrNotFound) && len(changes) == 1 {
				c := changes[0]
				c.Base, c.Next.Version = store.Head{}, 1
				err = s.Commit(ctx, c)
			}
			return err
		}}
	})},
	{"answers ErrConflict for what is not there", "G2/create fails if present, update if absent", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			err := s.Commit(ctx, changes...)
			if errors.Is(err, store.ErrNotFound) {
				return &store.ChangeError{Err: store.ErrConflict}
			}
			return err
		}}
	})},
	{"looks at half an ID", "G2/rows and kinds do not meet", each(func(s store.Store) store.Store {
		return broken{
			Store: s,
			items: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) ([]store.Item, error) {
				id[31] = 0
				return s.Items(ctx, k, id, q, seqs...)
			},
		}
	})},
	{"deletes both kinds", "G2/rows and kinds do not meet", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			if len(changes) == 1 && changes[0].Delete {
				c := changes[0]
				other := store.Spaces + store.Sessions - c.Kind
				if head, err := s.Head(ctx, other, c.ID); err == nil {
					s.Commit(ctx, store.Change{Kind: other, ID: c.ID, Base: head, Delete: true})
				}
			}
			return s.Commit(ctx, changes...)
		}}
	})},
	{"lists in any order", "G2/list is complete and in order", each(func(s store.Store) store.Store {
		return broken{Store: s, list: func(ctx context.Context, k store.Kind, after store.ID, limit int) ([]store.ID, error) {
			ids, err := s.List(ctx, k, after, limit)
			slices.Reverse(ids)
			return ids, err
		}}
	})},
	{"lists from a row that is there", "G2/list is complete and in order", each(func(s store.Store) store.Store {
		return broken{Store: s, list: func(ctx context.Context, k store.Kind, after store.ID, limit int) ([]store.ID, error) {
			if _, err := s.Head(ctx, k, after); err != nil {
				after = store.ID{}
			}
			return s.List(ctx, k, after, limit)
		}}
	})},
	{"has no memory of what was deleted", "G2/a row that was deleted is not created again", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) { c.Revive = c.Action() == store.Create })
	})},
}
