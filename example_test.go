package trefoil_test

import (
	"context"
	"fmt"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// device opens a device of its own, which prints what others write.
func exampleDevice(name string, t trefoil.Transport) *trefoil.Client {
	key := ok(state.NewKey([]byte("32 bytes from a platform's store"))) // of a real program: another one for each store
	return ok(trefoil.Open(context.Background(), store.NewMemory(), key, t, trefoil.Options{
		Handle: func(_ context.Context, e trefoil.Event) error {
			switch e := e.(type) {
			case trefoil.Message:
				if !e.Own {
					fmt.Printf("%s reads: %s\n", name, e.Body)
				}
			case trefoil.Joined:
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
	space := ok(ann.NewSpace(ctx))
	made := ok(space.Invite(ctx, invite.Private(0)))
	joined := ok(bob.Join(ctx, ok(made.Link.URL("https://chat.example/join"))))
	ok(joined.Send(ctx, []byte("hello Ann"))) // durable; it leaves when Bob is let in
	for range 3 {
		succeed(bob.Sync(ctx))
		succeed(ann.Sync(ctx))
	}
	fmt.Println("members:", len(ok(space.Members(ctx))))
	// Output:
	// Bob was let in
	// Ann reads: hello Ann
	// members: 2
}

// What was written without a network waits, and Status says how much of it there is.
func ExampleSpace_Status() {
	ctx := context.Background()
	ann := exampleDevice("Ann", transporttest.NewNetwork().Device("Ann"))
	space := ok(ann.NewSpace(ctx))
	ok(space.Send(ctx, []byte("nobody is here yet")))
	fmt.Println("before:", ok(space.Status(ctx)).Outbox)
	succeed(ann.Sync(ctx))
	fmt.Println("after:", ok(space.Status(ctx)).Outbox)
	// Output:
	// before: 1
	// after: 0
}

func ok[T any](v T, err error) T {
	succeed(err)
	return v
}

func succeed(err error) {
	if err != nil {
		panic(err)
	}
}
