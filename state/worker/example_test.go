package worker_test

import (
	"context"
	"fmt"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/worker"
)

// An app and its push extension open the same file, say that it is shared, and each runs a worker.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	vault, err := openVault(ctx, store.NewMemory(), state.Options{Shared: true, Senders: 4})
	check(err)
	send := func(_ context.Context, _ state.ID, out state.Outgoing) state.Delivery {
		fmt.Printf("%s to the %s\n", out.Data, out.To)
		cancel() // the example has seen enough
		return state.Delivered()
	}
	w := worker.New(vault, send, worker.Options{})

	one, err := state.NewOne(state.NewID(), nothing{})
	check(err)
	check(vault.Create(ctx, one, func(tx *state.Tx[value]) error {
		tx.Send("mailbox", []byte("a frame"))
		return nil
	}))
	w.Wake(one.ID())
	fmt.Println(w.Run(ctx))
	pending, err := vault.Pending(context.Background(), one.ID())
	check(err)
	fmt.Println(pending.Outbox, "frames left")
	// Output:
	// a frame to the mailbox
	// context canceled
	// 0 frames left
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
