// Direct is chapter 4 of the guide: persons who write to each other.
package main

import (
	"context"
	"fmt"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

func main() {
	ctx, network, directory := context.Background(), transporttest.NewNetwork(), transporttest.NewDirectory()
	open := func(name string) *trefoil.Client {
		key := must(state.NewKey([]byte("thirty-two bytes of a secret key")))
		return must(trefoil.Open(ctx, store.NewMemory(), key, network.Device(name), trefoil.Options{
			Directory: directory, // where keys are published and looked up
			Handle: func(_ context.Context, e trefoil.Event) error {
				if m, ok := e.(trefoil.Message); ok && !m.Own {
					fmt.Printf("%s reads: %s\n", name, m.Body)
				}
				return nil
			},
		}))
	}
	ann, bob := open("Ann"), open("Bob")
	annAddress, bobAddress := must(ann.NewPerson(ctx)), must(bob.NewPerson(ctx)) // an address is what people give each other
	try(ann.Sync(ctx))                                                           // publishes the keys
	try(bob.Sync(ctx))

	must(ann.Direct(bobAddress).Send(ctx, []byte("hello Bob"))) // Bob may be offline
	try(ann.Sync(ctx))
	try(bob.Sync(ctx))
	must(bob.Direct(annAddress).Send(ctx, []byte("hello Ann")))
	try(bob.Sync(ctx))
	try(ann.Sync(ctx))
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
