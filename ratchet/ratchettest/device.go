package ratchettest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// Topic is where a Device sends what is meant for the whole space.
const Topic = "space"

// Device is a member's device: a space in a vault, with the receive loop that a program has. What a method
// cannot do fails the test. A test sets the first fields before Create.
type Device struct {
	Name     string
	T        testing.TB       // the test that fails
	Now      func() time.Time // the clock
	Store    store.Store      // store.NewMemory by default
	MaxFrame int              // see ratchet.Options

	// Fate says whether the device dies at a commit of the store, before or after it; it never does by default. A device that
	// died is started again, and makes the call again that had no effect. Restarted is called then.
	Fate      func() storetest.Fault
	Restarted func()
	// Show is called once with each message that was read and says something. It may be nil.
	Show func(ratchet.Message)

	Vault  *state.Vault[ratchet.Space]
	Read   []ratchet.Message // what was read and says something, in order
	Events []state.Event     // of the vault, and of the ratchet in it
	Tries  int               // how often a frame was tried

	id   state.ID
	seq  uint64          // of the inbox item that was shown last
	sent [][]byte        // taken out of an outbox that was full
	dead storetest.Fault // None while the device runs
}

// NewDevice returns a device that holds a space, with frames in its outbox.
func NewDevice(t testing.TB, name string, now func() time.Time, s ratchet.Space, frames ...[]byte) *Device {
	t.Helper()
	d := &Device{Name: name, T: t, Now: now}
	d.Create(s, frames...)
	return d
}

// Create stores the device's space, with frames in its outbox.
func (d *Device) Create(s ratchet.Space, frames ...[]byte) {
	d.T.Helper()
	if d.Store == nil {
		d.Store = store.NewMemory()
	}
	d.id = s.ID()
	d.Reopen()
	require.NoError(d.T, d.once(func(ctx context.Context) error {
		return d.Vault.Create(ctx, s, func(tx *state.Tx[ratchet.Space]) error {
			for _, f := range frames {
				tx.Send(Topic, f)
			}
			return nil
		})
	}), d.Name)
}

// Options returns the options of what the device does.
func (d *Device) Options() ratchet.Options {
	return ratchet.Options{Topic: Topic, Now: d.Now, MaxFrame: d.MaxFrame}
}

// Key is the key of the vaults of all devices. Who seizes a device has it.
func Key(t testing.TB) state.Key {
	t.Helper()
	key, err := state.NewKey(KeyBytes[:])
	require.NoError(t, err)
	return key
}

// KeyBytes are the bytes of Key.
var KeyBytes = [32]byte{31: 1}

// Reopen opens the vault anew: the device goes on from what is stored.
func (d *Device) Reopen() {
	d.T.Helper()
	d.dead = storetest.None
	options := state.Options{
		RetainedFor: 30 * 24 * time.Hour, // longer than a ratchet waits for what a message lacks
		Now:         d.Now,
		Events:      func(_ state.ID, e state.Event) { d.Events = append(d.Events, e) },
	}
	var err error
	d.Vault, err = state.Open[ratchet.Space](context.Background(), d.Store, Key(d.T), options)
	require.NoError(d.T, err)
	if d.Fate != nil { // the first Open makes the store a vault, which is no step at which a device may die
		d.Vault, err = state.Open[ratchet.Space](context.Background(), storetest.Fail(d.Store, d.fate), Key(d.T), options)
		require.NoError(d.T, err)
	}
}

// fate lets the device die at a commit: a dead one does nothing more.
func (d *Device) fate(c storetest.Call) storetest.Fault {
	if d.dead != storetest.None {
		return storetest.Before
	}
	if c.Method == "Commit" {
		d.dead = d.Fate()
	}
	return d.dead
}

// died starts a device that died again, and reports whether it did, and whether its last commit came to be.
func (d *Device) died() (died, committed bool) {
	if d.dead == storetest.None {
		return false, false
	}
	committed = d.dead == storetest.After
	d.Reopen()
	if d.Restarted != nil {
		d.Restarted()
	}
	return true, committed
}

// once makes a call that commits once, until it had an effect or the device did not die in it.
func (d *Device) once(call func(context.Context) error) error {
	for {
		err := call(context.Background())
		died, committed := d.died()
		switch {
		case !died:
			return err
		case committed:
			return nil
		}
	}
}

// again makes a call that may be made twice, until the device does not die in it.
func (d *Device) again(call func(context.Context) error) {
	d.T.Helper()
	for {
		err := call(context.Background())
		if died, _ := d.died(); !died {
			require.NoError(d.T, err, d.Name)
			return
		}
	}
}

// Space returns the space as it is stored.
func (d *Device) Space() ratchet.Space {
	d.T.Helper()
	s, err := d.Vault.Load(context.Background(), d.id)
	require.NoError(d.T, err, d.Name)
	return s
}

// Try runs a transaction, and returns why it was refused.
func (d *Device) Try(f func(*state.Tx[ratchet.Space]) error) error {
	return d.once(func(ctx context.Context) error { return d.Vault.Update(ctx, d.id, f) })
}

// Update runs a transaction that must succeed.
func (d *Device) Update(f func(*state.Tx[ratchet.Space]) error) {
	d.T.Helper()
	require.NoError(d.T, d.Try(f), d.Name)
}

// Set replaces the space, by one that the vault takes for its successor.
func (d *Device) Set(change func(ratchet.Space) (ratchet.Space, error)) {
	d.T.Helper()
	d.Update(func(tx *state.Tx[ratchet.Space]) error {
		next, err := change(tx.Value())
		tx.Set(next)
		return err
	})
}

// Do takes a step, which must succeed.
func (d *Device) Do(s step.Step) {
	d.T.Helper()
	d.Update(ratchet.Do(d.Options(), s))
}

// Send puts a message into the outbox.
func (d *Device) Send(text string) {
	d.T.Helper()
	d.Update(ratchet.Send(d.Options(), []byte(text)))
}

// opener opens a frame, and counts.
func (d *Device) opener() state.Opener[ratchet.Space] {
	open := ratchet.Opener(d.Options())
	return func(tx *state.Tx[ratchet.Space], f state.Frame) error {
		d.Tries++
		return open(tx, f)
	}
}

// Receive is the receive loop for one frame: what was read of it, and of frames that were retained before, is in d.Read.
func (d *Device) Receive(source string, frame []byte) (receipt state.Receipt) {
	d.T.Helper()
	full := d.room(func(ctx context.Context) (err error) {
		receipt, err = d.Vault.Receive(ctx, d.id, state.Frame{Source: source, Data: frame}, d.opener())
		return err
	})
	switch {
	case full && receipt.Verdict == state.Stop:
		return d.Receive(source, frame)
	case full:
		receipt.Acknowledge = append(receipt.Acknowledge, d.Retry()...)
	}
	return receipt
}

// room makes a call that may fill the queues, and empties the inbox. If it found one full it empties the outbox, too, and reports that.
func (d *Device) room(call func(context.Context) error) (full bool) {
	d.T.Helper()
	d.again(func(ctx context.Context) error {
		err := call(ctx)
		if full = errors.Is(err, state.ErrFull); full {
			return nil
		}
		return err
	})
	d.drain()
	if full {
		d.sent = d.Flush()
	}
	return full
}

// CaughtUp says that the end of the mailbox was reached. It returns which retained frames are done with.
func (d *Device) CaughtUp() [][32]byte {
	d.T.Helper()
	return d.tend(ratchet.CaughtUp(d.Options()))
}

// Maintain does what is due, and tries retained frames again if that may open them. It returns which are done with.
func (d *Device) Maintain() [][32]byte {
	d.T.Helper()
	return d.tend(ratchet.Maintain(d.Options()))
}

// tend runs a transaction that must succeed, with room in the outbox, and tries retained frames again.
func (d *Device) tend(f func(*state.Tx[ratchet.Space]) error) [][32]byte {
	d.T.Helper()
	err := d.Try(f)
	if errors.Is(err, state.ErrFull) {
		d.sent = d.Flush()
		err = d.Try(f)
	}
	require.NoError(d.T, err, d.Name)
	return d.Retry()
}

// Retry tries the retained frames that may be readable now, and returns which are done with.
func (d *Device) Retry() (done [][32]byte) {
	d.T.Helper()
	for d.room(func(ctx context.Context) error {
		more, err := d.Vault.Retry(ctx, d.id, d.opener())
		done = append(done, more...)
		return err
	}) {
	}
	return done
}

// Flush returns what the device has to send, which counts as sent.
func (d *Device) Flush() (frames [][]byte) {
	d.T.Helper()
	frames, d.sent = d.sent, nil
	d.again(func(ctx context.Context) error {
		_, err := d.Vault.Flush(ctx, d.id, func(_ context.Context, o state.Outgoing) state.Delivery {
			frames = append(frames, slices.Clone(o.Data))
			return state.Delivered()
		})
		return err
	})
	return frames
}

// drain reads the inbox. What was read before the device died is told by its number.
func (d *Device) drain() {
	d.T.Helper()
	d.again(func(ctx context.Context) error {
		return d.Vault.Drain(ctx, d.id, func(_ context.Context, in state.Incoming) error {
			if in.Seq <= d.seq {
				return nil
			}
			m, err := ratchet.ParseMessage(in.Data())
			if err != nil {
				return err
			}
			d.seq, d.Read = in.Seq, append(d.Read, m)
			if d.Show != nil {
				d.Show(m)
			}
			return nil
		})
	})
}

// Texts returns what was read of others.
func (d *Device) Texts() (out []string) {
	for _, m := range d.Read {
		if !m.Own {
			out = append(out, string(m.Plaintext))
		}
	}
	return out
}

// Saw reports how often an event of a kind was reported.
func (d *Device) Saw(k ratchet.EventKind) (n int) {
	for _, e := range d.Events {
		if e, ok := e.(ratchet.Event); ok && e.Kind == k {
			n++
		}
	}
	return n
}

// Rewind opens a copy of the store that was made when so much had been read.
func (d *Device) Rewind(read int) {
	d.T.Helper()
	d.Read = d.Read[:read:read]
	d.seq = 0
	d.Reopen()
}
