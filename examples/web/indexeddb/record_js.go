package indexeddb

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// record is a row with all that lies beside it.
type record struct {
	Head     store.Head
	Parts    [][]byte
	Segments map[string][]byte
	Outbox   map[uint64]store.Item
	Inbox    map[uint64]store.Item
	Frames   map[[32]byte]frame
}

// frame is a record of a frame. Whether there are data is a field of its own, since gob does not tell none from empty.
type frame struct {
	Hash     [32]byte
	Seq      uint64
	Retained bool
	Data     []byte
}

func (f frame) record() store.FrameRecord {
	out := store.FrameRecord{Hash: f.Hash, Seq: f.Seq}
	if f.Retained {
		out.Data = append([]byte{}, f.Data...)
	}
	return out
}

func newRecord(parts int) *record {
	return &record{Parts: make([][]byte, parts), Segments: map[string][]byte{}, Outbox: map[uint64]store.Item{}, Inbox: map[uint64]store.Item{},
		Frames: map[[32]byte]frame{}}
}

func (r *record) encode() ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(r)
	return b.Bytes(), err
}

func decode(raw []byte) (*record, error) {
	r := newRecord(0)
	if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(r); err != nil {
		return nil, err
	}
	// What was empty is not nil.
	for i, p := range r.Parts {
		r.Parts[i] = append([]byte{}, p...)
	}
	for path, b := range r.Segments {
		r.Segments[path] = append([]byte{}, b...)
	}
	for _, queue := range []map[uint64]store.Item{r.Outbox, r.Inbox} {
		for seq, it := range queue {
			it.Data = append([]byte{}, it.Data...)
			queue[seq] = it
		}
	}
	r.Head.Sealed = append([]byte{}, r.Head.Sealed...)
	return r, nil
}

// sorted returns the records of frames in the order in which they were written.
func (r *record) sorted() (out []frame) {
	for _, f := range r.Frames {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b frame) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

var errTaken = errors.New("indexeddb: the number of an item or record is taken")

// refuses returns why a change cannot be made of a row, nil if there is none, which was deleted if it is gone.
func refuses(c store.Change, r *record, gone bool) error {
	switch a := c.Action(); {
	case a == store.Assert && c.Base.IsZero():
		if r != nil {
			return store.ErrConflict
		}
	case a == store.Create:
		if r != nil {
			return store.ErrExists
		}
		if gone && !c.Revive {
			return store.ErrDeleted
		}
	case r == nil && gone:
		return store.ErrDeleted
	case r == nil:
		return store.ErrNotFound
	case !r.Head.Equal(c.Base):
		return store.ErrConflict
	case !r.takes(c):
		return errTaken
	}
	return nil
}

// takes reports whether the numbers of new items and records are free: those of items are above all others.
func (r *record) takes(c store.Change) bool {
	for _, q := range []struct {
		held map[uint64]store.Item
		more []store.Item
	}{{r.Outbox, c.Outbox}, {r.Inbox, c.Inbox}} {
		last := uint64(0)
		for seq := range q.held {
			last = max(last, seq)
		}
		for _, it := range q.more {
			if _, found := q.held[it.Seq]; !found && it.Seq < last {
				return false
			}
		}
	}
	for _, f := range c.Frames {
		for _, other := range r.Frames {
			if other.Seq == f.Seq && other.Hash != f.Hash {
				return false
			}
		}
	}
	return true
}

// apply makes a change.
func (r *record) apply(c store.Change) {
	r.Head = c.Next
	for i, p := range c.Parts {
		if p != nil {
			r.Parts[i] = p
		}
	}
	for _, path := range c.Drop {
		delete(r.Segments, path)
	}
	for path, b := range c.Put {
		r.Segments[path] = b
	}
	for _, seq := range c.Sent {
		delete(r.Outbox, seq)
	}
	for _, seq := range c.Taken {
		delete(r.Inbox, seq)
	}
	for _, it := range c.Outbox {
		r.Outbox[it.Seq] = it
	}
	for _, it := range c.Inbox {
		r.Inbox[it.Seq] = it
	}
	for _, hash := range c.Lost {
		delete(r.Frames, hash)
	}
	for _, f := range c.Frames {
		r.Frames[f.Hash] = frame{f.Hash, f.Seq, f.Data != nil, f.Data}
	}
	for hash, f := range r.Frames {
		if f.Seq < c.Forget && !f.Retained {
			delete(r.Frames, hash)
		}
	}
}
