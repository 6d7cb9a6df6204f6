package keypair_test

import (
	"fmt"
	"log"

	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// A program draws a person's key once, keeps its seed where nobody else reads it, and makes the key from it again.
func Example() {
	seed := keypair.GenerateSigningKey().Seed() // 57 bytes, which are the key

	person, err := keypair.ParseSigningKey(seed)
	if err != nil {
		log.Fatal(err)
	}
	signature := person.Sign([]byte("hello"))
	fmt.Println("verified:", person.Public().Verify([]byte("hello"), signature) == nil)
	fmt.Println("printing it shows its address only:", fmt.Sprint(person) == person.String())
	// Output:
	// verified: true
	// printing it shows its address only: true
}

// Something small is sealed to a key, and opened for the use that it was sealed for.
func ExampleKEMKey() {
	k := keypair.GenerateKEMKey()
	sealed, err := k.Public().Seal("example: a note", []byte("meet at nine"))
	if err != nil {
		log.Fatal(err)
	}
	note, err := k.Open("example: a note", sealed)
	fmt.Printf("%s, %v\n", note, err)
	_, err = k.Open("example: an invite", sealed)
	fmt.Println(err)
	// Output:
	// meet at nine, <nil>
	// key: does not authenticate
}
