package relay

import (
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Relay is the parts of a relay on one store.
type Relay struct {
	Logins        *Logins
	Directory     *Directory
	Conversations *Conversations
	Mailboxes     *Mailboxes
	Blobs         *Blobs

	b   base
	hub *hub
}

// Options are what differs from one relay to the next. A relay at which devices log in needs a Name; all else has a default.
type Options struct {
	// Name is what devices call the relay: the host, and the port if there is one, of the URL by which they reach it. A device
	// signs it when it logs in, so that no other relay can use what it signed. Nobody logs in at a relay without a name; where
	// httprelay.Options.Authenticate takes the place of logins none is needed.
	Name string
	// Clock tells the time, by default the machine's. It decides when things expire, and nothing else.
	Clock func() time.Time
	// Keep is for how long a message is kept that a device has not acknowledged: DefaultKeep by default, and at least MinKeep.
	Keep time.Duration
	// Share is how many bytes of one person may be unacknowledged in one mailbox: DefaultShare by default. A frame that is longer
	// than the share gets into no mailbox.
	Share int64
	// Woken, if it is given, is called after each commit with the devices in whose mailboxes there is something new, once each. It
	// must not wait. It tells other relays on the same store: see Relay.Wake.
	Woken func([]api.DeviceID)
	// Storage is how many bytes of blobs one person may have: DefaultStorage by default.
	Storage int64
}

// base is what all parts stand on.
type base struct {
	store store.Store
	o     Options
}

// New returns a relay on a store.
func New(s store.Store, o Options) *Relay {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Keep == 0 {
		o.Keep = api.DefaultKeep
	}
	o.Keep = max(o.Keep, api.MinKeep)
	if o.Share == 0 {
		o.Share = api.DefaultShare
	}
	if o.Storage == 0 {
		o.Storage = api.DefaultStorage
	}
	h := new(hub)
	b := base{watched{s, func(devices []api.DeviceID) {
		h.wake(devices)
		if o.Woken != nil {
			o.Woken(devices)
		}
	}}, o}
	return &Relay{&Logins{b: b}, &Directory{b}, &Conversations{b}, &Mailboxes{b}, &Blobs{b}, b, h}
}

// now returns the time in milliseconds since 1970.
func (b base) now() int64 { return max(b.o.Clock().UnixMilli(), 0) }

// or returns err, or one of the class if there is none: what is looked for is not there.
func or(err, class error, what string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", class, what)
}
