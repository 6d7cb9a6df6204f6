package trefoil_test

import (
	"context"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
)

// A space in a vault: what is sent is durable together with the state that made it, before anything reaches the network.
func Example() {
	ctx := context.Background()
	key, _ := state.NewKey(make([]byte, state.KeySize)) // yours comes from the platform's key store
	vault, _ := state.Open[ratchet.Space](state.NewMemory(), key, state.Options{})
	ann, _ := ratchet.NewSpace(time.Now(), ratchet.Policy{})
	if err := vault.Create(ctx, ann, nil); err != nil {
		panic(err)
	}
	if err := vault.Update(ctx, ann.ID(), func(tx *state.Tx[ratchet.Space]) error {
		next, envelope, err := ratchet.Encrypt(tx.Value(), time.Now(), []byte("hello"))
		if err != nil {
			return err
		}
		tx.Set(next)
		tx.Send("space", envelope.Bytes())
		return nil
	}); err != nil {
		panic(err)
	}
	_, _ = vault.Flush(ctx, ann.ID(), func(_ context.Context, out state.Outgoing) state.Delivery {
		fmt.Println("to the", out.To, len(out.Data) > 0)
		return state.Delivered()
	})
	// Output: to the space true
}
