package sqlrelay

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/trefoil-im/trefoil/relay/store"
)

const (
	// busyTimeout is for how many milliseconds a connection waits for another process. A transaction takes a few.
	busyTimeout = 10_000
	// sqliteReaders is how many connections read at once.
	sqliteReaders = 4
)

// pragma is a setting of a connection, which counts only if SQLite reports it back.
type pragma struct{ name, set, want string }

// The settings of all connections. What was answered is durable; a reference to no row is refused; what is deleted is
// overwritten.
var pragmas = []pragma{
	{"busy_timeout", fmt.Sprint(busyTimeout), fmt.Sprint(busyTimeout)},
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "FULL", "2"},
	{"foreign_keys", "ON", "1"},
	{"ignore_check_constraints", "OFF", "0"},
	{"secure_delete", "ON", "1"},
}

// readOnly is a setting of connections that only read.
var readOnly = pragma{"query_only", "ON", "1"}

// SQLite opens the store in a database of SQLite, a file. It makes the tables if there are none, and returns store.ErrTooNew if a
// newer release has made them, store.ErrMismatch if they are not those of this one. One transaction writes at a time, so a node on SQLite is one that grows no further than one disk.
//
// The pool must be able to give five connections, which the store keeps until Close. A transaction that waits for another process
// for ten seconds returns store.ErrBusy.
func SQLite(ctx context.Context, db *sql.DB) (*Store, error) {
	s := newStore(db, dialect{
		read:  "BEGIN",
		write: "BEGIN IMMEDIATE",
		bind:  func(text string) string { return text },
		fault: sqliteFault,
	}, 1, sqliteReaders, settleSQLite)
	if err := s.makeTables(ctx, sqliteTypes, ""); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func settleSQLite(ctx context.Context, c *sql.Conn, reads bool) error {
	settings := pragmas
	if reads {
		settings = append(settings[:len(settings):len(settings)], readOnly)
	}
	for _, p := range settings {
		if _, err := c.ExecContext(ctx, "PRAGMA "+p.name+" = "+p.set); err != nil {
			return err
		}
		var got string
		if err := c.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil {
			return err
		}
		if got != p.want {
			return fmt.Errorf("sqlrelay: this database does not do %s = %s, but %s", p.name, p.set, got)
		}
	}
	return nil
}

// sqliteFaults are the texts of SQLite for what went wrong. They are all that drivers have in common.
var sqliteFaults = []struct {
	text  string
	name  error
	again bool
}{
	{"UNIQUE constraint failed", store.ErrExists, false},
	{"constraint failed", store.ErrConstraint, false},
	{"cannot store", store.ErrConstraint, false}, // a value of another type
	{"is locked", store.ErrBusy, true},
}

func sqliteFault(err error) fault {
	for _, f := range sqliteFaults {
		if strings.Contains(err.Error(), f.text) {
			return fault{f.name, f.again, true}
		}
	}
	return fault{answered: true}
}
