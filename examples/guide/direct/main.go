// Direct is chapter 4 of the guide: persons who write to each other.
package main

import (
	"context"
	"fmt"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

func main() {
	shown := make(map[string]string) // the digits that each device shows
	ctx, network, directory := context.Background(), transporttest.NewNetwork(), transporttest.NewDirectory()
	open := func(name string) *trefoil.Client {
		key := must(state.NewKey([]byte("thirty-two bytes of a secret key")))
		return must(trefoil.Open(ctx, store.NewMemory(), key, network.Device(name), trefoil.Options{
			Directory: directory, // where keys are published and looked up
			Handle: func(_ context.Context, e event.Event) error {
				switch e := e.(type) {
				case event.Message:
					if !e.Own {
						fmt.Printf("%s reads: %s\n", name, e.Body)
					}
				case event.LinkDigits:
					shown[name] = e.Digits
				case event.Linked:
					fmt.Printf("%s: linked\n", name)
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

	same := must(ann.Direct(bobAddress).Fingerprint(ctx)) == must(bob.Direct(annAddress).Fingerprint(ctx))
	fmt.Println("both see one fingerprint:", same)

	tablet := open("Ann's tablet")
	sync := func(rounds int) { // instead of Run
		for range rounds {
			try(ann.Sync(ctx))
			try(tablet.Sync(ctx))
		}
	}
	code := must(ann.LinkDevice(ctx)) // shown as a QR code, and scanned by the tablet
	try(tablet.AcceptDevice(ctx, code))
	sync(2)
	try(ann.ConfirmDevice(ctx, shown["Ann's tablet"])) // what the person reads on the other device
	try(tablet.ConfirmDevice(ctx, shown["Ann"]))
	sync(4)

	must(bob.Direct(annAddress).Send(ctx, []byte("hello, both of you")))
	try(bob.Sync(ctx))
	sync(1)
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
