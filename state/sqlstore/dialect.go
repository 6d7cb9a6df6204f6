package sqlstore

import (
	"context"
	"database/sql"
)

// dialect is what differs from one database to the next.
type dialect struct {
	schema []string // scripts that make the schema, each from the version before
	read   string   // begins a transaction that reads one snapshot
	write  string   // begins a transaction that writes
	scrub  string   // moves the log into the database and truncates it; empty if there is no such thing
	size   string   // the function that returns the length of bytes
	// share, at the end of a SELECT, keeps others from changing what it returns until the transaction ends. It is empty where
	// there is one writer at a time; then what waits for the writer goes in one transaction.
	share string
	bind  func(text string) string // turns each ? into the place of an argument
	fault func(error) fault
	// check returns store.ErrReplaced if the database is no longer where it was opened.
	check func() error

	// settle makes the settings of a new connection, and refuses a database that the store must not touch.
	settle func(ctx context.Context, c *sql.Conn, reads bool) error
	// upgrade brings the schema up to date, while no other process does.
	upgrade func(ctx context.Context, c *conn) error
}

// fault is what an error of a driver means.
type fault struct {
	name     error // the error of package store, nil if it has none
	again    bool  // the transaction gave way to another one, and may be run again
	answered bool  // the database itself has said so; a transaction has ended then, and was not made
}
