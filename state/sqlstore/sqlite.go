package sqlstore

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trefoil-im/trefoil/state/store"
)

// The scripts that make the schema, each from the version before: the first from an empty file.
var sqliteScripts = []string{script(sqliteSchema)}

//go:embed sqlite.sql
var sqliteSchema string

const (
	// applicationID marks a file as one of ours: "tref". It is part of the stored format.
	applicationID = 0x74726566
	// busyTimeout is for how long a connection waits for a lock that another process holds. Nobody holds one for longer
	// than a commit takes; the time is long because those who wait are not served in turn.
	busyTimeout = 10 * time.Second
	// sqliteReaders is how many connections read at once.
	sqliteReaders = 4
)

// pragma is a setting of a connection, which counts only if SQLite reports it back.
type pragma struct{ name, set, want string }

// The settings of all connections, in the order in which they are made. Commits are durable when they return, on macOS
// too, where fsync alone is not enough; children without a row are refused; what is deleted is overwritten with zeros.
var sqlitePragmas = []pragma{
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "FULL", "2"},
	{"fullfsync", "ON", "1"},
	{"checkpoint_fullfsync", "ON", "1"},
	{"foreign_keys", "ON", "1"},
	{"ignore_check_constraints", "OFF", "0"},
	{"secure_delete", "ON", "1"},
}

// The setting that comes before all, and the one of connections that only read.
var (
	sqlitePatience = pragma{"busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()), fmt.Sprint(busyTimeout.Milliseconds())}
	sqliteReadOnly = pragma{"query_only", "ON", "1"}
)

// SQLite opens the store in a database of SQLite: an empty file, which becomes one, or one that is a store already, and
// is brought up to date. It returns store.ErrTooNew for one that a newer release has written; so does Commit if that
// happens while the store is open. The store has the file to itself: one with other tables is refused, as is a database
// in memory.
//
// The pool must be able to give two connections; the store takes up to five and keeps them until Close. A writer whose
// context ends while another process holds the lock on the file may return only when it has got or given up the lock,
// after ten seconds at most.
func SQLite(ctx context.Context, db *sql.DB) (*Store, error) {
	return openSQLite(ctx, db, sqliteScripts)
}

func openSQLite(ctx context.Context, db *sql.DB, scripts []string) (*Store, error) {
	readers := sqliteReaders
	if most := db.Stats().MaxOpenConnections; most > 0 {
		readers = min(readers, most-1)
	}
	if readers < 1 {
		return nil, errors.New("sqlstore: the pool must be able to give two connections")
	}
	s := &Store{
		dialect: dialect{read: "BEGIN", write: "BEGIN IMMEDIATE", scrub: "PRAGMA wal_checkpoint(TRUNCATE)"},
		version: len(scripts),
		tables:  make(map[store.Kind]*tables),
		done:    make(chan struct{}),
	}
	for _, k := range store.Kinds() {
		s.tables[k] = newTables(k)
	}
	pin := func(more ...pragma) func(context.Context) (*sql.Conn, error) {
		pragmas := slices.Concat(sqlitePragmas, more)
		return func(ctx context.Context) (*sql.Conn, error) { return pinSQLite(ctx, db, s.version, pragmas) }
	}
	s.writer = newLane(1, s.done, pin())
	s.readers = newLane(readers, s.done, pin(sqliteReadOnly))
	err := s.writer.use(ctx, nil, func(c *conn) error {
		return c.transaction(ctx, s.dialect.write, func() error {
			if err := upgradeSQLite(ctx, c.pinned, scripts); err != nil {
				return failure(ctx, err)
			}
			return nil
		})
	})
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// pinSQLite takes a connection out of the pool and sets it up. A file that is not to be touched is found out before any
// setting that would change it.
func pinSQLite(ctx context.Context, db *sql.DB, newest int, pragmas []pragma) (*sql.Conn, error) {
	pinned, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	err = sqlitePatience.settle(ctx, pinned)
	if err == nil {
		_, err = sqliteVersion(ctx, pinned, newest)
	}
	for _, p := range pragmas {
		if err == nil {
			err = p.settle(ctx, pinned)
		}
	}
	if err != nil {
		discard(pinned)
		return nil, err
	}
	return pinned, nil
}

// settle makes the setting and asks whether it was made.
func (p pragma) settle(ctx context.Context, c *sql.Conn) error {
	if _, err := c.ExecContext(ctx, "PRAGMA "+p.name+" = "+p.set); err != nil {
		return err
	}
	var got string
	if err := c.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil {
		return err
	}
	if got != p.want {
		return fmt.Errorf("this database does not do %s = %s, but %s", p.name, p.set, got)
	}
	return nil
}

// sqliteVersion returns the version of the schema, 0 for an empty file, and refuses files of others and of newer releases.
func sqliteVersion(ctx context.Context, c *sql.Conn, newest int) (int, error) {
	var application, tables, version int
	// One statement, hence one snapshot: another process may be making the schema.
	err := c.QueryRowContext(ctx, "SELECT application_id, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id").
		Scan(&application, &tables)
	switch {
	case err != nil:
		return 0, err
	case application == 0 && tables == 0:
		return 0, nil
	case application != applicationID:
		return 0, errors.New("this is the database of another program")
	}
	if err := c.QueryRowContext(ctx, schemaVersion).Scan(&version); err != nil {
		return 0, err
	}
	return version, tooNew(version, newest)
}

// upgradeSQLite runs the scripts that the file has not seen, within a transaction.
func upgradeSQLite(ctx context.Context, c *sql.Conn, scripts []string) error {
	version, err := sqliteVersion(ctx, c, len(scripts))
	if err != nil || version == len(scripts) {
		return err
	}
	for _, script := range scripts[version:] {
		for statement := range strings.SplitSeq(script, ";\n") {
			if _, err := c.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	}
	if _, err := c.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	_, err = c.ExecContext(ctx, setSchemaVersion, len(scripts))
	return err
}
