package directory_test

import (
	"fmt"
	"log"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// A server holds the pre-keys of a device, and hands out each one-time pre-key once.
func ExamplePreKeys() {
	device, err := session.NewDevice(keypair.GenerateSigningKey().Public().Address(), time.Now())
	if err != nil {
		log.Fatal(err)
	}
	_, oneTime, err := device.Issue(2) // the device saves its next state before it publishes them
	if err != nil {
		log.Fatal(err)
	}

	held, err := directory.NewPreKeys(device.Bundle()).Add(oneTime...)
	if err != nil {
		log.Fatal(err)
	}
	for {
		next, claimed, err := held.Claim()
		if err != nil {
			fmt.Println(err)
			break
		}
		held = next // saved before the key is handed out
		fmt.Println("one-time pre-key", claimed.ID(), "is handed out,", held.Len(), "left")
	}
	// Output:
	// one-time pre-key 1 is handed out, 1 left
	// one-time pre-key 2 is handed out, 0 left
	// directory: no one-time pre-key is left
}
