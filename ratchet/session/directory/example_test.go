package directory_test

import (
	"crypto/mlkem"
	"fmt"
	"log"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// published is what a device sends to its server; a session.Device makes it.
func published(oneTime ...uint32) (b directory.Bundle, keys []directory.OneTimePreKey) {
	identity, mailbox := keypair.GenerateKey[key.Identity]().Public(), keypair.GenerateSigningKey()
	kem, err := mlkem.GenerateKey768()
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range oneTime {
		k := keypair.GenerateKey[key.OneTime]().Public()
		keys = append(keys, directory.NewOneTimePreKey(identity, id, k, kem.EncapsulationKey(), mailbox.Sign))
	}
	return directory.NewBundle(identity, mailbox.Public(), directory.BundleKeys{
		Number: 1, PreKey: keypair.GenerateKey[key.PreKey]().Public(), MLKEM: kem.EncapsulationKey(), KEM: keypair.GenerateKEMKey().Public(),
	}, mailbox.Sign), keys
}

// A server holds the pre-keys of a device, and hands out each one-time pre-key once.
func ExamplePreKeys() {
	bundle, oneTime := published(1, 2)
	held, err := directory.NewPreKeys(bundle).Add(oneTime...) // whose signatures it checks
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
