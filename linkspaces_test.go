package trefoil_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// linked links a further device to a person.
func (w world) linked(first, further *device) {
	w.Helper()
	w.link(first, further)
	w.pass(time.Minute)
	digits := first.digits()
	require.Equal(w, digits, further.digits())
	require.NoError(w, first.client.ConfirmDevice(w.Context(), digits))
	require.NoError(w, further.client.ConfirmDevice(w.Context(), digits))
	w.pass(10 * time.Minute)
	require.Len(w, told[event.Linked](further), 1)
}

// places returns the places at which a device sees another one's person.
func (d *device) places(space state.ID, of *device) (out []dkg.Index) {
	d.Helper()
	members, err := d.client.Space(space).Members(d.Context())
	require.NoError(d, err)
	own := of.status(space).Key
	for _, m := range members {
		if m.Person == own {
			out = append(out, m.Index)
		}
	}
	return out
}

// again opens a device anew, on its store.
func (w world) again(d *device, dir trefoil.Directory) *device {
	d.stop()
	return w.open(d.name, d.store, w.net.Device(d.name), func(o *trefoil.Options) { o.Directory = dir }).run()
}

// A further device comes into the spaces in which its person is a member like others, although the owner is away for two days and the first
// device starts anew meanwhile. Both are told; all see one person; it is removed alone.
func TestLinkedDeviceOfAMember(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		phone, _ := w.person(dir, "Ann")
		bob, _ := w.person(dir, "Bob")
		laptop := w.unlinked(dir, "Ann's laptop")
		space, own := w.newSpace(bob, phone), w.newSpace(phone)
		require.NoError(t, bob.client.Space(space).SetTitle(t.Context(), "Gardening"))
		w.pass(time.Minute)
		bob.stop()
		w.linked(phone, laptop)
		waits := told[event.SpaceAwaited](laptop)
		require.Len(t, waits, 1)
		require.Equal(t, event.SpaceAwaited{Stamp: waits[0].Stamp, Space: space, Title: "Gardening"}, waits[0])
		require.Equal(t, ratchet.Member, laptop.status(own).Phase)
		require.Len(t, told[event.DeviceInvited](phone), 1)
		_, err := laptop.client.Space(space).Status(t.Context())
		require.ErrorIs(t, err, state.ErrNotFound)

		phone = w.again(phone, dir)
		w.pass(48 * time.Hour)
		bob = w.again(bob, dir)
		w.pass(time.Hour)
		invited := told[event.DeviceInvited](phone)
		require.Len(t, invited, 1)
		require.Equal(t, event.DeviceInvited{Stamp: event.Stamp{Chat: space, ID: invited[0].ID}}, invited[0])
		require.Equal(t, ratchet.Member, laptop.status(space).Phase)
		bob.send(space, "welcome")
		laptop.send(space, "from the laptop")
		w.pass(10 * time.Minute)
		require.Contains(t, laptop.read(), "welcome")
		for _, d := range []*device{phone, bob} {
			require.Contains(t, d.read(), "from the laptop")
			require.Equal(t, []dkg.Index{phone.status(space).Index, laptop.status(space).Index}, d.places(space, phone), d.name)
		}

		require.NoError(t, bob.client.Space(space).Remove(t.Context(), laptop.status(space).Index))
		w.pass(10 * time.Minute)
		require.Len(t, told[event.Removed](laptop), 1)
		phone.send(space, "I am still here")
		w.pass(time.Minute)
		require.Contains(t, bob.read(), "I am still here")
		require.NotContains(t, laptop.read(), "I am still here")
	})
}

// What is posted while a device is linked can be lost: the wish, the answer, and what the first device says to the further one. It is
// said again.
func TestLinkedDeviceFramesLost(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		phone, _ := w.person(dir, "Ann")
		line := w.tap("Bob")
		bob := w.open("Bob", store.NewMemory(), line).run()
		laptop := w.unlinked(dir, "Ann's laptop")
		space := w.newSpace(bob, phone)
		w.pass(time.Minute)
		line.onFrame(func(f *trefoil.Frame) { f.Data = nil }) // what comes to the owner is damaged
		w.linked(phone, laptop)
		require.Len(t, told[event.SpaceAwaited](laptop), 1)
		line.onFrame(nil)
		line.onPost(func(string, []byte) (state.Delivery, bool) { return state.Delivered(), true }) // and what it answers first is lost
		w.pass(3 * time.Hour)
		line.onPost(nil)
		w.pass(30 * time.Hour)
		require.Equal(t, ratchet.Member, laptop.status(space).Phase)
		require.Len(t, bob.places(space, phone), 2)
	})
}

// A space that the first device joined later, and one whose policy forbids devices.
func TestInviteDevices(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		phone, _ := w.person(dir, "Ann")
		bob, _ := w.person(dir, "Bob")
		laptop := w.unlinked(dir, "Ann's laptop")
		strict := w.device("strict", func(o *trefoil.Options) { o.Policy.NoDevices = true }).run()
		forbids := w.newSpace(strict, phone)
		w.linked(phone, laptop)
		invited := told[event.DeviceInvited](phone)
		require.Len(t, invited, 1)
		require.ErrorIs(t, invited[0].Reason, ratchet.ErrPolicy)
		require.ErrorIs(t, phone.client.Space(forbids).InviteDevices(t.Context()), ratchet.ErrPolicy)

		later := w.newSpace(bob, phone)
		require.ErrorIs(t, laptop.client.Space(later).InviteDevices(t.Context()), trefoil.ErrNoPerson)
		require.NoError(t, phone.client.Space(later).InviteDevices(t.Context()))
		require.NoError(t, phone.client.Space(later).InviteDevices(t.Context()), "it is wished already")
		dir.Fail(errors.New("down"))
		w.pass(10 * time.Minute)
		require.ErrorContains(t, phone.client.Space(later).InviteDevices(t.Context()), "down")
		dir.Fail(nil)
		w.pass(10 * time.Minute)
		require.Equal(t, ratchet.Member, laptop.status(later).Phase)
		require.NoError(t, phone.client.Space(later).InviteDevices(t.Context()), "all are there")
		w.pass(10 * time.Minute)
		ok := func(e event.DeviceInvited) bool { return e.Chat == later && e.Reason == nil }
		require.Len(t, slices.DeleteFunc(told[event.DeviceInvited](phone), func(e event.DeviceInvited) bool { return !ok(e) }), 1)
	})
}
