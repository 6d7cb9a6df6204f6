// Invites is chapter 3 of the guide: who comes in, how an invite is taken back, and how somebody is removed.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

func main() {
	ctx, network := context.Background(), transporttest.NewNetwork()
	ann, bob, carl, dan := open(ctx, network, "Ann"), open(ctx, network, "Bob"), open(ctx, network, "Carl"), open(ctx, network, "Dan")
	space := must(ann.NewSpace(ctx))

	// One link for one person, good for a week.
	one := must(space.Invite(ctx, invite.Private(7*24*time.Hour)))
	must(bob.Join(ctx, must(one.Link.URL("https://chat.example/join"))))

	// One link for many: a group chat with an open door.
	many := must(space.Invite(ctx, invite.Public(invite.Unit, 0)))
	url := must(many.Link.URL("https://chat.example/join"))
	must(carl.Join(ctx, url))
	settle(ctx, ann, bob, carl)

	// The door is shut: who was let in stays, and the link lets nobody in any more.
	try(space.EndInvite(ctx, many.Name))
	settle(ctx, ann, bob, carl)
	must(dan.Join(ctx, url))
	settle(ctx, ann, bob, carl, dan)

	for _, in := range must(space.Invites(ctx)) {
		fmt.Println("an invite is", in.Status)
	}

	// Bob is removed: what is written from now on he cannot read.
	for _, m := range must(space.Members(ctx)) {
		if string(m.Profile) == "Bob" {
			try(space.Remove(ctx, m.Index))
		}
	}
	settle(ctx, ann, bob, carl)

	fmt.Println(len(must(space.Members(ctx))), "members")
}

// open opens a client in memory that says what it is told.
func open(ctx context.Context, network *transporttest.Network, name string) *trefoil.Client {
	key := must(state.NewKey([]byte("thirty-two bytes of a secret key")))
	return must(trefoil.Open(ctx, store.NewMemory(), key, network.Device(name), trefoil.Options{
		Profile: []byte(name),
		Handle: func(_ context.Context, e event.Event) error {
			switch e := e.(type) {
			case event.Joined:
				fmt.Println(name, "is in")
			case event.Refused:
				fmt.Println(name, "is refused:", e.Reason)
			}
			return nil
		},
	}))
}

// settle lets everybody read and answer, as Run does all the time.
func settle(ctx context.Context, clients ...*trefoil.Client) {
	for range 4 {
		for _, c := range clients {
			try(c.Sync(ctx))
		}
	}
}

func must[T any](v T, err error) T {
	try(err)
	return v
}

func try(err error) {
	if err != nil {
		panic(err)
	}
}
