package sqlstore

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"strconv"
	"strings"

	"github.com/trefoil-im/trefoil/state/store"
)

// The scripts that make the schema, each from the version before: the first from nothing.
var postgresScripts = []string{script(postgresSchema)}

//go:embed postgres.sql
var postgresSchema string

const (
	// postgresWriters is how many connections write at once. A commit holds one for some ten answers of the server, so that
	// eight are enough for thousands of commits a second.
	postgresWriters = 8
	// postgresReaders is how many connections read at once.
	postgresReaders = 4
)

// Postgres opens the store in a database of PostgreSQL, or of an engine that is compatible with it: docs/STORAGE.md says what
// the store asks of one. It makes its tables in the first schema of the connections' search_path, or brings them up to date;
// a connection that may not make tables will do if they are. It returns store.ErrTooNew for tables that a newer release has
// written; so does Commit if that happens while the store is open.
//
// The pool must be able to give two connections; the store takes up to twelve and keeps them until Close. A pooler between it
// and the server must give each its own session. A commit whose answer is lost with its connection waits for the server to
// come back, as long as its context allows, and then returns store.ErrUndecided.
func Postgres(ctx context.Context, db *sql.DB) (*Store, error) {
	return openPostgres(ctx, db, postgresScripts)
}

func openPostgres(ctx context.Context, db *sql.DB, scripts []string) (*Store, error) {
	return openStore(ctx, db, dialect{
		schema: scripts,
		read:   "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		write:  "BEGIN ISOLATION LEVEL READ COMMITTED", // what a commit relies on, it locks
		size:   "octet_length",
		share:  " FOR SHARE",
		bind:   dollars,
		fault:  postgresFault,
		check:  func() error { return nil },
		settle: func(ctx context.Context, c *sql.Conn, _ bool) error { return settlePostgres(ctx, c, len(scripts)) },
		upgrade: func(ctx context.Context, c *conn) error {
			return upgradePostgres(ctx, c.pinned, scripts)
		},
	}, postgresWriters, postgresReaders)
}

// dollars writes $1, $2, ... for the question marks of a statement, as SQLite numbers them: ?2 is the second argument, and a mark
// without a number the one behind the last that came before it.
func dollars(text string) string {
	var b strings.Builder
	before, rest, found := strings.Cut(text, "?")
	for last := 0; found; before, rest, found = strings.Cut(rest, "?") {
		b.WriteString(before)
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil {
			n = last + 1
		}
		last, rest = max(last, n), rest[len(digits):]
		b.WriteString("$" + strconv.Itoa(n))
	}
	b.WriteString(before)
	return b.String()
}

// sqlState returns the code of an error that the server has sent, "" for any other. Drivers agree on the method.
func sqlState(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

// The codes are those of the PostgreSQL documentation, appendix A.
func postgresFault(err error) fault {
	code := sqlState(err)
	f := fault{answered: code != ""}
	class := ""
	if f.answered {
		class = code[:min(2, len(code))]
	}
	switch {
	case code == "40003", class == "08", class == "57" && code != "57014", class == "XX" && code != "XX001" && code != "XX002":
		f.answered = false // the session is ending, or the server does not know
	}
	switch {
	case code == "40001", code == "40P01": // serialization failure, deadlock
		f.name, f.again = store.ErrBusy, true
	case code == "55P03", code == "53300", code == "57P03": // lock not available, too many connections, cannot connect now
		f.name = store.ErrBusy
	case code == "53100":
		f.name = store.ErrDiskFull
	case code == "25006":
		f.name = store.ErrReadOnly
	case code == "XX001", code == "XX002":
		f.name = store.ErrDamaged
	}
	return f
}

// settlePostgres makes sure that a commit is durable when it is answered, and that the tables are not a newer release's. A
// stricter setting than that stays.
func settlePostgres(ctx context.Context, c *sql.Conn, newest int) error {
	var synchronous string
	if err := c.QueryRowContext(ctx, "SHOW synchronous_commit").Scan(&synchronous); err != nil {
		return err
	}
	if synchronous == "off" {
		if _, err := c.ExecContext(ctx, "SET synchronous_commit = on"); err != nil {
			return err
		}
	}
	_, err := postgresVersion(ctx, c, newest, "")
	return err
}

// postgresVersion returns the version of the schema, 0 if there is none, and refuses that of a newer release.
func postgresVersion(ctx context.Context, c *sql.Conn, newest int, lock string) (version int, err error) {
	err = c.QueryRowContext(ctx, schemaVersion+lock).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) || sqlState(err) == "42P01" { // undefined table
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return version, tooNew(version, newest)
}

// The row that the version lies in is there before the version is, so that it can be locked.
const postgresVersionTable = `CREATE TABLE IF NOT EXISTS trefoil (one smallint PRIMARY KEY CHECK (one = 1), version bigint NOT NULL);
INSERT INTO trefoil (one, version) VALUES (1, 0) ON CONFLICT (one) DO NOTHING;
`

// upgradePostgres runs the scripts that the database has not seen. It locks the row of the version meanwhile.
func upgradePostgres(ctx context.Context, c *sql.Conn, scripts []string) error {
	version, err := postgresVersion(ctx, c, len(scripts), "")
	if err != nil || version == len(scripts) {
		return err
	}
	if err := makeVersionTable(ctx, c); err != nil {
		return err
	}
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if version, err = postgresVersion(ctx, c, len(scripts), " FOR UPDATE"); err != nil {
		return err
	}
	for _, s := range scripts[version:] {
		if err := run(ctx, c, s); err != nil {
			return err
		}
	}
	if _, err := c.ExecContext(ctx, "UPDATE trefoil SET version = $1 WHERE one = 1", len(scripts)); err != nil {
		return err
	}
	return tx.Commit()
}

// makeVersionTable makes the table of the version. Who makes it beside others, and comes second, is told so in various ways,
// none of which counts if it passes.
func makeVersionTable(ctx context.Context, c *sql.Conn) error {
	for try := 0; ; try++ {
		err := run(ctx, c, postgresVersionTable)
		if err == nil || sqlState(err) == "" || try == maxTries-1 {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}
