package trefoil_test

import (
	"context"
	"fmt"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// exampleDevice opens a device, which prints what others write.
func exampleDevice(name string, t trefoil.Transport) *trefoil.Client {
	key := must(state.NewKey([]byte("32 bytes from a platform's store"))) // of a real program: another one for each store
	return must(trefoil.Open(context.Background(), store.NewMemory(), key, t, trefoil.Options{
		Handle: func(_ context.Context, e event.Event) error {
			switch e := e.(type) {
			case event.Message:
				if !e.Own {
					fmt.Printf("%s reads: %s\n", name, e.Body)
				}
			case event.Joined:
				fmt.Println(name, "was let in")
			}
			return nil // an error, or a crash: it is handed over again
		},
	}))
}

// Ann founds a space, Bob comes by her link and writes, and Ann reads it. A program with a user has Run in a goroutine instead of Sync.
func Example() {
	ctx, network := context.Background(), transporttest.NewNetwork()
	ann, bob := exampleDevice("Ann", network.Device("Ann")), exampleDevice("Bob", network.Device("Bob"))
	space := must(ann.NewSpace(ctx))
	made := must(space.Invite(ctx, invite.Private(0)))
	joined := must(bob.Join(ctx, must(made.Link.URL("https://chat.example/join"))))
	must(joined.Send(ctx, []byte("hello Ann"))) // durable; it leaves when Bob is let in
	for range 3 {
		must(0, bob.Sync(ctx))
		must(0, ann.Sync(ctx))
	}
	fmt.Println("members:", len(must(space.Members(ctx))))
	// Output:
	// Bob was let in
	// Ann reads: hello Ann
	// members: 2
}

// What was written without a network waits, and Status says how much of it there is.
func ExampleSpace_Status() {
	ctx := context.Background()
	ann := exampleDevice("Ann", transporttest.NewNetwork().Device("Ann"))
	space := must(ann.NewSpace(ctx))
	must(space.Send(ctx, []byte("nobody is here yet")))
	fmt.Println("before:", must(space.Status(ctx)).Outbox)
	must(0, ann.Sync(ctx))
	fmt.Println("after:", must(space.Status(ctx)).Outbox)
	// Output:
	// before: 1
	// after: 0
}
