package ratchet_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// A space is founded, somebody is let in, and both speak. The vaults of the two devices hold all there is; frames go from
// one's outbox to the other's Receive.
func Example() {
	ctx := context.Background()
	options := ratchet.Options{Topic: "space"}
	alice, bob := open(), open()

	space, err := ratchet.NewSpace(time.Now(), rules.Policy{}, []byte("Alice"))
	check(err)
	id := space.ID()
	check(alice.Create(ctx, space, nil))

	// Alice invites. The link goes to Bob by another way; package invite writes it as a text.
	var made invite.Made
	check(alice.Update(ctx, id, ratchet.Do(options, step.NewInvite(invite.Private(0), &made))))

	// Bob asks to be let in. Any member answers, and Bob's first message tells all.
	joining, request, err := ratchet.Join(made.Link, time.Now(), []byte("Bob"))
	check(err)
	check(bob.Create(ctx, joining, func(tx *state.Tx[ratchet.Space]) error {
		tx.Send(options.Topic, request)
		return nil
	}))
	deliver(ctx, id, bob, alice)
	check(alice.Update(ctx, id, ratchet.CaughtUp(options))) // nothing more lies in her mailbox, so she answers
	_, err = alice.Retry(ctx, id, ratchet.Opener(options))
	check(err)
	deliver(ctx, id, alice, bob)
	deliver(ctx, id, bob, alice)

	check(bob.Update(ctx, id, ratchet.Send(options, []byte("Hello"))))
	deliver(ctx, id, bob, alice)
	check(alice.Drain(ctx, id, func(_ context.Context, in state.Incoming) error {
		m, err := ratchet.ParseMessage(in.Data())
		fmt.Printf("member %d says %q\n", m.Sender, m.Plaintext)
		return err
	}))
	// Output:
	// member 2 says "Hello"
}

// State and frame are durable in one commit, before anything reaches the network.
func ExampleSend() {
	ctx, vault := context.Background(), open()
	space, err := ratchet.NewSpace(time.Now(), rules.Policy{}, []byte("Alice"))
	check(err)
	check(vault.Create(ctx, space, nil))
	check(vault.Update(ctx, space.ID(), ratchet.Send(ratchet.Options{Topic: "space"}, []byte("hello"))))
	_, err = vault.Flush(ctx, space.ID(), func(_ context.Context, out state.Outgoing) state.Delivery {
		fmt.Println("a frame to the", out.To)
		return state.Delivered()
	})
	check(err)
	// Output: a frame to the space
}

// A frame that was cut short is discarded; one that cannot be read yet would be retained.
func ExampleOpener() {
	ctx, vault := context.Background(), open()
	space, err := ratchet.NewSpace(time.Now(), rules.Policy{}, []byte("Alice"))
	check(err)
	check(vault.Create(ctx, space, nil))
	receipt, err := vault.Receive(ctx, space.ID(), state.Frame{Source: "mailbox-7", Data: []byte{0x20}},
		ratchet.Opener(ratchet.Options{Topic: "space"}))
	fmt.Println(receipt.Verdict, err)
	// Output: discard <nil>
}

// A device maintains its spaces at start and every minute or so, after it has received what is stored.
func ExampleMaintain() {
	ctx, vault := context.Background(), open()
	options := ratchet.Options{Topic: "space"}
	space, err := ratchet.NewSpace(time.Now(), rules.Policy{}, []byte("Alice"))
	check(err)
	check(vault.Create(ctx, space, nil))
	check(vault.Update(ctx, space.ID(), ratchet.Maintain(options)))
	_, err = vault.Retry(ctx, space.ID(), ratchet.Opener(options)) // answers requests that others have deferred
	fmt.Println(err)
	// Output: <nil>
}

// Where a member stands, and who else is in the space.
func ExampleInfo() {
	space, err := ratchet.NewSpace(time.Now(), rules.Policy{}, []byte("Alice"))
	check(err)
	at := ratchet.Info(space)
	fmt.Println(at.Phase, "at place", at.Index, "of", len(ratchet.Members(space)))
	// Output: member at place 1 of 1
}

// Without a vault a program stores what comes back before the frames leave the device.
func ExampleEncrypt() {
	now := time.Now()
	space, err := ratchet.NewSpace(now, rules.Policy{}, []byte("Alice"))
	check(err)
	space, frames, err := ratchet.Encrypt(space, now, []byte("Hello"))
	check(err)
	fmt.Println("to be stored:", space.ID() != state.ID{})
	fmt.Println("to be sent:", len(frames), "frame")
	// Output:
	// to be stored: true
	// to be sent: 1 frame
}

// open returns a vault in memory. Yours is on disk (package state/sqlstore), under a key from the platform's key store.
func open() *state.Vault[ratchet.Space] {
	key, err := state.NewKey(make([]byte, 32))
	check(err)
	vault, err := state.Open[ratchet.Space](context.Background(), store.NewMemory(), key, state.Options{})
	check(err)
	return vault
}

// deliver stands for the network.
func deliver(ctx context.Context, id state.ID, from, to *state.Vault[ratchet.Space]) {
	opener := ratchet.Opener(ratchet.Options{Topic: "space"})
	_, err := from.Flush(ctx, id, func(ctx context.Context, out state.Outgoing) state.Delivery {
		_, err := to.Receive(ctx, id, state.Frame{Source: "mailbox", Data: out.Data}, opener)
		check(err)
		return state.Delivered()
	})
	check(err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
