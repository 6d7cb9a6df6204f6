package trefoiltest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
	"github.com/trefoil-im/trefoil/trefoiltest"
)

// busy plays all that a world has, and returns every frame that was posted and every event that a device was told of.
func busy(t *testing.T, seed uint64) (frames [][]byte, events []string) {
	w := trefoiltest.New(t, seed)
	ann, bob, dan := w.Device("Ann"), w.Device("Bob"), w.Device("Dan")
	shared := store.NewMemory()
	both := func(o *trefoil.Options) { o.Shared = true }
	app := w.DeviceOn("Eve", shared, both)
	space := w.Space(ann, bob, app)
	push := w.DeviceOn("Eve", shared, both)
	other := w.Space(bob, ann)
	made, err := ann.Client.Space(space).Invite(t.Context(), invite.Public(invite.Unit, 0))
	require.NoError(t, err)
	link, err := made.Link.URL(trefoiltest.Base)
	require.NoError(t, err)
	to := bob.Person()
	ann.Person()
	w.Net().Lose(0.1)
	w.Net().Repeat(0.2)
	w.Net().Delay(0.3, time.Minute)
	w.Net().Reorder(true)
	for i := range 4 {
		ann.Send(space, fmt.Sprint("Ann ", i))
		bob.Send(other, fmt.Sprint("Bob ", i))
		push.Send(space, fmt.Sprint("Eve ", i))
		ann.Say(to, fmt.Sprint("aside ", i))
		switch i {
		case 1:
			dan.Join(link)
		case 2:
			bob.CrashAt(5, storetest.After)
		case 3:
			require.NoError(t, ann.Client.Space(space).Remove(t.Context(), members(t, ann, space)[1].Index))
		}
		w.Settle()
	}
	w.Net().Heal()
	w.Advance(time.Minute)
	for _, d := range []*trefoiltest.Device{ann, bob, dan, app, push} {
		for _, e := range d.Events {
			events = append(events, d.Name+" "+e.String())
		}
	}
	return w.Net().Tap(), events
}

// A seed decides a world, byte by byte.
func TestRepeats(t *testing.T) {
	frames, events := busy(t, 1)
	require.Greater(t, len(frames), 30)
	again, told := busy(t, 1)
	require.Equal(t, events, told)
	require.Equal(t, len(frames), len(again))
	for i := range frames {
		require.Equal(t, frames[i], again[i], "frame %d of %d", i, len(frames))
	}
}

// Worlds share the randomness of the process, so a test that has one cannot be parallel.
func TestParallelWorlds(t *testing.T) {
	t.Run("parallel", func(t *testing.T) {
		t.Parallel()
		require.Panics(t, func() { trefoiltest.New(t, 1) })
	})
}
