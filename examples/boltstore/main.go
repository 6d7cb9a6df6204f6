// Boltstore is a store of a kind that the library does not have, on bbolt: for authors of stores. store.go and commit.go are
// the whole of it, and store_test.go is its test. The program keeps a space in a file, and finds it again.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "boltstore:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "boltstore")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "spaces.bolt")
	key, err := state.NewKey(make([]byte, state.KeySize)) // yours is secret
	if err != nil {
		return err
	}
	var id state.ID
	err = with(path, key, func(ctx context.Context, vault *state.Vault[ratchet.Space]) error {
		space, err := ratchet.NewSpace(time.Now(), rules.Policy{}, nil)
		if err != nil {
			return err
		}
		id = space.ID()
		if err := vault.Create(ctx, space, nil); err != nil {
			return err
		}
		return vault.Update(ctx, id, ratchet.Send(ratchet.Options{Topic: "space"}, []byte("hello")))
	})
	if err != nil {
		return err
	}
	return with(path, key, func(ctx context.Context, vault *state.Vault[ratchet.Space]) error {
		_, err := vault.Flush(ctx, id, func(_ context.Context, out state.Outgoing) state.Delivery {
			fmt.Printf("the space is there, and a frame of %d bytes for %q\n", len(out.Data), out.To)
			return state.Delivered()
		})
		return err
	})
}

// with runs f on the vault in a file.
func with(path string, key state.Key, f func(context.Context, *state.Vault[ratchet.Space]) error) error {
	ctx := context.Background()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	vault, err := state.Open[ratchet.Space](ctx, NewStore(db), key, state.Options{})
	if err != nil {
		return err
	}
	return f(ctx, vault)
}
