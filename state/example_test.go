package state_test

import (
	"context"
	"fmt"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// One commit: the next value and the frame that came of it are stored together, and the frame leaves afterwards.
func ExampleVault_Update() {
	ctx := context.Background()
	key, _ := state.NewKey(make([]byte, state.KeySize)) // yours is secret
	vault, _ := state.Open[toy](context.Background(), store.NewMemory(), key, state.Options{})
	id := state.NewID()
	space, _ := state.New(id, list{}, set{}, counter{})
	_ = vault.Create(ctx, space, nil)

	err := vault.Update(ctx, id, func(tx *state.Tx[toy]) error {
		s := tx.Value()
		tx.Set(s.WithState(s.State().with(42)).WithEvals(s.Evals().next()))
		tx.Send("everybody", []byte("42"))
		return nil
	})
	fmt.Println("updated:", err)
	_, _ = vault.Flush(ctx, id, func(_ context.Context, out state.Outgoing) state.Delivery {
		fmt.Printf("%s to %s\n", out.Data, out.To)
		return state.Delivered()
	})
	// Output:
	// updated: <nil>
	// 42 to everybody
}

// The receive loop: a frame that comes too early is retained, and read when the one before it was.
func ExampleVault_Receive() {
	ctx := context.Background()
	key, _ := state.NewKey(make([]byte, state.KeySize))
	vault, _ := state.Open[toy](context.Background(), store.NewMemory(), key, state.Options{})
	id := state.NewID()
	space, _ := state.New(id, list{}, set{}, counter{})
	_ = vault.Create(ctx, space, nil)

	for _, data := range []string{"1", "0", "1"} {
		receipt, err := vault.Receive(ctx, id, state.Frame{Source: "peer", Data: []byte(data)}, inOrder)
		fmt.Println(data, receipt.Verdict, len(receipt.Acknowledge), err)
	}
	_ = vault.Drain(ctx, id, func(_ context.Context, in state.Incoming) error {
		fmt.Printf("read %s\n", in.Data)
		return nil
	})
	// Output:
	// 1 retain 0 <nil>
	// 0 read 1 <nil>
	// 1 discard 0 <nil>
	// read 0
	// read 1
}
