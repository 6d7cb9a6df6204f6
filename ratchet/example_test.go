package ratchet_test

import (
	"fmt"
	"log"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
)

// A space is founded, somebody is let in, and both speak. What travels between the two devices is what Bytes returns. In a
// program each step is a commit of a state.Vault, and the right side's first result is what it stores.
func Example() {
	now := time.Now()
	try := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	alice, err := ratchet.NewSpace(now, ratchet.Policy{})
	try(err)

	// Alice invites, by a link say. Bob asks to be let in, any member answers, and Bob's first message tells all.
	alice, grant, err := ratchet.DrawGrant(alice, now, dkg.Private)
	try(err)
	bob, request, err := ratchet.Join(grant, now, []byte("Bob"))
	try(err)
	alice, ticket, err := ratchet.Admit(alice, now, request)
	try(err)
	bob, err = ratchet.Enter(bob, now, ticket)
	try(err)
	bob, hello, err := ratchet.Encrypt(bob, now, []byte("Hello"))
	try(err)

	alice, message, err := ratchet.Decrypt(alice, now, hello)
	try(err)
	fmt.Printf("member %d says %q\n", message.Sender, message.Plaintext)
	fmt.Println(len(ratchet.Members(alice)), "members, like", len(ratchet.Members(bob)))
	// Output:
	// member 2 says "Hello"
	// 2 members, like 2
}

// What cannot be read yet is kept, by the caller in bytes and by the space in what it needs to try again.
func ExampleHold() {
	now := time.Now()
	space, err := ratchet.NewSpace(now, ratchet.Policy{})
	if err != nil {
		log.Fatal(err)
	}
	other, err := ratchet.NewSpace(now, ratchet.Policy{})
	if err != nil {
		log.Fatal(err)
	}
	_, envelope, err := ratchet.Encrypt(other, now, []byte("in another space"))
	if err != nil {
		log.Fatal(err)
	}
	if _, _, err = ratchet.Decrypt(space, now, envelope); err != nil {
		fmt.Println(err)
		space, err = ratchet.Hold(space, now, "mailbox-7", envelope)
	}
	fmt.Println(err, ratchet.PhaseOf(space))
	// Output:
	// ratchet: message of an unknown epoch
	// <nil> member
}
