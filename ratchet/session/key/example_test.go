package key_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// A server knows a person by its address. It is shown a public key and a signature, and checks both.
func Example() {
	person := keypair.GenerateSigningKey() // on the person's device
	statement := []byte("let me in")
	signature := person.Sign(key.Statement(statement))
	address, shown := person.Public().Address().String(), person.Public().Bytes()

	known, err := key.ParseAddress(address) // at the server, which gets bytes
	if err != nil {
		log.Fatal(err)
	}
	public, err := key.ParseVerifyKey(shown)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the key is the person's:", public.Address() == known)
	fmt.Println("it signed this:", public.VerifyStatement(statement, signature))
	err = public.VerifyStatement([]byte("let Carl in"), signature)
	fmt.Println("it did not sign that:", errors.Is(err, key.ErrUnverified))
	// Output:
	// the key is the person's: true
	// it signed this: <nil>
	// it did not sign that: true
}
