// Transport is chapter 6 of the guide: a transport of one's own, over files in a directory.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

func main() {
	ctx := context.Background()
	dir := must(os.MkdirTemp("", "guide"))
	defer os.RemoveAll(dir)
	ann, bob := open(ctx, maildir{dir, "Ann"}), open(ctx, maildir{dir, "Bob"})
	space := must(ann.NewSpace(ctx))
	made := must(space.Invite(ctx, invite.Private(0)))
	joined := must(bob.Join(ctx, must(made.Link.URL("https://chat.example/join"))))
	must(joined.Send(ctx, []byte("hello over files")))
	for range 3 {
		try(bob.Sync(ctx))
		try(ann.Sync(ctx))
	}
}

func open(ctx context.Context, line maildir) *trefoil.Client {
	key := must(state.NewKey([]byte("thirty-two bytes of a secret key")))
	return must(trefoil.Open(ctx, store.NewMemory(), key, line, trefoil.Options{
		Handle: func(_ context.Context, e event.Event) error {
			if m, ok := e.(event.Message); ok {
				fmt.Printf("%s reads: %s\n", line.device, m.Body)
			}
			return nil
		},
	}))
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
