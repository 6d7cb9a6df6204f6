package pgwake_test

import (
	"context"
	"database/sql"
	"log"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/pgwake"
	"github.com/trefoil-im/trefoil/relay/sqlrelay"
)

// Two servers on one database: each tells the other whom to wake, so that a device on one hears at once of a message that came to the
// other. It takes PostgreSQL.
func Example() {
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://localhost/chat")
	if err != nil {
		log.Fatal(err)
	}
	rows, err := sqlrelay.Postgres(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	wakes := pgwake.New(db)
	r := relay.New(rows, relay.Options{Name: "chat.example", Woken: wakes.Tell})
	go wakes.Run(ctx, r.Wake)     // until ctx ends
	go r.Poll(ctx, 5*time.Minute) // should a wake be missed
}
