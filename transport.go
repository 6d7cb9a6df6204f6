package trefoil

import (
	"context"
	"iter"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
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
	// no error. A subscription lasts until Unsubscribe, across lines and restarts. It returns ErrNotRegistered for a device that the
	// relay knows from its directory only, and not yet: such a relay subscribes the device to its mailbox when it is registered
	// (docs/RELAY.md, rule 9). A Client calls it before it publishes, also while no Receive goes on.
	Subscribe(ctx context.Context, topic string) error

	// Unsubscribe ends a subscription, and drops what is stored of it. To have none is no error.
	Unsubscribe(ctx context.Context, topic string) error
}

// Signer signs for a device what a relay wants to have proved. A Transport with a method SignWith(Signer) is given one by Open, before
// anything else: package relay/client logs in with it, and shows whose mailboxes it subscribes to (docs/RELAY.md, rule 9). It is
// safe for concurrent use.
type Signer interface {
	// Device names the device: its person, and the identity key with which it was registered first. It returns ErrNoPerson as long
	// as there is none.
	Device(ctx context.Context) (person key.Address, name key.PublicKey[key.Identity], err error)

	// Sign returns the signature of a statement (see session.Device.Sign) by the key of a mailbox of the device, and that key; the
	// zero address is the mailbox in its registration. It returns state.ErrNotFound for a mailbox that is none of the device.
	Sign(ctx context.Context, mailbox key.Address, statement []byte) (key.VerifyKey, []byte, error)
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
