package sqlrelay

import (
	"context"
	"database/sql"
	"errors"

	"github.com/trefoil-im/trefoil/relay/store"
)

const (
	// postgresWriters is how many connections write at once: enough to keep a server busy while each waits for its answers.
	postgresWriters = 8
	// postgresReaders is how many connections read at once.
	postgresReaders = 4
)

// Postgres opens the store in a database of PostgreSQL, or of an engine that is compatible with it and has isolation level
// SERIALIZABLE. It makes the tables in the first schema of the connections' search_path if there are none, and returns
// store.ErrTooNew if a newer release has made them, store.ErrMismatch if they are not those of this one. Several relays may share one database.
//
// The pool must be able to give twelve connections, which the store keeps until Close. A pooler between it and the server must
// give each its own session. A transaction whose COMMIT is not answered returns store.ErrUndecided; every mutation of the relay
// can be made again with the same key.
func Postgres(ctx context.Context, db *sql.DB) (*Store, error) {
	s := newStore(db, dialect{
		read:  "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		write: "BEGIN ISOLATION LEVEL SERIALIZABLE",
		bind:  dollars,
		fault: postgresFault,
	}, postgresWriters, postgresReaders, settlePostgres)
	if err := s.makeTables(ctx, postgresTypes, " FOR UPDATE"); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// settlePostgres sets up a connection. All statements name rows by a key or an index; a scan of a whole table, which the planner
// prefers while there are few rows, would be in conflict with every other transaction.
func settlePostgres(ctx context.Context, c *sql.Conn, _ bool) error {
	var synchronous string
	if err := c.QueryRowContext(ctx, "SHOW synchronous_commit").Scan(&synchronous); err != nil {
		return err
	}
	if synchronous == "off" { // a stricter setting stays
		if _, err := c.ExecContext(ctx, "SET synchronous_commit = on"); err != nil {
			return err
		}
	}
	_, err := c.ExecContext(ctx, "SET enable_seqscan = off")
	return err
}

// The codes are those of the PostgreSQL documentation, appendix A.
func postgresFault(err error) fault {
	var coded interface{ SQLState() string } // drivers agree on the method
	if !errors.As(err, &coded) || len(coded.SQLState()) != 5 {
		return fault{}
	}
	switch code := coded.SQLState(); {
	case code == "55P03", code == "53300", code == "57P03":
		return fault{store.ErrBusy, false, true}
	case code == "40003", code[:2] == "08", code[:2] == "57" && code != "57014":
		return fault{} // the session is ending, or the server does not know
	case code == "40001", code == "40P01": // serialization failure, deadlock
		return fault{store.ErrBusy, true, true}
	case code == "23505":
		// The other row may be of a transaction beside this one, which this one has not seen: PostgreSQL documents it of this
		// isolation level (13.2.3). When it runs again it sees the row.
		return fault{store.ErrExists, true, true}
	case code == "23503": // likewise: rows that refer to others are looked for beyond what the transaction sees
		return fault{store.ErrConstraint, true, true}
	case code[:2] == "23":
		return fault{store.ErrConstraint, false, true}
	}
	return fault{answered: true}
}
