package trefoil_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// keeper is a line to a relay that keeps how sessions begin.
type keeper struct {
	*tap
	mu       sync.Mutex
	answer   state.Delivery
	requests [][16]byte
	kept     [][]trefoil.Envelope // of each request
}

func (k *keeper) BeginSession(_ context.Context, _ key.Address, request [16]byte, all []trefoil.Envelope) state.Delivery {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests, k.kept = append(k.requests, request), append(k.kept, all)
	return k.answer
}

// keeping opens a device of a new person on such a relay. It runs.
func (w world) keeping(dir trefoil.Directory, name string, answer state.Delivery) (*device, *keeper) {
	w.Helper()
	k := &keeper{tap: w.tap(name), answer: answer}
	d := w.open(name, store.NewMemory(), k, func(o *trefoil.Options) { o.Directory = dir })
	_, err := d.client.NewPerson(w.Context())
	require.NoError(w, err)
	return d.run(), k
}

// The frames of a message with which a session begins are kept, the very ones that are posted. Others are not, nor one that is too
// long to be kept, nor a note to oneself. All are read.
func TestFirstMessageIsKept(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		ann, k := w.keeping(dir, "Ann", state.Delivered())
		bob, b := w.person(dir, "Bob")
		cleo, c := w.person(dir, "Cleo")
		w.pass(time.Minute)
		ann.say(b, "hello")
		w.pass(time.Minute)
		require.Len(t, k.kept, 1)
		require.Len(t, k.kept[0], 1)
		e := k.kept[0][0]
		require.Equal(t, b, e.Person)
		require.Equal(t, k.posted[0], e.Frame)
		l, err := dir.Lookup(t.Context(), b)
		require.NoError(t, err)
		require.True(t, e.Device.Equal(l.Bundles[0].Identity()))
		require.Equal(t, l.Bundles[0].Mailbox().Address().String(), e.Topic)
		require.True(t, bytes.Contains(e.Frame, e.Ephemeral.Bytes()), "it is that of the initiation")

		ann.say(b, "not answered yet")
		long := string(bytes.Repeat([]byte("long"), 10<<10))
		ann.say(c, long)
		self, err := ann.client.Person(t.Context())
		require.NoError(t, err)
		ann.say(self, "a note")
		w.pass(time.Minute)
		require.Len(t, k.kept, 1)
		require.Equal(t, []string{"hello", "not answered yet"}, bob.read())
		require.Equal(t, []string{long}, cleo.read())
	})
}

// What a relay does not keep now is given to it again, under the same request; what it never keeps is no event, and comes all the same.
func TestRelayThatDoesNotKeep(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		ann, k := w.keeping(dir, "Ann", state.RetryAfter(time.Second))
		bob, b := w.person(dir, "Bob")
		w.pass(time.Minute)
		ann.say(b, "hello")
		w.pass(time.Minute)
		k.mu.Lock()
		require.Greater(t, len(k.requests), 1)
		for _, r := range k.requests {
			require.Equal(t, k.requests[0], r)
		}
		k.answer = state.Rejected("never")
		before := len(k.requests)
		k.mu.Unlock()
		w.pass(time.Hour)
		require.Len(t, k.requests, before+1)
		require.Equal(t, []string{"hello"}, bob.read())
		require.Empty(t, told[event.Rejected](ann))
		require.Empty(t, told[event.NotSent](ann))
	})
}

// fickle is a directory that hides the second device of persons every other time.
type fickle struct {
	*transporttest.Directory
	mu    sync.Mutex
	hides bool
	times int
}

func (f *fickle) Lookup(ctx context.Context, person key.Address) (trefoil.Listing, error) {
	l, err := f.Directory.Lookup(ctx, person)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(l.Bundles) > 1 {
		if f.times++; f.hides {
			l.Bundles = l.Bundles[:1]
		}
		f.hides = !f.hides
	}
	return l, err
}

// A directory that shows other devices each time has a device make new frames a few times, and no more.
func TestDirectoryThatShowsOthersEachTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := &fickle{Directory: transporttest.NewDirectory()}
		keys := session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()}
		phone := w.deviceOf(keys, dir.Directory, "phone")
		w.pass(time.Minute)
		w.deviceOf(keys, dir.Directory, "tablet")
		w.pass(time.Minute)
		ann, k := w.keeping(dir, "Ann", state.Delivered())
		w.pass(time.Minute)
		ann.say(keys.Address(), "hello")
		w.pass(time.Hour)
		require.Empty(t, k.kept)
		require.Equal(t, 10, dir.times, "once to write, then to keep it as often as it may be completed, and to see that it cannot be")
		require.Contains(t, phone.read(), "hello")
	})
}

// What is written while the outbox is nearly full leaves, although there is no room for what a relay would keep.
func TestNoRoomToKeep(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		bob, b := w.person(dir, "Bob")
		k := &keeper{tap: w.tap("Ann"), answer: state.Delivered()}
		ann := w.open("Ann", store.NewMemory(), k, func(o *trefoil.Options) {
			o.Directory, o.Vault.OutboxBytes = dir, 26<<10
		})
		_, err := ann.client.NewPerson(t.Context())
		require.NoError(t, err)
		text := string(bytes.Repeat([]byte("text"), 2<<10))
		for range 3 {
			ann.say(b, text)
		}
		ann.run()
		w.pass(time.Hour)
		require.Equal(t, []string{text, text, text}, bob.read())
		require.Empty(t, k.kept)
	})
}

// A message that waits for a relay to keep it is encrypted for a device that is added meanwhile, and the writer is told that the person has
// another device: once, as if the message were a new one.
func TestDeviceAddedWhileARelayDoesNotKeep(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		keys := session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()}
		b := keys.Address()
		phone := w.deviceOf(keys, dir, "Bob's phone")
		w.pass(time.Minute)
		ann, k := w.keeping(dir, "Ann", state.RetryAfter(time.Second))
		ann.say(b, "hello")
		w.pass(time.Minute)
		require.Empty(t, told[event.DevicesChanged](ann))
		tablet := w.deviceOf(keys, dir, "Bob's tablet")
		w.pass(time.Hour)
		require.Equal(t, []string{"hello"}, tablet.read())
		changed := told[event.DevicesChanged](ann)
		require.Len(t, changed, 1)
		require.Equal(t, 2, changed[0].Devices)
		require.Equal(t, state.ID(b), changed[0].Chat)

		k.mu.Lock()
		k.answer = state.Delivered()
		k.mu.Unlock()
		w.pass(time.Hour)
		require.Len(t, k.kept[len(k.kept)-1], 2)
		ann.say(b, "both")
		w.pass(time.Minute)
		require.Equal(t, []string{"hello", "both"}, phone.read())
		require.Len(t, told[event.DevicesChanged](ann), 1)
	})
}
