package transporttest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/transporttest"
)

var t *testing.T // of the author's test

// The author of a transport has it checked. Here it is the network in memory; each call of the function starts a fresh relay.
func ExampleRun() {
	transporttest.Run(t, func(t *testing.T) transporttest.Connect {
		relay := transporttest.NewNetwork()
		return func(device string) trefoil.Transport { return relay.Device(device) }
	})
}

// A program tries things out on a network in memory: it gives the line of a device to trefoil.Open, as examples/hello does. This is what
// a Client does with it.
func ExampleNetwork() {
	ctx, cancel := context.WithCancel(context.Background())
	network := transporttest.NewNetwork()
	ann, bob := network.Device("Ann"), network.Device("Bob")
	if err := bob.Subscribe(ctx, "a topic"); err != nil {
		panic(err)
	}
	ann.Post(ctx, "a topic", []byte("a frame")) // Bob need not be there

	err := bob.Receive(ctx, slices.Values([]string{"a topic"}), func(f trefoil.Frame) {
		if f.Topic == "" {
			fmt.Println("all that was stored has been delivered")
			cancel()
			return
		}
		fmt.Printf("%s: %s, from %s\n", f.Topic, f.Data, f.From)
		f.Ack() // once it is dealt with: until then it comes again
	})
	fmt.Println(err)
	// Output:
	// a topic: a frame, from Ann
	// all that was stored has been delivered
	// context canceled
}
