// Package sqlrelay keeps the rows of a relay in SQLite or in PostgreSQL. The program chooses the driver and opens the pool:
//
//	db, err := sql.Open("sqlite", "relay.db")
//	s, err := sqlrelay.SQLite(ctx, db)
//	r := relay.New(s, relay.Options{})
//
// The tables are those of store.Schema, with the prefix relay_, and every constraint of theirs is one of the database:
// lengths and ranges (CHECK), keys, what is unique, and foreign keys. No column can be NULL. The texts are pinned in
// testdata.
package sqlrelay
