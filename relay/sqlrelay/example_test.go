package sqlrelay_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/sqlrelay"
)

// A relay keeps its rows in an SQLite file. The program chooses the driver and opens the pool; the tables are made the first time.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "relay")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", filepath.Join(dir, "relay.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close() // after the store, whose connections it gives
	rows, err := sqlrelay.SQLite(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()

	r := relay.New(rows, relay.Options{Name: "relay.example"})
	swept, err := r.Sweep(ctx)
	fmt.Println(swept.Messages, "messages expired,", err)
	// Output: 0 messages expired, <nil>
}
