package store

import "context"

// Store keeps the rows of a relay. It is safe for concurrent use (but not from within the functions that it runs), also through several handles and by several processes on one
// place. It neither keeps nor changes the slices that it is given, nor hands out those that it goes on using.
type Store interface {
	// View runs f on the rows as of one moment. f must not keep its Reader, and may run again from the beginning. View
	// returns what f returns, and writes nothing.
	View(ctx context.Context, f func(Reader) error) error

	// Update runs f in a transaction that sees and changes the rows as if it were alone: it is serializable. If f returns nil,
	// all that it wrote is durable when Update returns; if f or any method of its Tx returns an error, or ctx ends before the
	// commit, none of it was written. f may run again from the beginning, and what it wrote before is undone then, so it has no
	// effects outside the transaction but on variables that it sets anew each time. f must not keep its Tx.
	Update(ctx context.Context, f func(Tx) error) error
}

// Reader reads in one transaction. It is used by one goroutine at a time. After an error it is of no further use.
type Reader interface {
	// Get returns the rows of a table that have one of the keys, in ascending order of the key. Those not there are left out.
	Get(t *Table, keys ...Key) ([]Row, error)

	// Scan returns at most q.Limit rows of a table in the order of an index.
	Scan(t *Table, q Query) ([]Row, error)
}

// Tx reads what was written in it before, and writes. It is used by one goroutine at a time. After an error the transaction is
// lost: Update fails whatever f returns.
type Tx interface {
	Reader

	// Insert adds rows of different keys, or returns ErrExists or ErrConstraint.
	Insert(t *Table, rows ...Row) error

	// Put adds rows of different keys or replaces those that are there, or returns ErrConstraint, or ErrExists for what is
	// unique in another row.
	Put(t *Table, rows ...Row) error

	// Delete removes the rows that have one of the keys, or returns ErrConstraint if another row refers to one. One that is
	// not there is no error.
	Delete(t *Table, keys ...Key) error
}

// Query says which rows Scan returns: those of which the first columns of the index are Equal, and, if After is given, the
// others are above After. They come in ascending order of the columns of the index, then of the key.
type Query struct {
	Index string // the name of an index; "" for the key
	Equal Key    // values of the first columns of the index
	After Key    // nil, or values of all columns that come after: of the index, then of the key as far as the index lacks them
	Limit int    // rows at most; none if it is not positive
}
