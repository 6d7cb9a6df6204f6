package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/relay/store"
)

// A Store knows tables and transactions. Rows are written whole or not at all, and the tables' constraints are the store's to keep.
func Example() {
	ctx, s := context.Background(), store.NewMemory()
	ann, bob := make([]byte, 32), make([]byte, 32)
	bob[0] = 1
	err := s.Update(ctx, func(tx store.Tx) error {
		return tx.Insert(store.Persons, store.Row{ann, int64(1), int64(0)}) // address, version, leaf
	})
	fmt.Println("inserted:", err)

	err = s.Update(ctx, func(tx store.Tx) error { // Storage refers to Persons, where Bob is not
		return tx.Insert(store.Storage, store.Row{ann, int64(0)}, store.Row{bob, int64(0)})
	})
	fmt.Println("refused:", errors.Is(err, store.ErrConstraint))

	s.View(ctx, func(r store.Reader) error {
		persons, err := r.Get(store.Persons, store.Key{ann}, store.Key{bob})
		fmt.Println("persons:", len(persons), err)
		storage, err := r.Scan(store.Storage, store.Query{Limit: 10})
		fmt.Println("storage:", len(storage), err)
		return nil
	})
	// Output:
	// inserted: <nil>
	// refused: true
	// persons: 1 <nil>
	// storage: 0 <nil>
}
