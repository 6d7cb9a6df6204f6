package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
)

// count is the state of a space in this example: how many messages it has read. A program uses ratchet.Space.
type count struct{ n uint64 }

func (c count) Encode(e *state.Encoder)              { e.Uint64(c.n) }
func (count) Decode(d *state.Decoder) (count, error) { return count{d.Uint64()}, nil }
func (c count) Succeeds(before count) error {
	if c.n < before.n {
		return state.ErrStale
	}
	return nil
}

type space = state.SpaceEncryptionState[count, count, count]

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// A program keeps its messages in a table of its own, in the same database. The row of a message is written in the transaction
// that uses up the key of the message: after a crash there is the message once, or the key still is, and the relay delivers
// the frame again.
func ExampleRows() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	check(err)
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", filepath.Join(dir, "chat.db"))
	check(err)
	defer db.Close()
	_, err = db.Exec("CREATE TABLE messages (number INTEGER PRIMARY KEY, sender TEXT, text TEXT)")
	check(err)
	store, err := sqlstore.SQLite(ctx, db)
	check(err)
	defer store.Close()
	key, err := state.NewKey(make([]byte, state.KeySize)) // yours is secret
	check(err)
	vault, err := state.Open[space](ctx, store, key, state.Options{})
	check(err)
	first, err := state.New(state.NewID(), count{}, count{}, count{})
	check(err)
	check(vault.Create(ctx, first, nil))

	read := func(tx *state.Tx[space], f state.Frame) error {
		number := tx.Value().State().n + 1
		tx.Set(tx.Value().WithState(count{number})) // the key is used up
		tx.InCommit(sqlstore.Rows(func(ctx context.Context, rows *sqlstore.Tx) error {
			_, err := rows.ExecContext(ctx, "INSERT INTO messages VALUES (?, ?, ?)", number, f.Source, string(f.Data))
			return err
		}))
		return nil
	}
	for _, text := range []string{"hello", "hello", "how are you?"} { // the relay delivers one twice
		receipt, err := vault.Receive(ctx, first.ID(), state.Frame{Source: "Bob", Data: []byte(text)}, read)
		check(err)
		fmt.Println(receipt.Verdict)
	}
	rows, err := db.Query("SELECT number, sender, text FROM messages ORDER BY number")
	check(err)
	defer rows.Close()
	for rows.Next() {
		var number int
		var sender, text string
		check(rows.Scan(&number, &sender, &text))
		fmt.Printf("%d %s: %s\n", number, sender, text)
	}
	check(rows.Err())
	// Output:
	// read
	// discard
	// read
	// 1 Bob: hello
	// 2 Bob: how are you?
}
