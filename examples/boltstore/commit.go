package main

import (
	"bytes"
	"errors"

	bolt "go.etcd.io/bbolt"

	"github.com/trefoil-im/trefoil/state/store"
)

// apply carries out a change, or returns why it is refused.
func apply(tx *bolt.Tx, c store.Change) error {
	row, err := find(tx, c.Kind, c.ID)
	switch a := c.Action(); {
	case a == store.Create && err == nil:
		return store.ErrExists
	case a == store.Create && errors.Is(err, store.ErrDeleted) && !c.Revive:
		return err
	case a == store.Create:
		if row, err = create(tx, c); err != nil {
			return err
		}
	case a == store.Assert && c.Base.IsZero() && err == nil:
		return store.ErrConflict
	case a == store.Assert && c.Base.IsZero():
		return nil
	case err != nil:
		return err
	case !readHead(row).Equal(c.Base):
		return store.ErrConflict
	case a == store.Assert:
		return nil
	case a == store.Delete:
		return remove(tx, c)
	}
	return write(row, c)
}

// create makes an empty row.
func create(tx *bolt.Tx, c store.Change) (*bolt.Bucket, error) {
	if deleted := tx.Bucket(deletedBucket(c.Kind)); deleted != nil {
		if err := deleted.Delete(c.ID[:]); err != nil {
			return nil, err
		}
	}
	rows, err := tx.CreateBucketIfNotExists([]byte(c.Kind.String()))
	if err != nil {
		return nil, err
	}
	row, err := rows.CreateBucket(c.ID[:])
	for _, name := range [][]byte{partsBucket, segmentsBucket, framesBucket, numbersBucket, queueBucket(store.Outbox), queueBucket(store.Inbox)} {
		if err == nil {
			_, err = row.CreateBucket(name)
		}
	}
	return row, err
}

// remove deletes a row, and remembers its ID (rule 5).
func remove(tx *bolt.Tx, c store.Change) error {
	deleted, err := tx.CreateBucketIfNotExists(deletedBucket(c.Kind))
	if err == nil {
		err = deleted.Put(c.ID[:], []byte{1})
	}
	if err == nil {
		err = tx.Bucket([]byte(c.Kind.String())).DeleteBucket(c.ID[:])
	}
	return err
}

// write does to a row what a creation or an update holds.
func write(row *bolt.Bucket, c store.Change) error {
	err := writeHead(row, c.Next)
	put := func(b *bolt.Bucket, key, value []byte) {
		if err == nil {
			err = b.Put(key, value)
		}
	}
	drop := func(b *bolt.Bucket, key []byte) {
		if err == nil {
			err = b.Delete(key)
		}
	}
	for i, p := range c.Parts {
		if p != nil {
			put(row.Bucket(partsBucket), []byte{byte(i)}, p)
		}
	}
	for _, path := range c.Drop {
		drop(row.Bucket(segmentsBucket), []byte(path))
	}
	for path, sealed := range c.Put {
		put(row.Bucket(segmentsBucket), []byte(path), sealed)
	}
	for q, seqs := range map[store.Queue][]uint64{store.Outbox: c.Sent, store.Inbox: c.Taken} {
		for _, seq := range seqs {
			drop(row.Bucket(queueBucket(q)), number(seq))
		}
	}
	for q, items := range map[store.Queue][]store.Item{store.Outbox: c.Outbox, store.Inbox: c.Inbox} {
		for _, it := range items {
			put(row.Bucket(queueBucket(q)), number(it.Seq), item(it.Lane, it.Data))
		}
	}
	if err != nil {
		return err
	}
	for _, hash := range c.Lost {
		if err := removeRecord(row, hash[:]); err != nil {
			return err
		}
	}
	for _, f := range c.Frames {
		if err := writeRecord(row, f); err != nil {
			return err
		}
	}
	return forget(row, c.Forget)
}

// writeRecord puts the record of a frame in the place of the one with the same hash.
func writeRecord(row *bolt.Bucket, f store.FrameRecord) error {
	frames, numbers := row.Bucket(framesBucket), row.Bucket(numbersBucket)
	if hash := numbers.Get(number(f.Seq)); hash != nil && !bytes.Equal(hash, f.Hash[:]) {
		return errTaken
	}
	if err := removeRecord(row, f.Hash[:]); err != nil {
		return err
	}
	retained := byte(0)
	if f.Data != nil {
		retained = 1
	}
	if err := frames.Put(f.Hash[:], append(append(number(f.Seq), retained), f.Data...)); err != nil {
		return err
	}
	return numbers.Put(number(f.Seq), f.Hash[:])
}

// removeRecord removes the record of a frame, if there is one.
func removeRecord(row *bolt.Bucket, hash []byte) error {
	f := record(row, hash)
	if f.Seq == 0 {
		return nil
	}
	return errors.Join(row.Bucket(numbersBucket).Delete(number(f.Seq)), row.Bucket(framesBucket).Delete(hash))
}

// forget removes the records below a number of frames that are done with. What a cursor stands on must not be deleted under it.
func forget(row *bolt.Bucket, below uint64) error {
	var old []store.FrameRecord
	c := row.Bucket(numbersBucket).Cursor()
	for seq, hash := c.First(); seq != nil && fromNumber(seq) < below; seq, hash = c.Next() {
		if f := record(row, hash); f.Data == nil {
			old = append(old, f)
		}
	}
	for _, f := range old {
		if err := removeRecord(row, f.Hash[:]); err != nil {
			return err
		}
	}
	return nil
}
