package session_test

import (
	"fmt"
	"log"

	"github.com/trefoil-im/trefoil/ratchet/session"
)

// register makes a person with one device, and returns what others find when they look the person up.
func register() (session.Device, session.Person) {
	user := session.GenerateSigningKey()
	device, err := session.NewDevice(user.Public().Address())
	if err != nil {
		log.Fatal(err)
	}
	account := session.GenerateKey[session.Account]()
	registration, err := session.NewRegistration(user, account.Public(), device.Entry())
	if err != nil {
		log.Fatal(err)
	}
	found, err := session.ParseRegistration(registration.JSON())
	if err != nil {
		log.Fatal(err)
	}
	person, err := found.Verify(user.Public().Address())
	if err != nil {
		log.Fatal(err)
	}
	return device, person
}

// A first message to somebody who is offline, and an answer. A program keeps the sessions in a vault and lets
// session.Opener read; see examples/direct.
func Example() {
	ann, annPerson := register()
	bob, bobPerson := register()

	// Ann looks Bob's device up. It has published a bundle, so they agree in the post-quantum form.
	toBob, err := bobPerson.Trefoil(bob.Bundle())
	if err != nil {
		log.Fatal(err)
	}
	atAnn, err := session.New(ann, toBob)
	if err != nil {
		log.Fatal(err)
	}
	if atAnn, err = session.Initiate(atAnn, ann, toBob); err != nil {
		log.Fatal(err)
	}
	atAnn, out, err := session.Encrypt(atAnn, []byte("hello"))
	if err != nil {
		log.Fatal(err)
	}

	// A frame comes to Bob's mailbox. Who it claims to be from is looked up before anything is believed.
	claim, err := bob.Claim(out.Frame)
	if err != nil || claim.Person != annPerson.Address() {
		log.Fatal("not from Ann")
	}
	toAnn, err := annPerson.Peer(claim.Identity)
	if err != nil {
		log.Fatal(err)
	}
	atBob, err := session.New(bob, toAnn)
	if err != nil {
		log.Fatal(err)
	}
	atBob, in, err := session.Decrypt(atBob, bob, out.Frame)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Bob reads %q\n", in.Plaintext)

	_, out, err = session.Encrypt(atBob, []byte("hello yourself"))
	if err != nil {
		log.Fatal(err)
	}
	atAnn, in, err = session.Decrypt(atAnn, ann, out.Frame)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Ann reads %q, post-quantum: %v\n", in.Plaintext, atAnn.Part().IsPostQuantum())
	// Output:
	// Bob reads "hello"
	// Ann reads "hello yourself", post-quantum: true
}
