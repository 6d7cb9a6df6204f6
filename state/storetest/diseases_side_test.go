package storetest

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/trefoil-im/trefoil/state/store"
)

// sideDiseases are ways of being wrong about what lies beside rows, and about slices.
var sideDiseases = []disease{
	{"keeps what it is given", "G6/slices are neither kept nor shared", all(func(s store.Store) store.Store {
		var kept sync.Map
		return broken{
			Store: s,
			commit: func(ctx context.Context, changes ...store.Change) error {
				err := s.Commit(ctx, changes...)
				for _, c := range changes {
					if err == nil && len(c.Parts) > 0 && c.Parts[0] != nil {
						kept.Store(c.ID, c.Parts[0])
					}
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
		return broken{Store: s, frames: func(ctx context.Context, k store.Kind, id store.ID, hashes ...[32]byte) ([]store.FrameRecord, error) {
			out, err := s.Frames(ctx, k, id, hashes...)
			for i, f := range out {
				if f.Data != nil {
					shared, _ := kept.LoadOrStore(string(f.Data), bytes.Clone(f.Data))
					out[i].Data = shared.([]byte)
				}
			}
			return out, err
		}}
	})},
	{"hands out the numbers that it keeps", "G6/slices are neither kept nor shared", all(func(s store.Store) store.Store {
		var kept sync.Map
		return loading(s, func(row *store.Row) {
			shared, _ := kept.LoadOrStore(string(row.Head.Sealed), row.Outbox)
			row.Outbox = shared.([]store.Held)
		})
	})},
	{"answers in its own order", "G7/queues keep their order", each(func(s store.Store) store.Store {
		return broken{Store: s, items: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) ([]store.Item, error) {
			seqs = slices.Clone(seqs)
			slices.Sort(seqs)
			return s.Items(ctx, k, id, q, seqs...)
		}}
	})},
	{"returns what comes after what is missing", "G7/queues keep their order", each(func(s store.Store) store.Store {
		return broken{Store: s, items: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) ([]store.Item, error) {
			out, err := s.Items(ctx, k, id, q, seqs...)
			if len(seqs) == 1 && len(out) == 0 && err == nil {
				return s.Items(ctx, k, id, q, seqs[0]+1, 1, 9)
			}
			return out, err
		}}
	})},
	{"loses lanes", "G7/queues keep their order", each(func(s store.Store) store.Store {
		return loading(s, func(row *store.Row) {
			for i := range row.Outbox {
				row.Outbox[i].Lane = 0
			}
		})
	})},
	{"takes the same number out of both queues", "G7/only what is named is taken out", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) { c.Taken = append(slices.Clone(c.Taken), c.Sent...) })
	})},
	{"takes out all up to the number", "G7/only what is named is taken out", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			if len(c.Sent) == 1 {
				for n := range min(c.Sent[0], 100) {
					c.Sent = append(c.Sent, n)
				}
			}
		})
	})},
	{"takes out the first only", "G7/only what is named is taken out", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) { c.Sent = c.Sent[:min(1, len(c.Sent))] })
	})},
	{"misses what is gone", "G7/only what is named is taken out", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			for _, c := range changes {
				if held, _ := s.Items(ctx, c.Kind, c.ID, store.Outbox, c.Sent...); len(held) < len(c.Sent) {
					return store.ErrNotFound
				}
			}
			return s.Commit(ctx, changes...)
		}}
	})},
	{"answers for no more than 64 items", "G7/a batch is written and taken out whole", each(func(s store.Store) store.Store {
		return broken{Store: s, items: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) ([]store.Item, error) {
			return s.Items(ctx, k, id, q, seqs[:min(len(seqs), 64)]...)
		}}
	})},
	{"takes out no more than 64 items", "G7/a batch is written and taken out whole", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) { c.Taken = c.Taken[:min(len(c.Taken), 64)] })
	})},
	{"keeps no more than 64 records", "G7/a batch is written and taken out whole", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) { c.Frames = c.Frames[:min(len(c.Frames), 64)] })
	})},
	{"keeps the first record of a frame", "G9/records of frames are replaced and forgotten", each(func(s store.Store) store.Store {
		return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
			changes = slices.Clone(changes)
			for i, c := range changes {
				changes[i].Frames = slices.DeleteFunc(slices.Clone(c.Frames), func(f store.FrameRecord) bool {
					held, _ := s.Frames(ctx, c.Kind, c.ID, f.Hash)
					return len(held) > 0
				})
			}
			return s.Commit(ctx, changes...)
		}}
	})},
	{"forgets one too many", "G9/records of frames are replaced and forgotten", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			if c.Forget > 0 && c.Forget < 1<<62 {
				c.Forget++
			}
		})
	})},
	{"forgets nothing", "G9/records of frames are replaced and forgotten", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) { c.Forget = 0 })
	})},
	{"keeps the frames that are lost", "G9/records of frames are replaced and forgotten", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) { c.Lost = nil })
	})},
	{"takes lost frames for done with", "G9/records of frames are replaced and forgotten", each(func(s store.Store) store.Store {
		return changing(s, func(c *store.Change) {
			for i, hash := range c.Lost {
				c.Frames = append(slices.Clone(c.Frames), store.FrameRecord{Hash: hash, Seq: 1<<40 + uint64(i)})
			}
			c.Lost = nil
		})
	})},
	{"finds frames by half a hash", "G9/records of frames are replaced and forgotten", each(func(s store.Store) store.Store {
		return broken{Store: s, frames: func(ctx context.Context, k store.Kind, id store.ID, hashes ...[32]byte) (out []store.FrameRecord, err error) {
			for _, h := range hashes {
				f, err := s.Frames(ctx, k, id, h)
				if err != nil {
					return nil, err
				}
				if len(f) == 0 {
					h[31] ^= 1
					f, _ = s.Frames(ctx, k, id, h)
				}
				out = append(out, f...)
			}
			return out, nil
		}}
	})},
	{"answers for frames in the order of their records", "G9/retained frames come in order", each(func(s store.Store) store.Store {
		return broken{Store: s, frames: func(ctx context.Context, k store.Kind, id store.ID, hashes ...[32]byte) ([]store.FrameRecord, error) {
			out, err := s.Frames(ctx, k, id, hashes...)
			slices.SortFunc(out, func(a, b store.FrameRecord) int { return int(int64(a.Seq - b.Seq)) })
			return out, err
		}}
	})},
	{"retains in any order", "G9/retained frames come in order", each(func(s store.Store) store.Store {
		return loading(s, func(row *store.Row) { slices.Reverse(row.Retained) })
	})},
	{"leaves the queues when it deletes", "G11/deleting leaves nothing", all(func(s store.Store) store.Store {
		var left sync.Map
		return broken{
			Store: s,
			commit: func(ctx context.Context, changes ...store.Change) error {
				for _, c := range changes {
					if row, err := s.Load(ctx, c.Kind, c.ID); err == nil && c.Delete && len(row.Outbox) > 0 {
						items, _ := s.Items(ctx, c.Kind, c.ID, store.Outbox, row.Outbox[0].Seq)
						left.Store(c.ID, items)
					}
				}
				return s.Commit(ctx, changes...)
			},
			items: func(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) ([]store.Item, error) {
				if items, found := left.Load(id); found && q == store.Outbox && len(seqs) > 0 {
					return items.([]store.Item), nil
				}
				return s.Items(ctx, k, id, q, seqs...)
			},
		}
	})},
	{"leaves records of frames when it deletes", "G11/deleting leaves nothing", all(func(s store.Store) store.Store {
		var left sync.Map
		return broken{Store: s, frames: func(ctx context.Context, k store.Kind, id store.ID, hashes ...[32]byte) (out []store.FrameRecord, err error) {
			for _, h := range hashes {
				f, err := s.Frames(ctx, k, id, h)
				if err != nil {
					return nil, err
				}
				if kept, found := left.Load(h); len(f) == 0 && found {
					f = kept.([]store.FrameRecord)
				} else if len(f) > 0 {
					left.Store(h, f)
				}
				out = append(out, f...)
			}
			return out, nil
		}}
	})},
}
