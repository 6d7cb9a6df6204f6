package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// Memory is a Store that forgets everything when the program ends: for tests, and for values that are not to be kept.
// The zero Memory is empty and ready; it must not be copied.
type Memory struct {
	mu   sync.RWMutex
	rows map[rowKey]*memoryRow
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return new(Memory) }

type rowKey struct {
	kind Kind
	id   ID
}

type memoryRow struct {
	Row
	queues map[Queue][]Item    // in order of Seq
	frames []FrameRecord       // in order of Seq
	seqs   map[[32]byte]uint64 // of the frames
}

var errTaken = errors.New("store: the number of an item or record is taken")

// Load implements Store.
func (m *Memory) Load(ctx context.Context, k Kind, id ID) (Row, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, err := m.at(ctx, k, id)
	if err != nil {
		return Row{}, err
	}
	out := Row{Head: r.Head.clone(), Parts: make([][]byte, len(r.Parts)), Segments: make(map[string][]byte, len(r.Segments))}
	for i, p := range r.Parts {
		out.Parts[i] = clone(p)
	}
	for path, b := range r.Segments {
		out.Segments[path] = clone(b)
	}
	return out, nil
}

// Head implements Store.
func (m *Memory) Head(ctx context.Context, k Kind, id ID) (Head, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, err := m.at(ctx, k, id)
	if err != nil {
		return Head{}, err
	}
	return r.Head.clone(), nil
}

// List implements Store.
func (m *Memory) List(ctx context.Context, k Kind) ([]ID, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var ids []ID
	for key := range maps.Keys(m.rows) {
		if key.kind == k {
			ids = append(ids, key.id)
		}
	}
	slices.SortFunc(ids, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	return ids, nil
}

// Commit implements Store.
func (m *Memory) Commit(ctx context.Context, k Kind, id ID, c Change) error {
	if err := c.Check(k); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.at(ctx, k, id)
	switch {
	case c.Creates() && err == nil:
		return ErrExists
	case c.Creates() && errors.Is(err, ErrNotFound):
		r = &memoryRow{
			Row:    Row{Parts: make([][]byte, len(c.Parts)), Segments: make(map[string][]byte)},
			queues: make(map[Queue][]Item),
			seqs:   make(map[[32]byte]uint64),
		}
	case err != nil:
		return err
	case !r.Head.Equal(c.Base):
		return ErrConflict
	}
	if !r.takes(c) {
		return errTaken
	}
	// Nothing can fail from here on.
	r.apply(c)
	if m.rows == nil {
		m.rows = make(map[rowKey]*memoryRow)
	}
	m.rows[rowKey{k, id}] = r
	return nil
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, k Kind, id ID, h Head) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.at(ctx, k, id)
	if err != nil {
		return err
	}
	if !r.Head.Equal(h) {
		return ErrConflict
	}
	delete(m.rows, rowKey{k, id})
	return nil
}

// Items implements Store.
func (m *Memory) Items(ctx context.Context, k Kind, id ID, q Queue, after uint64, limit int) ([]Item, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, err := m.at(ctx, k, id)
	if err != nil {
		return nil, orNone(err)
	}
	var out []Item
	i, found := slices.BinarySearchFunc(r.queues[q], after, itemAt)
	if found {
		i++
	}
	for _, it := range r.queues[q][i:] {
		if len(out) >= limit {
			break
		}
		out = append(out, Item{it.Seq, clone(it.Data)})
	}
	return out, nil
}

// Count implements Store.
func (m *Memory) Count(ctx context.Context, k Kind, id ID, q Queue) (int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, err := m.at(ctx, k, id)
	if err != nil {
		return 0, orNone(err)
	}
	return len(r.queues[q]), nil
}

// Remove implements Store.
func (m *Memory) Remove(ctx context.Context, k Kind, id ID, q Queue, items ...Item) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.at(ctx, k, id)
	if err != nil {
		return orNone(err)
	}
	for _, it := range items {
		i, found := slices.BinarySearchFunc(r.queues[q], it.Seq, itemAt)
		if found && bytes.Equal(r.queues[q][i].Data, it.Data) {
			r.queues[q] = slices.Delete(r.queues[q], i, i+1)
		}
	}
	return nil
}

// Frame implements Store.
func (m *Memory) Frame(ctx context.Context, k Kind, id ID, hash [32]byte) (FrameRecord, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, err := m.at(ctx, k, id)
	if err != nil {
		return FrameRecord{}, err
	}
	seq, found := r.seqs[hash]
	if !found {
		return FrameRecord{}, ErrNotFound
	}
	i, _ := slices.BinarySearchFunc(r.frames, seq, frameAt)
	return r.frames[i].clone(), nil
}

// Retained implements Store.
func (m *Memory) Retained(ctx context.Context, k Kind, id ID, after uint64, limit int) ([]FrameRecord, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, err := m.at(ctx, k, id)
	if err != nil {
		return nil, orNone(err)
	}
	var out []FrameRecord
	i, found := slices.BinarySearchFunc(r.frames, after, frameAt)
	if found {
		i++
	}
	for _, f := range r.frames[i:] {
		if len(out) >= limit {
			break
		}
		if f.Data != nil {
			out = append(out, f.clone())
		}
	}
	return out, nil
}

// at returns a row. The context is looked at when the lock is held, so that nothing happens after it has ended.
func (m *Memory) at(ctx context.Context, k Kind, id ID) (*memoryRow, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, found := m.rows[rowKey{k, id}]
	if !found {
		return nil, ErrNotFound
	}
	return r, nil
}

// orNone turns a missing row into an empty answer.
func orNone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// takes reports whether the numbers of the new items and records are free.
func (r *memoryRow) takes(c Change) bool {
	for q, items := range map[Queue][]Item{Outbox: c.Outbox, Inbox: c.Inbox} {
		held := r.queues[q]
		if len(items) > 0 && len(held) > 0 && items[0].Seq <= held[len(held)-1].Seq {
			return false
		}
	}
	for _, f := range c.Frames {
		if i, found := slices.BinarySearchFunc(r.frames, f.Seq, frameAt); found && r.frames[i].Hash != f.Hash {
			return false
		}
	}
	return true
}

func (r *memoryRow) apply(c Change) {
	r.Head = c.Next.clone()
	for i, p := range c.Parts {
		if p != nil {
			r.Parts[i] = clone(p)
		}
	}
	for _, path := range c.Drop {
		delete(r.Segments, path)
	}
	for path, b := range c.Put {
		r.Segments[path] = clone(b)
	}
	for q, items := range map[Queue][]Item{Outbox: c.Outbox, Inbox: c.Inbox} {
		for _, it := range items {
			r.queues[q] = append(r.queues[q], Item{it.Seq, clone(it.Data)})
		}
	}
	for _, f := range c.Frames {
		if seq, found := r.seqs[f.Hash]; found {
			i, _ := slices.BinarySearchFunc(r.frames, seq, frameAt)
			r.frames = slices.Delete(r.frames, i, i+1)
		}
		i, _ := slices.BinarySearchFunc(r.frames, f.Seq, frameAt)
		r.frames = slices.Insert(r.frames, i, f.clone())
		r.seqs[f.Hash] = f.Seq
	}
	old, _ := slices.BinarySearchFunc(r.frames, c.Forget, frameAt)
	kept := slices.DeleteFunc(slices.Clone(r.frames[:old]), func(f FrameRecord) bool {
		if f.Data == nil {
			delete(r.seqs, f.Hash)
		}
		return f.Data == nil
	})
	r.frames = slices.Replace(r.frames, 0, old, kept...)
}

func itemAt(it Item, seq uint64) int        { return cmp.Compare(it.Seq, seq) }
func frameAt(f FrameRecord, seq uint64) int { return cmp.Compare(f.Seq, seq) }

func (h Head) clone() Head { return Head{h.Version, clone(h.Sealed)} }

func (f FrameRecord) clone() FrameRecord {
	f.Data = bytes.Clone(f.Data) // keeps nil apart from empty
	return f
}

// clone copies a slice that is never nil in a row.
func clone(b []byte) []byte { return append([]byte{}, b...) }
