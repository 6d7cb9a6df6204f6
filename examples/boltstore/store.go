package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	bolt "go.etcd.io/bbolt"

	"github.com/trefoil-im/trefoil/state/store"
)

// Store is a store.Store in a file of bbolt. Any number of handles share one file within a process; bbolt keeps other processes
// out.
//
// There is a bucket for each kind, with a bucket for each row, and one for the IDs of deleted rows. A row holds its head, and
// a bucket each for parts, segments, the two queues, records of frames by hash, and hashes by number. bbolt syncs the file
// before it returns from an update (rule 10 of the contract), and it is safe for concurrent use.
type Store struct{ db *bolt.DB }

var _ store.Store = (*Store)(nil)

// NewStore returns the store in an open file, which stays its caller's to close.
func NewStore(db *bolt.DB) *Store { return &Store{db} }

var (
	headKey        = []byte("head")
	partsBucket    = []byte("parts")
	segmentsBucket = []byte("segments")
	framesBucket   = []byte("frames")
	numbersBucket  = []byte("numbers")
)

func queueBucket(q store.Queue) []byte     { return []byte{'q', byte(q)} }
func deletedBucket(k store.Kind) []byte    { return []byte("deleted " + k.String()) }
func number(n uint64) []byte               { return binary.BigEndian.AppendUint64(nil, n) } // ordered as bytes are
func fromNumber(b []byte) uint64           { return binary.BigEndian.Uint64(b) }
func item(lane uint64, data []byte) []byte { return append(number(lane), data...) }
func readHead(row *bolt.Bucket) store.Head {
	b := row.Get(headKey)
	return store.Head{Version: fromNumber(b), Sealed: copied(b[8:])}
}
func writeHead(row *bolt.Bucket, h store.Head) error {
	return row.Put(headKey, append(number(h.Version), h.Sealed...))
}

// copied returns a copy that outlives the transaction, and is not nil: empty is not nil (rules 15 and 16).
func copied(b []byte) []byte { return append([]byte{}, b...) }

// find returns a row, ErrNotFound or ErrDeleted.
func find(tx *bolt.Tx, k store.Kind, id store.ID) (*bolt.Bucket, error) {
	if rows := tx.Bucket([]byte(k.String())); rows != nil {
		if row := rows.Bucket(id[:]); row != nil {
			return row, nil
		}
	}
	if deleted := tx.Bucket(deletedBucket(k)); deleted != nil && deleted.Get(id[:]) != nil {
		return nil, store.ErrDeleted
	}
	return nil, store.ErrNotFound
}

// view runs f on a row in a transaction that reads. bbolt cannot be interrupted, so that a context counts before (rule 9).
func (s *Store) view(ctx context.Context, k store.Kind, id store.ID, f func(row *bolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.View(func(tx *bolt.Tx) error {
		row, err := find(tx, k, id)
		if err != nil {
			return err
		}
		return f(row)
	})
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, k store.Kind, id store.ID) (out store.Row, err error) {
	err = s.view(ctx, k, id, func(row *bolt.Bucket) error {
		out = store.Row{Head: readHead(row), Segments: make(map[string][]byte)}
		for i := range k.Parts() {
			out.Parts = append(out.Parts, copied(row.Bucket(partsBucket).Get([]byte{byte(i)})))
		}
		out.Outbox, out.Inbox = held(row, store.Outbox), held(row, store.Inbox)
		row.Bucket(numbersBucket).ForEach(func(seq, hash []byte) error {
			if f := record(row, hash); f.Data != nil {
				out.Retained = append(out.Retained, store.HeldFrame{Hash: f.Hash, Seq: f.Seq, Size: len(f.Data)})
			}
			return nil
		})
		return row.Bucket(segmentsBucket).ForEach(func(path, sealed []byte) error {
			out.Segments[string(path)] = copied(sealed)
			return nil
		})
	})
	return out, err
}

// held returns what lies in a queue.
func held(row *bolt.Bucket, q store.Queue) (out []store.Held) {
	row.Bucket(queueBucket(q)).ForEach(func(seq, b []byte) error {
		out = append(out, store.Held{Seq: fromNumber(seq), Lane: fromNumber(b), Size: len(b) - 8})
		return nil
	})
	return out
}

// record returns the record of a frame: its number, whether it is retained, and then its data.
func record(row *bolt.Bucket, hash []byte) store.FrameRecord {
	b := row.Bucket(framesBucket).Get(hash)
	if b == nil {
		return store.FrameRecord{}
	}
	f := store.FrameRecord{Hash: [32]byte(hash), Seq: fromNumber(b)}
	if b[8] == 1 {
		f.Data = copied(b[9:])
	}
	return f
}

// Head implements store.Store.
func (s *Store) Head(ctx context.Context, k store.Kind, id store.ID) (head store.Head, err error) {
	err = s.view(ctx, k, id, func(row *bolt.Bucket) error {
		head = readHead(row)
		return nil
	})
	return head, err
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, k store.Kind, after store.ID, limit int) (ids []store.ID, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.db.View(func(tx *bolt.Tx) error {
		rows := tx.Bucket([]byte(k.String()))
		if rows == nil {
			return nil
		}
		c := rows.Cursor()
		id, _ := c.Seek(after[:])
		if bytes.Equal(id, after[:]) {
			id, _ = c.Next()
		}
		for ; id != nil && len(ids) < limit; id, _ = c.Next() {
			ids = append(ids, store.ID(id))
		}
		return nil
	})
	return ids, err
}

// Items implements store.Store.
func (s *Store) Items(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) (items []store.Item, err error) {
	err = s.view(ctx, k, id, func(row *bolt.Bucket) error {
		queue := row.Bucket(queueBucket(q))
		if queue == nil {
			return nil // there is no such queue
		}
		for _, seq := range seqs {
			if b := queue.Get(number(seq)); b != nil {
				items = append(items, store.Item{Seq: seq, Lane: fromNumber(b), Data: copied(b[8:])})
			}
		}
		return nil
	})
	return items, orNone(err)
}

// Frames implements store.Store.
func (s *Store) Frames(ctx context.Context, k store.Kind, id store.ID, hashes ...[32]byte) (frames []store.FrameRecord, err error) {
	err = s.view(ctx, k, id, func(row *bolt.Bucket) error {
		for _, hash := range hashes {
			if f := record(row, hash[:]); f.Seq != 0 {
				frames = append(frames, f)
			}
		}
		return nil
	})
	return frames, orNone(err)
}

// orNone turns a missing row into an empty answer.
func orNone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// Commit implements store.Store. An error rolls everything back.
func (s *Store) Commit(ctx context.Context, changes ...store.Change) error {
	if err := store.Check(changes); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil || len(changes) == 0 {
		return err
	}
	return s.db.Update(func(tx *bolt.Tx) error {
		if err := ctx.Err(); err != nil { // it may have waited for another writer
			return err
		}
		for i, c := range changes {
			if err := apply(tx, c); err != nil {
				return &store.ChangeError{Index: i, Err: err}
			}
		}
		return nil
	})
}

var errTaken = errors.New("boltstore: the number of a record is taken")
