package trefoil_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session/linking"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/transporttest"
)

// unlinked opens a device of nobody, which runs.
func (w world) unlinked(dir trefoil.Directory, name string) *device {
	return w.device(name, func(o *trefoil.Options) { o.Directory = dir }).run()
}

// digits returns what a device shows.
func (d *device) digits() string {
	d.Helper()
	all := told[event.LinkDigits](d)
	require.NotEmpty(d, all, d.name)
	return all[len(all)-1].Digits
}

// link begins to link a device: both show digits. The first device listens already when it shows the code.
func (w world) link(first, further *device) {
	code, err := first.client.LinkDevice(first.Context())
	require.NoError(first, err)
	require.NoError(further, further.client.AcceptDevice(first.Context(), code))
}

// A further device is linked by a code and six digits. It gets what others write to the person, is in the person's spaces as a member of its
// own, and everybody sees one person under one profile. It is removed alone.
func TestLinkDevice(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		phone, a := w.person(dir, "Ann")
		bob, b := w.person(dir, "Bob")
		laptop := w.unlinked(dir, "Ann's laptop")
		space := w.newSpace(phone, bob)
		w.pass(time.Minute)
		w.link(phone, laptop)
		w.pass(time.Minute)
		require.Equal(t, phone.digits(), laptop.digits())
		require.NoError(t, laptop.client.ConfirmDevice(t.Context(), phone.digits()))
		w.pass(time.Minute)
		require.Empty(t, told[event.Linked](laptop), "the first device has not confirmed")
		_, err := laptop.client.Person(t.Context())
		require.ErrorIs(t, err, trefoil.ErrNoPerson)
		require.NoError(t, phone.client.ConfirmDevice(t.Context(), laptop.digits()))
		w.pass(10 * time.Minute)
		require.Len(t, told[event.Linked](laptop), 1)
		require.Len(t, told[event.Linked](phone), 1)
		self, err := laptop.client.Person(t.Context())
		require.NoError(t, err)
		require.Equal(t, a, self)
		_, err = laptop.client.LinkDevice(t.Context())
		require.ErrorIs(t, err, trefoil.ErrNoPerson, "the first device alone links others")
		require.ErrorIs(t, laptop.client.AcceptDevice(t.Context(), "x"), state.ErrExists)

		bob.send(space, "to the space")
		bob.say(a, "to Ann")
		laptop.send(space, "from the laptop")
		w.pass(10 * time.Minute)
		require.Subset(t, laptop.read(), []string{"to the space", "to Ann"})
		require.Subset(t, bob.read(), []string{"from the laptop"})
		laptop.say(b, "to Bob")
		w.pass(time.Minute)
		require.Subset(t, bob.read(), []string{"to Bob"})
		require.Subset(t, phone.read(), []string{"to Bob", "to Ann"})

		var devices []ratchet.MemberInfo
		for _, d := range []*device{phone, bob, laptop} {
			all, err := d.client.Space(space).Members(t.Context())
			require.NoError(t, err)
			require.Len(t, all, 3, d.name)
			devices = nil
			for _, m := range all {
				if m.Person == all[0].Key {
					require.Equal(t, "Ann", string(m.Profile))
					devices = append(devices, m)
				}
			}
			require.Len(t, devices, 2, d.name)
		}
		require.NoError(t, phone.client.Space(space).Remove(t.Context(), devices[1].Index))
		w.pass(10 * time.Minute)
		require.Len(t, told[event.Removed](laptop), 1)
		require.Empty(t, told[event.Removed](phone))
	})
}

// A thief that photographs the code shows other digits than the device that was to be linked; whatever is confirmed then, nothing is given.
func TestLinkDeviceThief(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		phone, a := w.person(dir, "Ann")
		laptop, thief := w.unlinked(dir, "Ann's laptop"), w.unlinked(dir, "thief")
		w.pass(time.Minute)
		code, err := phone.client.LinkDevice(t.Context())
		require.NoError(t, err)
		require.NoError(t, thief.client.AcceptDevice(t.Context(), code))
		w.pass(time.Minute)
		require.NoError(t, thief.client.ConfirmDevice(t.Context(), thief.digits()))
		require.NoError(t, laptop.client.AcceptDevice(t.Context(), code))
		w.pass(time.Minute)
		ended := told[event.LinkEnded](phone)
		require.Len(t, ended, 1)
		require.ErrorIs(t, ended[0].Reason, linking.ErrTwice)
		require.ErrorIs(t, phone.client.ConfirmDevice(t.Context(), "000 000"), linking.ErrPhase)
		w.pass(time.Hour)

		w.link(phone, laptop)
		w.pass(time.Minute)
		wrong := "000 000"
		if phone.digits() == wrong {
			wrong = "000 001"
		}
		require.ErrorIs(t, phone.client.ConfirmDevice(t.Context(), wrong), linking.ErrDigits)
		require.NoError(t, laptop.client.ConfirmDevice(t.Context(), laptop.digits()))
		w.pass(time.Hour)
		for _, d := range []*device{laptop, thief} {
			require.Empty(t, told[event.Linked](d), d.name)
			_, err := d.client.Person(t.Context())
			require.ErrorIs(t, err, trefoil.ErrNoPerson)
		}
		l, err := dir.Lookup(t.Context(), a)
		require.NoError(t, err)
		require.Len(t, l.Bundles, 1)
	})
}

// A linking goes on after restarts of both devices, with a directory that cannot be reached for a time, and a code expires.
func TestLinkDeviceRestarts(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		withDirectory := func(o *trefoil.Options) { o.Directory = dir }
		phone, a := w.person(dir, "Ann")
		laptop := w.unlinked(dir, "Ann's laptop")
		space := w.newSpace(phone)
		w.pass(time.Minute)
		_, err := phone.client.LinkDevice(t.Context())
		require.NoError(t, err)
		w.pass(20 * time.Minute)
		require.ErrorIs(t, told[event.LinkEnded](phone)[0].Reason, linking.ErrExpired)
		again := func(d *device) *device {
			d.stop()
			return w.open(d.name, d.store, w.net.Device(d.name), withDirectory).run()
		}
		w.link(phone, laptop)
		w.pass(time.Minute)
		digits := phone.digits()
		phone, laptop = again(phone), again(laptop)
		require.NoError(t, laptop.client.ConfirmDevice(t.Context(), digits))
		phone, laptop = again(phone), again(laptop)
		w.pass(time.Minute)
		dir.Fail(errors.New("down"))
		require.NoError(t, phone.client.ConfirmDevice(t.Context(), digits))
		w.pass(10 * time.Minute)
		phone, laptop = again(phone), again(laptop)
		dir.Fail(nil)
		w.pass(10 * time.Minute)
		require.Len(t, told[event.Linked](laptop), 1)
		self, err := laptop.client.Person(t.Context())
		require.NoError(t, err)
		require.Equal(t, a, self)
		laptop = again(laptop)
		phone.send(space, "still here?")
		w.pass(10 * time.Minute)
		require.Contains(t, laptop.read(), "still here?")
		w.pass(26 * time.Hour)
		require.ErrorIs(t, phone.client.ConfirmDevice(t.Context(), digits), linking.ErrPhase)
	})
}

// Who takes the code at once is heard, also while the first device does not run.
func TestLinkDeviceListens(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		phone, _ := w.person(dir, "Ann")
		laptop := w.unlinked(dir, "Ann's laptop")
		w.pass(time.Minute)
		phone.stop()
		w.link(phone, laptop)
		w.pass(time.Second)
		phone.run()
		w.pass(10 * time.Second)
		require.Equal(t, phone.digits(), laptop.digits())
	})
}
