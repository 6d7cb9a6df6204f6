package event_test

import (
	"fmt"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
)

// A program looks at the type, and logs what it does not show: nothing that was written is in String.
func ExampleEvent() {
	handle := func(e event.Event) {
		switch e := e.(type) {
		case event.Message:
			fmt.Printf("member %d: %s\n", e.Index, e.Body)
		case event.Refused:
			fmt.Println("You cannot join:", e.Reason)
		default:
			fmt.Println("log:", e)
		}
	}
	chat := event.Stamp{Chat: state.ID{1}, ID: event.ID{2}}
	handle(event.Message{Stamp: chat, Index: 7, Body: []byte("hello")})
	handle(event.Refused{Stamp: chat, Reason: ratchet.ErrInviteTaken})
	handle(event.Left{Stamp: chat, Index: 7})
	fmt.Println(event.Message{Stamp: chat, Index: 7, Body: []byte("hello")})
	// Output:
	// member 7: hello
	// You cannot join: ratchet: invite is taken
	// log: 02000000000000000000000000000000 01000000: member 7 left
	// 02000000000000000000000000000000 01000000: message of member 7, 5 bytes
}
