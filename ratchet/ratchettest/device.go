package ratchettest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// Topic is where a Device sends what is meant for the whole space.
const Topic = "space"

// Device is a member's device: a space in a vault, with the receive loop that a program has. What a method
// cannot do fails the test.
type Device struct {
	Name   string
	Store  store.Store
	Vault  *state.Vault[ratchet.Space]
	Read   []string         // texts that were read, in order, without those that say nothing
	Events []state.Event    // of the vault, and of the ratchet in it
	Tries  int              // how often a frame was tried
	T      testing.TB       // the test that fails
	Now    func() time.Time // the clock
	opener state.Opener[ratchet.Space]
	id     state.ID
}

// NewDevice returns a device that holds a space, with frames in its outbox.
func NewDevice(t testing.TB, name string, now func() time.Time, s ratchet.Space, frames ...[]byte) *Device {
	t.Helper()
	d := &Device{Name: name, Store: store.NewMemory(), T: t, Now: now, id: s.ID()}
	open := ratchet.Opener(d.options())
	d.opener = func(tx *state.Tx[ratchet.Space], f state.Frame) error {
		d.Tries++
		return open(tx, f)
	}
	d.Reopen()
	require.NoError(t, d.Vault.Create(context.Background(), s, func(tx *state.Tx[ratchet.Space]) error {
		for _, f := range frames {
			tx.Send(Topic, f)
		}
		return nil
	}))
	return d
}

func (d *Device) options() ratchet.Options { return ratchet.Options{Topic: Topic, Now: d.Now} }

// Reopen opens the vault anew: the device goes on from what is stored.
func (d *Device) Reopen() {
	d.T.Helper()
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(d.T, err)
	d.Vault, err = state.Open[ratchet.Space](context.Background(), d.Store, key, state.Options{
		RetainedFor: 30 * 24 * time.Hour, // longer than a ratchet waits for what a message lacks
		Now:         d.Now,
		Events:      func(_ state.ID, e state.Event) { d.Events = append(d.Events, e) },
	})
	require.NoError(d.T, err)
}

// Space returns the space as it is stored.
func (d *Device) Space() ratchet.Space {
	d.T.Helper()
	s, err := d.Vault.Load(context.Background(), d.id)
	require.NoError(d.T, err, d.Name)
	return s
}

// Update runs a transaction that must succeed.
func (d *Device) Update(f func(*state.Tx[ratchet.Space]) error) {
	d.T.Helper()
	require.NoError(d.T, d.Vault.Update(context.Background(), d.id, f), d.Name)
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
func (d *Device) Do(s ratchet.Step) {
	d.T.Helper()
	d.Update(ratchet.Do(d.options(), s))
}

// Send puts a message into the outbox.
func (d *Device) Send(text string) {
	d.T.Helper()
	d.Update(ratchet.Send(d.options(), []byte(text)))
}

// Receive is the receive loop for one frame: what was read of it, and of frames that were retained before, is in d.Read.
func (d *Device) Receive(source string, frame []byte) state.Receipt {
	d.T.Helper()
	receipt, err := d.Vault.Receive(context.Background(), d.id, state.Frame{Source: source, Data: frame}, d.opener)
	require.NoError(d.T, err, d.Name)
	d.drain()
	return receipt
}

// CaughtUp says that the end of the mailbox was reached.
func (d *Device) CaughtUp() {
	d.T.Helper()
	d.Update(ratchet.CaughtUp(d.options()))
	d.retry()
}

// Maintain does what is due, and tries retained frames again if that may open them.
func (d *Device) Maintain() {
	d.T.Helper()
	d.Update(ratchet.Maintain(d.options()))
	d.retry()
}

// retry tries the retained frames that may be readable now.
func (d *Device) retry() {
	d.T.Helper()
	_, err := d.Vault.Retry(context.Background(), d.id, d.opener)
	require.NoError(d.T, err, d.Name)
	d.drain()
}

// Flush returns what the device has to send, which counts as sent.
func (d *Device) Flush() (frames [][]byte) {
	d.T.Helper()
	_, err := d.Vault.Flush(context.Background(), d.id, func(_ context.Context, o state.Outgoing) state.Delivery {
		frames = append(frames, slices.Clone(o.Data))
		return state.Delivered()
	})
	require.NoError(d.T, err, d.Name)
	return frames
}

func (d *Device) drain() {
	d.T.Helper()
	require.NoError(d.T, d.Vault.Drain(context.Background(), d.id, func(_ context.Context, in state.Incoming) error {
		m, err := ratchet.ParseMessage(in.Data())
		d.Read = append(d.Read, string(m.Plaintext))
		return err
	}), d.Name)
}
