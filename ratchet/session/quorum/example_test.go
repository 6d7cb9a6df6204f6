package quorum_test

import (
	"fmt"
	"log"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/ratchet/session/quorum"
)

// must ends the example on an error.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// register makes a person with one device, and returns how others see it: without a bundle, so that sessions have the classic suite.
func register() (session.Device, directory.Peer) {
	own := session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()}
	device := must(session.NewDevice(own.Address(), time.Now()))
	person := must(must(own.Register(device.Entry())).Verify(own.Address()))
	return device, must(person.Peer(device.Identity()))
}

// A message to somebody who uses the deployed client leaves as a sealed box; a box that came from it is read as a frame.
func Example() {
	ann, toAnn := register()
	bob, toBob := register()
	atAnn := must(session.Initiate(must(session.New(ann, toBob)), ann, toBob))
	_, out, err := session.Encrypt(atAnn, time.Now(), []byte("hello Bob")) // save the next state before the box leaves
	if err != nil {
		log.Fatal(err)
	}
	sent := must(quorum.FromFrame(out.Frame))

	came := quorum.Sealed{Ephemeral: sent.Ephemeral, Box: sent.Box} // over the deployed client's transport
	_, in, err := session.Decrypt(must(session.New(bob, toAnn)), bob, must(came.Frame()))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("read: %s\n", in.Plaintext())
	// Output: read: hello Bob
}

// A session moves to the deployed client and back. Only one of the two may use it at a time.
func ExampleImport() {
	ann, _ := register()
	_, toBob := register()
	slot := must(session.Initiate(must(session.New(ann, toBob)), ann, toBob))

	moved := must(quorum.Export(slot)) // the deployed client goes on with it; nothing is sent or read in slot from now on
	slot = must(quorum.Import(ann, toBob, moved))
	fmt.Println(slot.Part().Sessions(), "session, post-quantum:", slot.Part().IsPostQuantum())
	// Output: 1 session, post-quantum: false
}
