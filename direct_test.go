package trefoil_test

import (
	"context"
	"errors"
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

// person opens a device of a new person, which runs.
func (w world) person(dir trefoil.Directory, name string, change ...func(*trefoil.Options)) (*device, key.Address) {
	w.Helper()
	d := w.device(name, append(change, func(o *trefoil.Options) { o.Directory = dir })...)
	address, err := d.client.NewPerson(w.Context())
	require.NoError(w, err)
	return d.run(), address
}

func (d *device) say(to key.Address, body string) event.ID {
	d.Helper()
	id, err := d.client.Direct(to).Send(d.Context(), []byte(body))
	require.NoError(d, err)
	return id
}

// Two persons write to each other. Both are told of every message once, under one ID, the own ones included.
func TestDirect(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		ann, a := w.person(dir, "Ann")
		bob, b := w.person(dir, "Bob")
		w.pass(time.Minute)

		id := ann.say(b, "hello Bob")
		w.pass(time.Minute)
		answer := bob.say(a, "hello Ann")
		w.pass(time.Minute)

		require.Equal(t, []string{"hello Bob", "hello Ann"}, ann.read())
		require.Equal(t, []string{"hello Bob", "hello Ann"}, bob.read())
		first, second := told[event.Message](bob)[0], told[event.Message](ann)[1]
		require.Equal(t, event.Stamp{Chat: state.ID(a), ID: id}, first.About())
		require.Equal(t, event.Stamp{Chat: state.ID(b), ID: answer}, second.About())
		require.Equal(t, a, first.Person)
		require.False(t, first.Own)
		require.True(t, told[event.Message](ann)[0].Own)
		require.NotContains(t, first.String(), "hello")
		for d := range ann.client.Directs(w.Context()) {
			require.Equal(t, b, d.With())
		}
	})
}

// What is written before the directory or the relay can be reached waits, and is sent in order.
func TestDirectOffline(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		bob, b := w.person(dir, "Bob")
		w.pass(time.Minute)
		ann, line := w.tapped("Ann", func(o *trefoil.Options) { o.Directory = dir })
		line.plug(false)
		dir.Fail(errors.New("down"))
		_, err := ann.client.NewPerson(w.Context())
		require.NoError(t, err)
		ann.run()
		ann.say(b, "one")
		ann.say(b, "two")
		w.pass(time.Minute)
		require.Empty(t, bob.read())
		require.Equal(t, []string{"one", "two"}, ann.read())

		dir.Fail(nil)
		w.pass(10 * time.Minute)
		require.Empty(t, bob.read())
		line.plug(true)
		w.pass(20 * time.Minute)
		require.Equal(t, []string{"one", "two"}, bob.read())
	})
}

// A device that becomes a person's while its line is up reads what others write to it at once.
func TestPersonOfARunningDevice(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		bob, _ := w.person(dir, "Bob")
		ann := w.device("Ann", func(o *trefoil.Options) { o.Directory = dir }).run()
		w.pass(time.Minute)
		require.False(t, ann.client.Stats().Published)
		a, err := ann.client.NewPerson(w.Context())
		require.NoError(t, err)
		w.pass(time.Minute)
		require.True(t, ann.client.Stats().Published)
		bob.say(a, "hello")
		w.pass(time.Minute)
		require.Equal(t, []string{"hello"}, ann.read())
	})
}

// A message to somebody who is nobody is NotSent, and one's own notes are read on one's own device only.
func TestDirectToNobody(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		ann, a := w.person(dir, "Ann")
		w.pass(time.Minute)
		nobody := keypair.GenerateSigningKey().Public().Address()
		id := ann.say(nobody, "anybody?")
		note := ann.say(a, "milk")
		w.pass(time.Minute)
		failed := told[event.NotSent](ann)
		require.Len(t, failed, 1)
		require.Equal(t, id, failed[0].Message)
		require.ErrorIs(t, failed[0].Reason, trefoil.ErrNobody)
		require.Equal(t, state.ID(nobody), failed[0].Chat)
		written := told[event.Message](ann)
		require.Len(t, written, 2)
		require.True(t, written[0].Own && written[1].Own)
		require.ElementsMatch(t, []event.Stamp{{Chat: state.ID(nobody), ID: id}, {Chat: state.ID(a), ID: note}}, []event.Stamp{written[0].About(), written[1].About()})
	})
}

// A client without a directory, or a device without a person, has no direct conversations; a device belongs to one person.
func TestNoPerson(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		plain := w.device("plain")
		_, err := plain.client.NewPerson(w.Context())
		require.ErrorIs(t, err, trefoil.ErrNoPerson)
		ann := w.device("Ann", func(o *trefoil.Options) { o.Directory = transporttest.NewDirectory() })
		_, err = ann.client.Direct(key.Address{1}).Send(w.Context(), []byte("x"))
		require.ErrorIs(t, err, trefoil.ErrNoPerson)
		_, err = ann.client.NewPerson(w.Context())
		require.NoError(t, err)
		_, err = ann.client.NewPerson(w.Context())
		require.ErrorIs(t, err, state.ErrExists)
	})
}

// deviceOf opens one more device of a person whose keys a test has drawn. It runs.
func (w world) deviceOf(p session.Person, dir trefoil.Directory, name string, change ...func(*trefoil.Options)) *device {
	w.Helper()
	s := store.NewMemory()
	k, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(w, err)
	keys, err := session.NewDevice(p.Address(), time.Now())
	require.NoError(w, err)
	put(w, s, k, p.ID(), p)
	put(w, s, k, keys.ID(), keys)
	return w.open(name, s, w.net.Device(name), append(change, func(o *trefoil.Options) { o.Directory = dir })...).run()
}

func put[P state.Part[P]](w world, s store.Store, k state.Key, id state.ID, part P) {
	w.Helper()
	v, err := state.Open[state.One[P]](w.Context(), s, k, state.Options{})
	require.NoError(w, err)
	first, err := state.NewOne(id, part)
	require.NoError(w, err)
	require.NoError(w, v.Create(w.Context(), first, nil))
}

// A person that was deleted is nobody to others, on all its devices, and is not registered again; what it had sent is there.
func TestDeletePerson(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		ann, a := w.person(dir, "Ann")
		bob, _ := w.person(dir, "Bob")
		w.pass(time.Minute)
		bob.say(a, "hello Ann")
		w.pass(time.Minute)
		require.NoError(t, ann.client.DeletePerson(t.Context()))
		require.NoError(t, ann.client.DeletePerson(t.Context()), "again")
		l, err := dir.Lookup(t.Context(), a)
		require.NoError(t, err)
		require.Zero(t, l)
		bob.say(a, "are you there?")
		w.pass(2 * time.Hour) // the device asks the directory what is left, and would register
		require.Equal(t, []string{"hello Ann"}, ann.read())
		l, err = dir.Lookup(t.Context(), a)
		require.NoError(t, err)
		require.Zero(t, l)

		nobody := w.unlinked(dir, "nobody")
		require.ErrorIs(t, nobody.client.DeletePerson(t.Context()), trefoil.ErrNoPerson)
		dir.Fail(errors.New("down"))
		require.ErrorContains(t, bob.client.DeletePerson(t.Context()), "down")
	})
}

// All devices of both persons read everything, under one ID, and who writes is told that the other has another device.
func TestDirectSeveralDevices(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		annKeys := session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()}
		bobKeys := session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()}
		a, b := annKeys.Address(), bobKeys.Address()
		phone := w.deviceOf(annKeys, dir, "Ann's phone")
		w.pass(time.Minute)
		laptop := w.deviceOf(annKeys, dir, "Ann's laptop")
		bob := w.deviceOf(bobKeys, dir, "Bob's phone")
		w.pass(time.Minute)
		phone.say(b, "one")
		w.pass(time.Minute)
		bob.say(a, "two")
		w.pass(time.Minute)
		tablet := w.deviceOf(bobKeys, dir, "Bob's tablet")
		w.pass(time.Minute)
		require.Empty(t, told[event.DevicesChanged](laptop))
		laptop.say(b, "three")
		w.pass(time.Minute)
		phone.say(b, "four")
		w.pass(time.Minute)

		for _, d := range []*device{phone, laptop, bob} {
			require.Equal(t, []string{"one", "two", "three", "four"}, d.read(), d.name)
			for i, m := range told[event.Message](d) {
				require.Equal(t, told[event.Message](phone)[i].ID, m.ID)
				require.Equal(t, m.Person == a, m.Own == (d != bob), "%s: %d", d.name, i)
			}
		}
		require.Equal(t, []string{"three", "four"}, tablet.read(), "a new device reads what is written from then on")
		changed := told[event.DevicesChanged](phone)
		require.Len(t, changed, 1)
		require.Equal(t, 2, changed[0].Devices)
		require.Equal(t, state.ID(b), changed[0].Chat)
	})
}

// Both persons of a conversation see one fingerprint, on all their devices. Keys that devices replace by themselves do not change it; a
// further device does, whoever's it is, and the writer is told.
func TestDirectFingerprint(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		bobKeys := session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()}
		b := bobKeys.Address()
		ann, a := w.person(dir, "Ann")
		cat, c := w.person(dir, "Cat")
		bob := w.deviceOf(bobKeys, dir, "Bob's phone")
		w.pass(time.Minute)
		of := func(d *device, with key.Address) trefoil.Fingerprint {
			f, err := d.client.Direct(with).Fingerprint(w.Context())
			require.NoError(t, err)
			require.NotZero(t, f)
			return f
		}
		first := of(ann, b)
		require.Equal(t, first, of(bob, a))
		require.NotEqual(t, first, of(cat, b))
		require.NotEqual(t, of(cat, a), of(cat, b))
		require.NotEqual(t, of(cat, c), of(cat, b))
		ann.say(b, "one")
		w.pass(8 * 24 * time.Hour)
		ann.say(b, "a week later")
		w.pass(time.Minute)
		require.Equal(t, []string{"one", "a week later"}, bob.read())
		require.Equal(t, first, of(ann, b))

		laptop := w.deviceOf(bobKeys, dir, "Bob's laptop")
		w.pass(time.Minute)
		second := of(ann, b)
		require.NotEqual(t, first, second)
		require.Equal(t, second, of(bob, a))
		require.Equal(t, second, of(laptop, a))
		require.Empty(t, told[event.DevicesChanged](ann))
		ann.say(b, "both")
		w.pass(time.Minute)
		require.Len(t, told[event.DevicesChanged](ann), 1)

		_, err := ann.client.Direct(keypair.GenerateSigningKey().Public().Address()).Fingerprint(w.Context())
		require.ErrorIs(t, err, trefoil.ErrNobody)
		_, err = w.device("nobody").client.Direct(b).Fingerprint(w.Context())
		require.ErrorIs(t, err, trefoil.ErrNoPerson)
	})
}

// A program that fails holds up the conversation that it fails in, and no other; what it did not handle it is told of again, after a
// restart, too.
func TestDirectHandover(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		ann, a := w.person(dir, "Ann")
		bob, b := w.person(dir, "Bob")
		fails := true
		eve := w.device("Eve", func(o *trefoil.Options) {
			o.Directory = dir
			o.Handle = func(_ context.Context, e event.Event) error {
				if e.About().Chat == state.ID(a) && fails {
					return errors.New("not now")
				}
				return nil
			}
		})
		to, err := eve.client.NewPerson(t.Context())
		require.NoError(t, err)
		eve.begin()
		w.pass(time.Minute)
		ann.say(to, "of Ann")
		bob.say(to, "of Bob")
		w.pass(time.Minute)
		bob.say(to, "more of Bob")
		w.pass(time.Minute)
		require.Subset(t, eve.read(), []string{"of Bob", "more of Bob"})
		require.ErrorIs(t, eve.stop(), context.Canceled)

		fails = false
		again := w.open("Eve", eve.store, w.net.Device("Eve"), func(o *trefoil.Options) { o.Directory = dir })
		require.NoError(t, again.client.Sync(t.Context()))
		require.Equal(t, []string{"of Ann"}, again.read())
		bob.say(to, "last of Bob")
		w.pass(time.Minute)
		require.NoError(t, again.client.Sync(t.Context()))
		require.Equal(t, []string{"of Ann", "last of Bob"}, again.read())
		again.say(b, "from a Sync")
		require.NoError(t, again.client.Sync(t.Context()))
		w.pass(time.Minute)
		require.Contains(t, bob.read(), "from a Sync")
	})
}
