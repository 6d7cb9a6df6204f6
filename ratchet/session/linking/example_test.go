package linking_test

import (
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/ratchet/session/linking"
)

// A further device is given the code of the first one; the person compares the digits that both show; and the two send each other what
// they have to. A program of package trefoil calls Client.LinkDevice instead.
func Example() {
	person, now := keypair.GenerateSigningKey().Public().Address(), time.Now()
	first := linking.Offer(person, now)
	further := ok(linking.Accept(first.Code(), now)) // a QR code was scanned

	first = ok(first.Receive(ok(further.Frame()))) // through a relay
	further = ok(further.Receive(ok(first.Frame())))
	fmt.Println("both show the same digits:", first.Digits() == further.Digits())

	further = ok(further.Confirm(first.Digits(), []byte("the keys of this device")))
	first = ok(first.Confirm(further.Digits(), nil))
	first = ok(first.Receive(ok(further.Frame())))
	fmt.Printf("the first device has: %s\n", first.Payload())

	first = ok(first.Grant([]byte("links to the spaces of the person")))
	further = ok(further.Receive(ok(first.Frame())))
	fmt.Printf("the further device has: %s\n", further.Payload())
	// Output:
	// both show the same digits: true
	// the first device has: the keys of this device
	// the further device has: links to the spaces of the person
}

func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
