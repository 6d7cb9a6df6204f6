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

	err = vault.Update(ctx, space.ID(), func(tx *state.Tx[ratchet.Space]) error {
		next, envelope, err := ratchet.Encrypt(tx.Value(), now, []byte("hello"))
		if err != nil {
			return err
		}
		tx.Set(next)                       // the next state and the message that came of it
		tx.Send("space", envelope.Bytes()) // are durable together, or not at all
		return nil
	})
	check(err)
	_, err = vault.Flush(ctx, space.ID(), send) // only now does anything reach the network
	check(err)
	// Output: an envelope to the space
}

var (
	store  = storage.NewMemory()                                      // yours is a file: package sqlstore
	key, _ = state.NewKey([]byte("thirty-two bytes of a secret key")) // yours comes from the platform's key store
)

func send(_ context.Context, out state.Outgoing) state.Delivery {
	if _, err := ratchet.ParseEnvelope(out.Data); err == nil {
		fmt.Println("an envelope to the", out.To)
	}
	return state.Delivered()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
