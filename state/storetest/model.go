package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// model is what a row must hold, worked out from the rules of the Store interface in the plainest way. It is immutable.
type model struct {
	row    store.Row
	queues map[store.Queue][]store.Item
	frames map[[32]byte]store.FrameRecord
}

// next returns what a change makes of a row; the zero model is a row that does not exist.
func (m model) next(c store.Change) model {
	n := model{
		row:    store.Row{Head: c.Next, Parts: make([][]byte, len(c.Parts)), Segments: map[string][]byte{}},
		queues: map[store.Queue][]store.Item{},
		frames: map[[32]byte]store.FrameRecord{},
	}
	copy(n.row.Parts, m.row.Parts)
	for i, p := range c.Parts {
		if p != nil {
			n.row.Parts[i] = p
		}
	}
	maps.Copy(n.row.Segments, m.row.Segments)
	for _, path := range c.Drop {
		delete(n.row.Segments, path)
	}
	maps.Copy(n.row.Segments, c.Put)
	n.queues[store.Outbox] = slices.Concat(m.queues[store.Outbox], c.Outbox)
	n.queues[store.Inbox] = slices.Concat(m.queues[store.Inbox], c.Inbox)
	maps.Copy(n.frames, m.frames)
	for _, f := range c.Frames {
		n.frames[f.Hash] = f
	}
	maps.DeleteFunc(n.frames, func(_ [32]byte, f store.FrameRecord) bool { return f.Data == nil && f.Seq < c.Forget })
	return n
}

// without returns the row after an item was taken out of a queue.
func (m model) without(q store.Queue, seq uint64) model {
	m.queues = maps.Clone(m.queues)
	m.queues[q] = slices.DeleteFunc(slices.Clone(m.queues[q]), func(it store.Item) bool { return it.Seq == seq })
	return m
}

func (m model) exists() bool { return m.row.Head.Version > 0 }

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
		if err := sameRow(row, m.row); err != nil {
			return err
		}
		if !sameHead(head, m.row.Head) {
			return fmt.Errorf("Head returns version %d, not %d, or another seal", head.Version, m.row.Head.Version)
		}
	}
	for _, q := range []store.Queue{store.Outbox, store.Inbox} {
		items, err := s.Items(ctx, k, id, q, 0, math.MaxInt32)
		if err != nil || !slices.EqualFunc(items, m.queues[q], sameItem) {
			return fmt.Errorf("queue %d holds %v (error %v), not %v", q, seqs(items), err, seqs(m.queues[q]))
		}
		if n, err := s.Count(ctx, k, id, q); err != nil || n != len(items) {
			return fmt.Errorf("queue %d counts %d (error %v), not %d", q, n, err, len(items))
		}
	}
	kept, err := s.Retained(ctx, k, id, 0, math.MaxInt32)
	if want := m.retained(); err != nil || !slices.EqualFunc(kept, want, sameFrame) {
		return fmt.Errorf("%d frames are retained (error %v), not %d, or they are others", len(kept), err, len(want))
	}
	for _, h := range append(slices.Collect(maps.Keys(m.frames)), hashes...) {
		got, err := s.Frame(ctx, k, id, h)
		want, found := m.frames[h]
		switch {
		case !found && !errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("Frame returns %v for a record that is not there, not ErrNotFound", err)
		case found && err != nil:
			return fmt.Errorf("Frame returns %v for record %d", err, want.Seq)
		case found && !sameFrame(got, want):
			return fmt.Errorf("Frame returns record %d with %d bytes (nil: %v), not %d with %d (nil: %v)",
				got.Seq, len(got.Data), got.Data == nil, want.Seq, len(want.Data), want.Data == nil)
		}
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
func sameItem(a, b store.Item) bool { return a.Seq == b.Seq && sameBytes(a.Data, b.Data) }
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
