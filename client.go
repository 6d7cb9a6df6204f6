package trefoil

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/inspect"
	"github.com/trefoil-im/trefoil/state/store"
)

var (
	// ErrRunning is the error of Run and Sync while one of them runs.
	ErrRunning = errors.New("trefoil: the client runs already")
	// ErrNoPerson is the error of direct conversations on a device that belongs to no person: NewPerson makes one.
	ErrNoPerson = errors.New("trefoil: this device belongs to no person")
	// ErrNobody: the directory has no device at an address. The person has not published yet, was deleted, or never was; the directory can
	// also withhold it. It is the reason of event.NotSent in a direct conversation, and the error of Direct.Fingerprint.
	ErrNobody = errors.New("trefoil: nobody is at this address")
	// ErrNotRegistered is the error of Transport.Subscribe at a relay that lets in only devices that its directory knows: this one is none.
	ErrNotRegistered = errors.New("trefoil: the relay's directory does not know this device")
	// ErrDiffers is the error for the QR code of another fingerprint.
	ErrDiffers = errors.New("trefoil: the fingerprints differ")
)

// Options are the settings of a Client. The zero value holds the defaults.
type Options struct {
	// Handle is told of every event: of each chat one after the other, in the order in which they were read, and in a Run of
	// several chats at once. It is told at least once; an event is gone when Handle has returned nil and InCommit was committed. After
	// an error it is told again, with the same Stamp, after a second and then later each time, up to 5 minutes; meanwhile
	// nothing else of this chat is handed over, and other chats go on. It may take its time and call every method of
	// Client and Space but Run and Sync, which return ErrRunning. Its context ends with Run, and Run waits for it. With neither
	// Handle nor InCommit all events stay in the vault, for another process; when there are too many, nothing is received.
	Handle func(context.Context, event.Event) error

	// InCommit returns what is written in the commit that takes an event out of the vault, or nil: sqlstore.Rows makes it. So rows
	// of the program's own are written exactly once for each event, also by several processes. It is called after Handle has
	// returned nil. If the hook fails the event stays, as after an error of Handle.
	InCommit func(event.Event) store.Hook

	// Profile is what others see of this device in the spaces that it makes or joins from then on: at most
	// ratchet.MaxApplicationData bytes. Space.SetProfile changes it in one. It is not forward secret.
	Profile []byte

	// Directory is where persons are looked up, for direct conversations. There are none without it.
	Directory Directory

	// Policy is that of the spaces that NewSpace makes.
	Policy rules.Policy

	// MaxFrame is the longest frame that the relay takes, in bytes: from 32 KiB to 8 MiB, 1 MiB by default. A relay of this module
	// takes 2 MiB (api.MaxFrame).
	MaxFrame int

	// Every is how often is done what is due without a frame: 1 minute by default.
	Every time.Duration

	// Shared says that several processes use one store, such as an app and its push extension. All of them must say so. One at a
	// time sends from an outbox; each may receive, and a frame is read once. Both may hand over one event.
	Shared bool

	// Now is the clock, time.Now by default: the only one that dates anything. What waits, waits by the time that passes.
	Now func() time.Time

	// Log gets what a program need not know and somebody who looks for a fault wants to: no secrets and no plaintext. It may be nil.
	Log *slog.Logger

	// Vault holds the bounds of the vaults, their Anchor, and Events for what is told beside the events of this package. Its
	// Now, Log, Shared and Keep are the client's and must not be set.
	Vault state.Options
}

// Client is a device: its chats in a store, its line to a relay, and all that a device owes them. Its methods are safe for
// concurrent use. Nothing in it is a second source of truth: what it knows lies in the store, where another process may
// change it at any time.
type Client struct {
	body      any // a *clientBody
	transport Transport
	o         Options
	log       *slog.Logger
	stats     counters
}

// Open returns the device that lies in a store, sealed under key; an empty store is a new device. It does nothing by itself
// and need not be closed: Run and Sync work until they return. Errors are those of state.Open, and one for Options that
// contradict each other.
func Open(ctx context.Context, s store.Store, key state.Key, t Transport, o Options) (*Client, error) {
	v := o.Vault
	switch {
	case t == nil:
		return nil, errors.New("trefoil: a client needs a transport")
	case v.Now != nil || v.Log != nil || v.Keep != nil || v.Shared:
		return nil, errors.New("trefoil: Now, Log, Shared and Keep are set in Options, not in Options.Vault")
	case len(o.Profile) > ratchet.MaxApplicationData:
		return nil, ratchet.ErrTooLong
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	b := &clientBody{}
	c := &Client{body: b, transport: t, o: o, log: o.Log}
	v.Now, v.Log, v.Shared = o.Now, o.Log, o.Shared
	var err error
	if b.directs, err = openDirects(ctx, s, key, o.Directory, v, c.keeping(v, aTalk)); err != nil {
		return nil, err
	}
	b.directs.listen, b.directs.enter = c.listenAt, c.enter
	if b.links, err = state.Open[storedLink](ctx, s, key, c.keeping(v, aLinking)); err != nil {
		return nil, err
	}
	v = c.keeping(v, aSpace)
	if b.spaces, err = state.Open[ratchet.Space](ctx, s, key, v); err != nil {
		return nil, err
	}
	b.directs.keeper, _ = t.(keeper)
	if t, ok := t.(interface{ SignWith(Signer) }); ok {
		t.SignWith(signer{b.directs})
	}
	return c, nil
}

// keeping returns the options of a vault of chats, whose events are handed over.
func (c *Client) keeping(v state.Options, k chatKind) state.Options {
	told := v.Events
	v.Keep, v.Events = kept, func(id state.ID, e state.Event) {
		if told != nil {
			told(id, e)
		}
		if isKept(e) {
			c.handOver(k, id)
		}
	}
	return v
}

// changed looks at what a commit has put into the queues of a chat. Without a Run it waits there.
func (c *Client) changed(k chatKind, id state.ID) {
	if r := bodyOf(c).current.Load(); r != nil {
		r.changed(k, id)
	}
}

// handOver hands over what a commit has put into the inbox of a chat. Without a Run it waits there.
func (c *Client) handOver(k chatKind, id state.ID) {
	if r := bodyOf(c).current.Load(); r != nil {
		r.mu.Lock()
		r.handOver(r.chat(k, id))
		r.mu.Unlock()
	}
}

// isReady reports whether what is written in a chat may be encrypted at once.
func (c *Client) isReady(id state.ID) bool {
	r := bodyOf(c).current.Load()
	return r != nil && r.isReady(id)
}

// Stats says what a client did since it was opened. Other processes on the same store count for themselves.
type Stats struct {
	Vault inspect.Stats
	// Online says that a line is up and its backlog was read.
	Online bool
	// Published says that this client has published its device: from then on others can write to its person (Client.NewPerson).
	Published bool
	// Lines is how many lines were tried, Events how many events were handed over, and Failures how often Handle or
	// InCommit failed.
	Lines, Events, Failures uint64
}

// counters are what Stats returns.
type counters struct{ lines, events, failures atomic.Uint64 }

// Stats returns what the client did.
func (c *Client) Stats() Stats {
	r := bodyOf(c).current.Load()
	return Stats{
		Vault: bodyOf(c).spaces.Stats(), Online: r != nil && r.online(), Published: bodyOf(c).directs.isPublished(),
		Lines: c.stats.lines.Load(), Events: c.stats.events.Load(), Failures: c.stats.failures.Load(),
	}
}

// Inspect describes what is stored of a chat without telling what it says: sizes, what waits, and what is damaged.
func (c *Client) Inspect(ctx context.Context, id state.ID) (inspect.Value, error) {
	return bodyOf(c).spaces.Inspect(ctx, id)
}
