// Package sqlstore keeps sealed values in an SQL database. SQLite is the store for a program that carries its database
// with it, in one file: any driver of database/sql for SQLite 3.37 or later will do. Postgres is the store for many processes
// and machines, on PostgreSQL 13 or later with any driver of database/sql, pgx for one.
//
// The tables of the store begin with trefoil_ and are its own; all others in the database are the program's, which can write
// to them in the very transaction that stores a value (Rows). One database holds many stores that know nothing of each other
// (Store.Namespace).
//
// A Store holds connections of its own out of the given pool, some that write and some that read, and is sure of their
// settings, since durability and the refusal of incomplete rows hang on them. It sees only what a Vault has sealed, and
// numbers: versions, lengths, how many messages wait. Package store says what a Store promises.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/trefoil-im/trefoil/state/store"
)

// Store implements store.Hooked. It is safe for concurrent use, also beside other Stores and processes on one database.
type Store struct {
	*database
	namespace string
	shares    bool // its connections are another Store's, which closes them
}

var _ store.Hooked = (*Store)(nil)

// database is what the stores of all namespaces share.
type database struct {
	dialect dialect
	tables  map[store.Kind]*tables
	writer  lane
	readers lane
	done    chan struct{}
	close   sync.Once
	group   group
}

// openStore opens the store of the empty namespace with at most so many connections that write and that read.
func openStore(ctx context.Context, db *sql.DB, d dialect, writers, readers int) (*Store, error) {
	if most := db.Stats().MaxOpenConnections; most == 1 {
		return nil, errors.New("sqlstore: the pool must be able to give two connections")
	} else if most > 0 && most < writers+readers {
		writers = max(1, most*writers/(writers+readers))
		readers = most - writers
	}
	s := &database{dialect: d, tables: make(map[store.Kind]*tables), done: make(chan struct{})}
	for _, k := range store.Kinds() {
		s.tables[k] = newTables(k, d)
	}
	pin := func(reads bool) func(context.Context) (*sql.Conn, error) {
		return func(ctx context.Context) (*sql.Conn, error) {
			if err := d.check(); err != nil {
				return nil, err // a new connection would make an empty file
			}
			c, err := db.Conn(ctx)
			if err != nil {
				return nil, err
			}
			// Not all that SQLite does while it opens a file waits for other processes: a change to WAL, and what meets their recovery.
			if err := waiting(ctx, busyTimeout, d.fault, func() error { return d.settle(ctx, c, reads) }); err != nil {
				discard(c)
				return nil, err
			}
			return c, nil
		}
	}
	s.writer = newLane(writers, s.done, d.fault, pin(false))
	s.readers = newLane(readers, s.done, d.fault, pin(true))
	store := &Store{database: s}
	err := s.writer.use(ctx, nil, func(c *conn) error {
		err := d.upgrade(ctx, c)
		c.failed = c.failed || err != nil
		return err
	})
	if err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

// maxNamespace is the length of the longest name of a namespace in bytes. It is as short as names of accounts are, because
// it begins every key.
const maxNamespace = 64

// Namespace returns the store of a name in the same database: a tenant, an account. It shares nothing with the stores of other
// names but the connections, which are those of s and closed with it, so that a program can have thousands. The name has at
// most 64 bytes of printable ASCII and is stored unsealed; the store that was opened has the empty one. A vault key belongs to
// one namespace.
func (s *Store) Namespace(name string) (*Store, error) {
	if len(name) > maxNamespace {
		return nil, fmt.Errorf("sqlstore: a namespace of %d bytes, more than %d", len(name), maxNamespace)
	}
	for _, c := range []byte(name) {
		if c < ' ' || c > '~' {
			return nil, errors.New("sqlstore: a namespace that is not printable ASCII")
		}
	}
	return &Store{s.database, name, true}, nil
}

// Close waits for the methods under way and closes the connections; other methods then fail. The pool remains open: it is
// its owner's to close. For a Store that Namespace returned, Close does nothing. Close returns nil.
func (s *Store) Close() error {
	if s.shares {
		return nil
	}
	s.database.close.Do(func() {
		close(s.done)
		s.writer.close()
		s.readers.close()
	})
	return nil
}

// at returns the statements for a kind of value.
func (s *database) at(k store.Kind) (*tables, error) {
	t, found := s.tables[k]
	if !found {
		return nil, fmt.Errorf("sqlstore: there is no %v", k)
	}
	return t, nil
}

// read runs f for a kind of value with a connection that reads, within a transaction, hence of one moment, if it makes more
// than one query.
func (s *database) read(ctx context.Context, k store.Kind, queries int, f func(*conn, *tables) error) error {
	t, err := s.at(k)
	if err != nil {
		return err
	}
	return s.readers.use(ctx, nil, func(c *conn) error {
		if queries < 2 {
			return f(c, t)
		}
		return c.transaction(ctx, s.dialect.read, func() error { return f(c, t) })
	})
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, k store.Kind, id store.ID) (row store.Row, err error) {
	err = s.read(ctx, k, 4, func(c *conn, t *tables) (err error) {
		at := key{s.namespace, id}
		if row, err = t.row(ctx, c, at); err == nil {
			err = t.held(ctx, c, at, &row)
		}
		return err
	})
	if err != nil {
		return store.Row{}, err
	}
	return row, nil
}

// row reads a row and its segments.
func (t *tables) row(ctx context.Context, c *conn, at key) (store.Row, error) {
	row := store.Row{Parts: make([][]byte, len(t.names)), Segments: make(map[string][]byte)}
	into := []any{&row.Head.Version, &row.Head.Sealed}
	for i := range row.Parts {
		into = append(into, &row.Parts[i])
	}
	err := c.query(ctx, func(r *sql.Rows) error { return r.Scan(into...) }, t.load, at.args()...)
	if err != nil {
		return store.Row{}, err
	}
	if row.Head.Version == 0 {
		return store.Row{}, t.absent(ctx, c, at)
	}
	row.Head.Sealed = filled(row.Head.Sealed)
	for i := range row.Parts {
		row.Parts[i] = filled(row.Parts[i])
	}
	err = c.query(ctx, func(r *sql.Rows) error {
		var path, sealed []byte
		err := r.Scan(&path, &sealed)
		row.Segments[string(path)] = filled(sealed)
		return err
	}, t.segments, at.args()...)
	return row, err
}

// held reads the numbers of what lies beside a row.
func (t *tables) held(ctx context.Context, c *conn, at key, row *store.Row) error {
	err := c.query(ctx, func(r *sql.Rows) error {
		var q store.Queue
		var h store.Held
		err := r.Scan(&q, &h.Seq, &h.Lane, &h.Size)
		if q == store.Outbox {
			row.Outbox = append(row.Outbox, h)
		} else {
			row.Inbox = append(row.Inbox, h)
		}
		return err
	}, t.numbers, at.args()...)
	if err != nil {
		return err
	}
	return c.query(ctx, func(r *sql.Rows) error {
		var hash []byte
		var f store.HeldFrame
		err := r.Scan(&hash, &f.Seq, &f.Size)
		copy(f.Hash[:], hash)
		row.Retained = append(row.Retained, f)
		return err
	}, t.retained, at.args()...)
}

// Head implements store.Store.
func (s *Store) Head(ctx context.Context, k store.Kind, id store.ID) (head store.Head, err error) {
	err = s.read(ctx, k, 1, func(c *conn, t *tables) (err error) {
		head, err = t.readHead(ctx, c, t.head, key{s.namespace, id})
		return err
	})
	return head, err
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, k store.Kind, after store.ID, limit int) (ids []store.ID, err error) {
	err = s.read(ctx, k, 1, func(c *conn, t *tables) error {
		ids = nil
		return c.query(ctx, func(r *sql.Rows) error {
			var raw []byte
			var id store.ID
			if err := r.Scan(&raw); err != nil {
				return err
			}
			if copy(id[:], raw) != len(id) {
				return errors.New("an ID of another length")
			}
			ids = append(ids, id)
			return nil
		}, t.list, key{s.namespace, after}.args(max(limit, 0))...)
	})
	return whole(ids, err)
}

// Items implements store.Store.
func (s *Store) Items(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) ([]store.Item, error) {
	seqs = stored(seqs)
	found := make(map[uint64]store.Item, len(seqs))
	scan := func(r *sql.Rows) error {
		var it store.Item
		err := r.Scan(&it.Seq, &it.Lane, &it.Data)
		it.Data = filled(it.Data)
		found[it.Seq] = it
		return err
	}
	err := s.read(ctx, k, statements(len(seqs)), func(c *conn, t *tables) error {
		clear(found) // it may run again
		for text, args := range inPieces(t.items, key{s.namespace, id}.args(int64(q)), seqs, numberArg) {
			if err := c.query(ctx, scan, text, args...); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return inOrder(seqs, found, err)
}

// Frames implements store.Store.
func (s *Store) Frames(ctx context.Context, k store.Kind, id store.ID, hashes ...[32]byte) ([]store.FrameRecord, error) {
	found := make(map[[32]byte]store.FrameRecord, len(hashes))
	scan := func(r *sql.Rows) error {
		var f store.FrameRecord
		var hash []byte
		var retained bool
		err := r.Scan(&hash, &f.Seq, &f.Data, &retained)
		copy(f.Hash[:], hash)
		if retained {
			f.Data = filled(f.Data)
		}
		found[f.Hash] = f
		return err
	}
	err := s.read(ctx, k, statements(len(hashes)), func(c *conn, t *tables) error {
		clear(found)
		for text, args := range inPieces(t.frames, key{s.namespace, id}.args(), hashes, hashArg) {
			if err := c.query(ctx, scan, text, args...); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return inOrder(hashes, found, err)
}

// whole drops what was read before an error.
func whole[T any](list []T, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return list, nil
}

// filled returns b, which is not NULL, as a slice that is not nil: some drivers return nil for no bytes.
func filled(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// number returns n as the signed integer that SQL knows; nothing is stored beyond its range.
func number(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
