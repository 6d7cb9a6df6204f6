package trefoil

import (
	"context"
	"iter"

	"github.com/trefoil-im/trefoil/state"
)

// Transport is a device's line to a relay. docs/RELAY.md is the contract, and package transporttest checks it. All methods but
// Receive are called by several goroutines at once, and every one returns when its context ends.
type Transport interface {
	// Post hands a frame to all subscribers of a topic but this device. The answer is Delivered once the frame is stored for each
	// of them, RetryAfter if it is not or nobody knows, and Rejected if it never will be.
	Post(ctx context.Context, topic string, frame []byte) state.Delivery

	// Receive subscribes to topics and calls handle for each frame that is stored for this device, then once with the zero
	// Frame, then for each frame that comes, also those of topics that were subscribed to meanwhile. It calls handle in
	// one goroutine; handle may wait for room. It returns when ctx ends or the line breaks. A Client calls it again then, and
	// frames that were not acknowledged come again.
	Receive(ctx context.Context, topics iter.Seq[string], handle func(Frame)) error

	// Subscribe returns once every frame that is posted to a topic from now on is stored for this device. Subscribing twice is
	// no error. A subscription lasts until Unsubscribe, across lines and restarts.
	Subscribe(ctx context.Context, topic string) error

	// Unsubscribe ends a subscription, and drops what is stored of it. To have none is no error.
	Unsubscribe(ctx context.Context, topic string) error
}

// Frame is what a Transport delivers. The zero Frame says that all that was stored has been delivered.
type Frame struct {
	// Topic is what the frame was posted to.
	Topic string

	// From says who handed the frame to the relay, as the relay knows: an account, or a connection. It is empty if that is not
	// known. It bounds how much one sender can make a device keep, and says nothing else.
	From string

	// Data is the frame. It is the client's from then on.
	Data []byte

	// Lost, if it is not 0, says that the relay has given up as many frames of the topic for this device. Data is empty then.
	Lost int

	// Ack says that the frame is dealt with and durable, so that the relay may forget it. It returns at once, may be called
	// by any goroutine, also after Receive has returned, and by several more than once.
	Ack func()
}

// isEnd reports whether f is the zero Frame.
func (f Frame) isEnd() bool { return f.Topic == "" }
