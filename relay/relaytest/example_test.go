package relaytest_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/trefoil-im/trefoil/relay/relaytest"
	"github.com/trefoil-im/trefoil/relay/store"
)

var t *testing.T // of the author's test

// openMine opens the author's store. Here it is one in memory, which needs no place.
func openMine(tb testing.TB, path string) store.Store { return store.NewMemory() }

// The author of a store has it tested: each call of the Backend opens one more handle on one place, as another process would.
func ExampleRun() {
	relaytest.Run(t, func(tb testing.TB) relaytest.Backend {
		path := filepath.Join(tb.TempDir(), "relay.db")
		return func(tb testing.TB) store.Store { return openMine(tb, path) }
	})
}

// A transaction is made to fail at each of its writes in turn, and at the commit. Whichever it is, nothing was written.
func ExampleFail() {
	ctx, s := context.Background(), store.NewMemory()
	before, _ := relaytest.Dump(ctx, s)
	for _, n := range []int{1, 2, relaytest.AtCommit} {
		err := relaytest.Fail(s, n, nil).Update(ctx, func(tx store.Tx) error {
			address := make([]byte, 32)
			if err := tx.Insert(store.Persons, store.Row{address, int64(1), int64(0)}); err != nil {
				return err
			}
			return tx.Insert(store.Storage, store.Row{address, int64(0)})
		})
		after, _ := relaytest.Dump(ctx, s)
		fmt.Println(n, err, after == before)
	}
	fmt.Println("adds up:", relaytest.Audit(ctx, s))
	// Output:
	// 1 relaytest: injected fault true
	// 2 relaytest: injected fault true
	// -1 relaytest: injected fault true
	// adds up: <nil>
}
