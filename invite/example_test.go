package invite_test

import (
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// An owner makes a link, somebody joins by it, and reads what is sent from then on.
func Example() {
	now := time.Now()
	ann, err := ratchet.NewSpace(now, rules.Policy{}, []byte("Ann"))
	check(err)
	var made invite.Made
	ann, _, err = ratchet.Take(ann, now, step.NewInvite(invite.Private(7*24*time.Hour), &made)) // what it says to all: nobody else is there
	check(err)
	url, err := made.Link.URL("https://chat.example/join")
	check(err)

	link, err := invite.Find("Come in, " + url + " – see you!")
	check(err)
	_, request, err := ratchet.Join(link, now, []byte("Bob"))
	check(err)
	_, ticket, err := ratchet.Admit(ann, now, request) // Bob's vault enters it
	check(err)
	fmt.Println(len(ticket) > 0)
	for _, in := range ratchet.Invites(ann, now) {
		fmt.Println("place", in.First, "is", in.Status)
	}
	// Output:
	// true
	// place 2 is open
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
