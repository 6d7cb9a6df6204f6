package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// words are what nobody finds in what is printed.
const words = "Nobody else is to read this."

// sample makes a store, with a space whose founder wrote something while offline, and shows it.
func sample(ctx context.Context, out io.Writer) (damaged int, err error) {
	dir, err := os.MkdirTemp("", "trefoil-inspect-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := make([]byte, state.KeySize)
	rand.Read(b)
	key, err := state.NewKey(b)
	if err != nil {
		return 0, err
	}
	err = withStore(ctx, filepath.Join(dir, "trefoil.db"), func(s store.Store) error {
		vault, err := state.Open[ratchet.Space](ctx, s, key, state.Options{})
		if err != nil {
			return err
		}
		space, err := ratchet.NewSpace(time.Now(), rules.Policy{}, nil)
		if err != nil {
			return err
		}
		if err := vault.Create(ctx, space, nil); err != nil {
			return err
		}
		for range 3 {
			err := vault.Update(ctx, space.ID(), ratchet.Send(ratchet.Options{Topic: "space"}, []byte(words)))
			if err != nil {
				return err
			}
		}
		damaged, err = show(ctx, s, key, out)
		return err
	})
	return damaged, err
}
