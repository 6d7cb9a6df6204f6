package storetest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/trefoil-im/trefoil/state/store"
)

// TestKitFindsBrokenStores shows that each way in which a store can be wrong makes the kit fail, in the test that is
// named beside it among others.
func TestKitFindsBrokenStores(t *testing.T) {
	for _, d := range diseases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			found := false
			var failed []string
			for _, c := range checks {
				failures := record(t, func(tb testing.TB) { c.run(newProbe(tb, d.place())) })
				if len(failures) > 0 {
					failed = append(failed, c.name+": "+failures[0])
					found = found || c.name == d.found
				}
			}
			if !found {
				t.Fatalf("not found by %q, but by %d tests: %q", d.found, len(failed), failed)
			}
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

var diseases = []disease{
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
		b := broken{Store: s}
		b.head = func(ctx context.Context, k store.Kind, id store.ID) (store.Head, error) {
			if h, found := cache.Load(id); found {
				return h.(store.Head), nil
			}
			h, err := s.Head(ctx, k, id)
			if err == nil {
				cache.Store(id, h)
			}
			return h, err
		}
		b.commit = func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
			if h, err := b.head(ctx, k, id); err == nil && sameHead(h, c.Base) {
				err := force(ctx, s, k, id, c)
				cache.Store(id, c.Next)
				return err
			}
			return s.Commit(ctx, k, id, c)
		}
		return b
	})},
	{"takes incomplete rows", "G1/an incomplete row is refused", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			for i, p := range c.Parts {
				if p == nil && c.Creates() {
					c.Parts[i] = []byte{}
				}
			}
		})
	})},
	{"empties parts that are to stay", "G1/a part that is not given stays", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			c.Parts = slices.Clone(c.Parts)
			for i, p := range c.Parts {
				if p == nil && !c.Creates() {
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
	{"takes empty frames for settled ones", "G1/any bytes of any length are kept", each(func(s store.Store) store.Store {
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
		return broken{Store: s, load: func(ctx context.Context, k store.Kind, id store.ID) (store.Row, error) {
			row, err := s.Load(ctx, k, id)
			for path, b := range row.Segments {
				row.Segments[path], _, _ = bytes.Cut(b, []byte{0})
			}
			return row, err
		}}
	})},
	{"drops no segments", "G1/segments are put, replaced and dropped", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) { c.Drop = nil })
	})},
	{"takes segments for directories", "G1/segments are put, replaced and dropped", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			for _, path := range c.Drop {
				if path == "state/a" {
					c.Drop = append(slices.Clone(c.Drop), "state/a/b")
				}
			}
		})
	})},
	{"adds segments but does not replace them", "G1/segments are put, replaced and dropped", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
			row, _ := s.Load(ctx, k, id)
			put := map[string][]byte{}
			for path, b := range c.Put {
				if _, held := row.Segments[path]; !held {
					put[path] = b
				}
			}
			c.Put = put
			return s.Commit(ctx, k, id, c)
		}}
	})},
	{"returns no map for no segments", "G1/a part that is not given stays", each(func(s store.Store) store.Store {
		return broken{Store: s, load: func(ctx context.Context, k store.Kind, id store.ID) (store.Row, error) {
			row, err := s.Load(ctx, k, id)
			row.Segments = nil
			return row, err
		}}
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
		return broken{Store: s, commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
			err := s.Commit(ctx, k, id, c)
			if errors.Is(err, store.ErrExists) {
				head, _ := s.Head(ctx, k, id)
				s.Delete(ctx, k, id, head)
				err = s.Commit(ctx, k, id, c)
			}
			return err
		}}
	})},
	{"creates in an update", "G2/create fails if present, update if absent", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
			err := s.Commit(ctx, k, id, c)
			if errors.Is(err, store.ErrNotFound) {
				c.Base, c.Next.Version = store.Head{}, 1
				err = s.Commit(ctx, k, id, c)
			}
			return err
		}}
	})},
	{"answers ErrConflict for what is not there", "G2/create fails if present, update if absent", each(func(s store.Store) store.Store {
		return broken{Store: s, delete: func(ctx context.Context, k store.Kind, id store.ID, h store.Head) error {
			if s.Delete(ctx, k, id, h) != nil {
				return store.ErrConflict
			}
			return nil
		}}
	})},
	{"looks at half an ID", "G2/rows and kinds do not meet", each(func(s store.Store) store.Store {
		short := func(id store.ID) store.ID {
			id[31] = 0
			return id
		}
		return broken{
			Store: s,
			items: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, after uint64, limit int) ([]store.Item, error) {
				return s.Items(ctx, k, short(id), q, after, limit)
			},
			count: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue) (int, error) {
				return s.Count(ctx, k, short(id), q)
			},
		}
	})},
	{"deletes both kinds", "G2/rows and kinds do not meet", each(func(s store.Store) store.Store {
		return broken{Store: s, delete: func(ctx context.Context, k store.Kind, id store.ID, h store.Head) error {
			other := store.Spaces + store.Sessions - k
			if head, err := s.Head(ctx, other, id); err == nil {
				s.Delete(ctx, other, id, head)
			}
			return s.Delete(ctx, k, id, h)
		}}
	})},
	{"lists in any order", "G2/list is complete and in order", each(func(s store.Store) store.Store {
		return broken{Store: s, list: func(ctx context.Context, k store.Kind) ([]store.ID, error) {
			ids, err := s.List(ctx, k)
			slices.Reverse(ids)
			return ids, err
		}}
	})},
	{"compares versions only", "G3/a change of an old head is refused", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
			if head, err := s.Head(ctx, k, id); err == nil && head.Version == c.Base.Version {
				c.Base = head
			}
			return s.Commit(ctx, k, id, c)
		}}
	})},
	{"compares seals only", "G3/a change of an old head is refused", each(func(s store.Store) store.Store {
		return broken{Store: s, delete: func(ctx context.Context, k store.Kind, id store.ID, h store.Head) error {
			if head, err := s.Head(ctx, k, id); err == nil && bytes.Equal(head.Sealed, h.Sealed) {
				h = head
			}
			return s.Delete(ctx, k, id, h)
		}}
	})},
	{"deletes whatever the head", "G3/a change of an old head is refused", each(func(s store.Store) store.Store {
		return broken{Store: s, delete: func(ctx context.Context, k store.Kind, id store.ID, _ store.Head) error {
			head, err := s.Head(ctx, k, id)
			if err != nil {
				return err
			}
			return s.Delete(ctx, k, id, head)
		}}
	})},
	{"compares, then writes", "G3/of many writers none is lost", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
			head, err := s.Head(ctx, k, id)
			if c.Creates() || err != nil || !sameHead(head, c.Base) {
				return s.Commit(ctx, k, id, c)
			}
			runtime.Gosched()
			return force(ctx, s, k, id, c)
		}}
	})},
	{"writes the row, then what lies beside it", "G4/a refused change leaves nothing behind", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
			err := s.Commit(ctx, k, id, c)
			if err != nil && !errors.Is(err, store.ErrConflict) {
				c.Outbox, c.Inbox, c.Frames = nil, nil, nil
				s.Commit(ctx, k, id, c)
			}
			return err
		}}
	})},
	{"replaces items", "G4/a refused change leaves nothing behind", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
			for _, it := range c.Inbox {
				if held, _ := s.Items(ctx, k, id, store.Inbox, it.Seq-1, 1); len(held) > 0 {
					s.Remove(ctx, k, id, store.Inbox, held[0])
				}
			}
			return s.Commit(ctx, k, id, c)
		}}
	})},
	{"loses the outbox of a change that settles", "G4/random changes do what the rules say", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			if len(c.Frames) > 1 {
				c.Outbox = nil
			}
		})
	})},
	{"has no eye for contexts", "G4/an ended context changes nothing", each(func(s store.Store) store.Store {
		return broken{Store: s, remove: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, it store.Item) error {
			return s.Remove(context.WithoutCancel(ctx), k, id, q, it)
		}}
	})},
	{"commits, then looks at the context", "G4/an ended context changes nothing", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
			if err := s.Commit(context.WithoutCancel(ctx), k, id, c); err != nil {
				return err
			}
			return ctx.Err()
		}}
	})},
	{"is stuck after a context ended", "G4/a context that ends meanwhile leaves a whole row", each(func(s store.Store) store.Store {
		var once sync.Once
		stuck := false
		return broken{Store: s, commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
			if ctx.Err() != nil {
				once.Do(func() { stuck = true })
			}
			if stuck {
				return errors.New("cannot start a transaction within a transaction")
			}
			return s.Commit(ctx, k, id, c)
		}}
	})},
	{"keeps what it is given", "G6/slices are neither kept nor shared", all(func(s store.Store) store.Store {
		var kept sync.Map
		return broken{
			Store: s,
			commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
				err := s.Commit(ctx, k, id, c)
				if err == nil && c.Parts[0] != nil {
					kept.Store(id, c.Parts[0])
				}
				return err
			},
			load: func(ctx context.Context, k store.Kind, id store.ID) (store.Row, error) {
				row, err := s.Load(ctx, k, id)
				if part, found := kept.Load(id); found && err == nil && k == store.Spaces {
					row.Parts[0] = part.([]byte)
				}
				return row, err
			},
		}
	})},
	{"hands out what it keeps", "G6/slices are neither kept nor shared", all(func(s store.Store) store.Store {
		var kept sync.Map
		return broken{Store: s, retained: func(ctx context.Context, k store.Kind, id store.ID, after uint64, limit int) ([]store.FrameRecord, error) {
			out, err := s.Retained(ctx, k, id, after, limit)
			for i, f := range out {
				shared, _ := kept.LoadOrStore(string(f.Data), bytes.Clone(f.Data))
				out[i].Data = shared.([]byte)
			}
			return out, err
		}}
	})},
	{"has no order in its queues", "G7/queues keep their order", each(func(s store.Store) store.Store {
		return broken{Store: s, items: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, after uint64, limit int) ([]store.Item, error) {
			items, err := s.Items(ctx, k, id, q, after, limit)
			slices.Reverse(items)
			return items, err
		}}
	})},
	{"begins a page with the last item of the one before", "G7/queues keep their order", each(func(s store.Store) store.Store {
		return broken{Store: s, items: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, after uint64, limit int) ([]store.Item, error) {
			return s.Items(ctx, k, id, q, max(after, 1)-1, limit)
		}}
	})},
	{"takes no limit for none", "G7/queues keep their order", each(func(s store.Store) store.Store {
		return broken{Store: s, items: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, after uint64, limit int) ([]store.Item, error) {
			if limit <= 0 {
				limit = math.MaxInt32
			}
			return s.Items(ctx, k, id, q, after, limit)
		}}
	})},
	{"counts one queue for the other", "G7/queues keep their order", each(func(s store.Store) store.Store {
		return broken{Store: s, count: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue) (int, error) {
			return s.Count(ctx, k, id, store.Outbox)
		}}
	})},
	{"removes by number alone", "G7/only the very item is removed", each(func(s store.Store) store.Store {
		return broken{Store: s, remove: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, it store.Item) error {
			if held, _ := s.Items(ctx, k, id, q, it.Seq-1, 1); len(held) > 0 && held[0].Seq == it.Seq {
				it = held[0]
			}
			return s.Remove(ctx, k, id, q, it)
		}}
	})},
	{"removes all up to the item", "G7/only the very item is removed", each(func(s store.Store) store.Store {
		return broken{Store: s, remove: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, it store.Item) error {
			held, _ := s.Items(ctx, k, id, q, 0, math.MaxInt32)
			if i := slices.IndexFunc(held, func(h store.Item) bool { return sameItem(h, it) }); i >= 0 {
				for _, h := range held[:i] {
					s.Remove(ctx, k, id, q, h)
				}
			}
			return s.Remove(ctx, k, id, q, it)
		}}
	})},
	{"removes the first item only", "G7/only the very item is removed", each(func(s store.Store) store.Store { return firstOnly{s} })},
	{"misses what is gone", "G7/only the very item is removed", each(func(s store.Store) store.Store {
		return broken{Store: s, remove: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, it store.Item) error {
			if held, _ := s.Items(ctx, k, id, q, it.Seq-1, 1); len(held) == 0 || held[0].Seq != it.Seq {
				return store.ErrNotFound
			}
			return s.Remove(ctx, k, id, q, it)
		}}
	})},
	{"keeps the first record of a frame", "G9/records of frames are replaced and forgotten", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
			c.Frames = slices.DeleteFunc(slices.Clone(c.Frames), func(f store.FrameRecord) bool {
				_, err := s.Frame(ctx, k, id, f.Hash)
				return err == nil
			})
			return s.Commit(ctx, k, id, c)
		}}
	})},
	{"forgets one too many", "G9/records of frames are replaced and forgotten", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			if c.Forget > 0 && c.Forget < math.MaxUint64 {
				c.Forget++
			}
		})
	})},
	{"forgets nothing", "G9/records of frames are replaced and forgotten", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) { c.Forget = 0 })
	})},
	{"finds frames by half a hash", "G9/records of frames are replaced and forgotten", each(func(s store.Store) store.Store {
		return broken{Store: s, frame: func(ctx context.Context, k store.Kind, id store.ID, hash [32]byte) (store.FrameRecord, error) {
			f, err := s.Frame(ctx, k, id, hash)
			if errors.Is(err, store.ErrNotFound) {
				hash[31] ^= 1
				f, err = s.Frame(ctx, k, id, hash)
			}
			return f, err
		}}
	})},
	{"retains in any order", "G9/retained frames come in order", each(func(s store.Store) store.Store {
		return broken{Store: s, retained: func(ctx context.Context, k store.Kind, id store.ID, after uint64, limit int) ([]store.FrameRecord, error) {
			out, err := s.Retained(ctx, k, id, after, limit)
			slices.Reverse(out)
			return out, err
		}}
	})},
	{"begins at the front always", "G9/retained frames come in order", each(func(s store.Store) store.Store {
		return broken{Store: s, retained: func(ctx context.Context, k store.Kind, id store.ID, _ uint64, limit int) ([]store.FrameRecord, error) {
			return s.Retained(ctx, k, id, 0, limit)
		}}
	})},
	{"leaves the queues when it deletes", "G11/deleting leaves nothing", all(func(s store.Store) store.Store {
		var left sync.Map
		return broken{
			Store: s,
			delete: func(ctx context.Context, k store.Kind, id store.ID, h store.Head) error {
				items, _ := s.Items(ctx, k, id, store.Outbox, 0, math.MaxInt32)
				err := s.Delete(ctx, k, id, h)
				if err == nil {
					left.Store(id, items)
				}
				return err
			},
			items: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, after uint64, limit int) ([]store.Item, error) {
				if items, found := left.Load(id); found && q == store.Outbox {
					return items.([]store.Item), nil
				}
				return s.Items(ctx, k, id, q, after, limit)
			},
		}
	})},
	{"leaves records of frames when it deletes", "G11/deleting leaves nothing", all(func(s store.Store) store.Store {
		var left sync.Map
		return broken{Store: s, frame: func(ctx context.Context, k store.Kind, id store.ID, hash [32]byte) (store.FrameRecord, error) {
			f, err := s.Frame(ctx, k, id, hash)
			if err == nil {
				left.Store(hash, f)
			} else if kept, found := left.Load(hash); found {
				return kept.(store.FrameRecord), nil
			}
			return f, err
		}}
	})},
}

// changing breaks Commit by altering the changes that it is given.
func changing(s store.Store, alter func(*store.Change)) store.Store {
	return broken{Store: s, commit: func(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
		alter(&c)
		return s.Commit(ctx, k, id, c)
	}}
}

// force carries out a change whatever the row's head is.
func force(ctx context.Context, s store.Store, k store.Kind, id store.ID, c store.Change) error {
	for {
		head, err := s.Head(ctx, k, id)
		if err != nil {
			return err
		}
		c.Base, c.Next.Version = head, head.Version+1
		if err := s.Commit(ctx, k, id, c); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}
