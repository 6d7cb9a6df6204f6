package sqlstore

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trefoil-im/trefoil/state/store"
)

// The scripts that make the schema, each from the version before: the first from an empty file.
var sqliteScripts = []string{script(sqliteSchema)}

//go:embed sqlite.sql
var sqliteSchema string

const (
	// applicationID marks a file that holds nothing else, and that a program may mark anew: "tref".
	applicationID = 0x74726566
	// busyTimeout is for how long a connection waits for a lock that another process holds. Nobody holds one for longer
	// than a commit takes.
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

// The setting that comes before all, that of connections that write, which wait by themselves then, and that of those that
// only read.
var (
	sqlitePatience = pragma{"busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()), fmt.Sprint(busyTimeout.Milliseconds())}
	sqliteByItself = pragma{"busy_timeout", "0", "0"}
	sqliteReadOnly = pragma{"query_only", "ON", "1"}
)

// SQLite opens the store in a database of SQLite: an empty file, one with tables of the program's own, or one that holds a
// store already, which is brought up to date. It returns store.ErrTooNew for one that a newer release has written; so does
// Commit if that happens while the store is open. A database in memory is refused, and a file without a store that another
// program has marked as its own (PRAGMA application_id). So is, with store.ErrReadOnly, a file in a directory that may not be
// written to, unless another process has it open: SQLite keeps its log and the index of it there, also to read.
//
// The pool must be able to give two connections; the store takes up to five and keeps them until Close. A writer waits
// for other processes as long as its context allows, ten seconds at most; then the error is store.ErrBusy. Processes that write
// without a pause have the same chance of the next turn. A new file has mode 0600.
func SQLite(ctx context.Context, db *sql.DB) (*Store, error) {
	return openSQLite(ctx, db, sqliteScripts)
}

func openSQLite(ctx context.Context, db *sql.DB, scripts []string) (*Store, error) {
	d := sqliteDialect
	d.schema = scripts
	d.settle = func(ctx context.Context, c *sql.Conn, reads bool) error {
		return settleSQLite(ctx, c, len(scripts), reads)
	}
	opened := new(sqliteFile)
	d.check = opened.check
	d.upgrade = func(ctx context.Context, c *conn) error {
		empty := false
		err := c.waiting(ctx, func() (err error) {
			empty, err = opened.note(ctx, c.pinned)
			return err
		})
		if err == nil {
			err = c.transaction(ctx, d.write, func() error { return upgradeSQLite(ctx, c.pinned, scripts) })
		}
		if err != nil || !empty {
			return err
		}
		return c.scrub(ctx, d.scrub) // a copy without the log is no empty file
	}
	return openStore(ctx, db, d, 1, sqliteReaders)
}

var sqliteDialect = dialect{
	read:  "BEGIN",
	write: "BEGIN IMMEDIATE",
	scrub: "PRAGMA wal_checkpoint(TRUNCATE)",
	size:  "length",
	bind:  func(text string) string { return text },
	fault: sqliteFault,
}

// sqliteFaults are the texts of SQLite for what went wrong. They are all that drivers have in common: each has a type of its
// own for the codes.
var sqliteFaults = []struct {
	text string
	name error
}{
	{"database is locked", store.ErrBusy},
	{"database table is locked", store.ErrBusy},
	{"database or disk is full", store.ErrDiskFull},
	{"attempt to write a readonly database", store.ErrReadOnly},
	{"database disk image is malformed", store.ErrDamaged},
	{"file is not a database", store.ErrDamaged},
}

func sqliteFault(err error) fault {
	if err != nil {
		for _, f := range sqliteFaults {
			if strings.Contains(err.Error(), f.text) {
				return fault{name: f.name, answered: true}
			}
		}
	}
	return fault{answered: true}
}

// settleSQLite sets a connection up. A file that is not to be touched is found out before any setting that would change it.
func settleSQLite(ctx context.Context, c *sql.Conn, newest int, reads bool) error {
	if err := sqlitePatience.settle(ctx, c); err != nil {
		return err
	}
	version, err := sqliteVersion(ctx, c, newest)
	if err != nil && strings.Contains(err.Error(), "unable to open database file") {
		return fmt.Errorf("%w: the index of the log: %w", store.ErrReadOnly, err) // the file itself is open
	}
	if err == nil && version == 0 {
		err = protect(ctx, c)
	}
	if err != nil {
		return err
	}
	for _, p := range sqlitePragmas {
		if err := p.settle(ctx, c); err != nil {
			return err
		}
	}
	if reads {
		return sqliteReadOnly.settle(ctx, c)
	}
	return sqliteByItself.settle(ctx, c)
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

// sqliteVersion returns the version of the schema, 0 for a file without one, and refuses files of others and of newer releases.
func sqliteVersion(ctx context.Context, c *sql.Conn, newest int) (int, error) {
	var application, ours, version int
	// One statement, hence one snapshot: another process may be making the schema.
	err := c.QueryRowContext(ctx, "SELECT application_id, (SELECT count(*) FROM sqlite_schema WHERE name = 'trefoil') FROM pragma_application_id").
		Scan(&application, &ours)
	switch {
	case err != nil:
		return 0, err
	case ours == 0 && application != 0 && application != applicationID:
		return 0, errors.New("this is the database of another program")
	case ours == 0:
		return 0, nil
	}
	if err := c.QueryRowContext(ctx, schemaVersion).Scan(&version); err != nil {
		return 0, err
	}
	return version, tooNew(version, newest)
}

// upgradeSQLite runs the scripts that the file has not seen, within a transaction. A file that was empty it marks.
func upgradeSQLite(ctx context.Context, c *sql.Conn, scripts []string) error {
	version, err := sqliteVersion(ctx, c, len(scripts))
	if err != nil || version == len(scripts) {
		return err
	}
	var tables int
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		if _, err := c.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
			return err
		}
	}
	for _, s := range scripts[version:] {
		if err := run(ctx, c, s); err != nil {
			return err
		}
	}
	_, err = c.ExecContext(ctx, "INSERT INTO trefoil (one, version) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET version = excluded.version", len(scripts))
	return err
}
