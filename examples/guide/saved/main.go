// Saved is chapter 2 of the guide: a chat in a file, with a history of its own in the same transactions.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

func main() {
	ctx, network := context.Background(), transporttest.NewNetwork()
	dir := must(os.MkdirTemp("", "guide"))
	defer os.RemoveAll(dir)

	// The first run of the program: a space, and a message in it.
	c, db := open(ctx, filepath.Join(dir, "chat.db"), network)
	space := must(c.NewSpace(ctx))
	must(space.Send(ctx, []byte("a note to myself")))
	try(c.Sync(ctx))
	try(db.Close())

	// The second run finds everything again.
	c, db = open(ctx, filepath.Join(dir, "chat.db"), network)
	for s, err := range c.Spaces(ctx) {
		try(err)
		must(s.Send(ctx, []byte("and another one")))
	}
	try(c.Sync(ctx))
	rows := must(db.QueryContext(ctx, "SELECT body FROM history ORDER BY sent, rowid"))
	for rows.Next() {
		var body string
		try(rows.Scan(&body))
		fmt.Println(body)
	}
	try(rows.Err())
	try(rows.Close())
	try(db.Close())
}

// open opens the client that lies in a file, and the history beside it.
func open(ctx context.Context, file string, network *transporttest.Network) (*trefoil.Client, *sql.DB) {
	db := must(sql.Open("sqlite", file))
	must(db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS history (id TEXT PRIMARY KEY, sent INTEGER, body TEXT)"))
	key := must(state.NewKey([]byte("thirty-two bytes of a secret key"))) // from the platform's key store
	return must(trefoil.Open(ctx, must(sqlstore.SQLite(ctx, db)), key, network.Device("ann"), trefoil.Options{
		InCommit: func(e event.Event) store.Hook {
			m, ok := e.(event.Message)
			if !ok {
				return nil // nothing is stored of it; it is done with
			}
			// The row is written in the very commit that takes the message out of the vault: once, whenever the program dies.
			return sqlstore.Rows(func(ctx context.Context, tx *sqlstore.Tx) error {
				_, err := tx.ExecContext(ctx, "INSERT INTO history VALUES (?, ?, ?)", m.ID.String(), m.Sent.UnixMilli(), string(m.Body))
				return err
			})
		},
	})), db
}

func must[T any](v T, err error) T {
	try(err)
	return v
}

func try(err error) {
	if err != nil {
		panic(err)
	}
}
