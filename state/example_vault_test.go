package state_test

import (
	"context"
	"fmt"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// must panics if an example goes wrong.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// exampleVault returns a vault with a value of ID 1 in a new store. A program opens it in a database: package sqlstore.
func exampleVault(s store.Store, o state.Options) *state.Vault[toy] {
	key, err := state.NewKey(make([]byte, state.KeySize)) // yours is secret
	must(err)
	vault, err := state.Open[toy](context.Background(), s, key, o)
	must(err)
	space, err := state.New(id(1), list{}, set{}, counter{})
	must(err)
	must(vault.Create(context.Background(), space, nil))
	return vault
}

// A key that is not that of the store is found when it is opened, before anything is written.
func ExampleOpen() {
	ctx := context.Background()
	s := store.NewMemory()
	exampleVault(s, state.Options{})

	other, err := state.NewKey(append(make([]byte, state.KeySize-1), 1))
	must(err)
	_, err = state.Open[toy](ctx, s, other, state.Options{})
	fmt.Println(err)
	// Output: state: sealed under another key
}

// A space and a direct session change together or not at all: a link is made, and sent to somebody.
func ExampleBatch() {
	ctx := context.Background()
	s := store.NewMemory()
	spaces := exampleVault(s, state.Options{})
	key, err := state.NewKey(make([]byte, state.KeySize))
	must(err)
	sessions, err := state.Open[state.One[counter]](ctx, s, key, state.Options{})
	must(err)
	session, err := state.NewOne(id(2), counter{})
	must(err)
	must(sessions.Create(ctx, session, nil))

	var link string
	must(state.Batch(ctx,
		spaces.Updating(id(1), func(tx *state.Tx[toy]) error {
			space := tx.Value()
			link = fmt.Sprint("link ", space.Evals().n)
			tx.Set(space.WithEvals(space.Evals().next()))
			return nil
		}),
		sessions.Updating(id(2), func(tx *state.Tx[state.One[counter]]) error {
			session := tx.Value()
			tx.Set(session.With(session.Part().next()))
			tx.Send("mailbox", []byte(link))
			return nil
		}),
	))
	_, err = sessions.Flush(ctx, id(2), func(_ context.Context, out state.Outgoing) state.Delivery {
		fmt.Printf("%s to the %s\n", out.Data, out.To)
		return state.Delivered()
	})
	must(err)
	// Output: link 0 to the mailbox
}

// What a relay has stored is received in one commit. Each frame has its own outcome.
func ExampleVault_ReceiveAll() {
	ctx := context.Background()
	vault := exampleVault(store.NewMemory(), state.Options{})
	var frames []state.Frame
	for _, data := range []string{"0", "2", "rubbish", "1"} {
		frames = append(frames, state.Frame{Source: "peer", Data: []byte(data)})
	}
	receipts, err := vault.ReceiveAll(ctx, id(1), frames, inOrder)
	must(err)
	for i, r := range receipts {
		fmt.Printf("%s: %v, %d earlier ones may be acknowledged\n", frames[i].Data, r.Verdict, len(r.Acknowledge))
	}
	// Output:
	// 0: read, 0 earlier ones may be acknowledged
	// 2: retain, 0 earlier ones may be acknowledged
	// rubbish: discard, 0 earlier ones may be acknowledged
	// 1: read, 1 earlier ones may be acknowledged
}

// What is stored is described without telling what it says.
func ExampleVault_Inspect() {
	ctx := context.Background()
	vault := exampleVault(store.NewMemory(), state.Options{})
	must(vault.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		tx.Send("everybody", []byte("hello"))
		return nil
	}))
	v, err := vault.Inspect(ctx, id(1))
	must(err)
	fmt.Println(v.Kind, "version", v.Version)
	fmt.Println(v.Pending.Outbox, "frame to be sent for", len(v.Lanes), "destination,", len(v.Problems), "problems")
	// Output:
	// spaces version 2
	// 1 frame to be sent for 1 destination, 0 problems
}

// After Forget, whoever has the files and the key opens nothing that was superseded before. The vault does so by itself once a
// day; a program calls it when its user deletes something for good. Rekey replaces the key itself.
func ExampleVault_Forget() {
	ctx := context.Background()
	s := store.NewMemory()
	vault := exampleVault(s, state.Options{})
	must(vault.Forget(ctx))

	next, err := state.NewKey(append(make([]byte, state.KeySize-1), 1)) // new in the platform's key store
	must(err)
	must(vault.Rekey(ctx, next))
	_, err = state.Open[toy](ctx, s, next, state.Options{})
	fmt.Println("opens under the new key:", err == nil)
	// Output: opens under the new key: true
}
