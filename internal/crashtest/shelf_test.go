package crashtest

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/state/sqlstore"
)

// The shelf is a table of the program's own in the database of the store. Each frame that a room reads is put there in the
// transaction that reads it, and one that is put there twice is an error.

func makeShelf(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS shelf (born INTEGER, number INTEGER, PRIMARY KEY (born, number))")
	return err
}

// shelve puts a frame on the shelf.
func shelve(born, number uint32) func(context.Context, *sqlstore.Tx) error {
	return func(ctx context.Context, tx *sqlstore.Tx) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO shelf (born, number) VALUES (%d, %d)", born, number))
		return err
	}
}

// checkShelf returns an error unless exactly the frames that a room has read are on the shelf.
func checkShelf(ctx context.Context, db *sql.DB, l log) error {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT number FROM shelf WHERE born = %d ORDER BY number", l.born))
	if err != nil {
		return err
	}
	defer rows.Close()
	var shelved []uint32
	for rows.Next() {
		var n uint32
		if err := rows.Scan(&n); err != nil {
			return err
		}
		shelved = append(shelved, n)
	}
	if read := slices.Sorted(slices.Values(l.read)); !slices.Equal(shelved, read) {
		return fmt.Errorf("frames %v are read, and rows of the program's own say %v", read, shelved)
	}
	return rows.Err()
}
