package invite_test

import (
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
)

// The dealer makes a link, somebody joins by it, and reads what is sent from then on.
func Example() {
	now := time.Now()
	ann, err := ratchet.NewSpace(now, ratchet.Policy{})
	check(err)
	ann, link, err := invite.Private(ann, now)
	check(err)
	url, err := link.URL("https://chat.example/join")
	check(err)

	got, err := invite.ParsePrivate(url)
	check(err)
	bob, request, err := ratchet.Join(got.Grant(), now, []byte("Bob"))
	check(err)
	ann, ticket, err := ratchet.Admit(ann, now, request)
	check(err)
	bob, err = ratchet.Enter(bob, now, ticket)
	check(err)
	bob, hello, err := ratchet.Encrypt(bob, now, nil) // says that he is there; from here on he can read
	check(err)
	ann, _, err = ratchet.Decrypt(ann, now, hello)
	check(err)

	ann, envelope, err := ratchet.Encrypt(ann, now, []byte("hello Bob"))
	check(err)
	_, message, err := ratchet.Decrypt(bob, now, envelope)
	check(err)
	fmt.Printf("%s\n", message.Plaintext)
	for _, in := range invite.List(ann) {
		fmt.Println("place", in.Index, "is", in.Status)
	}
	// Output:
	// hello Bob
	// place 2 is used
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
