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
	mu      sync.RWMutex
	rows    map[rowKey]*memoryRow
	deleted map[rowKey]bool
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return new(Memory) }

// Clone returns a Memory with the same content, which from then on is another: a copy of a device, for tests.
func (m *Memory) Clone() *Memory {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c := &Memory{rows: make(map[rowKey]*memoryRow, len(m.rows)), deleted: maps.Clone(m.deleted)}
	for k, r := range m.rows {
		next := *r // what the slices hold is never written to
		next.parts, next.segments, next.seqs = slices.Clone(r.parts), maps.Clone(r.segments), maps.Clone(r.seqs)
		next.frames = slices.Clone(r.frames)
		for q := range r.queues {
			next.queues[q] = slices.Clone(r.queues[q])
		}
		c.rows[k] = &next
	}
	return c
}

type rowKey struct {
	kind Kind
	id   ID
}

type memoryRow struct {
	head     Head
	parts    [][]byte
	segments map[string][]byte
	queues   [3][]Item           // by Queue, each in order of Seq
	frames   []FrameRecord       // in order of Seq
	seqs     map[[32]byte]uint64 // of the frames
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
	out := Row{Head: r.head.clone(), Parts: make([][]byte, len(r.parts)), Segments: make(map[string][]byte, len(r.segments))}
	for i, p := range r.parts {
		out.Parts[i] = clone(p)
	}
	for path, b := range r.segments {
		out.Segments[path] = clone(b)
	}
	out.Outbox, out.Inbox = held(r.queues[Outbox]), held(r.queues[Inbox])
	for _, f := range r.frames {
		if f.Data != nil {
			out.Retained = append(out.Retained, HeldFrame{f.Hash, f.Seq, len(f.Data)})
		}
	}
	return out, nil
}

func held(items []Item) []Held {
	out := make([]Held, len(items))
	for i, it := range items {
		out[i] = Held{it.Seq, it.Lane, len(it.Data)}
	}
	return out
}

// Head implements Store.
func (m *Memory) Head(ctx context.Context, k Kind, id ID) (Head, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, err := m.at(ctx, k, id)
	if err != nil {
		return Head{}, err
	}
	return r.head.clone(), nil
}

// List implements Store.
func (m *Memory) List(ctx context.Context, k Kind, after ID, limit int) ([]ID, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var ids []ID
	for key := range m.rows {
		if key.kind == k && key.id.Compare(after) > 0 {
			ids = append(ids, key.id)
		}
	}
	slices.SortFunc(ids, ID.Compare)
	return ids[:min(len(ids), max(limit, 0))], nil
}

// Commit implements Store.
func (m *Memory) Commit(ctx context.Context, changes ...Change) error {
	if err := Check(changes); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, c := range changes {
		if err := m.refuses(c); err != nil {
			return &ChangeError{i, err}
		}
	}
	// Nothing can fail from here on.
	if m.rows == nil {
		m.rows, m.deleted = make(map[rowKey]*memoryRow), make(map[rowKey]bool)
	}
	for _, c := range changes {
		m.apply(c)
	}
	return nil
}

// refuses returns why a change cannot be made.
func (m *Memory) refuses(c Change) error {
	key := rowKey{c.Kind, c.ID}
	r, exists := m.rows[key]
	switch a := c.Action(); {
	case a == Assert && c.Base.IsZero() && !exists:
		return nil
	case a == Assert && c.Base.IsZero():
		return ErrConflict
	case a == Create && exists:
		return ErrExists
	case a == Create && m.deleted[key] && !c.Revive:
		return ErrDeleted
	case a == Create:
		return nil
	case !exists && m.deleted[key]:
		return ErrDeleted
	case !exists:
		return ErrNotFound
	case !r.head.Equal(c.Base):
		return ErrConflict
	case !r.takes(c):
		return errTaken
	}
	return nil
}

func (m *Memory) apply(c Change) {
	key := rowKey{c.Kind, c.ID}
	switch c.Action() {
	case Delete:
		delete(m.rows, key)
		m.deleted[key] = true
		return
	case Assert:
		return
	case Create:
		delete(m.deleted, key)
		m.rows[key] = &memoryRow{
			parts:    make([][]byte, len(c.Parts)),
			segments: make(map[string][]byte),
			seqs:     make(map[[32]byte]uint64),
		}
	}
	m.rows[key].apply(c)
}

// Items implements Store.
func (m *Memory) Items(ctx context.Context, k Kind, id ID, q Queue, seqs ...uint64) ([]Item, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, err := m.at(ctx, k, id)
	if err != nil {
		return nil, orNone(err)
	}
	if int(q) >= len(r.queues) {
		return nil, nil
	}
	var out []Item
	for _, seq := range seqs {
		if i, found := slices.BinarySearchFunc(r.queues[q], seq, itemAt); found {
			it := r.queues[q][i]
			it.Data = clone(it.Data)
			out = append(out, it)
		}
	}
	return out, nil
}

// Frames implements Store.
func (m *Memory) Frames(ctx context.Context, k Kind, id ID, hashes ...[32]byte) ([]FrameRecord, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, err := m.at(ctx, k, id)
	if err != nil {
		return nil, orNone(err)
	}
	var out []FrameRecord
	for _, hash := range hashes {
		if seq, found := r.seqs[hash]; found {
			i, _ := slices.BinarySearchFunc(r.frames, seq, frameAt)
			out = append(out, r.frames[i].clone())
		}
	}
	return out, nil
}

// at returns a row. The context is looked at when the lock is held, so that nothing happens after it has ended.
func (m *Memory) at(ctx context.Context, k Kind, id ID) (*memoryRow, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r, found := m.rows[rowKey{k, id}]; found {
		return r, nil
	}
	if m.deleted[rowKey{k, id}] {
		return nil, ErrDeleted
	}
	return nil, ErrNotFound
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
		for _, it := range items {
			if _, found := slices.BinarySearchFunc(held, it.Seq, itemAt); !found && len(held) > 0 && it.Seq < held[len(held)-1].Seq {
				return false
			}
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
	r.head = c.Next.clone()
	for i, p := range c.Parts {
		if p != nil {
			r.parts[i] = clone(p)
		}
	}
	for _, path := range c.Drop {
		delete(r.segments, path)
	}
	for path, b := range c.Put {
		r.segments[path] = clone(b)
	}
	for q, seqs := range map[Queue][]uint64{Outbox: c.Sent, Inbox: c.Taken} {
		for _, seq := range seqs {
			if i, found := slices.BinarySearchFunc(r.queues[q], seq, itemAt); found {
				r.queues[q] = slices.Delete(r.queues[q], i, i+1)
			}
		}
	}
	for q, items := range map[Queue][]Item{Outbox: c.Outbox, Inbox: c.Inbox} {
		for _, it := range items {
			it.Data = clone(it.Data)
			i, found := slices.BinarySearchFunc(r.queues[q], it.Seq, itemAt)
			if found {
				r.queues[q][i] = it
				continue
			}
			r.queues[q] = slices.Insert(r.queues[q], i, it)
		}
	}
	for _, hash := range c.Lost {
		r.lose(hash)
	}
	for _, f := range c.Frames {
		r.lose(f.Hash)
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

// lose removes the record of a frame.
func (r *memoryRow) lose(hash [32]byte) {
	if seq, found := r.seqs[hash]; found {
		i, _ := slices.BinarySearchFunc(r.frames, seq, frameAt)
		r.frames = slices.Delete(r.frames, i, i+1)
		delete(r.seqs, hash)
	}
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
