package trefoiltest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
	"github.com/trefoil-im/trefoil/trefoiltest"
)

// An invite works after messages were sent, and across a restart of the device that made it.
func TestInviteAfterMessages(t *testing.T) {
	w := trefoiltest.New(t, 1)
	ann, bob, carl := w.Device("Ann"), w.Device("Bob"), w.Device("Carl")
	space := w.Space(ann, bob)
	link := ann.Invite(space)
	for i := range 20 {
		ann.Send(space, fmt.Sprint("message ", i))
		w.Settle()
	}
	ann.Crash()
	carl.Join(link)
	w.Settle()
	bob.Send(space, "welcome, Carl")
	w.Settle()
	require.Contains(t, carl.Read(space), "welcome, Carl")
	w.Check()
}

// What is repeated, delayed and reordered is read once, in the end.
func TestFaultsHeal(t *testing.T) {
	trefoiltest.Check(t, 1, 3, func(w *trefoiltest.World) {
		ann, bob, carl := w.Device("Ann"), w.Device("Bob"), w.Device("Carl")
		space := w.Space(ann, bob, carl)
		w.Net().Repeat(0.3)
		w.Net().Delay(0.5, time.Hour)
		w.Net().Reorder(true)
		for i := range 8 {
			ann.Send(space, fmt.Sprint("Ann ", i))
			bob.Send(space, fmt.Sprint("Bob ", i))
			w.Advance(10 * time.Minute)
		}
		w.Net().Heal()
		w.Advance(2 * time.Hour)
		w.Check()
		require.Len(w.T, carl.Read(space), 16)
	})
}

// Members that were cut off from each other and went on in both halves are one space again.
func TestPartition(t *testing.T) {
	w := trefoiltest.New(t, 2)
	ann, bob, carl := w.Device("Ann"), w.Device("Bob"), w.Device("Carl")
	space := w.Space(ann, bob, carl)
	w.Net().Partition([]*trefoiltest.Device{ann}, []*trefoiltest.Device{bob, carl})
	for i := range 5 {
		ann.Send(space, fmt.Sprint("here ", i))
		carl.Send(space, fmt.Sprint("there ", i))
		w.Settle()
	}
	require.NotContains(t, ann.Read(space), "there 0")
	w.Net().Heal()
	w.Advance(time.Hour)
	w.Check()
}

// A device may die at every call of its store: between saving and sending, too. Nothing is lost, and nothing is read twice.
func TestCrashBetweenSaveAndSend(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.Before, storetest.After} {
		for n, crashed := 1, true; crashed; n += 9 {
			w := trefoiltest.New(t, uint64(n))
			ann, bob := w.Device("Ann"), w.Device("Bob")
			space := w.Space(ann, bob)
			ann.CrashAt(n, fault)
			ann.Send(space, "hello")
			bob.Send(space, "hello Ann")
			w.Advance(time.Hour)
			if crashed = ann.Crashed(); !crashed {
				ann.Crash()
			}
			ann.Send(space, "again")
			bob.Send(space, "again, Ann")
			w.Advance(time.Hour)
			w.Check()
			require.Contains(t, ann.Read(space), "hello Ann")
			require.Contains(t, bob.Read(space), "again")
		}
	}
}

// Who is let in reads nothing of what was written before.
func TestJoinerCannotReadThePast(t *testing.T) {
	w := trefoiltest.New(t, 3)
	ann, bob, carl := w.Device("Ann"), w.Device("Bob"), w.Device("Carl")
	space := w.Space(ann, bob)
	ann.Send(space, "before Carl")
	w.Settle()
	carl.Join(ann.Invite(space))
	w.Settle()
	bob.Send(space, "with Carl")
	w.Settle()
	require.Equal(t, []string{"with Carl"}, carl.Read(space))
	require.NotContains(t, carl.Seize().Opens(), "before Carl", "not even with all frames and all keys of Carl's")
}

// A title and a profile that are said just before somebody is let in by a member that has not heard them reach the joiner, too.
func TestJoinerLearnsTheTitle(t *testing.T) {
	trefoiltest.Check(t, 1, 5, func(w *trefoiltest.World) {
		ann, bob, carl := w.Device("Ann"), w.Device("Bob"), w.Device("Carl")
		space := w.Space(ann, bob)
		link := ann.Invite(space)
		w.Settle()
		w.Net().Delay(0.7, 20*time.Minute)
		require.NoError(w.T, ann.Client.Space(space).SetTitle(w.T.Context(), "the title"))
		require.NoError(w.T, bob.Client.Space(space).SetProfile(w.T.Context(), []byte("Bob Other")))
		w.Settle()
		carl.Join(link)
		w.Advance(30 * time.Minute)
		w.Net().Heal()
		w.Advance(30 * time.Minute)
		for _, d := range []*trefoiltest.Device{ann, bob, carl} {
			status, err := d.Client.Space(space).Status(w.T.Context())
			require.NoError(w.T, err)
			require.Equal(w.T, "the title", string(status.Title), d.Name)
			require.Equal(w.T, "Bob Other", string(members(w.T, d, space)[1].Profile), d.Name)
		}
		w.Check()
	})
}

// A thief of a device's state reads nothing that the device has read before, and what is written soon after.
func TestThief(t *testing.T) {
	w := trefoiltest.New(t, 4)
	ann, bob := w.Device("Ann"), w.Device("Bob")
	space := w.Space(ann, bob)
	ann.Send(space, "before the theft")
	w.Settle()
	seized := bob.Seize()
	ann.Send(space, "right after it")
	w.Settle()
	opened := seized.Opens()
	require.NotContains(t, opened, "before the theft")
	require.Contains(t, opened, "right after it")
}

// A device that goes on from an image of its disk cannot harm the others: they read what the real one writes.
func TestCopyOfADevice(t *testing.T) {
	w := trefoiltest.New(t, 5)
	ann, bob := w.Device("Ann"), w.Device("Bob")
	space := w.Space(ann, bob)
	image := bob.Copy("Bob's image")
	bob.Send(space, "of the real one")
	w.Settle()
	_, err := image.Client.Space(space).Send(t.Context(), []byte("of the image"))
	require.NoError(t, err)
	_ = image.Wake()
	w.Settle()
	bob.Send(space, "more of the real one")
	w.Settle()
	require.Subset(t, ann.Read(space), []string{"of the real one", "more of the real one"})
}

// Two processes on one store, such as an app and its push extension: each message is read once, and each is sent once.
func TestTwoProcessesOnOneStore(t *testing.T) {
	w := trefoiltest.New(t, 6)
	ann := w.Device("Ann")
	shared := store.NewMemory()
	both := func(o *trefoil.Options) { o.Shared = true }
	app, push := w.DeviceOn("Bob", shared, both), w.DeviceOn("Bob", shared, both)
	space := w.Space(ann, app)
	ann.Send(space, "one")
	app.Send(space, "two")
	push.Send(space, "three")
	w.Advance(10 * time.Minute)
	require.ElementsMatch(t, []string{"one", "two", "three"}, append(app.Read(space), push.Read(space)...))
	require.ElementsMatch(t, []string{"one", "two", "three"}, ann.Read(space))
}

// Direct conversations live in a world, too.
func TestDirect(t *testing.T) {
	w := trefoiltest.New(t, 7)
	ann, bob := w.Device("Ann"), w.Device("Bob")
	a, b := ann.Person(), bob.Person()
	w.Settle()
	ann.Say(b, "hello")
	w.Settle()
	bob.Say(a, "hello yourself")
	w.Settle()
	require.Equal(t, []string{"hello", "hello yourself"}, ann.Read(state.ID(b)))
	require.Equal(t, []string{"hello", "hello yourself"}, bob.Read(state.ID(a)))
}

// Who is removed is told, and reads nothing that is written from then on, not even with all frames and all keys that it held. The others
// miss nothing.
func TestRemovedMemberCannotReadOn(t *testing.T) {
	w := trefoiltest.New(t, 9)
	ann, bob, carl := w.Device("Ann"), w.Device("Bob"), w.Device("Carl")
	space := w.Space(ann, bob, carl)
	carl.Send(space, "of Carl")
	w.Settle()
	at := slices.IndexFunc(members(t, ann, space), func(m ratchet.MemberInfo) bool { return string(m.Profile) == "Carl" })
	require.NoError(t, ann.Client.Space(space).Remove(t.Context(), members(t, ann, space)[at].Index))
	w.Advance(time.Hour)
	ann.Send(space, "without Carl")
	w.Settle()
	bob.Send(space, "without Carl, too")
	w.Settle()
	w.Check()
	require.Len(t, trefoiltest.Told[event.Removed](carl), 1)
	require.Len(t, trefoiltest.Told[event.Rekeyed](bob), 1)
	require.Equal(t, []string{"of Carl", "without Carl", "without Carl, too"}, bob.Read(space))
	require.Equal(t, []string{"of Carl"}, carl.Read(space))
	require.NotContains(t, carl.Seize().Opens(), "without Carl")
	for _, d := range []*trefoiltest.Device{bob, carl} {
		all := members(t, d, space)
		require.Equal(t, []string{"Ann", "Bob"}, []string{string(all[0].Profile), string(all[1].Profile)}, d.Name)
		require.Len(t, all, 2, d.Name)
	}
	_, err := carl.Client.Space(space).Send(t.Context(), []byte("still here"))
	require.ErrorIs(t, err, ratchet.ErrRemoved)
}

func members(t testing.TB, d *trefoiltest.Device, space state.ID) []ratchet.MemberInfo {
	all, err := d.Client.Space(space).Members(t.Context())
	require.NoError(t, err)
	return all
}
