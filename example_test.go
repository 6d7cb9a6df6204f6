package trefoil_test

import (
	"context"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	storage "github.com/trefoil-im/trefoil/state/store"
)

// A space in a vault: what is sent is durable together with the state that made it, before anything reaches the network.
func Example() {
	ctx, now := context.Background(), time.Now()
	vault, err := state.Open[ratchet.Space](ctx, store, key, state.Options{})
	check(err)
	space, err := ratchet.NewSpace(now, ratchet.Policy{}) // ratchet state, template and evals: always all three
	check(err)
	check(vault.Create(ctx, space, nil))

	options := ratchet.Options{Topic: "space"}
	check(vault.Update(ctx, space.ID(), ratchet.Send(options, []byte("hello")))) // state and frame in one commit
	_, err = vault.Flush(ctx, space.ID(), send)                                  // only now does anything reach the network
	check(err)
	// Output: a frame to the space
}

var (
	store  = storage.NewMemory()                                      // yours is a file: package sqlstore
	key, _ = state.NewKey([]byte("thirty-two bytes of a secret key")) // yours comes from the platform's key store
)

func send(_ context.Context, out state.Outgoing) state.Delivery {
	fmt.Println("a frame to the", out.To)
	return state.Delivered()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
