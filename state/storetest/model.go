package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// model is what a row must hold, worked out from the rules of the Store interface in the plainest way. It is immutable.
type model struct {
	head     store.Head
	parts    [][]byte
	segments map[string][]byte
	queues   map[store.Queue][]store.Item
	frames   map[[32]byte]store.FrameRecord
}

// next returns what a change makes of a row; the zero model is a row that does not exist.
func (m model) next(c store.Change) model {
	switch c.Action() {
	case store.Delete:
		return model{}
	case store.Assert:
		return m
	}
	n := model{
		head: c.Next, parts: make([][]byte, len(c.Parts)), segments: map[string][]byte{},
		queues: map[store.Queue][]store.Item{},
		frames: map[[32]byte]store.FrameRecord{},
	}
	copy(n.parts, m.parts)
	for i, p := range c.Parts {
		if p != nil {
			n.parts[i] = p
		}
	}
	maps.Copy(n.segments, m.segments)
	for _, path := range c.Drop {
		delete(n.segments, path)
	}
	maps.Copy(n.segments, c.Put)
	n.queues[store.Outbox] = put(without(m.queues[store.Outbox], c.Sent), c.Outbox)
	n.queues[store.Inbox] = put(without(m.queues[store.Inbox], c.Taken), c.Inbox)
	maps.Copy(n.frames, m.frames)
	for _, hash := range c.Lost {
		delete(n.frames, hash)
	}
	for _, f := range c.Frames {
		n.frames[f.Hash] = f
	}
	maps.DeleteFunc(n.frames, func(_ [32]byte, f store.FrameRecord) bool { return f.Data == nil && f.Seq < c.Forget })
	return n
}

// without returns the items whose numbers are not among seqs.
func without(items []store.Item, seqs []uint64) []store.Item {
	return slices.DeleteFunc(slices.Clone(items), func(it store.Item) bool { return slices.Contains(seqs, it.Seq) })
}

// put returns the items with others appended, or in the place of those with the same number.
func put(items, more []store.Item) []store.Item {
	out := slices.Concat(without(items, seqs(more)), more)
	slices.SortFunc(out, func(a, b store.Item) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

func (m model) exists() bool { return m.head.Version > 0 }

// row returns what Load must return.
func (m model) row() store.Row {
	row := store.Row{Head: m.head, Parts: m.parts, Segments: m.segments}
	row.Outbox, row.Inbox = held(m.queues[store.Outbox]), held(m.queues[store.Inbox])
	for _, f := range m.retained() {
		row.Retained = append(row.Retained, store.HeldFrame{Hash: f.Hash, Seq: f.Seq, Size: len(f.Data)})
	}
	return row
}

func held(items []store.Item) (out []store.Held) {
	for _, it := range items {
		out = append(out, store.Held{Seq: it.Seq, Lane: it.Lane, Size: len(it.Data)})
	}
	return out
}

func (m model) retained() []store.FrameRecord {
	var out []store.FrameRecord
	for _, f := range m.frames {
		if f.Data != nil {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b store.FrameRecord) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

// differs asks a store for all that it holds of a row and returns what is not as in m. The hashes are asked for besides
// those of m.
func (m model) differs(ctx context.Context, s store.Store, k store.Kind, id store.ID, hashes ...[32]byte) error {
	row, err := s.Load(ctx, k, id)
	head, headErr := s.Head(ctx, k, id)
	switch {
	case !m.exists() && (!errors.Is(err, store.ErrNotFound) || !errors.Is(headErr, store.ErrNotFound)):
		return fmt.Errorf("Load and Head of a row that is not there return %v and %v, not ErrNotFound", err, headErr)
	case m.exists() && (err != nil || headErr != nil):
		return fmt.Errorf("Load and Head return %v and %v", err, headErr)
	case m.exists():
		if err := sameRow(row, m.row()); err != nil {
			return err
		}
		if !sameHead(head, m.head) {
			return fmt.Errorf("Head returns version %d, not %d, or another seal", head.Version, m.head.Version)
		}
	}
	for _, q := range []store.Queue{store.Outbox, store.Inbox} {
		items, err := s.Items(ctx, k, id, q, seqs(m.queues[q])...)
		if err != nil || !slices.EqualFunc(items, m.queues[q], sameItem) {
			return fmt.Errorf("queue %d holds %v (error %v), not %v, or others", q, seqs(items), err, seqs(m.queues[q]))
		}
	}
	asked := append(slices.Collect(maps.Keys(m.frames)), hashes...)
	var want []store.FrameRecord
	for _, h := range asked {
		if f, found := m.frames[h]; found {
			want = append(want, f)
		}
	}
	got, err := s.Frames(ctx, k, id, asked...)
	if err != nil || !slices.EqualFunc(got, want, sameFrame) {
		return fmt.Errorf("Frames returns %d records of %d (error %v), or others", len(got), len(want), err)
	}
	return nil
}

func sameRow(got, want store.Row) error {
	switch {
	case !sameHead(got.Head, want.Head):
		return fmt.Errorf("Load returns version %d, not %d, or another seal", got.Head.Version, want.Head.Version)
	case len(got.Parts) != len(want.Parts):
		return fmt.Errorf("Load returns %d parts, not %d", len(got.Parts), len(want.Parts))
	case got.Segments == nil:
		return errors.New("Load returns a nil map of segments")
	case !maps.EqualFunc(got.Segments, want.Segments, sameBytes):
		return fmt.Errorf("Load returns other segments: %q, not %q, or other contents",
			slices.Sorted(maps.Keys(got.Segments)), slices.Sorted(maps.Keys(want.Segments)))
	case !slices.Equal(got.Outbox, want.Outbox):
		return fmt.Errorf("Load returns an outbox of %v, not %v", got.Outbox, want.Outbox)
	case !slices.Equal(got.Inbox, want.Inbox):
		return fmt.Errorf("Load returns an inbox of %v, not %v", got.Inbox, want.Inbox)
	case !slices.Equal(got.Retained, want.Retained):
		return fmt.Errorf("Load returns %d retained frames, not %d, or others", len(got.Retained), len(want.Retained))
	}
	for i, p := range want.Parts {
		if !sameBytes(got.Parts[i], p) {
			return fmt.Errorf("Load returns another part %d: %d bytes (nil: %v), not %d", i, len(got.Parts[i]), got.Parts[i] == nil, len(p))
		}
	}
	return nil
}

// sameBytes tells nil from empty.
func sameBytes(a, b []byte) bool    { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
func sameHead(a, b store.Head) bool { return a.Version == b.Version && sameBytes(a.Sealed, b.Sealed) }
func sameItem(a, b store.Item) bool {
	return a.Seq == b.Seq && a.Lane == b.Lane && sameBytes(a.Data, b.Data)
}
func sameFrame(a, b store.FrameRecord) bool {
	return a.Hash == b.Hash && a.Seq == b.Seq && sameBytes(a.Data, b.Data)
}

func seqs(items []store.Item) []uint64 {
	out := make([]uint64, len(items))
	for i, it := range items {
		out[i] = it.Seq
	}
	return out
}
