package indexeddb

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// Store is a store.Store. Several handles on one database, in one page or in several, are one store.
type Store struct{ db database }

var _ store.Store = (*Store)(nil)

// The object stores: what is there, and which rows were deleted.
const (
	rows    = "rows"
	deleted = "deleted"
)

// Open opens the store in a database, which is made if there is none.
func Open(ctx context.Context, name string) (*Store, error) {
	db, err := open(ctx, name, rows, deleted)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

// Close closes the handle.
func (s *Store) Close() { s.db.close() }

// keyOf is the key of a row: keys are compared as bytes.
func keyOf(k store.Kind, id store.ID) []byte { return append([]byte{byte(k)}, id[:]...) }

// find returns a row, and whether it was deleted if it is not there.
func find(t transaction, k store.Kind, id store.ID) (r *record, gone bool, err error) {
	raw, found, err := t.get(rows, keyOf(k, id))
	if err != nil || found {
		if err == nil {
			r, err = decode(raw)
		}
		return r, false, err
	}
	_, gone, err = t.get(deleted, keyOf(k, id))
	return nil, gone, err
}

// row returns a row as of one moment, or store.ErrNotFound.
func (s *Store) row(ctx context.Context, k store.Kind, id store.ID) (r *record, err error) {
	err = s.db.do(ctx, false, func(t transaction) error {
		var gone bool
		if r, gone, err = find(t, k, id); err != nil || r != nil {
			return err
		}
		if gone {
			return store.ErrDeleted
		}
		return store.ErrNotFound
	})
	return r, err
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, k store.Kind, id store.ID) (store.Row, error) {
	r, err := s.row(ctx, k, id)
	if err != nil {
		return store.Row{}, err
	}
	out := store.Row{Head: r.Head, Parts: r.Parts, Segments: r.Segments, Outbox: held(r.Outbox), Inbox: held(r.Inbox)}
	for _, f := range r.sorted() {
		if f.Retained {
			out.Retained = append(out.Retained, store.HeldFrame{Hash: f.Hash, Seq: f.Seq, Size: len(f.Data)})
		}
	}
	return out, nil
}

func held(items map[uint64]store.Item) (out []store.Held) {
	for _, it := range items {
		out = append(out, store.Held{Seq: it.Seq, Lane: it.Lane, Size: len(it.Data)})
	}
	slices.SortFunc(out, func(a, b store.Held) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

// Head implements store.Store.
func (s *Store) Head(ctx context.Context, k store.Kind, id store.ID) (store.Head, error) {
	r, err := s.row(ctx, k, id)
	if err != nil {
		return store.Head{}, err
	}
	return r.Head, nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, k store.Kind, after store.ID, limit int) (ids []store.ID, err error) {
	last := bytes.Repeat([]byte{0xff}, len(after))
	err = s.db.do(ctx, false, func(t transaction) error {
		if limit <= 0 || bytes.Equal(after[:], last) {
			return nil
		}
		keys, err := t.keys(rows, keyOf(k, after), keyOf(k, store.ID(last)), limit)
		for _, key := range keys {
			ids = append(ids, store.ID(key[1:]))
		}
		return err
	})
	return ids, err
}

// Items implements store.Store.
func (s *Store) Items(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) (out []store.Item, err error) {
	r, err := s.rowOrNone(ctx, k, id)
	if err != nil || r == nil {
		return nil, err
	}
	items := map[store.Queue]map[uint64]store.Item{store.Outbox: r.Outbox, store.Inbox: r.Inbox}[q]
	for _, seq := range seqs {
		if it, found := items[seq]; found {
			it.Data = bytes.Clone(it.Data) // asked for twice, it is two
			out = append(out, it)
		}
	}
	return out, nil
}

// Frames implements store.Store.
func (s *Store) Frames(ctx context.Context, k store.Kind, id store.ID, hashes ...[32]byte) (out []store.FrameRecord, err error) {
	r, err := s.rowOrNone(ctx, k, id)
	if err != nil || r == nil {
		return nil, err
	}
	for _, hash := range hashes {
		if f, found := r.Frames[hash]; found {
			out = append(out, f.record())
		}
	}
	return out, nil
}

// rowOrNone is row for those who take a missing row for an empty one.
func (s *Store) rowOrNone(ctx context.Context, k store.Kind, id store.ID) (r *record, err error) {
	err = s.db.do(ctx, false, func(t transaction) error {
		r, _, err = find(t, k, id)
		return err
	})
	return r, err
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, changes ...store.Change) error {
	if err := store.Check(changes); err != nil {
		return err
	}
	return s.db.do(ctx, true, func(t transaction) error {
		next := make([]*record, len(changes))
		for i, c := range changes {
			r, gone, err := find(t, c.Kind, c.ID)
			if err != nil {
				return err
			}
			if err := refuses(c, r, gone); err != nil {
				return &store.ChangeError{Index: i, Err: err}
			}
			if r == nil {
				r = newRecord(len(c.Parts))
			}
			next[i] = r
		}
		for i, c := range changes {
			if err := write(t, c, next[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// write carries out a change that is not refused.
func write(t transaction, c store.Change, r *record) error {
	key := keyOf(c.Kind, c.ID)
	switch c.Action() {
	case store.Assert:
		return nil
	case store.Delete:
		if err := t.put(deleted, key, nil); err != nil {
			return err
		}
		return t.remove(rows, key)
	case store.Create:
		if err := t.remove(deleted, key); err != nil {
			return err
		}
	}
	r.apply(c)
	raw, err := r.encode()
	if err != nil {
		return err
	}
	return t.put(rows, key, raw)
}
