package state

import (
	"log/slog"
	"time"

	"github.com/trefoil-im/trefoil/state/vaultkey"
)

// Limits of a vault. The constants cannot be changed; the others are defaults of Options.
const (
	// MaxFrame is the size of the largest frame that is received, in bytes. The largest frame of the group protocol is a
	// rekey: a body of 4 MiB with its commits and boxes.
	MaxFrame = 8 << 20

	// KeySize is the size of a vault's key in bytes.
	KeySize = 32

	// MaxAddress is the size of the longest destination or source of a frame, in bytes.
	MaxAddress = 1 << 10

	// defaultQueue bounds the outbox and the inbox of one value: far more than a device writes while offline, and few
	// enough to be listed at once.
	defaultQueue = 4096

	// defaultQueueBytes bounds either by what is stored of it: all of them at 16 KiB, or seven frames of the largest kind.
	defaultQueueBytes = 64 << 20

	// defaultRetained bounds the retained frames of one value, and those from one source among them, so that no mailbox
	// can push the others' frames out.
	defaultRetained       = 20_000
	defaultRetainedSource = 2_000
	defaultRetainedFor    = 7 * 24 * time.Hour

	// defaultRetainedBytes bounds the retained frames of one value in bytes, and those from one source among them: all of
	// the former at 3 KiB and of the latter at 8 KiB, when messages have one, and room for two frames of the largest kind.
	defaultRetainedBytes       = 64 << 20
	defaultRetainedBytesSource = 16 << 20

	// defaultAcknowledged is the number of frames done with that are remembered. A relay that repeats an older one costs a trial
	// decryption, no more: ratchets refuse repeats themselves.
	defaultAcknowledged = 8192

	// defaultCache bounds the values kept decoded in memory; a space of 1,000 members takes some megabytes.
	defaultCache = 64

	// defaultSenders is the number of destinations of one value that are sent to at once: one, so that a function that sends
	// need not be safe for concurrent use.
	defaultSenders = 1

	// defaultSendTime bounds one call of a function that sends: an HTTP request with the largest frame over a slow line.
	defaultSendTime = 30 * time.Second

	// defaultRetry is after how long a frame is handed over again whose sender did not say.
	defaultRetry = time.Second

	// defaultForget is how old the data key gets. A day's superseded states are sealed under one key, and a store is written
	// once a day.
	defaultForget = 24 * time.Hour

	// pageSize is how many items are fetched from a store at once, and pageBytes how many bytes of them: 64 of the size of a message
	// with 16 KiB.
	pageSize  = 64
	pageBytes = 1 << 20

	// batchSize is how many frames are received in one commit. At 128 what a commit costs is a small part of what they cost, and another
	// writer of the value waits for a few hundredths of a second at most.
	batchSize = 128

	// listPage is how many IDs are fetched at once.
	listPage = 1024
)

// Options are the settings of a Vault. The zero value holds the defaults.
type Options struct {
	// Events is called with what happened beside the results of calls, after the commit it belongs to, in the goroutine
	// of the call. It must be safe for concurrent use.
	Events func(ID, Event)

	// Keep returns what is put into the inbox for an event, or nil for nothing: an event that must not be lost is durable then in
	// the very commit that it belongs to. It is called within a transaction, which may run again, and must be safe for
	// concurrent use. Events that belong to no commit, as Damaged, are not given to it. It may be nil.
	Keep func(ID, Event) []byte

	// Outbox and Inbox are the largest numbers of items in the queues of one value; 4,096 by default. OutboxBytes and InboxBytes
	// bound them by the length of what is stored of them, in bytes; 64 MiB by default. A commit that would exceed one fails
	// with ErrFull. A queue that is empty takes one item of any length.
	Outbox, Inbox           int
	OutboxBytes, InboxBytes int

	// Retained and RetainedSource are the largest numbers of retained frames of one value, 20,000 by default, and of one
	// source among them, 2,000 by default; the oldest is given up for a new one. RetainedFor is how long a frame is kept
	// at most, 7 days by default. What is given up is not acknowledged, so that it comes again. For a keeper (see Part) only the bounds of
	// all frames hold.
	Retained, RetainedSource int
	RetainedFor              time.Duration

	// RetainedBytes and RetainedBytesSource bound the same frames by their length in bytes: 64 MiB by default, and 16 MiB
	// from one source. A frame that is longer than either is given up at once.
	RetainedBytes, RetainedBytesSource int

	// Acknowledged is how many frames of one value that are done with are remembered, to refuse repeats cheaply; 8,192 by default.
	Acknowledged int

	// ForgetEvery is how old the data key gets before commits replace it as Forget does, 24 hours by default; so what was superseded
	// longer ago comes to be out of reach. Each commit then takes a small step besides, of 1 MiB or 16 rows. If one fails,
	// ForgetFailed is reported, and it is tried again an hour later at the earliest. A negative time leaves it to the program
	// to call Forget.
	ForgetEvery time.Duration

	// Anchor tells a database that is older than the one seen last: a copy that was put back. Open then returns ErrRolledBack. Each
	// Open, Forget and Rekey sets it anew, so a copy from before the last of them is found. There is none by default.
	Anchor vaultkey.Anchor

	// Cache is how many decoded values are kept in memory, 64 by default. Each use of one is checked against the store.
	Cache int

	// Senders is how many destinations of one value Flush sends to at once; 1 by default. With 1, send is called in the
	// goroutine of Flush; with more it must be safe for concurrent use. A destination that blocks holds up one sender, for
	// SendTime.
	Senders int

	// SendTime is after how long the context of one call of send ends, 30 s by default.
	SendTime time.Duration

	// Shared says that several processes, or several Vaults, send from one store, such as an app and its push extension. All
	// of them must say so. Flush then takes a lease of the outbox that it sends from, which lasts twice SendTime and is
	// renewed, and leaves an outbox to its holder as long as that renews. It costs two commits for each Flush that sends.
	Shared bool

	// Log gets the events as log records, too: those of damage and rejection as warnings. It may be nil.
	Log *slog.Logger

	// Now is the clock, time.Now by default. It dates retained frames and decides nothing else.
	Now func() time.Time
}

// withDefaults returns the options with every zero replaced.
func (o Options) withDefaults() Options {
	if o.Events == nil {
		o.Events = func(ID, Event) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	for _, n := range []struct {
		at    *int
		value int
	}{
		{&o.Outbox, defaultQueue},
		{&o.Inbox, defaultQueue},
		{&o.OutboxBytes, defaultQueueBytes},
		{&o.InboxBytes, defaultQueueBytes},
		{&o.Retained, defaultRetained},
		{&o.RetainedSource, defaultRetainedSource},
		{&o.RetainedBytes, defaultRetainedBytes},
		{&o.RetainedBytesSource, defaultRetainedBytesSource},
		{&o.Acknowledged, defaultAcknowledged},
		{&o.Cache, defaultCache},
		{&o.Senders, defaultSenders},
	} {
		if *n.at == 0 {
			*n.at = n.value
		}
	}
	if o.ForgetEvery == 0 {
		o.ForgetEvery = defaultForget
	}
	if o.RetainedFor == 0 {
		o.RetainedFor = defaultRetainedFor
	}
	if o.SendTime == 0 {
		o.SendTime = defaultSendTime
	}
	return o
}

// burden is how much there is of something, or may be.
type burden struct{ n, bytes int }

func (b burden) exceeds(most burden) bool { return b.n > most.n || b.bytes > most.bytes }

func (b burden) plus(c burden) burden { return burden{b.n + c.n, b.bytes + c.bytes} }

// add counts one of this size, or takes it away if the sign is -1.
func (b *burden) add(size, sign int) {
	b.n += sign
	b.bytes += sign * size
}
