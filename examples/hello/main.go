package main

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

func main() {
	ctx, network, read := context.Background(), transporttest.NewNetwork(), make(chan string)
	open := func(name string) *trefoil.Client {
		key := must(state.NewKey([]byte("thirty-two bytes of a secret key"))) // from the platform's key store
		c := must(trefoil.Open(ctx, store.NewMemory(), key, network.Device(name), trefoil.Options{Handle: func(_ context.Context, e event.Event) error {
			if m, ok := e.(event.Message); ok {
				read <- name + " reads: " + string(m.Body)
			}
			return nil // an error, or a crash: it is handed over again
		}}))
		go c.Run(ctx) // receives, acknowledges, hands over, sends, and does what is due
		return c
	}
	invited := must(must(open("alice").NewSpace(ctx)).Invite(ctx, invite.Private(0))) // for one person
	must(must(open("bob").Join(ctx, must(invited.Link.URL("https://chat.example/join")))).Send(ctx, []byte("hello")))
	fmt.Println(<-read + "\n" + <-read) // what bob wrote was durable at once, and left when he was let in
}
